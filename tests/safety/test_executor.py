"""The one door: what it lets through, what it says no to, what it makes of failures."""

import asyncio
import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import ToolFailure
from app.domain.limits import SessionLimits
from app.domain.reason import ErrorClass, Reason
from app.domain.tool import Outcome, StepStatus, ToolCall, ToolResult, ToolStatus
from app.memory.working_sqlite import SqliteWorkingMemory
from app.safety.executor import SafeExecutor
from app.safety.kill_switch import EMERGENCY_STOP
from app.safety.scope import ScopeRules
from app.safety.trimming import Caps
from app.telemetry import metrics
from tests.agent.cast import NOW, Anything, Switches, context, door, flaky, result, tiny, virtually

KILL = "kill_switch:sre-agent"


def call(tool: str, number: int = 1, **args: Any) -> ToolCall:
    return ToolCall(id=f"c{number}", tool=tool, args={"namespace": "shop", **args}, step_id=f"s{number}")


def fails(error: ErrorClass, reason: Reason = Reason.UNAVAILABLE, text: str = "503", code: int = 0) -> Any:
    def does(_: Anything) -> ToolResult:
        raise ToolFailure(error, reason, text, code)

    return does


async def ask(executor: SafeExecutor, tool: str = "look", args: dict[str, Any] | None = None, **more: Any) -> Outcome:
    return await executor.execute(call(tool, **(args or {})), context(**more))


async def test_a_good_call_brings_its_result() -> None:
    outcome = await ask(door(tiny("look")))
    assert (outcome.status, outcome.reason, outcome.attempts) == (StepStatus.SUCCESS, None, 1)
    assert outcome.result is not None and outcome.result.summary == "look answered"


# covers TOOL-07, LOOP-20
async def test_a_tool_that_does_not_exist_is_an_answer_not_a_crash() -> None:
    outcome = await ask(door(tiny("look")), "delete_everything")
    assert (outcome.status, outcome.reason, outcome.note) == (StepStatus.ERROR, Reason.UNKNOWN_TOOL, "Unknown: delete_everything")


async def test_wrong_arguments_are_named_and_their_values_are_not() -> None:
    tool = tiny("look")
    outcome = await ask(door(tool), args={"n": "hunter2", "colour": "red"})
    assert outcome.reason is Reason.INVALID_ARGUMENTS
    assert "n:" in outcome.note and "colour:" in outcome.note and "hunter2" not in outcome.note
    assert tool.calls == []


async def test_a_source_that_is_not_configured_is_skipped() -> None:
    outcome = await ask(door(tiny("look", source="prometheus")))
    assert (outcome.status, outcome.reason) == (StepStatus.SKIPPED, Reason.NOT_CONFIGURED)


# covers KILL-03
async def test_the_kill_switch_of_this_agent_stops_every_call() -> None:
    tool = tiny("look")
    outcome = await ask(door(tool, memory=Switches(**{KILL: "1"})))
    assert (outcome.status, outcome.reason, tool.calls) == (StepStatus.BLOCKED, Reason.KILL_SWITCH, [])


# covers KILL-01, KILL-02
@pytest.mark.parametrize("state", ['{"active": true, "reason": "drill", "activated_by": "ann"}', "{}", "not json", "[]"])
async def test_the_emergency_stop_stops_unless_it_says_that_it_is_not_active(state: str) -> None:
    assert (await ask(door(tiny("look"), memory=Switches(**{EMERGENCY_STOP: state})))).reason is Reason.EMERGENCY_STOP
    assert (await ask(door(tiny("look"), memory=Switches(**{EMERGENCY_STOP: '{"active": false}'})))).status is StepStatus.SUCCESS


async def test_a_switch_that_cannot_be_read_is_a_no() -> None:
    memory = Switches()
    memory.broken = ConnectionError
    assert (await ask(door(tiny("look"), memory=memory))).reason is Reason.KILL_SWITCH


def test_a_switch_that_never_answers_is_a_no_after_two_seconds() -> None:
    class Hangs(Switches):
        async def get(self, key: str) -> str | None:
            await asyncio.sleep(3600)
            return None

    outcome, seconds = virtually(ask(door(tiny("look"), memory=Hangs(), virtual=True)))
    assert outcome.reason is Reason.KILL_SWITCH
    assert seconds == pytest.approx(2.0, abs=0.1)


# covers KILL-02
async def test_a_switch_thrown_between_two_tries_stops_the_second() -> None:
    memory = Switches()

    def does(_: Anything) -> ToolResult:
        memory.values[KILL] = "1"
        raise ToolFailure(ErrorClass.TRANSIENT, Reason.UNAVAILABLE, "503")

    tool = tiny("look", does)
    outcome = await ask(door(tool, memory=memory))
    assert (outcome.status, outcome.reason, len(tool.calls)) == (StepStatus.BLOCKED, Reason.KILL_SWITCH, 1)


async def test_the_switch_works_on_the_real_embedded_store(tmp_path: Path) -> None:
    memory = SqliteWorkingMemory(tmp_path / "working.db")
    executor = door(tiny("look"), memory=memory)  # type: ignore[arg-type]
    assert (await ask(executor)).status is StepStatus.SUCCESS
    await memory.put(KILL, "1", 60)
    assert (await ask(executor)).reason is Reason.KILL_SWITCH


# covers MODE-02, MODE-03
@pytest.mark.parametrize(
    ("mode", "reason"), [("EXPLORE", Reason.MODE), ("ESCALATE", Reason.MODE), ("explore", Reason.MODE), ("", Reason.MODE), ("EXECUTE", None)]
)
async def test_a_write_needs_a_mode_that_acts(mode: str, reason: Reason | None) -> None:
    executor = door(tiny("restart", permissions=("write:pods",)), mode=mode, granted=frozenset({"write:pods"}))
    assert (await ask(executor, "restart")).reason is reason
    assert executor.writes("restart") and not executor.writes("unknown")


async def test_an_unknown_mode_does_not_even_read() -> None:
    assert (await ask(door(tiny("look"), mode="YOLO"))).reason is Reason.MODE


# covers SAFE-01, SAFE-02
async def test_rights_match_exactly() -> None:
    for right in ("read:pods/log", "read:pod", "read:*"):
        outcome = await ask(door(tiny("look", permissions=(right,))))
        assert outcome.reason is Reason.PERMISSION
        assert outcome.note == f"Permission denied: look needs {right}"


async def test_what_needs_a_person_is_refused() -> None:
    assert (await ask(door(tiny("look", requires_approval=True)))).reason is Reason.APPROVAL


@pytest.mark.parametrize(
    ("args", "fits"),
    [
        ({"namespace": "shop"}, True),
        ({"namespace": "kube-system"}, True),
        ({"namespace": ""}, True),
        ({"namespace": "bank"}, False),
        ({"pod": "web-1"}, True),
        ({"pod": "web-2"}, False),
        ({"pod": "web"}, False),  # a Deployment is no pod
        ({"workload": "web"}, True),
        ({"service": "web"}, True),
        ({"service": "payments"}, False),
        ({"pods": ("web-1", "web-9")}, False),
        ({"node": "n1"}, False),
        ({"pod": "web-1", "namespace": "kube-system"}, False),
    ],
)
async def test_a_call_stays_with_what_the_alert_is_about(args: dict[str, Any], fits: bool) -> None:
    assert ((await ask(door(tiny("look")), args=args)).reason is None) is fits


async def test_what_runs_on_a_node_in_all_namespaces_is_read_of_the_alerts_own_node_only() -> None:
    async def reason(tool: str, node: str, namespace: str = "") -> Reason | None:
        things = {"objects": frozenset({"Node//n1", "Node//n2", "Namespace/shop/shop"}), "targets": frozenset({"Node//n1"})}
        executor = door(tiny("look"), tiny("measure", source="prometheus"), sources=frozenset({"kubernetes", "prometheus"}))
        return (await ask(executor, tool, {"node": node, "namespace": namespace}, **things)).reason

    assert await reason("look", "n1") is None
    assert await reason("look", "n2") is Reason.SCOPE
    assert await reason("look", "n2", "shop") is None
    assert await reason("measure", "n2") is None


async def test_reads_over_all_namespaces_can_be_forbidden() -> None:
    assert (await ask(door(tiny("look"), scope=ScopeRules(cluster_wide=False)), args={"namespace": ""})).reason is Reason.SCOPE


# covers CB-10, CB-11, CB-12, LOOP-03, LOOP-04
@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ({"iteration": 11}, Reason.MAX_ITERATIONS, "Maximum iterations reached"),
        ({"taken": tuple(call("look", n, n=n) for n in range(20))}, Reason.MAX_ACTIONS, "Maximum actions reached"),
        ({"tokens": 50_000}, Reason.TOKEN_LIMIT, "Token limit exceeded"),
        ({"dollars": 0.5}, Reason.COST_LIMIT, "Cost limit exceeded"),
        ({"deadline": NOW}, Reason.TIME_BUDGET, "120 s"),
        ({"started_at": NOW - timedelta(seconds=300)}, Reason.SESSION_TIMEOUT, "Session timeout"),
    ],
)
async def test_a_session_ends_at_each_of_its_limits(state: dict[str, Any], reason: Reason, words: str) -> None:
    outcome = await ask(door(tiny("look")), args={"n": 99}, **state)
    assert (outcome.status, outcome.reason) == (StepStatus.BLOCKED, reason)
    assert words in outcome.note


# covers ANOM-05, LOOP-16, CB-12
async def test_the_third_call_with_the_same_arguments_is_refused() -> None:
    executor = door(tiny("look"))
    taken = (call("look", 1), call("look", 2, n=1))
    assert (await ask(executor, taken=taken)).status is StepStatus.SUCCESS
    outcome = await ask(executor, taken=(*taken, call("look", 3)))
    assert outcome.reason is Reason.LOOP
    assert "attempted too many times" in outcome.note


async def test_the_first_refusal_in_the_order_wins() -> None:
    executor = door(tiny("look", permissions=("write:pods",), requires_approval=True), memory=Switches(**{KILL: "1"}))
    assert (await ask(executor, args={"namespace": "bank"})).reason is Reason.KILL_SWITCH
    executor = door(tiny("look", permissions=("write:pods",), requires_approval=True))
    assert (await ask(executor, args={"namespace": "bank"})).reason is Reason.MODE


# covers TIME-04, TIME-05, ERR-01, TEST-06
def test_a_slow_tool_is_stopped_and_tried_again_after_one_two_and_four_seconds() -> None:
    tool = tiny("look", takes=15.0, retry_count=3)
    outcome, seconds = virtually(ask(door(tool, virtual=True)))
    assert (outcome.status, outcome.reason, outcome.attempts) == (StepStatus.FAILED, Reason.TIMEOUT, 4)
    assert "Operation exceeded 10.0 second timeout" in outcome.note
    assert seconds == pytest.approx(4 * 10 + 1 + 2 + 4, abs=0.1)
    assert outcome.duration_ms == pytest.approx(47_000, abs=100)


# covers TIME-01
def test_a_tool_gets_no_more_time_than_the_investigation_has_left() -> None:
    outcome, seconds = virtually(ask(door(tiny("look", takes=60.0, timeout_seconds=30.0), virtual=True), deadline=NOW + timedelta(seconds=4)))
    assert "Operation exceeded 4.0 second timeout" in outcome.note
    assert seconds == pytest.approx(4.0, abs=0.1)


def test_the_configured_bound_cuts_every_tool() -> None:
    outcome, _ = virtually(ask(door(tiny("look", takes=60.0, retry_count=0), virtual=True, tool_timeout=5.0)))
    assert "Operation exceeded 5.0 second timeout" in outcome.note


def test_waits_are_spread_by_lot() -> None:
    tool = tiny("look", fails(ErrorClass.TRANSIENT), retry_count=2)
    _, seconds = virtually(ask(door(tool, virtual=True, lot=lambda: 1.0)))
    assert seconds == pytest.approx(1.25 + 2.5, abs=0.1)


# covers ERR-09, ERR-12, ERR-13, ERR-02, ERR-06
@pytest.mark.parametrize(
    ("error", "code", "tries", "status"),
    [
        (ErrorClass.TRANSIENT, 503, 3, StepStatus.FAILED),
        (ErrorClass.TRANSIENT, 500, 2, StepStatus.FAILED),
        (ErrorClass.EXTERNAL, 0, 1, StepStatus.FAILED),
        (ErrorClass.CONFIG, 401, 1, StepStatus.ERROR),
        (ErrorClass.BUG, 0, 1, StepStatus.ERROR),
    ],
)
async def test_only_what_may_pass_is_tried_again(error: ErrorClass, code: int, tries: int, status: StepStatus) -> None:
    tool = tiny("look", fails(error, code=code))
    outcome = await ask(door(tool))
    assert (len(tool.calls), outcome.attempts, outcome.status) == (tries, tries, status)


# covers ERR-03, ERR-08
@pytest.mark.parametrize("text", ["403 Forbidden: pods is forbidden", "permission denied"])
async def test_a_missing_right_is_a_gap_and_never_tried_again(text: str) -> None:
    tool = tiny("look", fails(ErrorClass.CONFIG, text=text))
    executor = door(tool)
    outcome = await ask(executor)
    assert (outcome.status, outcome.reason, len(tool.calls)) == (StepStatus.PARTIAL, Reason.DENIED, 1)
    assert "continues without this data" in outcome.note
    assert executor.stats()["failure_log"][0]["recovery"] == "skipped"


# covers ERR-07
@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (ToolStatus.OK, StepStatus.SUCCESS, None),
        (ToolStatus.NO_DATA, StepStatus.SUCCESS, None),
        (ToolStatus.NOT_FOUND, StepStatus.SUCCESS, None),
        (ToolStatus.DENIED, StepStatus.PARTIAL, Reason.DENIED),
        (ToolStatus.UNAVAILABLE, StepStatus.FAILED, Reason.UNAVAILABLE),
        (ToolStatus.INVALID, StepStatus.ERROR, Reason.INVALID_RESPONSE),
    ],
)
async def test_every_answer_has_its_status(answer: ToolStatus, status: StepStatus, reason: Reason | None) -> None:
    outcome = await ask(door(tiny("look", lambda _: result("look", status=answer))))
    assert (outcome.status, outcome.reason) == (status, reason)
    assert outcome.result is not None


async def test_a_bug_in_a_tool_is_an_outcome() -> None:
    def does(_: Anything) -> ToolResult:
        raise KeyError("metadata")

    outcome = await ask(door(tiny("look", does)))
    assert (outcome.status, outcome.reason, outcome.note) == (StepStatus.ERROR, Reason.TOOL_ERROR, "KeyError: 'metadata'")


def test_cancellation_passes_through() -> None:
    async def main() -> None:
        task = asyncio.create_task(ask(door(tiny("look", takes=5.0), virtual=True)))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    virtually(main())


# covers SEC-08, SEC-09
async def test_no_secret_leaves_by_any_field() -> None:
    secret = "hunter2-s3cr3t"
    found = result(
        "look",
        text=f"a\nDB_PASSWORD={secret}\nb",
        summary=f"password={secret}",
        invocation=f"http://u:{secret}@host/x",
        data={"env": [{"name": "DB_PASSWORD", "value": secret}]},
    )
    outcome = await ask(door(tiny("look", lambda _: found)))
    assert secret not in outcome.model_dump_json()
    assert outcome.redactions == 4
    told = await ask(door(tiny("look", fails(ErrorClass.BUG, text=f"cannot reach postgres://app:{secret}@db/x"))))
    assert secret not in told.model_dump_json()


async def test_a_large_answer_is_cut_at_a_line_and_says_so() -> None:
    big = result("look", text="\n".join(f"line {n}" for n in range(1000)), data={"lines": list(range(50)), "pods": [1]}, truncated="tail 200 of 900")
    outcome = await ask(door(tiny("look", lambda _: big), caps=Caps(text_bytes=100, items=10)))
    assert outcome.result is not None
    assert outcome.result.text.splitlines()[-1] == "line 12"
    assert outcome.result.data == {"lines": list(range(10)), "pods": [1]}
    assert outcome.result.truncated == f"tail 200 of 900; text {len(outcome.result.text)} of {len(big.text)} bytes; lines 10 of 50"


# covers ERR-10
async def test_the_counts_are_kept() -> None:
    executor = door(tiny("look"), tiny("broken", fails(ErrorClass.EXTERNAL)))
    assert executor.stats() == {"total_calls": 0, "successes": 0, "failures": 0, "success_rate": "N/A", "failure_log": []}
    for tool in ("look", "look", "broken"):
        await ask(executor, tool)
    stats = executor.stats()
    assert (stats["total_calls"], stats["successes"], stats["failures"], stats["success_rate"]) == (3, 2, 1, "66.7%")
    (failure,) = stats["failure_log"]
    assert failure["tool"] == "broken" and failure["error"].startswith("503") and failure["recovery"] == "continue with the remaining tools"


async def test_names_from_outside_never_become_labels() -> None:
    await ask(door(tiny("look")), "rm -rf / #")
    labels = {sample.labels["tool"] for metric in metrics.tool_calls_total.collect() for sample in metric.samples}
    assert "unknown" in labels and not any("rm" in label for label in labels)


# covers TEST-03
def test_twenty_flaky_calls_end_each_in_one_status_and_nothing_is_raised() -> None:
    random.seed(42)
    tool = tiny("look", flaky("look", 42))
    executor = door(tool, virtual=True, lot=random.random, limits=SessionLimits(actions=100))

    async def main() -> list[Outcome]:
        return [await executor.execute(call("look", n, n=n), context(deadline=NOW + timedelta(hours=1))) for n in range(20)]

    outcomes, _ = virtually(main())
    statuses = [o.status for o in outcomes]
    assert set(statuses) <= {StepStatus.SUCCESS, StepStatus.PARTIAL, StepStatus.FAILED}
    assert statuses.count(StepStatus.SUCCESS) >= 14
    assert StepStatus.PARTIAL in statuses
    assert sum(o.attempts for o in outcomes) == len(tool.calls)
    assert any(o.attempts > 1 for o in outcomes if o.status is StepStatus.SUCCESS)
    stats = executor.stats()
    assert stats["total_calls"] == 20 == stats["successes"] + stats["failures"]
    json.dumps(stats)
