"""How soon people hear something, measured on the whole service: slow sources, hanging ones, and the notices about it."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from app.domain.trail import EventType, TrailEvent
from app.lab.faults import Fault, FaultKind, Faults
from app.lab.servers import LabFaults
from app.settings import Settings
from tests.notify.receiver import receiving
from tests.real.processes import until
from tests.service.serving import Json, Served, looking_at, web_app

pytestmark = pytest.mark.slow
ALERT: Json = {"type": "pod_crash", "service": "web-app", "labels": {"namespace": "shop"}}


async def begun(service: Served) -> str:
    """An alert whose report nobody waits for -> the id of its investigation."""
    answer = await service.client.post("/alerts", json=ALERT, params={"wait": "0"})
    return str(answer.json()["investigation_id"])


async def seen(service: Served, investigation_id: str, event: EventType, seconds: float) -> tuple[TrailEvent, float]:
    """-> (the first event of that type, seconds from now until it was there)."""
    start = time.monotonic()
    found: list[TrailEvent] = []

    async def there() -> bool:
        found[:] = [e for e in await service.trail(investigation_id) if e.type is event]
        return bool(found)

    await until(there, seconds, event.value)
    return found[0], time.monotonic() - start


async def briefing_of(service: Served, investigation_id: str, seconds: float) -> Json:
    async def there() -> bool:
        return bool((await service.client.get(f"/investigations/{investigation_id}/briefing")).status_code == 200)

    await until(there, seconds, "the briefing")
    return await service.get(f"/investigations/{investigation_id}/briefing")


async def test_the_first_evidence_is_there_within_two_seconds_when_sources_take_half_a_second(folder: Path) -> None:
    # covers FR-01
    slow = LabFaults(kubernetes=Faults(Fault(FaultKind.SLOW, seconds=0.5)), prometheus=Faults(Fault(FaultKind.SLOW, seconds=0.5)))
    async with looking_at(web_app(), folder, slow) as service:
        investigation_id = await begun(service)
        await seen(service, investigation_id, EventType.AGENT_START, 5)
        event, seconds = await seen(service, investigation_id, EventType.TOOL_RESULT, 10)
        assert event.data["status"] == "success"
        assert seconds < 2.0
        briefing = await briefing_of(service, investigation_id, 20)
    assert briefing["missing"] == [] and briefing["occasion"] == "first_round"


@pytest.mark.parametrize(("hangs", "answers"), [("prometheus", "check_pods"), ("kubernetes", "get_metrics")])
async def test_with_half_of_the_sources_hanging_people_are_briefed_in_time_and_told_what_is_missing(folder: Path, hangs: str, answers: str) -> None:
    # covers FR-04, FR-05
    faults = LabFaults(**{hangs: Faults(Fault(FaultKind.HANG))})
    async with looking_at(web_app(), folder, faults, briefing_deadline=8.0, total_timeout=30.0) as service:
        start = time.monotonic()
        investigation_id = await begun(service)
        early = await service.client.get(f"/investigations/{investigation_id}/briefing")
        assert (early.status_code, early.headers["retry-after"]) == (202, "2")
        briefing = await briefing_of(service, investigation_id, 20)
        assert time.monotonic() - start < 8.0 + 2.0
        assert (await service.get(f"/investigations/{investigation_id}"))["status"] == "running", "and the work goes on"
    assert briefing["occasion"] == "deadline"
    missing = {gap["what"] for gap in briefing["missing"]}
    assert missing and answers not in missing
    hung = {"check_pods", "check_events"} if hangs == "kubernetes" else {"get_metrics"}
    assert hung <= missing
    assert any(context["status"] == "answered" for context in briefing["context"] if context["source"] != "similar")


async def test_a_briefing_is_told_to_the_webhook_and_the_report_follows(folder: Path) -> None:
    # covers FR-01, NOTI-04, MET-11
    with receiving(200) as receiver:
        settings: dict[str, Any] = {"notify_webhook_url": receiver.url}
        async with looking_at(web_app(), folder, **settings) as service:
            answer = await service.alert()

            async def both() -> bool:
                return len(receiver.got) > 1

            await until(both, 10, "briefing and report arrive")
            metrics = (await service.client.get("/metrics")).text
            incident = await service.get(f"/investigations/{answer['investigation_id']}/incident")
    told = {json.loads(got.body)["kind"]: got for got in receiver.got}
    assert set(told) == {"briefing", "report"} and len(receiver.got) == 2
    assert told["briefing"].headers["idempotency-key"] == f"{answer['investigation_id']}:briefing:2"
    briefing = json.loads(told["briefing"].body)
    assert briefing["briefing"]["response_time_seconds"] < 60
    assert 'first_response_time_seconds_count{agent_name="sre-agent"}' in metrics
    actions = [entry["action"] for entry in incident["timeline"]]
    assert actions.index("acknowledge") < actions.index("gather") < actions.index("channel") < actions.index("summary")


def test_by_default_the_deadline_leaves_time_to_tell_people_within_a_minute() -> None:
    # covers FR-04
    deadline: float = Settings.model_fields["briefing_deadline"].default
    assert deadline + 1.0 + 10.0 < 60.0, "the outbox is looked at every second, a webhook gets ten"


async def test_the_folder_of_runbooks_is_searched_in_the_first_round(folder: Path, tmp_path: Path) -> None:
    # covers FR-01, SMEM-02
    shelf = tmp_path / "runbooks"
    shelf.mkdir()
    (shelf / "memory.md").write_text("# High memory\n\nHigh memory of a service: read the limits first.\n", encoding="utf-8")
    async with looking_at(web_app(), folder, runbooks_dir=shelf) as service:
        answer = await service.alert()
        briefing = await service.get(f"/investigations/{answer['investigation_id']}/briefing")
    assert [(hit["title"], hit["where"]) for hit in briefing["runbooks"]] == [("High memory", "memory.md")]
    assert {c["source"]: c["status"] for c in briefing["context"]}["runbooks"] == "answered"
    assert answer["plan"]["steps"][-1]["tool"] == "search_runbooks"
