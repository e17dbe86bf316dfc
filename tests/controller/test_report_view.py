"""The answer of `POST /alerts` from trails as they really are: parallel, adapted, cut short, or written by others."""

from app.controller import examples
from app.controller.recommendations import recommendations
from app.controller.report_view import full_answer
from app.domain.frozen import JsonObject
from app.domain.memory import PastCase, Recalled, RecallQuery, SimilarCase
from app.domain.plan import DecidedBy, Plan, Step
from app.domain.reason import Reason
from app.domain.tool import Outcome, StepStatus, ToolCall
from app.domain.trail import EventType, TrailEvent
from app.domain.verdict import Action, as_json
from tests.controller.twin import NOW


def trail(*told: tuple[EventType, JsonObject]) -> tuple[TrailEvent, ...]:
    return tuple(
        TrailEvent(investigation_id=examples.ID, sequence=n, at=NOW, type=type_, key=str(n), data=data) for n, (type_, data) in enumerate(told, 1)
    )


def plan(*tools: str) -> tuple[EventType, JsonObject]:
    steps = tuple(Step(id=f"s{n}", tool=tool, reason=f"look at {tool}") for n, tool in enumerate(tools, 1))
    return EventType.PLAN, as_json(Plan(reasoning="Because.", steps=steps, decided_by=DecidedBy.RULES))


def outcome(
    number: int, tool: str, status: StepStatus = StepStatus.SUCCESS, reason: Reason | None = None, note: str = ""
) -> tuple[EventType, JsonObject]:
    call = ToolCall(id=f"c{number}", tool=tool, step_id=f"s{number}")
    return EventType.TOOL_RESULT, as_json(Outcome(call=call, status=status, reason=reason, note=note, duration_ms=number))


def rows(*told: tuple[EventType, JsonObject]) -> list[tuple[int, str, str, str]]:
    answer = full_answer(examples.ALERT, examples.INVESTIGATION, trail(*told))
    return [(row.step, row.tool, row.status.value, row.result) for row in answer.execution.steps]


def test_steps_stand_in_the_order_of_the_plan_whenever_they_ended() -> None:
    # covers API-07, EXEC-08
    told = (plan("a", "b", "c"), outcome(3, "c", note="third"), outcome(1, "a", note="first"), outcome(2, "b", note="second"))
    assert rows(*told) == [(1, "a", "success", "first"), (2, "b", "success", "second"), (3, "c", "success", "third")]


def test_steps_of_later_rounds_follow_in_the_order_they_were_asked() -> None:
    told = (plan("a"), outcome(1, "a"), outcome(10, "z"), outcome(2, "b"))
    assert [(step, tool) for step, tool, _, _ in rows(*told)] == [(1, "a"), (2, "b"), (3, "z")]


def test_a_source_that_is_not_configured_stays_in_the_answer_as_skipped() -> None:
    told = (plan("get_logs"), outcome(1, "get_logs", StepStatus.SKIPPED, Reason.NOT_CONFIGURED, "no Loki\naddress is set"))
    assert rows(*told) == [(1, "get_logs", "skipped", "no Loki address is set")]
    assert rows(plan("get_logs"), outcome(1, "get_logs", StepStatus.SKIPPED, Reason.NOT_CONFIGURED)) == [(1, "get_logs", "skipped", "not_configured")]


def test_a_call_counts_once_and_events_of_another_shape_are_passed_over() -> None:
    odd: list[tuple[EventType, JsonObject]] = [(EventType.TOOL_RESULT, {"odd": 1}), (EventType.PLAN, {})]
    assert rows(plan("a"), *odd, outcome(1, "a", note="first"), outcome(1, "a", note="again")) == [(1, "a", "success", "first")]


def test_memory_is_shown_as_it_was_recalled() -> None:
    # covers API-09
    case = PastCase(id="x", task="t", root_cause="r", fix="f", severity="P2", service="s", alert_type="a", timestamp=NOW)
    query = RecallQuery(investigation_id="x", task="t", service="s", target="t", alert_type="a")
    recalled = Recalled(similar=(SimilarCase(case=case, relevance=0.9),), total=41, patterns=("restarts after rollouts",))
    events = trail((EventType.MEMORY_RECALL, as_json(query)), (EventType.MEMORY_RECALL, as_json(recalled)))
    snapshot = full_answer(examples.ALERT, examples.INVESTIGATION, events).memory_snapshot
    assert snapshot.episodic_memory.model_dump() == {
        "total_investigations": 42,
        "similar_past_cases": 1,
        "learned_patterns": ["restarts after rollouts"],
    }


def test_recommendations_name_the_object_and_the_next_action() -> None:
    # covers API-10
    actions = (Action(title="Roll web-app back.", argv=("kubectl", "rollout", "undo", "deploy/web-app")), Action(title="Look at the node"))
    assert recommendations(examples.REPORT.model_copy(update={"do_this_now": actions})) == [
        "Deployment shop/web-app: roll web-app back; run `kubectl rollout undo deploy/web-app` (read-only).",
        "Deployment shop/web-app: look at the node (read-only).",
    ]
    assert "Deployment shop/web-app" in recommendations(examples.REPORT.model_copy(update={"do_this_now": ()}))[0]
    assert recommendations(None) == []
