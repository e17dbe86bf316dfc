"""Sources that are not there, hang, refuse or lie: the investigation ends, and the report says what was not looked at."""

import time
from pathlib import Path

import pytest

from app.cli.lab_service import lab_settings
from app.lab.faults import Fault, FaultKind, Faults
from app.lab.servers import Addresses, LabFaults
from tests.service.serving import HIGH_MEMORY, Json, looking_at, serving, web_app, world_of

pytestmark = pytest.mark.slow
EVERY = [FaultKind.REFUSE, FaultKind.HANG, FaultKind.ERROR_500, FaultKind.FORBIDDEN, FaultKind.GARBAGE, FaultKind.CUT_BODY]


def gaps(answer: Json) -> dict[str, str]:
    return {item["what"]: item["reason"] for item in answer["report"]["not_checked"]}


async def test_without_any_source_every_step_stays_in_the_plan_as_skipped(folder: Path) -> None:
    # covers PLAN-03, ERR-05, ERR-14
    settings = lab_settings(Addresses("", "", "", ""), folder, [], vector_index="numpy", embedder="hash")
    async with serving(settings, world_of(web_app().now)) as (_, client):
        answer = (await client.post("/alerts", json=HIGH_MEMORY)).json()
    assert [s["tool"] for s in answer["plan"]["steps"]] == ["check_pods", "get_metrics", "check_events"]
    steps = answer["execution"]["steps"]
    assert {s["status"] for s in steps} == {"skipped"}
    assert all("not configured" in s["result"] for s in steps)
    found = gaps(answer)
    assert {"check_pods", "get_metrics", "check_events"} <= set(found) and set(found.values()) == {"not_configured"}
    assert len(answer["report"]["not_checked"]) == len(found), "each thing once"
    assert (answer["status"], answer["report"]["badges"]["state"]) == ("completed", "inconclusive")
    assert answer["recommendations"][0].startswith("Service default/web-app: look by hand at what could not be checked: check_")


async def test_one_source_that_is_not_configured_leaves_the_rest(folder: Path) -> None:
    async with looking_at(web_app(), folder, prometheus_url="") as service:
        answer = await service.alert()
    statuses = {s["tool"]: s["status"] for s in answer["execution"]["steps"]}
    assert (statuses["check_pods"], statuses["get_metrics"]) == ("success", "skipped")
    assert gaps(answer)["get_metrics"] == "not_configured"
    assert answer["report"]["causes"][0]["cause"] == "oom_killed", "Kubernetes alone shows it"


@pytest.mark.parametrize("kind", EVERY)
async def test_when_every_source_is_in_trouble_the_run_ends_in_time_and_lists_each(folder: Path, kind: FaultKind) -> None:
    # covers ERR-01, ERR-03, ERR-05, ERR-14, LOOP-23, TIME-05, TEST-06
    faults = LabFaults(kubernetes=Faults(Fault(kind)), prometheus=Faults(Fault(kind)))
    begun = time.monotonic()
    async with looking_at(web_app(), folder, faults, tool_timeout=0.3, total_timeout=4.0) as service:
        answer = await service.alert()
        metrics = (await service.client.get("/metrics")).text
    assert time.monotonic() - begun < 4.0 + 4.0, "its budget, and start and stop"
    assert answer["duration"] <= 4.5
    assert answer["status"] in ("completed", "incomplete")
    assert answer["report"]["badges"]["state"] == "inconclusive"
    assert {"check_pods", "get_metrics", "check_events"} <= set(gaps(answer))
    assert {s["status"] for s in answer["execution"]["steps"]} <= {"failed", "partial", "error", "blocked"}
    assert "root cause" not in answer["answer"].lower()
    assert "agent_tool_failures_total{" in metrics


async def test_a_right_that_is_missing_is_a_gap_and_never_tried_again(folder: Path) -> None:
    # covers ERR-03, ERR-08
    faults = LabFaults(kubernetes=Faults(Fault(FaultKind.FORBIDDEN, "/events")))
    async with looking_at(web_app(), folder, faults) as service:
        answer = await service.alert()
        outcomes = [e.data for e in await service.trail(answer["investigation_id"]) if e.type == "TOOL_RESULT"]
    (events,) = [o for o in outcomes if o["call"]["tool"] == "check_events"]
    assert (events["status"], events["reason"], events["attempts"]) == ("partial", "denied", 1)
    assert gaps(answer)["check_events"] == "denied"
    assert answer["report"]["causes"][0]["cause"] == "oom_killed"


async def test_a_slow_first_answer_is_waited_for_and_a_short_outage_is_outlasted(folder: Path) -> None:
    # covers ERR-01, ERR-06
    faults = LabFaults(kubernetes=Faults(Fault(FaultKind.REFUSE, times=1)))
    async with looking_at(web_app(), folder, faults) as service:
        answer = await service.alert()
    assert {s["status"] for s in answer["execution"]["steps"]} == {"success"}
    assert answer["report"]["badges"]["state"] == "confirmed"


async def test_a_lab_that_goes_away_and_comes_back_is_used_again(folder: Path) -> None:
    async with looking_at(web_app(), folder, tool_timeout=0.5, total_timeout=3.0) as service:
        service.lab.faults.kubernetes.add(Fault(FaultKind.REFUSE))
        service.lab.faults.prometheus.add(Fault(FaultKind.REFUSE))
        dark = await service.alert()
        service.lab.faults.kubernetes.clear()
        service.lab.faults.prometheus.clear()
        light = await service.alert()
    assert (dark["report"]["badges"]["state"], light["report"]["badges"]["state"]) == ("inconclusive", "confirmed")


async def test_a_thing_that_was_never_seen_is_not_called_healthy(folder: Path) -> None:
    # the promise to be honest: no all-clear for what nobody looked at
    async with looking_at(web_app(), folder) as service:
        answer = await service.alert({"type": "high_memory", "service": "nobody-knows-it"})
    assert answer["report"]["badges"]["state"] != "not_a_problem"
