"""Many alerts of one trouble, alerts that are over, and the heartbeat: what intake makes of them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.lab.alertmanager_sender import webhook
from tests.service.serving import HOOK, Json, Served, looking_at, web_app

pytestmark = pytest.mark.slow


def alert(name: str, number: int = 0, **more: Any) -> Json:
    labels = {"alertname": name, "namespace": "shop", "deployment": "web-app", "severity": "warning", "number": str(number)}
    return {"labels": labels, "annotations": {"summary": f"{name} {number}"}, "startsAt": "2026-03-10T14:40:00Z", **more}


def hook_of(*alerts: Json) -> Json:
    return webhook(list(alerts), ["alertname"], "sre-agent", "http://alertmanager")


async def sent(service: Served, hooks: list[Json]) -> list[Json]:
    answers = await asyncio.gather(*(service.client.post(HOOK, json=hook) for hook in hooks))
    assert {answer.status_code for answer in answers} == {202}
    return [alert for answer in answers for alert in answer.json()["alerts"]]


async def test_fifty_alerts_of_one_target_are_one_investigation_with_forty_nine_joins(folder: Path) -> None:
    # covers API-17, EXEC-12
    hooks = [hook_of(alert("WebAppDown", n)) for n in range(50)]
    async with looking_at(web_app(), folder) as service:
        told = await sent(service, hooks)
        (id,) = {one["investigation_id"] for one in told}
        found = await service.ended(id)
        again = await sent(service, hooks)
        joined = [e for e in await service.trail(id) if e.type == "ALERT_JOINED"]
        listed = await service.get("/investigations")
        ledger = await service.get("/alerts/ledger", limit=200)
    assert sorted(one["reason"] for one in told) == ["new_episode"] + ["same_target"] * 49
    assert [one["started"] for one in told].count(True) == 1
    assert len(joined) == 49 and {e.data["reason"] for e in joined} == {"same_target"}
    assert found["status"] == "completed" and len(found["alerts"]) == 50
    assert {one["reason"] for one in again} == {"repeat"}
    assert len(listed["investigations"]) == 1
    assert len(ledger["entries"]) == 100, "every instance is on record"


async def test_resolved_alerts_and_heartbeats_start_nothing(folder: Path) -> None:
    over = alert("WebAppDown", 1, endsAt="2026-03-10T14:45:00Z")
    heartbeat = {"labels": {"alertname": "Watchdog", "severity": "none"}, "startsAt": "2026-03-10T00:00:00Z"}
    inhibitor = {"labels": {"alertname": "InfoInhibitor", "severity": "none"}, "startsAt": "2026-03-10T00:00:00Z"}
    async with looking_at(web_app(), folder) as service:
        told = await sent(service, [hook_of(over), hook_of(heartbeat), hook_of(inhibitor)])
        listed = await service.get("/investigations")
    assert [one["reason"] for one in told] == ["resolved", "heartbeat", "ignored"]
    assert {(one["started"], one["investigation_id"]) for one in told} == {(False, "")}
    assert listed["investigations"] == []


async def test_several_targets_are_investigated_at_the_same_time(folder: Path) -> None:
    # covers API-18, MET-09
    names = [f"svc-{n}" for n in range(6)]
    async with looking_at(web_app(), folder) as service:
        answers = await asyncio.gather(*(service.alert({"type": "high_memory", "service": name}) for name in names))
    assert len({a["investigation_id"] for a in answers}) == 6
    assert {a["status"] for a in answers} == {"completed"}
