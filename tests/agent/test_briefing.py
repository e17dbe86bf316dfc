"""The briefing: once, after the first round or when its time is up, from what is there, naming what is not."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from app.agent.context import with_context
from app.domain.alert import Severity, Source
from app.domain.briefing import Briefing, ContextName, ContextStatus, Occasion
from app.domain.case import CaseFile
from app.domain.errors import ToolFailure
from app.domain.frozen import JsonObject
from app.domain.limits import SessionLimits
from app.domain.memory import Recalled, RecallQuery
from app.domain.plan import DecidedBy, Plan
from app.domain.reason import ErrorClass, Reason
from app.domain.render_briefing import briefing_text
from app.domain.resolver import resolve
from app.domain.tool import Provenance, ToolResult
from app.domain.trail import EventType, TrailEvent
from app.store.journal import ReplayJournal
from tests.agent.cast import NOW, Anything, ListMemory, Stage, alert, context, investigation, loop_seconds, past, result, step, tiny, virtually

FOREVER = 1e6
LINES = """Deployment shop/web-1: replicas 5 desired, ready 3, updated 5, available 3
error_rate{service="web-1"} first=0.001 last=0.047 min=0.001 max=0.047 no change [http_requests_total]
error_rate{service="other"} first=0.5 last=0.9 min=0.5 max=0.9 no change [http_requests_total]
latency_p99{service="web-1"} first=0.1 last=0.8468 min=0.1 max=0.85 no change [http_request_duration_seconds_bucket]"""


def briefed(events: list[TrailEvent]) -> tuple[Briefing, float]:
    """-> (the one briefing, seconds after NOW)."""
    (event,) = [e for e in events if e.type is EventType.BRIEFING]
    return Briefing.model_validate(event.data), (event.at - NOW).total_seconds()


def run(stage: Stage, *alerts: Any) -> tuple[Briefing, float]:
    journal = stage.journal()
    virtually(stage.agent().investigate(investigation(*alerts), journal))
    return briefed(journal.events)


def saying(tool: str, text: str, **more: Any) -> Callable[[Anything], ToolResult]:
    return lambda _: result(tool, text=text, **more)


# covers FR-01, FR-03, FR-08
def test_a_briefing_tells_what_the_first_round_found_each_number_with_its_line() -> None:
    stage = Stage([tiny("check_service_health", saying("check_service_health", LINES))], [step("s1", "check_service_health")])
    stage.memory.recalled = Recalled(similar=(past(),), total=7)
    briefing, at = run(stage)
    assert (at, briefing.occasion) == (0.0, Occasion.FIRST_ROUND)
    figures = {figure.name: (figure.value, figure.ok) for figure in briefing.quick_status}
    assert figures == {"error_rate": ("4.7 %", False), "latency_p99": ("846.8 ms", False), "instances": ("3/5", False)}
    assert all(figure.quote in LINES.splitlines() and figure.call_id == "c1" for figure in briefing.quick_status)
    assert [s.case.id for s in briefing.similar_incidents] == ["p1"]
    assert [r.where for r in briefing.runbooks] == ["https://runbooks.example/crash"]
    assert not any(action.changes for action in briefing.first_steps) and briefing.first_steps
    assert {c.source: c.status for c in briefing.context} == {
        ContextName.METRICS: ContextStatus.NOT_ASKED,
        ContextName.LOGS: ContextStatus.NOT_ASKED,
        ContextName.DEPLOYMENTS: ContextStatus.NOT_ASKED,
        ContextName.SIMILAR: ContextStatus.ANSWERED,
        ContextName.RUNBOOKS: ContextStatus.ANSWERED,
        ContextName.SERVICE_INFO: ContextStatus.ANSWERED,
    }


@pytest.mark.parametrize("last", ["NaN", "+Inf", "soon"])
def test_a_number_that_is_none_is_not_known_and_has_no_line(last: str) -> None:
    text = f'error_rate{{service="web"}} first=0 last={last} min=0 max=0 no change [http_requests_total]'
    briefing, _ = run(Stage([tiny("get_metrics", saying("get_metrics", text))], [step("s1", "get_metrics")]))
    assert {(f.value, f.quote, f.ok) for f in briefing.quick_status} == {("not known", "", None)}


@pytest.mark.parametrize(
    ("line", "name", "value", "ok"),
    [
        ('success_ratio{service="web"} first=1 last=0.97 min=0.97 max=1 no change [shop_success_ratio]', "error_rate", "3 %", False),
        ("error_rate first=0 last=0.4 min=0 max=1 no change [shop_errors_percent]", "error_rate", "0.4 %", True),
        ("error_rate first=0 last=12 min=0 max=12 no change [shop_errors_rate]", "error_rate", "not known", None),
        ("latency_p99 first=9 last=150 min=9 max=150 no change [istio_request_duration_milliseconds_bucket]", "latency_p99", "150 ms", True),
        ("DaemonSet shop/web-1: desiredNumberScheduled 3, currentNumberScheduled 3, numberReady 2, numberUnavailable 1", "instances", "2/3", False),
        ("StatefulSet shop/web-1: replicas 3 desired, 3 created, ready 3, updated 3", "instances", "3/3", True),
        ("service shop/web-1: selector matches 4 pods, 1 of them ready", "instances", "1/4", False),
        ("Deployment shop/web-11: replicas 4 desired, ready 0, updated 4", "instances", "not known", None),
    ],
)
def test_each_way_of_telling_a_number_is_read_in_its_unit(line: str, name: str, value: str, ok: bool | None) -> None:
    briefing, _ = run(Stage([tiny("get_metrics", saying("get_metrics", line))], [step("s1", "get_metrics")]))
    (figure,) = [f for f in briefing.quick_status if f.name == name]
    assert (figure.value, figure.ok, figure.quote) == (value, ok, line if ok is not None else "")


def test_a_log_line_that_looks_like_a_series_is_no_number() -> None:
    liar = tiny("get_logs", saying("get_logs", LINES, provenance=Provenance.UNTRUSTED))
    briefing, _ = run(Stage([liar], [step("s1", "get_logs")]))
    assert {f.value for f in briefing.quick_status} == {"not known"}


def test_deploys_of_the_last_day_are_told_newest_first_with_how_long_before_the_alert() -> None:
    def deploys(_: Anything) -> ToolResult:
        told: list[JsonObject] = [
            {"workload": "Deployment/shop/web", "revision": n, "time": time}
            for n, time in ((7, "2024-01-15T10:20:00Z"), (8, "2024-01-15T10:24:00Z"), (6, "2024-01-01T10:00:00Z"), (5, ""))
        ]
        text = "\n".join(f"Deployment/shop/web revision {d['revision']} at {d['time'] or '(no time)'} image a:{d['revision']}" for d in told)
        return result("get_recent_deploys", text=text, data={"deploys": told})

    briefing, _ = run(Stage([tiny("get_recent_deploys", deploys)], [step("s1", "get_recent_deploys")]))
    assert [(c.what, c.before_alert_s) for c in briefing.recent_changes] == [("image a:8", 60), ("image a:7", 300)]


# covers FR-04, FR-05
def test_at_the_deadline_people_are_told_what_is_there_and_what_is_not_while_the_work_goes_on() -> None:
    tools = [tiny("check_service_health", saying("check_service_health", LINES), takes=0.5), tiny("get_metrics", takes=FOREVER)]
    briefing, at = run(Stage(tools, [step("s1", "get_metrics"), step("s2", "check_service_health")], limits=SessionLimits(briefing_seconds=20)))
    assert (at, briefing.occasion, briefing.response_time_seconds) == (20.0, Occasion.DEADLINE, 20.0)
    assert [f.value for f in briefing.quick_status] == ["4.7 %", "846.8 ms", "3/5"]
    assert [(gap.what, gap.reason) for gap in briefing.missing] == [("get_metrics", "timeout")]
    assert {c.source: c.status for c in briefing.context}[ContextName.METRICS] is ContextStatus.PENDING


# covers FR-04, FR-05
@pytest.mark.parametrize("hanging", [1, 4, 6, 12])
def test_with_the_limits_as_they_are_a_briefing_is_there_in_time_whatever_hangs(hanging: int) -> None:
    names = [f"t{n}" for n in range(12)]
    tools = [tiny(name, takes=FOREVER if n < hanging else 0.5, timeout_seconds=30.0, retry_count=3) for n, name in enumerate(names)]
    briefing, at = run(Stage(tools, [step(f"s{n}", name) for n, name in enumerate(names)]))
    assert at <= 45.0 < 60.0
    assert {gap.what for gap in briefing.missing} == set(names[:hanging]), "those that answer were asked, behind those that hang"


class SlowMemory(ListMemory):
    async def recall(self, query: RecallQuery) -> Recalled:
        await asyncio.sleep(100)
        return self.recalled


def test_a_memory_that_hangs_holds_no_briefing_up() -> None:
    stage = Stage([tiny("check_pods")], [step("s1", "check_pods")], memory=SlowMemory())
    briefing, at = run(stage)
    assert (at, briefing.analysis.state.value) == (45.0, "inconclusive")
    assert [gap.what for gap in briefing.missing] == ["the first round of reads", "similar incidents"]


# covers FR-05
def test_when_every_source_fails_people_are_told_all_the_same() -> None:
    def broken(_: Anything) -> ToolResult:
        raise ToolFailure(ErrorClass.EXTERNAL, Reason.UNAVAILABLE, "connection refused")

    stage = Stage([tiny("get_metrics", broken), tiny("get_logs", broken)], [step("s1", "get_metrics"), step("s2", "get_logs")])
    stage.memory.recalled = Recalled(available=False, note="episode memory failed: OSError")
    briefing, _ = run(stage)
    assert [(gap.what, gap.reason) for gap in briefing.missing] == [
        ("get_metrics", "unavailable"),
        ("get_logs", "unavailable"),
        ("similar incidents", "unavailable"),
    ]
    text = briefing_text(briefing)
    assert "none found so far" in text and "root cause" not in text.lower()


def test_a_hanging_call_gives_its_place_away_after_a_while_and_no_sooner() -> None:
    begun: list[float] = []

    def late(_: Anything) -> ToolResult:
        begun.append(loop_seconds())
        return result("late")

    tools = [*(tiny(f"t{n}", takes=FOREVER) for n in range(4)), tiny("late", late)]
    run(Stage(tools, [*(step(f"s{n}", f"t{n}") for n in range(4)), step("s9", "late")]))
    assert begun == [5.0]


# covers FR-02
@pytest.mark.parametrize(
    ("service", "channel"),
    [
        ("payment-api", "inc-payment-api-01151030"),
        ("Über Dienst_1", "inc-ber-dienst-1-01151030"),
        ("x" * 300, f"inc-{'x' * 60}-01151030"),
        ("//", "inc-unknown-01151030"),
    ],
)
def test_a_channel_is_named_by_service_and_minute_in_the_letters_of_chat_systems(service: str, channel: str) -> None:
    native = alert(source=Source.NATIVE, service=service, labels={})
    briefing, _ = run(Stage([], []), native)
    assert briefing.channel == channel


def test_a_secret_in_the_alert_goes_into_no_briefing() -> None:
    leaky = alert(annotations={"runbook_url": "https://u.example/x?password=hunter2-secret"}, severity=Severity.P1)
    stage = Stage([tiny("check_pods")], [step("s1", "check_pods")])
    journal = stage.journal()
    virtually(stage.agent().investigate(investigation(leaky), journal))
    assert "hunter2" not in str([e.data for e in journal.events if e.type is EventType.BRIEFING])


# covers REPL-01
def test_the_same_trail_gives_the_same_briefing_byte_for_byte() -> None:
    stage = Stage([tiny("check_service_health", saying("check_service_health", LINES), takes=0.7)], [step("s1", "check_service_health")])
    journal = stage.journal()
    virtually(stage.agent().investigate(investigation(), journal))
    again = ReplayJournal(journal.events)
    virtually(stage.agent().investigate(investigation(), again))
    (noted,) = [data for event, _, data in again.noted if event is EventType.BRIEFING]
    (recorded,) = [e.data for e in journal.events if e.type is EventType.BRIEFING]
    assert noted == recorded and list(noted) == list(recorded)


def test_a_run_that_goes_on_after_its_briefing_makes_no_second_one() -> None:
    rounds = [[step("r2", "get_logs")]]
    stage = Stage([tiny("check_pods"), tiny("get_logs")], [step("s1", "check_pods")], rounds)
    journal = stage.journal()
    virtually(stage.agent().investigate(investigation(), journal))
    cut = next(n for n, e in enumerate(journal.events) if e.type is EventType.BRIEFING) + 1
    second = stage.journal(journal.events[:cut])
    virtually(stage.agent().investigate(investigation(), second))
    assert briefed(second.events) == briefed(journal.events)


def test_runbooks_are_asked_only_where_there_are_some_and_only_once() -> None:
    def asked(steps: list[Any], *sources: str) -> list[str]:
        case = CaseFile(
            investigation_id="i1", alerts=(alert(),), target=resolve(alert(), ()), now=NOW, window=context().window, sources=frozenset(sources)
        )
        plan = Plan(reasoning="as scripted", steps=tuple(steps), decided_by=DecidedBy.RULES)
        return [f"{s.tool} {s.args.get('runbook_url', '')}".strip() for s in with_context(plan, case).steps]

    assert asked([step("s1", "check_pods")], "kubernetes") == ["check_pods"]
    assert asked([step("s1", "check_pods")], "kubernetes", "runbooks") == ["check_pods", "search_runbooks https://runbooks.example/crash"]
    assert asked([step("s1", "search_runbooks")], "runbooks") == ["search_runbooks"]
