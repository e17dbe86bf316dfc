"""The kill switch and the emergency stop, thrown while an investigation runs."""

import asyncio
import json
from pathlib import Path

import pytest

from app.lab.faults import Fault, FaultKind, Faults
from app.lab.servers import LabFaults
from tests.real.processes import until
from tests.service.serving import Json, Served, looking_at, web_app

pytestmark = pytest.mark.slow
SLOW = Fault(FaultKind.SLOW, seconds=0.4)


async def thrown_midway(service: Served, key: str, value: str) -> Json:
    """The alert is sent, the switch is thrown once tools are being called."""
    asked = asyncio.create_task(service.alert())

    async def running() -> bool:
        page = await service.get("/investigations")
        trails = [await service.trail(i["id"]) for i in page["investigations"]]
        return any(event.type == "TOOL_CALL" for trail in trails for event in trail)

    await until(running, 10, "tools are called")
    await service.app.working.put(key, value, 3600)
    return await asked


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("kill_switch:sre-agent", "1", "kill_switch"),
        ("agent:emergency_stop", json.dumps({"active": True, "reason": "drill", "activated_by": "ops", "activated_at": "now"}), "emergency_stop"),
    ],
)
async def test_a_switch_thrown_midway_stops_the_run_and_the_report_says_so(folder: Path, key: str, value: str, reason: str) -> None:
    # covers KILL-01, KILL-02, KILL-03, KILL-04, LOOP-13
    faults = LabFaults(kubernetes=Faults(SLOW), prometheus=Faults(SLOW))
    async with looking_at(web_app(), folder, faults) as service:
        answer = await thrown_midway(service, key, value)
        after = await service.alert()
        await service.app.working.delete(key)
        service.lab.faults.kubernetes.clear()
        service.lab.faults.prometheus.clear()
        free = await service.alert()
        events = await service.trail(answer["investigation_id"])
        page = await service.get("/investigations", status="incomplete")
    assert (answer["status"], answer["report"]["meta"]["incomplete"]) == ("incomplete", reason)
    assert f"incomplete: {reason}" in answer["answer"]
    assert [e.data["reason"] for e in events if e.type == "AGENT_INCOMPLETE"] == [reason]
    assert [e for e in events if e.type == "MEMORY_STORED"] == [], "an incomplete run is no past case"
    assert {s["status"] for s in after["execution"]["steps"]} == {"blocked"}, "nothing runs while it is on"
    assert after["report"]["meta"]["incomplete"] == reason
    assert free["status"] == "completed", "taken back, work goes on"
    assert free["memory_snapshot"]["episodic_memory"]["total_investigations"] == 1
    assert {i["id"] for i in page["investigations"]} == {answer["investigation_id"], after["investigation_id"]}
