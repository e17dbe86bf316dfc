"""The real client against a server that speaks the vendor's protocol: what a model's plan becomes, and what every kind
of failure becomes."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import structlog.testing

from app.agent.journal import MemoryJournal as TrailTwin
from app.domain.errors import ReplayDiverged
from app.domain.memory import Recalled
from app.domain.plan import DecidedBy, Plan
from app.domain.reason import Reason
from app.domain.trail import EventType
from app.planner.fallback import FallbackPlanner
from app.telemetry import metrics
from tests.planner.anthropic_server import Anthropic, Say
from tests.planner.cases import MemoryJournal, a_case, a_past, an_alert
from tests.planner.conftest import KEY, Watch

Serve = Callable[..., Anthropic]
Build = Callable[..., FallbackPlanner]
CASE = a_case(an_alert("HighMemory", service="web-app"))
GOOD = {
    "analysis": "Memory may have grown after a rollout.",
    "tools": [
        {"name": "check_pods", "parameters": {"namespace": "default", "service": "web-app"}, "purpose": "see restarts"},
        {"name": "get_recent_deploys", "parameters": {"namespace": "default"}, "purpose": "see what changed", "after": [1]},
    ],
    "sequence": "parallel",
    "expected_outcome": "the rollout that did it",
}


def with_tools(*tools: dict[str, Any], **other: Any) -> dict[str, Any]:
    return {**GOOD, "tools": list(tools), **other}


async def plan(planner: FallbackPlanner, journal: MemoryJournal | None = None, recalled: Recalled | None = None) -> Plan:
    return await planner.plan(CASE, recalled or Recalled(), journal or MemoryJournal())


# covers PLAN-05, PLAN-10, PLAN-11, API-06
async def test_a_models_plan_becomes_steps_of_the_registry(serve: Serve, build: Build) -> None:
    planner = build(serve(Say(GOOD, text="Let me see.")))
    made = await plan(planner)
    assert made.decided_by is DecidedBy.MODEL and made.fallback_reason is None
    assert [(s.id, s.tool, s.args, s.depends_on) for s in made.steps] == [
        ("s1", "check_pods", {"namespace": "default", "service": "web-app"}, ()),
        ("s2", "get_recent_deploys", {"namespace": "default"}, ("s1",)),
    ]
    assert made.reasoning == "Memory may have grown after a rollout."
    assert made.playbook == "high_memory"
    assert planner.status() == {"llm_available": True, "using_fallback": False, "fallback_reason": "", "detail": ""}


# covers LOOP-05, PRM-02, LOOP-15
async def test_the_model_is_asked_with_the_fixed_parameters_the_reading_tools_and_the_past_cases(serve: Serve, build: Build) -> None:
    api = serve(Say(GOOD))
    await plan(build(api), recalled=a_past(0.91))
    asked = api.requests[0]
    assert (asked["max_tokens"], asked["temperature"], asked["model"]) == (2000, 0.0, "claude-sonnet-4-6")
    schema = json.dumps(asked["tools"][0]["input_schema"])
    assert "check_pods" in schema and "restart_pod" not in json.dumps(asked)
    prompt = asked["messages"][0]["content"][0]["text"]
    assert "[Past case, relevance=0.91]" in prompt and "Duration: 42 s" in prompt
    assert "HighMemory" in prompt and "HighMemory" not in json.dumps(asked["system"])


async def test_a_sequential_plan_runs_one_step_after_the_other_and_twins_become_one(serve: Serve, build: Build) -> None:
    pods, nodes = {"name": "check_pods", "parameters": {"namespace": "default"}, "purpose": "a"}, {"name": "check_nodes", "purpose": "b"}
    api = serve(Say(with_tools(pods, nodes, pods, sequence="sequential")))
    made = await plan(build(api))
    assert [(s.id, s.tool, s.depends_on) for s in made.steps] == [("s1", "check_pods", ()), ("s2", "check_nodes", ("s1",))]


# covers COST-01, COST-02, LOG-06, MET-04, MET-05
async def test_tokens_and_cost_are_accounted_to_the_cent_in_journal_plan_metrics_and_log(serve: Serve, build: Build) -> None:
    def value(name: str, **labels: str) -> float:
        return metrics.registry.get_sample_value(name, {"agent_name": "sre-agent", "model": "claude-sonnet-4-6", **labels}) or 0.0

    before = value("agent_tokens_total", type="prompt"), value("agent_api_cost_dollars_total")
    journal = MemoryJournal()
    with structlog.testing.capture_logs() as lines:
        made = await plan(build(serve(Say(GOOD, usage=(1234, 567)))), journal)
    cost = (1234 * 3 + 567 * 15) / 1_000_000
    assert made.usage.cost_usd == pytest.approx(cost, abs=1e-9) and made.usage.prompt_tokens == 1234
    row = next(r for r in journal.answers.values() if "total_tokens" in r)
    assert (row["total_tokens"], row["cost_usd"], row["model"], row["request_id"]) == (1801, cost, "claude-sonnet-4-6", "msg_0001")
    assert value("agent_tokens_total", type="prompt") - before[0] == 1234
    assert value("agent_api_cost_dollars_total") - before[1] == pytest.approx(cost)
    (line,) = [e for e in lines if e["event"] == "llm_call"]
    assert {"model", "prompt_tokens", "completion_tokens", "total_tokens", "latency_ms", "cache_hit"} <= set(line)


async def test_a_resumed_investigation_reads_the_models_answer_and_does_not_pay_again(serve: Serve, build: Build) -> None:
    api = serve(Say(GOOD))
    journal = MemoryJournal()
    first = await plan(build(api), journal)
    second = await plan(build(api), journal.again())
    assert first.model_dump_json() == second.model_dump_json()
    assert len(api.requests) == 1


async def test_a_resumed_investigation_reads_the_models_failure_too(serve: Serve, build: Build) -> None:
    api = serve(Say(status=401, text="invalid x-api-key"))
    journal = MemoryJournal()
    first = await plan(build(api), journal)
    second = await plan(build(api), journal.again())
    assert first.model_dump_json() == second.model_dump_json() and len(api.requests) == 1


# covers PLAN-01, API-11
async def test_without_a_key_the_rules_plan_and_say_so(build: Build) -> None:
    with structlog.testing.capture_logs() as lines:
        planner = build(None)
    journal = MemoryJournal()
    made = await plan(planner, journal)
    assert (made.decided_by, made.fallback_reason) == (DecidedBy.RULES, Reason.NO_KEY)
    assert planner.status()["llm_available"] is False and planner.status()["using_fallback"] is True
    assert lines[0]["event"] == "LLM failed: no key is configured, using fallback"
    assert [key for _, key, _ in journal.asked] == ["planner:model"] and journal.notes["planner:plan"][1]["fallback_reason"] == "no_key"


# covers ERR-11, decision 10
@pytest.mark.parametrize(
    ("status", "reason", "tries"),
    [
        (429, Reason.MODEL_RATE_LIMIT, 3),
        (529, Reason.MODEL_OVERLOADED, 3),
        (500, Reason.MODEL_UNAVAILABLE, 3),
        (503, Reason.MODEL_UNAVAILABLE, 3),
        (401, Reason.MODEL_AUTHENTICATION, 1),
        (403, Reason.MODEL_AUTHENTICATION, 1),
        (400, Reason.MODEL_UNAVAILABLE, 1),
        (404, Reason.MODEL_UNAVAILABLE, 1),
        (413, Reason.MODEL_UNAVAILABLE, 1),
    ],
)
async def test_each_failure_has_its_reason_and_only_passing_ones_are_tried_again(
    serve: Serve, build: Build, watch: Watch, status: int, reason: Reason, tries: int
) -> None:
    api = serve(*[Say(status=status, text="no")] * 3)
    planner, journal = build(api), MemoryJournal()
    with structlog.testing.capture_logs() as lines:
        made = await plan(planner, journal)
    assert (made.decided_by, made.fallback_reason, len(made.steps)) == (DecidedBy.RULES, reason, 3)
    assert len(api.requests) == tries
    assert watch.pauses == [1.0, 2.0][: tries - 1]
    assert planner.status()["fallback_reason"] == reason.value and planner.status()["using_fallback"] is True
    warning = next(e["event"] for e in lines if e["log_level"] == "warning")
    assert warning.startswith("LLM failed: ") and warning.endswith("using fallback")
    (error,) = [data for event, data in journal.notes.values() if event is EventType.API_ERROR]
    assert (error["reason"], error["attempts"]) == (reason.value, tries)


async def test_a_failure_that_passes_is_forgotten_after_the_next_good_answer(serve: Serve, build: Build) -> None:
    api = serve(Say(status=529), Say(GOOD))
    planner = build(api)
    made = await plan(planner)
    assert made.decided_by is DecidedBy.MODEL and len(api.requests) == 2
    assert planner.status()["llm_available"] is True


async def test_the_vendors_retry_after_is_waited_for_when_there_is_time(serve: Serve, build: Build, watch: Watch) -> None:
    api = serve(Say(status=429, headers={"retry-after": "7"}), Say(GOOD))
    made = await plan(build(api))
    assert made.decided_by is DecidedBy.MODEL and watch.pauses == [7.0]


async def test_a_wait_that_outlasts_the_time_limit_is_not_begun(serve: Serve, build: Build, watch: Watch) -> None:
    api = serve(Say(status=429, headers={"retry-after": "300"}))
    made = await plan(build(api))
    assert made.fallback_reason is Reason.MODEL_RATE_LIMIT and watch.pauses == [] and len(api.requests) == 1


async def test_a_model_that_hangs_is_given_up_after_the_timeout(serve: Serve, build: Build) -> None:
    api = serve(Say(hang=True), Say(hang=True), Say(hang=True))
    made = await plan(build(api, timeout=0.05))
    assert made.fallback_reason is Reason.MODEL_TIMEOUT and len(api.requests) == 3
    assert made.decided_by is DecidedBy.RULES


@pytest.mark.parametrize(
    "bad",
    [
        Say(text="I think you should restart it."),
        Say(with_tools({"name": "run_shell", "parameters": {"cmd": "rm -rf /"}, "purpose": "x"})),
        Say(with_tools({"name": "restart_pod", "parameters": {}, "purpose": "a write tool is not offered"})),
        Say(with_tools({"name": "check_pods", "parameters": {"namespce": "default"}, "purpose": "x"})),
        Say(with_tools({"name": "describe_pod", "parameters": {"namespace": "default"}, "purpose": "a needed argument is missing"})),
        Say(with_tools({"name": "check_nodes", "parameters": {}, "purpose": "x", "after": [2]})),
        Say(with_tools()),
        Say({"analysis": "only"}),
        Say({"plan": "no"}, tool="something_else"),
        Say(text="", stop="max_tokens"),
        Say(text="I cannot help with that.", stop="refusal"),
        Say(raw=b'{"id": "msg_1", "type": "mess'),
        Say(raw=b"{}"),
        Say(raw=b"[]"),
        Say(raw=b"null"),
        Say(raw=b"<html>gateway</html>", headers={"content-type": "text/html"}),
    ],
)
async def test_a_malformed_answer_is_sent_back_once_and_then_the_rules_plan(serve: Serve, build: Build, bad: Say) -> None:
    api = serve(bad, bad, bad)
    made = await plan(build(api))
    assert (made.decided_by, made.fallback_reason) == (DecidedBy.RULES, Reason.MODEL_ANSWER_MALFORMED)
    assert len(api.requests) == 2


async def test_a_malformed_answer_is_told_what_was_wrong_and_is_billed(serve: Serve, build: Build) -> None:
    wrong = with_tools({"name": "check_pods", "parameters": {"namespace": "default", "namespce": "x"}, "purpose": "x"})
    api = serve(Say(wrong, usage=(100, 10)), Say(GOOD, usage=(200, 20)))
    made = await plan(build(api))
    assert made.decided_by is DecidedBy.MODEL
    assert (made.usage.prompt_tokens, made.usage.completion_tokens) == (300, 30)
    assert "namespce" in json.dumps(api.requests[1]["messages"])


# covers decision 14, CTX-01
async def test_no_call_is_made_that_might_pass_the_token_limit(serve: Serve, build: Build) -> None:
    api = serve(Say(GOOD))
    planner, journal = build(api, max_tokens=3000), MemoryJournal()
    made = await plan(planner, journal)
    assert made.fallback_reason is Reason.TOKEN_LIMIT and api.requests == [] and EventType.LLM_CALL not in [event for event, _, _ in journal.asked]
    assert planner.status()["llm_available"] is True


# covers decision 13
async def test_no_call_is_made_that_might_pass_the_dollar_limit(serve: Serve, build: Build) -> None:
    api = serve(Say(GOOD))
    made = await plan(build(api, max_dollars=0.03))
    assert made.fallback_reason is Reason.COST_LIMIT and api.requests == []


async def test_what_a_malformed_answer_cost_counts_against_the_second_try(serve: Serve, build: Build) -> None:
    api = serve(Say({"analysis": "only"}, usage=(45_000, 2000)), Say(GOOD))
    made = await plan(build(api))
    assert made.fallback_reason is Reason.MODEL_ANSWER_MALFORMED and len(api.requests) == 1
    assert made.usage.prompt_tokens == 45_000


# covers API-14
@pytest.mark.parametrize(
    ("key", "vendor", "well"), [(KEY, True, True), ("sk-live-1234567890", True, False), ("token", False, True), ("a b", False, False)]
)
async def test_a_key_that_cannot_be_one_is_never_sent(serve: Serve, build: Build, key: str, vendor: bool, well: bool) -> None:
    api = serve(Say(GOOD))
    planner = build(api, key=key)
    if vendor:
        problem = planner._access.config.__class__(api_key=planner._access.config.api_key).key_problem()  # type: ignore[union-attr]
        assert (problem == "") is well
        return
    made = await plan(planner)
    assert (made.decided_by is DecidedBy.MODEL) is well
    assert bool(api.requests) is well and planner.status()["llm_available"] is well


async def test_the_key_is_in_no_log_line_no_journal_row_and_no_status(serve: Serve, build: Build, caplog: pytest.LogCaptureFixture) -> None:
    api = serve(Say(status=401, text=f"bad key {KEY}"))
    planner, journal = build(api), MemoryJournal()
    with structlog.testing.capture_logs() as lines, caplog.at_level("DEBUG"):
        await plan(planner, journal)
    everything = json.dumps([lines, journal.answers, [d for _, d in journal.notes.values()], planner.status()], default=str)
    assert KEY not in everything + caplog.text + repr(planner._access)
    assert KEY in (api.headers[0].get("x-api-key"), api.headers[0]["authorization"].removeprefix("Bearer "))


async def test_a_client_that_cannot_even_be_opened_is_a_reason_too(serve: Serve, build: Build) -> None:
    planner = build(serve())

    def broken(_: object) -> Any:
        raise ImportError("no client here")

    object.__setattr__(planner._access, "open", broken)
    made = await plan(planner)
    assert made.fallback_reason is Reason.MODEL_UNAVAILABLE


async def test_a_strict_replay_over_the_trail_needs_no_model(serve: Serve, build: Build) -> None:
    api = serve(Say(GOOD))
    first_run = TrailTwin("i1", lambda: CASE.now)
    planner = build(api)
    first = await planner.plan(CASE, Recalled(), first_run)
    replay = TrailTwin("i1", lambda: CASE.now, first_run.events, strict=True)
    assert await build(api).plan(CASE, Recalled(), replay) == first
    assert len(api.requests) == 1
    other = CASE.model_copy(update={"now": CASE.now + timedelta(hours=1)})
    with pytest.raises(ReplayDiverged):
        await build(api).plan(other, Recalled(), TrailTwin("i1", lambda: CASE.now, first_run.events, strict=True))


async def test_time_used_for_the_model_counts_over_the_whole_investigation(serve: Serve, build: Build, watch: Watch) -> None:
    api = serve(Say(status=429, headers={"retry-after": "50"}), Say(GOOD), Say(GOOD))
    planner, journal = build(api, max_seconds=50.5), MemoryJournal()
    made = await plan(planner, journal)
    assert made.fallback_reason is Reason.MODEL_RATE_LIMIT and len(api.requests) == 1 and watch.pauses == [50.0]
    again = await plan(planner, journal)
    assert again.fallback_reason is Reason.TIME_BUDGET and len(api.requests) == 1


async def test_a_model_near_its_end_of_life_is_said_once_in_the_log(serve: Serve, build: Build) -> None:
    api = serve(Say(GOOD), Say(GOOD))
    with structlog.testing.capture_logs() as lines:
        planner = build(api, model="claude-sonnet-4-5-20250929")
        made = [await planner.plan(CASE, Recalled(), MemoryJournal()) for _ in range(2)]
    assert [m.decided_by for m in made] == [DecidedBy.MODEL] * 2
    assert [e["model"] for e in lines if e["event"] == "model_deprecated"] == ["claude-sonnet-4-5-20250929"]


async def test_cancelling_an_investigation_cancels_the_call_and_is_no_failure_of_the_model(serve: Serve, build: Build) -> None:
    api = serve(Say(hang=True))
    planner = build(api)
    task = asyncio.create_task(plan(planner))
    assert await asyncio.to_thread(api.arrived.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert planner.status()["llm_available"] is True


async def test_where_no_key_is_any_more_the_recorded_answer_counts_and_nothing_new_is_asked(serve: Serve, build: Build) -> None:
    """A replay at home, or a run that goes on after the key was taken away."""
    journal = MemoryJournal()
    first = await plan(build(serve(Say(GOOD))), journal)
    assert (await plan(build(None), journal.again())).model_dump_json() == first.model_dump_json()
    halfway = journal.again()
    halfway.answers = {key: row for key, row in halfway.answers.items() if "total_tokens" not in row}
    later = await plan(build(None), halfway)
    assert (later.decided_by, later.fallback_reason) == (DecidedBy.RULES, Reason.NO_KEY)
