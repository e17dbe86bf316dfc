"""The routes over the real SQLite store: what the twin promises, the store keeps."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from app.controller import examples
from app.controller.parts import ControllerParts, Limits
from app.controller.ports import LlmStatus
from app.domain.frozen import JsonObject
from app.domain.investigation import InvestigationStatus
from app.domain.trail import EventType
from app.store.coverage import Rules
from app.store.engine import Reads, make_engine
from app.store.investigations import Investigations
from app.store.journal import TrailJournal
from app.store.ledger import Ledger
from app.store.migrations import migrate
from app.store.tables import bodies, quarantine
from app.store.trail import Trail
from app.store.writer import Writer
from tests.controller.conftest import client_for
from tests.controller.hostile import CASES, LIMIT
from tests.controller.twin import NOW

HOOK = "/webhooks/alertmanager"


class InstantEngine:
    """Runs an investigation when somebody waits for it: writes a trail and a report as the agent does."""

    def __init__(self, writer: Writer, investigations: Investigations) -> None:
        self._writer = writer
        self._investigations = investigations

    async def wait(self, investigation_id: str, timeout_s: float) -> bool:
        found = await self._investigations.get(investigation_id)
        if found is None or found.status is not InvestigationStatus.QUEUED:
            return found is not None
        await self._investigations.start(investigation_id)
        journal = TrailJournal(self._writer, lambda: NOW, investigation_id)
        recall, plan, call, result = examples.EVENTS
        await journal.note(recall.type, "recall", recall.data)
        await journal.note(plan.type, "plan:1", plan.data)

        async def run() -> JsonObject:
            return result.data

        await journal.call(EventType.TOOL_CALL, "tool:check_pods", call.data, run)
        await self._investigations.finish(investigation_id, InvestigationStatus.COMPLETED, examples.INVESTIGATION.report or {})
        return True


class Stored:
    """A client, and reads of what is behind it."""

    def __init__(self, client: httpx2.AsyncClient, reads: Reads) -> None:
        self.client = client
        self._reads = reads

    async def rows(self, table: Any) -> list[Any]:
        return await self._reads.run(lambda connection: list(connection.execute(select(table))))


@pytest.fixture
async def stored(tmp_path: Path) -> AsyncIterator[Stored]:
    engine = make_engine(f"sqlite:///{tmp_path / 'store.db'}")
    migrate(engine)
    counter = itertools.count(1)

    def new_id() -> str:
        return f"00000000-0000-4000-8000-{next(counter):012d}"

    writer, reads = Writer(engine), Reads(engine)
    writer.start()
    rules = Rules(enqueue=lambda connection, workflow_id, argument: None, target_key=lambda alert: "", new_id=new_id, window=timedelta(minutes=5))
    investigations = Investigations(writer, reads, lambda: NOW)
    parts = ControllerParts(
        ledger=Ledger(writer, reads, rules),
        investigations=investigations,
        trail=Trail(reads),
        engine=InstantEngine(writer, investigations),
        clock=lambda: NOW,
        new_id=new_id,
        llm_status=lambda: LlmStatus(llm_available=False, using_fallback=True),
        limits=Limits(max_body_bytes=LIMIT, queue_check_s=0),
    )
    async with client_for(parts) as client:
        yield Stored(client, reads)
    await writer.stop()
    engine.dispose()


async def test_an_alert_is_answered_from_what_was_stored(stored: Stored) -> None:
    body = (await stored.client.post("/alerts", json={"type": "high_memory", "service": "web-app"})).json()
    assert body["plan"]["steps"] == [{"tool": "check_pods", "reason": "see whether the pods run"}]
    assert [(s["step"], s["tool"], s["status"], s["duration_ms"]) for s in body["execution"]["steps"]] == [(1, "check_pods", "success", 45)]
    assert body["report"]["verdict"] == examples.REPORT.verdict
    read = (await stored.client.get(f"/investigations/{body['investigation_id']}")).json()
    assert (read["status"], read["report"]) == ("completed", body["report"])
    trail = (await stored.client.get(f"/investigations/{body['investigation_id']}/trail")).json()["events"]
    assert [e["sequence"] for e in trail] == list(range(1, len(trail) + 1))
    (entry,) = (await stored.client.get("/alerts/ledger")).json()["entries"]
    assert entry["disposition"]["investigation_id"] == body["investigation_id"]


async def test_a_webhook_sent_again_starts_nothing_new(stored: Stored) -> None:
    sent = examples.WEBHOOK_REQUESTS["alertmanager"]
    first, second = [(await stored.client.post(HOOK, json=sent)).json() for _ in range(2)]
    assert first["alerts"][0]["started"] and not second["alerts"][0]["started"]
    assert first["investigation_id"] == second["investigation_id"]
    page = (await stored.client.get("/investigations", params={"limit": 1})).json()
    assert [i["id"] for i in page["investigations"]] == [first["investigation_id"]]


async def test_an_idempotency_key_gives_the_first_answer_and_guards_its_body(stored: Stored) -> None:
    headers = {"Idempotency-Key": "k1"}
    first, second = [(await stored.client.post("/alerts", json={"type": "a", "service": "b"}, headers=headers)).json() for _ in range(2)]
    assert first["investigation_id"] == second["investigation_id"]
    assert first["alert"] == second["alert"]
    other = await stored.client.post("/alerts", json={"type": "z", "service": "b"}, headers=headers)
    assert (other.status_code, other.json()["reason"]) == (409, "idempotency_conflict")


@pytest.mark.parametrize("door", ["/alerts", HOOK])
async def test_every_hostile_body_is_refused_by_name_and_in_quarantine(stored: Stored, door: str) -> None:
    refused = [case for case in CASES if case.reason is not None]
    for case in refused:
        sent = ([("Content-Type", case.content_type)] if case.content_type is not None else []) + list(case.headers.items())
        response = await stored.client.post(door, content=case.body, headers=[(k.encode(), v.encode("latin-1")) for k, v in sent])
        assert (response.status_code, response.json()["reason"]) == (case.status, case.reason), case.name
    kept = await stored.rows(quarantine)
    assert sorted(bytes(row.body) for row in kept) == sorted(case.body[:LIMIT] for case in refused)
    assert await stored.rows(bodies) == []


async def test_harmless_oddities_are_stored(stored: Stored) -> None:
    fine = [case for case in CASES if case.reason is None]
    for case in fine:
        sent = ([("Content-Type", case.content_type)] if case.content_type is not None else []) + list(case.headers.items())
        response = await stored.client.post(HOOK, content=case.body, headers=sent)
        assert response.status_code == 202, case.name
    assert len(await stored.rows(bodies)) == len(fine)
    assert (await stored.client.get("/alerts/ledger", params={"limit": 200})).status_code == 200


async def test_an_unusable_alert_is_kept_with_its_reason(stored: Stored) -> None:
    sent = examples.WEBHOOK_REQUESTS["alertmanager"]
    bad = {"status": "firing", "labels": {"alertname": "\ud800\0"}}
    body = json.dumps({**sent, "alerts": [bad, *sent["alerts"]]})
    response = await stored.client.post(HOOK, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 202
    (row,) = await stored.rows(quarantine)
    assert json.loads(bytes(row.body)) == bad
    assert row.reason == "nul_character"


@pytest.mark.parametrize("cursor", ["abc", "1.5", "-", "9" * 20])
async def test_a_cursor_that_is_none_of_ours_is_refused(stored: Stored, cursor: str) -> None:
    for path in ("/investigations", "/alerts/ledger"):
        response = await stored.client.get(path, params={"cursor": cursor})
        assert (response.status_code, response.json()["reason"]) == (400, "invalid_parameter")


async def test_pages_join_without_gaps(stored: Stored) -> None:
    answers = await asyncio.gather(*(stored.client.post("/alerts", params={"wait": "0"}, json={"type": "a", "service": str(n)}) for n in range(7)))
    for path, rows in (("/investigations", "investigations"), ("/alerts/ledger", "entries")):
        seen, cursor = [], ""
        while True:
            page = (await stored.client.get(path, params={"limit": 3, "cursor": cursor})).json()
            seen += page[rows]
            cursor = page["next_cursor"]
            if not cursor:
                break
        assert len(seen) == len(answers)
    assert (await stored.client.get("/health")).json()["queued"] == 7
