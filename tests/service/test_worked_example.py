"""The requirements' worked example: POST /alerts {"type": "high_memory", "service": "web-app"} over a real incident."""

import asyncio
import re
import shutil
import uuid
from pathlib import Path
from typing import Any

import pytest

from app.domain.trail import EventType, TrailEvent
from tests.service.serving import HIGH_MEMORY, Json, looking_at, web_app

PODS = ("web-app-7c9d8f6b5d-k7x2m", "web-app-7c9d8f6b5d-q9z4t")


async def _asked(folder: Path) -> tuple[Json, tuple[TrailEvent, ...]]:
    async with looking_at(web_app(), folder) as service:
        answer = await service.alert()
        return answer, await service.trail(answer["investigation_id"])


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, empty: Path) -> tuple[Json, tuple[TrailEvent, ...]]:
    folder = tmp_path_factory.mktemp("example")
    shutil.copy(empty, folder)
    return asyncio.run(_asked(folder))


@pytest.fixture
def answer(told: tuple[Json, tuple[TrailEvent, ...]]) -> Json:
    return told[0]


def test_the_answer_has_the_fields_of_both_pictures(answer: Json) -> None:  # covers API-04, API-05
    assert {"alert", "plan", "execution", "episodic_id", "memory_snapshot", "learned_patterns", "recommendations"} <= set(answer)


def test_the_alert_is_echoed_with_the_servers_time(answer: Json) -> None:  # covers API-01, API-02, API-03
    assert answer["alert"].items() >= {**HIGH_MEMORY, "timestamp": "2026-03-10T14:46:00Z"}.items()


def test_the_three_steps_of_the_rules_come_first(answer: Json) -> None:  # covers API-06, PLAN-03, PLAN-04
    assert answer["plan"]["steps"] == [
        {"tool": "check_pods", "reason": "Verify pod health"},
        {"tool": "get_metrics", "reason": "Analyze memory usage"},
        {"tool": "check_events", "reason": "Look for OOM events"},
    ]
    assert answer["plan"]["decided_by"] == "rules"
    assert re.fullmatch(r"[^.]+\.", answer["plan"]["reasoning"]), "one sentence"


def test_each_step_tells_in_one_line_what_came_of_it(answer: Json) -> None:  # covers API-07, EXEC-08, TOOL-08, TOOL-10, TOOL-11
    steps = answer["execution"]["steps"]
    assert [s["step"] for s in steps] == list(range(1, len(steps) + 1))
    assert [s["tool"] for s in steps[:3]] == ["check_pods", "get_metrics", "check_events"]
    assert all(set(s) == {"step", "tool", "status", "result", "duration_ms"} for s in steps)
    assert {s["status"] for s in steps} == {"success"}
    assert all(s["result"] and "\n" not in s["result"] for s in steps)
    assert answer["execution"]["total_duration_ms"] == sum(s["duration_ms"] for s in steps)
    assert steps[0]["result"] == f"Found 5 pods: 3 healthy, 2 high memory ({', '.join(PODS)})"
    assert re.match(r"web-app metrics - CPU: \S+, Memory: 92%", steps[1]["result"])
    assert re.match(r"Warning: \w+ web-app-\S+ \d+ \w+ ago", steps[2]["result"])


def test_ids_are_those_of_the_investigation(answer: Json) -> None:  # covers API-08, TRACE-04
    assert uuid.UUID(answer["episodic_id"]).version == 4
    assert answer["episodic_id"] == answer["episode_id"] == answer["investigation_id"] == answer["report"]["meta"]["investigation_id"]


def test_the_memory_snapshot_shows_both_layers(answer: Json) -> None:  # covers API-09
    snapshot: dict[str, Any] = answer["memory_snapshot"]
    assert snapshot["working_memory"]["current_alert"] == HIGH_MEMORY
    used = snapshot["working_memory"]["recent_tools_used"]
    assert used[:3] == ["check_pods", "get_metrics", "check_events"], "in the order of the plan"
    assert len(used) == len(set(used))
    assert snapshot["episodic_memory"] == {"total_investigations": 1, "similar_past_cases": 0, "learned_patterns": []}


def test_recommendations_name_the_affected_pods_and_the_next_action(answer: Json) -> None:  # covers API-10
    first, *more = answer["recommendations"]
    assert first == (
        f"Pod shop/{PODS[0]}: read the log of the run that ended; run `kubectl logs {PODS[0]} -n shop -c web-app --previous --tail=100` (read-only)."
    )
    assert more[0] == (
        f"Deployment shop/web-app (affected pods: {PODS[0]}, {PODS[1]}): go back to the revision before; run "
        "`kubectl rollout undo deployment/web-app -n shop` (changes the cluster; the former template is rolled out again)."
    )
    assert more[1].startswith(f"Deployment shop/web-app (affected pods: {PODS[0]}, {PODS[1]}): raise the memory limit (")


def test_the_facts_of_a_run_are_at_hand(answer: Json) -> None:  # covers LOOP-12, LOOP-10, LOOP-01
    assert answer["iterations"] == answer["report"]["meta"]["iterations"] >= 1
    assert (answer["cost"], answer["past_cases_used"]) == (0.0, 0)
    assert answer["duration"] == answer["report"]["meta"]["duration_ms"] / 1000
    labels = ("SEVERITY: P3", "ROOT CAUSE: Deployment/shop/web-app", "EVIDENCE:", "IMMEDIATE ACTIONS:", "LONG-TERM FIX:")
    places = [answer["answer"].index(f"\n{label}") for label in labels]
    assert places == sorted(places)


def test_every_quote_occurs_in_what_a_tool_returned(told: tuple[Json, tuple[TrailEvent, ...]]) -> None:
    answer, events = told
    badges = answer["report"]["badges"]
    assert (badges["state"], badges["decided_by"], badges["fallback_reason"]) == ("confirmed", "rules", "no_key")
    assert answer["report"]["causes"][0]["object"] == {"kind": "Deployment", "namespace": "shop", "name": "web-app"}
    assert answer["report"]["causes"][0]["cause"] == "oom_killed"
    cited = {e for cause in answer["report"]["causes"] for e in cause["evidence"]}
    assert cited <= {e["id"] for e in answer["report"]["evidence"]}
    returned = {e.data["call"]["id"]: e.data["result"]["text"] for e in events if e.type is EventType.TOOL_RESULT}
    assert answer["report"]["evidence"]
    assert [e["id"] for e in answer["report"]["evidence"] if e["quote"] not in returned[e["call_id"]]] == []
