"""What an operator sees of a run: log lines and metrics of `sre-agent serve` in a process of its own."""

import asyncio
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.domain.alert import Severity
from app.domain.investigation import InvestigationStatus
from app.domain.plan import DecidedBy
from app.domain.reason import Reason
from app.domain.tool import StepStatus
from app.domain.verdict import VerdictState
from app.lab.servers import LabServers
from app.planner.playbook import load_playbooks
from tests.service.serving import HOOK, Json, log_lines, process, web_app

pytestmark = pytest.mark.slow
CONTEXT = {"request_id", "session_id", "user_id", "investigation_id", "alert_id"}
ENVELOPE = {"event", "level", "timestamp", *CONTEXT}
OUTSIDE = "zzz-from-outside"  # stands in every text of the strange alert
STRANGE = {
    "type": f"{OUTSIDE}-type",
    "service": f"{OUTSIDE}-service",
    "severity": f"{OUTSIDE}-severity",
    "labels": {"alertname": f"{OUTSIDE}-name", "namespace": f"{OUTSIDE}-space"},
    "annotations": {"summary": f"{OUTSIDE} password=hunter2-secret " + "x" * 300},
}


class Seen(NamedTuple):
    lines: list[Json]
    before: str
    after: str
    answer: Json
    strange: Json
    health: Json


async def _run(folder: Path) -> Seen:
    world = web_app().shifted(datetime.now(UTC))
    async with LabServers(world) as lab:
        async with process(lab, folder) as (client, _, log):
            before = (await client.get("/metrics")).text
            answer = (await client.post("/alerts", json={"type": "high_memory", "service": "web-app"}, headers={"X-Request-ID": "asked-1"})).json()
            strange = (await client.post("/alerts", json=STRANGE)).json()
            await client.post("/alerts", content=b"{", headers={"content-type": "application/json"})
            await client.post(HOOK, json=world.webhook)
            after = (await client.get("/metrics")).text
            health = (await client.get("/health")).json()
        return Seen(log_lines(log), before, after, answer, strange, health)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return asyncio.run(_run(tmp_path_factory.mktemp("seeing")))


def events(seen: Seen, name: str, of: str = "") -> list[Json]:
    return [line for line in seen.lines if line["event"] == name and of in ("", line["investigation_id"])]


def facts(lines: Iterable[Json]) -> list[Json]:
    return [{k: v for k, v in line.items() if k not in ENVELOPE} for line in lines]


def test_every_line_is_json_with_the_same_fields(seen: Seen) -> None:  # covers LOG-04, LOG-05, LOG-11, LOG-13
    assert [line for line in seen.lines if not set(line) >= ENVELOPE] == []
    assert {line["level"] for line in seen.lines} <= {"debug", "info", "warning", "error"}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["timestamp"]) for line in seen.lines)
    assert [line["event"] for line in seen.lines if line["event"].isupper()] == [], "upper case is the trail's (decision 16)"


def test_every_line_of_an_investigation_carries_its_ids_and_the_alerts(seen: Seen) -> None:  # covers LOG-05
    id, alert = seen.answer["investigation_id"], seen.answer["alert"]["id"]
    of_it = [line for line in seen.lines if line["investigation_id"] == id]
    assert {"alert_accepted", "memory_recall", "agent_step", "tool_call", "reasoning", "memory_stored", "session_complete", "http_request"} <= {
        line["event"] for line in of_it
    }
    assert {line["alert_id"] for line in of_it} == {alert}
    inside = [line for line in of_it if line["event"] in ("agent_step", "tool_call", "session_complete")]
    assert {line["session_id"] for line in inside} == {id}
    assert {line["request_id"] for line in of_it if line["event"] in ("alert_accepted", "http_request")} == {"asked-1"}


def test_a_tool_call_is_one_line(seen: Seen) -> None:  # covers LOG-07, LOG-12
    calls = facts(events(seen, "tool_call"))
    assert {frozenset(call) for call in calls} == {frozenset({"tool_name", "tool_input", "success", "latency_ms", "error"})}
    assert all(len(call["tool_input"]) <= 80 for call in calls)
    of_one = events(seen, "tool_call", seen.answer["investigation_id"])
    assert len(of_one) == seen.answer["report"]["meta"]["tool_calls"]
    assert all(call["success"] is True and call["error"] == "" and call["latency_ms"] >= 0 for call in of_one)


def test_a_step_is_told_before_and_after(seen: Seen) -> None:  # covers LOG-08, LOG-10
    steps = facts(events(seen, "agent_step", seen.answer["investigation_id"]))
    assert {frozenset(step) for step in steps} == {frozenset({"step_number", "action_type", "reasoning", "outcome"})}
    told: dict[int, list[str]] = {}
    for step in steps:
        told.setdefault(step["step_number"], []).append(step["outcome"])
    assert told == {n: ["pending", "success"] for n in range(1, len(seen.answer["execution"]["steps"]) + 1)}
    assert all(step["reasoning"] and len(step["reasoning"]) <= 500 for step in steps)


def test_thoughts_and_tasks_are_cut(seen: Seen) -> None:  # covers LOG-10, LOG-12
    thoughts = events(seen, "reasoning")
    assert len(events(seen, "reasoning", seen.answer["investigation_id"])) == seen.answer["iterations"]
    assert all(0 < len(line["thought"]) <= 100 for line in thoughts)
    tasks = [line["task"] for line in events(seen, "memory_recall")]
    assert tasks and all(0 < len(task) <= 80 for task in tasks)


def test_the_end_of_a_session_is_one_line(seen: Seen) -> None:  # covers LOG-09
    (end,) = facts(events(seen, "session_complete", seen.answer["investigation_id"]))
    assert set(end) == {"total_steps", "total_tokens", "total_cost", "success", "duration_seconds"}
    assert (end["total_tokens"], end["total_cost"], end["success"]) == (0, 0, True)
    assert end["total_steps"] == len(seen.answer["execution"]["steps"])
    assert end["duration_seconds"] >= 0


def test_secrets_reach_no_line(seen: Seen) -> None:  # covers SEC-09
    assert [line for line in seen.lines if "hunter2" in str(line)] == []


def test_no_key_is_a_warning(seen: Seen) -> None:  # covers PLAN-01, API-11
    (warning,) = [line for line in seen.lines if line["event"].startswith("LLM failed: ")]
    assert warning["event"].endswith("using fallback") and warning["level"] == "warning"
    assert (seen.health["llm_available"], seen.health["using_fallback"], seen.health["last_fallback_reason"]) == (False, True, "no_key")


Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: str) -> Samples:
    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def labels_of(text: str, name: str) -> set[str]:
    return {label for (sample, labels) in samples(text) if sample == name for label, _ in labels}


WANTED = {
    "agent_requests_total": {"agent_name", "status"},
    "agent_request_duration_seconds_bucket": {"agent_name", "le"},
    "agent_steps_per_request_bucket": {"agent_name", "le"},
    "agent_task_success_total": {"agent_name", "task_type"},
    "agent_cache_hits_total": {"agent_name", "cache_type"},
    "agent_user_feedback_total": {"agent_name", "rating"},
    "agent_active_sessions": {"agent_name"},
    "agent_queue_depth": {"agent_name", "priority"},
    "agent_root_cause_found_total": {"agent_name", "state"},
    "agent_memory_recall_total": {"agent_name", "result"},
    "agent_planner_decisions_total": {"agent_name", "decided_by", "fallback_reason"},
    "agent_alerts_accepted_total": {"agent_name", "reason"},
    "agent_bodies_refused_total": {"agent_name", "reason"},
    "agent_tool_calls_total": {"agent_name", "tool", "status"},
}


@pytest.mark.parametrize("name", sorted(WANTED))
def test_metrics_have_the_names_and_labels_that_dashboards_use(seen: Seen, name: str) -> None:
    # covers MET-01, MET-02, MET-03, MET-06, MET-07, MET-08, MET-09, MET-10, MET-12
    assert labels_of(seen.after, name) == WANTED[name]


@pytest.mark.parametrize("name", ["agent_tokens_total", "agent_api_cost_dollars_total", "agent_task_failure_total", "agent_tool_failures_total"])
def test_counters_of_what_did_not_happen_are_announced(seen: Seen, name: str) -> None:  # covers MET-04, MET-05
    assert f"# TYPE {name} counter" in seen.after


def test_buckets_are_the_required_ones(seen: Seen) -> None:  # covers MET-02, MET-03
    def buckets(name: str) -> set[float]:
        return {float(dict(labels)["le"]) for (sample, labels) in samples(seen.after) if sample == f"{name}_bucket"}

    assert buckets("agent_request_duration_seconds") == {1, 5, 10, 30, 60, 120, 300, 600, float("inf")}
    assert buckets("agent_steps_per_request") == {1, 2, 5, 10, 20, 50, 100, float("inf")}


def test_a_run_is_counted_once(seen: Seen) -> None:
    before, after = samples(seen.before), samples(seen.after)

    def grown(name: str, **labels: str) -> float:
        key = (name, frozenset({("agent_name", "sre-agent"), *labels.items()}))
        return after.get(key, 0.0) - before.get(key, 0.0)

    assert before[("agent_requests_total", frozenset({("agent_name", "sre-agent"), ("status", "completed")}))] == 0, "there from the start"
    assert grown("agent_requests_total", status="completed") >= 2
    assert grown("agent_task_success_total", task_type="high_memory") >= 1
    assert (
        grown("agent_steps_per_request_count") == grown("agent_requests_total", status="completed") == grown("agent_request_duration_seconds_count")
    )
    assert grown("agent_bodies_refused_total", reason="malformed_json") == 1
    assert grown("agent_alerts_accepted_total", reason="new_episode") >= 2
    assert len([1 for name, _ in after if name == "agent_queue_depth"]) == 1, "one depth, not one for each who asks"


CLOSED = {
    "agent_name": {"sre-agent"},
    "status": {*InvestigationStatus, *StepStatus},
    "state": set(VerdictState),
    "reason": set(Reason),
    "failure_reason": set(Reason),
    "fallback_reason": {*Reason, ""},
    "decided_by": set(DecidedBy),
    "task_type": {book.id for book in load_playbooks()} | {"model", "general"},
    "cache_type": {"exact", "semantic"},
    "rating": {"positive", "negative"},
    "priority": {"all", *Severity},
    "result": {"hit", "miss", "unavailable", "delivered", "retried", "given_up"},
    "channel": {"log", "webhook"},
}


def test_no_label_value_comes_from_outside(seen: Seen) -> None:  # covers MET-01
    assert OUTSIDE in str(seen.strange["alert"])
    assert OUTSIDE not in seen.after
    values: dict[str, set[str]] = {}
    for _, labels in samples(seen.after):
        for name, value in labels:
            values.setdefault(name, set()).add(value)
    assert {name: found - CLOSED[name] for name, found in values.items() if name in CLOSED and found - CLOSED[name]} == {}
    assert set(values) - set(CLOSED) <= {"le", "tool"}
    assert all(re.fullmatch(r"[a-z_]+", tool) for tool in values["tool"])
