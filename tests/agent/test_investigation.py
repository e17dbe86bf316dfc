"""One investigation over real engine, session, executor and gates, with scripted thinking and a clock that jumps."""

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.agent.replay import replay
from app.domain.alert import Severity
from app.domain.errors import ReplayDiverged, ToolFailure
from app.domain.limits import SessionLimits
from app.domain.memory import Recalled
from app.domain.plan import Usage
from app.domain.reason import ErrorClass, Reason
from app.domain.report import Report
from app.domain.tool import ToolResult
from app.domain.trail import EventType, TrailEvent
from app.domain.verdict import VerdictState
from tests.agent.cast import NOW, Anything, ListMemory, Stage, Switches, alert, flaky, investigation, past, result, step, tiny, virtually

KILL = "kill_switch:sre-agent"


def run(stage: Stage, events: list[TrailEvent] | None = None, *alerts: Any) -> tuple[Report, list[TrailEvent], float]:
    journal = stage.journal(events or [])
    report, seconds = virtually(stage.agent().investigate(investigation(*alerts), journal))
    return report, journal.events, seconds


def of_type(events: list[TrailEvent], event: EventType) -> list[TrailEvent]:
    return [e for e in events if e.type is event]


def steps(stage: Stage) -> list[tuple[int, str, str]]:
    """(number, status, one line) of every step, as the diagnosis last saw them."""
    return [(u.number, u.status.value, u.result_line) for u in stage.diagnosis.cases[-1].updates]


def unavailable(_: Anything) -> ToolResult:
    raise ToolFailure(ErrorClass.EXTERNAL, Reason.UNAVAILABLE, "connection refused")


# covers LOOP-01, LOOP-02, LOOP-12
def test_an_investigation_recalls_plans_runs_concludes_and_remembers_in_that_order() -> None:
    stage = Stage([tiny("check_pods"), tiny("get_logs")], [step("s1", "check_pods", namespace="shop"), step("s2", "get_logs", pod="web-1")])
    report, events, _ = run(stage)
    order = [e.type for e in events if e.type not in (EventType.TOOL_RESULT,) and not e.key.endswith("=")]
    assert order == [
        EventType.AGENT_START,
        EventType.TARGET,
        EventType.MEMORY_RECALL,
        EventType.PLAN,
        EventType.TOOL_CALL,
        EventType.TOOL_CALL,
        EventType.REASONING,
        EventType.BRIEFING,
        EventType.DECISION,
        EventType.MEMORY_STORED,
    ]
    assert report.badges.state is VerdictState.LIKELY
    assert report.meta.replay == "sre-agent replay i1"
    case, target, recent = stage.memory.kept[0]
    assert (case.id, case.cause, target) == ("i1", "oom", "Workload/shop/web")
    assert recent["recent_tools_used"] == ["check_pods", "get_logs"]


def test_every_call_is_asked_in_one_spelling_and_says_whether_it_writes() -> None:
    stage = Stage([tiny("check_pods")], [step("s1", "check_pods", pod="web-1", namespace="shop")])
    _, events, _ = run(stage)
    (call,) = of_type(events, EventType.TOOL_CALL)
    assert call.key == 'tool:check_pods:{"namespace":"shop","pod":"web-1"}#1'
    assert call.data == {"tool": "check_pods", "args": {"pod": "web-1", "namespace": "shop"}, "step": "s1", "writes": False}


# covers API-07, EXEC-08
def test_the_steps_of_the_run_are_told_one_by_one() -> None:
    stage = Stage([tiny("check_pods", takes=0.045), tiny("get_logs", unavailable)], [step("s1", "check_pods"), step("s2", "get_logs")])
    run(stage)
    first, second = stage.diagnosis.cases[-1].updates
    assert (first.number, first.status, first.result_line, first.outcome.duration_ms) == (1, "success", "check_pods answered", 45)
    assert (first.next_action, second.next_action) == ("continue", "continue with the remaining tools")
    assert (second.status, second.result_line) == ("failed", "connection refused. The investigation continues without this data.")


# covers EXEC-03, EXEC-05
def test_at_most_four_steps_run_at_once() -> None:
    tools = [tiny(f"t{n}", takes=1.0) for n in range(9)]
    _, _, seconds = run(Stage(tools, [step(f"s{n}", f"t{n}") for n in range(9)]))
    assert seconds == pytest.approx(3.0, abs=0.1)


def test_a_dependent_step_waits_and_sees_what_it_depends_on() -> None:
    pods = {"pods": [{"metadata": {"name": "web-7", "namespace": "shop"}}]}
    logs = tiny("get_logs")
    stage = Stage(
        [tiny("check_pods", lambda _: result("check_pods", data=pods), takes=1.0), logs],
        [
            step("s2", "get_logs", "s1", namespace="shop", pod={"from": "s1", "path": "pods.0.metadata.name"}),
            step("s1", "check_pods", namespace="shop"),
            step("s3", "get_logs", namespace="shop", pod={"from": "s1", "path": "pods.0.metadata.name"}),
            step("s4", "get_logs", "s1", namespace="shop", pod={"from": "s1", "path": "pods.5.metadata.name"}),
        ],
    )
    report, events, _ = run(stage)
    assert [c.pod for c in logs.calls] == ["web-7"]
    assert [status for _, status, _ in steps(stage)] == ["success", "success", "skipped", "skipped"]
    told = [e.data["note"] for e in of_type(events, EventType.TOOL_RESULT) if e.key.startswith("tool_result:")]
    assert told == [
        "needs pods.0.metadata.name of step s1, on which this step does not depend",
        "needs pods.5.metadata.name of step s1, whose result has no such part",
    ]
    assert [n.reason for n in report.not_checked] == ["dependency_failed"]  # same tool and reason: named once


# covers EXEC-06
def test_what_depends_on_a_failed_step_is_blocked_and_says_what_it_needs() -> None:
    logs = tiny("get_logs")
    planned = [
        step("s1", "check_pods", optional=False),
        step("s2", "get_logs", "s1"),
        step("s3", "get_logs", "s2", "s9"),
        step("s4", "get_metrics"),
        step("s5", "get_logs", "s4", pod="web-1"),
    ]
    stage = Stage([tiny("check_pods", unavailable), tiny("get_metrics", unavailable), logs], planned)
    run(stage)
    assert [status for _, status, _ in steps(stage)] == ["failed", "blocked", "blocked", "failed", "success"]
    assert "needs step s1 (check_pods), which ended as failed" in steps(stage)[1][2]
    assert "needs step s9, which is not in the plan" in steps(stage)[2][2]


# covers EXEC-03
def test_steps_that_wait_for_one_another_are_named_and_the_others_run() -> None:
    stage = Stage([tiny("check_pods"), tiny("get_logs")], [step("s1", "check_pods"), step("s2", "get_logs", "s3"), step("s3", "get_logs", "s2")])
    report, _, _ = run(stage)
    assert steps(stage)[1][2] == steps(stage)[2][2] == "Circular dependency detected: s2, s3"
    assert report.badges.state is VerdictState.LIKELY


# covers LOOP-20, TOOL-07
def test_a_tool_that_was_made_up_costs_one_step_and_nothing_else() -> None:
    report, events, _ = run(Stage([tiny("check_pods")], [step("s1", "summon_expert"), step("s2", "check_pods")]))
    assert report.badges.state is VerdictState.LIKELY
    assert of_type(events, EventType.TOOL_ERROR)[0].data["note"] == "Unknown: summon_expert"
    assert [(n.reason, n.detail) for n in report.not_checked] == [("unknown_tool", "Unknown: summon_expert")]


def test_the_diagnosis_asks_for_more_until_nothing_would_change_the_answer() -> None:
    stage = Stage(
        [tiny("check_pods"), tiny("get_logs")],
        [step("s1", "check_pods")],
        rounds=[[step("s1", "get_logs", pod="web-1")], [step("s1", "get_logs", pod="web-1")]],
    )
    report, events, _ = run(stage)
    assert report.meta.iterations == 2  # the third round would have asked the same again
    assert [u.outcome.call.id for u in stage.diagnosis.cases[-1].updates] == ["c1", "c2"]
    assert [e.data["why"] for e in of_type(events, EventType.REASONING) if not e.key.endswith("=")] == ["round 1", "round 2"]


# covers LOOP-03, LOOP-13, CB-11
@pytest.mark.parametrize(
    ("limits", "usage", "reason"),
    [
        (SessionLimits(iterations=3), Usage(), Reason.MAX_ITERATIONS),
        (SessionLimits(actions=5), Usage(), Reason.MAX_ACTIONS),
        (SessionLimits(total_seconds=4.5), Usage(), Reason.TIME_BUDGET),
        (SessionLimits(), Usage(prompt_tokens=60_000), Reason.TOKEN_LIMIT),
        (SessionLimits(), Usage(cost_usd=0.6), Reason.COST_LIMIT),
    ],
)
def test_a_run_that_meets_a_limit_reports_what_it_knows(limits: SessionLimits, usage: Usage, reason: Reason) -> None:
    stage = Stage(
        [tiny("look", takes=1.0)],
        [step("s1", "look")],
        rounds=[[step("s1", "look", n=n)] for n in range(1, 30)],
        limits=limits,
        usage=usage,
    )
    report, events, _ = run(stage)
    assert report.meta.incomplete is reason
    assert of_type(events, EventType.AGENT_INCOMPLETE)[0].data["reason"] == reason.value
    assert stage.memory.kept == [] and stage.planner.concluded == 0
    assert of_type(events, EventType.GUARDRAIL)
    Report.model_validate_json(report.model_dump_json())


# covers KILL-04, LOOP-23
def test_a_kill_switch_thrown_in_the_middle_ends_the_run_with_what_is_known() -> None:
    switches = Switches()

    def throws(_: Anything) -> ToolResult:
        switches.values[KILL] = "1"
        return result("check_pods")

    after = tiny("get_logs")
    stage = Stage(
        [tiny("check_pods", throws), after],
        [step("s1", "check_pods"), step("s2", "get_logs", "s1")],
        rounds=[[step("s3", "get_logs", n=2)]],
        switches=switches,
    )
    report, _, _ = run(stage)
    assert after.calls == []
    assert report.meta.incomplete is Reason.KILL_SWITCH
    assert report.badges.state is VerdictState.LIKELY and report.evidence
    assert [n.reason for n in report.not_checked] == ["kill_switch"]
    assert stage.memory.kept == [] and stage.planner.concluded == 0


# covers TEST-04, ERR-05, ERR-14, LOOP-23
def test_at_half_of_the_calls_failing_the_answer_is_useful_and_names_its_gaps() -> None:
    tools = [tiny(f"t{n}", flaky(f"t{n}", n, timeouts=0.4, denials=0.1), retry_count=0) for n in range(10)]
    stage = Stage(tools, [step(f"s{n}", f"t{n}") for n in range(10)])
    report, _, _ = run(stage)
    counts = Counter(status for _, status, _ in steps(stage))
    assert 3 <= counts["success"] <= 7
    assert report.badges.state is VerdictState.LIKELY and report.evidence
    assert len(report.not_checked) == 10 - counts["success"]
    assert all(gap.detail and gap.reason in ("timeout", "denied") for gap in report.not_checked)


# covers TEST-06
def test_one_tool_that_hangs_does_not_take_the_others_with_it() -> None:
    tools = [tiny("slow", takes=15.0, retry_count=0), tiny("quick")]
    report, _, seconds = run(Stage(tools, [step("s1", "slow"), step("s2", "quick")]))
    assert seconds == pytest.approx(10.0, abs=0.1)
    assert report.badges.state is VerdictState.LIKELY
    assert "Operation exceeded 10.0 second timeout" in report.not_checked[0].detail


# covers EXEC-12
def test_a_second_run_over_any_part_of_a_journal_repeats_no_answered_call_and_says_the_same() -> None:
    def fresh() -> Stage:
        pods = {"pods": [{"metadata": {"name": "web-7", "namespace": "shop"}}]}
        return Stage(
            [tiny("check_pods", lambda _: result("check_pods", data=pods), takes=1.0), tiny("get_logs", takes=2.0), tiny("get_metrics", unavailable)],
            [
                step("s1", "check_pods", namespace="shop"),
                step("s2", "get_metrics", namespace="shop"),
                step("s3", "get_logs", "s1", pod={"from": "s1", "path": "pods.0.metadata.name"}),
            ],
            rounds=[[step("s1", "check_pods", namespace="shop", pod="web-7")]],
        )

    first, trail, _ = run(fresh())
    for cut in range(len(trail) + 1):
        stage = fresh()
        kept = trail[:cut]
        again, events, _ = run(stage, kept)
        answered = Counter(e.data["call"]["tool"] for e in of_type(kept, EventType.TOOL_RESULT))
        made = Counter({tool.spec.name: len(tool.calls) for tool in stage.tools})
        assert made + answered == Counter(e.data["call"]["tool"] for e in of_type(trail, EventType.TOOL_RESULT))
        changing = {"own_ms", "duration_ms", "finished_at"}
        meta = {k: v for k, v in again.meta.model_dump().items() if k not in changing}
        assert meta == {k: v for k, v in first.meta.model_dump().items() if k not in changing}
        assert again.model_copy(update={"meta": first.meta}) == first
        assert {e.key for e in events} == {e.key for e in trail}


def test_time_in_which_nobody_worked_does_not_count() -> None:
    stage = Stage(
        [tiny("a", takes=50.0, timeout_seconds=60.0), tiny("b", takes=50.0, timeout_seconds=60.0)], [step("s1", "a")], rounds=[[step("s2", "b")]]
    )
    _, trail, _ = run(stage)
    cut = next(n for n, e in enumerate(trail) if e.key.startswith("tool:b"))
    report, _, seconds = run(Stage(stage.tools, stage.steps, stage.rounds), trail[:cut])
    assert seconds == pytest.approx(50.0, abs=1)
    assert report.meta.duration_ms == pytest.approx(100_000, abs=100)
    assert report.meta.incomplete is None


# covers REPL-01, REPL-02, REPL-04
def test_a_replay_asks_nobody_and_gives_the_same_bytes() -> None:
    stage = Stage([tiny("check_pods", takes=1.0), tiny("broken", unavailable)], [step("s1", "check_pods"), step("s2", "broken")])
    stage.memory.recalled = Recalled(similar=(past(),), total=7)
    report, events, _ = run(stage)
    quiet = Stage([tiny("check_pods", unavailable)], stage.steps)
    ended = investigation().model_copy(update={"report": json.loads(report.model_dump_json())})
    replayed, _ = virtually(replay(quiet.agent(), ended, events))
    assert replayed.is_exact_match and replayed.differences == ()
    assert replayed.outcome.model_dump_json() == report.model_dump_json()
    assert quiet.tools[0].calls == [] and quiet.memory.asked == [] and quiet.memory.kept == []


def test_a_replay_stops_at_the_first_call_that_the_trail_does_not_hold() -> None:
    stage = Stage([tiny("check_pods"), tiny("get_logs")], [step("s1", "check_pods")])
    _, events, _ = run(stage)
    other = Stage(stage.tools, [step("s1", "get_logs")])
    with pytest.raises(ReplayDiverged, match="tool:get_logs"):
        virtually(replay(other.agent(), investigation(), events))


def test_a_replay_whose_reasoning_changed_says_where() -> None:
    stage = Stage([tiny("check_pods")], [step("s1", "check_pods")], rounds=[[]])
    _, events, _ = run(stage)
    other = Stage(stage.tools, stage.steps, rounds=[[step("s2", "check_pods", n=3)]])
    with pytest.raises(ReplayDiverged, match="round:1#1 was asked differently: next"):
        virtually(replay(other.agent(), investigation(), events))


def test_a_report_that_differs_is_compared_field_by_field() -> None:
    stage = Stage([tiny("check_pods")], [step("s1", "check_pods")])
    report, events, _ = run(stage)
    ended = investigation().model_copy(update={"report": json.loads(report.model_copy(update={"verdict": "other", "runbook": ""}).model_dump_json())})
    replayed, _ = virtually(replay(Stage(stage.tools, stage.steps).agent(), ended, events))
    assert not replayed.is_exact_match
    assert [(d.field, d.significance) for d in replayed.differences] == [("verdict", "high"), ("runbook", "low")]


def test_past_cases_are_marked_same_or_different() -> None:
    stage = Stage([tiny("check_pods")], [step("s1", "check_pods")])
    stage.memory.recalled = Recalled(similar=(past(), past(cause="probe"), past(ref="Pod/bank/x")), total=3, patterns=("oom on web: 2 times",))
    report, _, _ = run(stage)
    assert [s.same for s in report.similar_incidents] == [True, False, False]
    assert report.learned_patterns == ("oom on web: 2 times",)
    assert report.meta.past_cases_used == 3


def test_past_cases_stay_open_where_no_cause_was_found() -> None:
    stage = Stage([tiny("check_pods", unavailable)], [step("s1", "check_pods")])
    stage.memory.recalled = Recalled(similar=(past(),), total=1)
    report, _, _ = run(stage)
    assert [s.same for s in report.similar_incidents] == [None]
    assert stage.memory.kept[0][0].root_cause == "Unknown"


def test_a_memory_that_cannot_store_does_not_cost_the_report() -> None:
    stage = Stage([tiny("check_pods")], [step("s1", "check_pods")], memory=ListMemory(fails=True))
    report, events, _ = run(stage)
    assert report.badges.state is VerdictState.LIKELY
    assert of_type(events, EventType.MEMORY_STORED)[1].data == {"stored": False, "note": "OSError: disk full"}


def test_what_a_source_returned_may_be_asked_about_and_nothing_else() -> None:
    pods = {
        "pods": [
            {"metadata": {"name": "web-1", "namespace": "shop", "ownerReferences": [{"kind": "ReplicaSet", "name": "web-abc", "controller": True}]}}
        ],
        "owners": {"web-1": ["ReplicaSet/web-abc", "Deployment/web"]},
    }
    look = tiny("look")
    stage = Stage(
        [tiny("check_pods", lambda _: result("check_pods", data=pods)), look],
        [step("s1", "check_pods", namespace="shop"), step("s2", "look", workload="web"), step("s3", "look", workload="bank")],
        rounds=[[step("s4", "look", workload="web", n=1), step("s5", "look", namespace="bank", n=2), step("s6", "look", service="payments")]],
        service_map={"web-1": ("payments",)},
    )
    report, events, _ = run(stage)
    assert [status for _, status, _ in steps(stage)] == ["success", "blocked", "blocked", "success", "blocked", "success"]
    assert str(report.target.workload) == "Deployment/shop/web"  # resolved again with the owners that were read
    assert len(of_type(events, EventType.TARGET)) == 2


def test_what_runs_on_the_node_of_the_alert_is_in_scope_in_all_namespaces_and_that_of_no_other_node() -> None:
    nodes = {"nodes": [{"metadata": {"name": "n1"}}, {"metadata": {"name": "n2"}}]}
    look = [step("s2", "look", node="n1"), step("s3", "look", node="n2"), step("s4", "look", node="n2", namespace="default")]
    stage = Stage([tiny("check_nodes", lambda _: result("check_nodes", data=nodes)), tiny("look")], [step("s1", "check_nodes")], rounds=[look])
    run(stage, [], alert(service="", labels={"alertname": "KubeNodeNotReady", "node": "n1"}))
    assert [status for _, status, _ in steps(stage)] == ["success", "success", "blocked", "success"]


def test_the_report_takes_the_worst_severity_and_the_alerts_of_the_first_run() -> None:
    stage = Stage([tiny("check_pods")], [step("s1", "check_pods")])
    first, second = alert(severity=Severity.P3), alert(id="a2", severity=Severity.P1)
    report, events, _ = run(stage, [], first, second)
    assert (report.badges.severity, report.meta.alert_ids, report.badges.still_firing) == (Severity.P1, ("a1", "a2"), True)
    assert report.runbook == "https://runbooks.example/crash"
    again, _, _ = run(Stage(stage.tools, stage.steps), events, first)
    assert again.meta.alert_ids == ("a1", "a2")


def test_the_window_begins_an_hour_before_the_alert_and_an_odd_start_counts_from_its_receipt() -> None:
    stage = Stage([tiny("check_pods")], [step("s1", "check_pods")])
    run(stage)
    window = stage.diagnosis.cases[0].window
    assert (window.start, window.end) == (NOW - timedelta(minutes=65), NOW)
    old = alert(starts_at=datetime(2023, 1, 1, tzinfo=NOW.tzinfo))
    stage = Stage([tiny("check_pods")], [step("s1", "check_pods")])
    run(stage, [], old)
    assert stage.diagnosis.cases[0].window.start == NOW - timedelta(hours=6)


def test_the_log_tells_each_step_before_and_after(capsys: pytest.CaptureFixture[str]) -> None:
    run(Stage([tiny("check_pods")], [step("s1", "check_pods")]))
    out = capsys.readouterr()
    lines = [line for line in (out.out + out.err).splitlines() if "agent_step" in line]
    assert len(lines) == 2 and "pending" in lines[0] and "success" in lines[1]


def test_own_time_is_counted_apart_from_waiting() -> None:
    report, _, seconds = run(Stage([tiny("check_pods", takes=5.0)], [step("s1", "check_pods")]))
    assert report.meta.duration_ms == pytest.approx(5000, abs=50)
    assert 0 < report.meta.own_ms < 100
    assert seconds == pytest.approx(5.0, abs=0.1)
    assert report.meta.tool_calls == 1 and report.meta.bytes_read == 100
