"""`sre-agent evaluate`: every snapshot through the whole service, each with empty stores and the snapshot's clock."""

import asyncio
import itertools
import json
import shutil
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path

import httpx2

from app.cli.lab_service import lab_settings
from app.domain.frozen import JsonObject
from app.domain.redaction import redact
from app.domain.trail import EventType
from app.lab.evaluation import EvaluatedInvestigation, Evaluation, evaluate
from app.lab.scoring import score
from app.lab.servers import Addresses
from app.lab.snapshot import World as Snapshot
from app.main import Application, World, build
from app.telemetry.logs import set_up_logs

PATIENCE_SECONDS = 45.0


def evaluate_all(directory: Path, out: Path) -> int:
    """Exit code: 0 when every snapshot ran to its end."""
    set_up_logs("ERROR", redact)
    with tempfile.TemporaryDirectory() as folder:
        evaluation = asyncio.run(_evaluate(directory, out, Path(folder)))
    lines = out.read_text(encoding="utf-8").splitlines()
    for name, value in score(directory, lines).as_json().items():
        print(f"{name}: {value}")
    for name in ("tool_calls", "bytes_read", "own_ms", "elapsed_ms"):
        values = [json.loads(line)[name] for line in lines]
        print(f"{name}: mean {statistics.fmean(values or [0]):.1f}, median {statistics.median(values or [0]):.1f}")
    for name in evaluation.failed:
        print(f"failed: {name}", file=sys.stderr)
    for name in evaluation.slow:
        print(f"slower than 2 s: {name}", file=sys.stderr)
    return evaluation.exit_code


async def _evaluate(directory: Path, out: Path, folder: Path) -> Evaluation:
    runs = itertools.count(1)
    empty = await empty_store(folder / "empty")

    async def run_one(addresses: Addresses, webhook: bytes, snapshot: Snapshot) -> list[EvaluatedInvestigation]:
        data = folder / f"run-{next(runs)}"
        data.mkdir()
        shutil.copy(empty, data)
        try:
            return await investigate(addresses, webhook, snapshot, data)
        finally:
            shutil.rmtree(data, ignore_errors=True)

    return await evaluate(directory, out, run_one)


async def empty_store(folder: Path) -> Path:
    """The database as a first start leaves it: tables and queues are made once, not for every snapshot."""
    application = build(lab_settings(Addresses("", "", "", ""), folder, []))
    async with application.http.router.lifespan_context(application.http):
        return folder / "sre-agent.db"


def world_of(snapshot: Snapshot) -> World:
    """The snapshot's clock, ids in order, no chance: two runs give the same bytes."""
    ids = itertools.count(1)
    return World(clock=lambda: snapshot.now, new_id=lambda: str(uuid.UUID(int=next(ids), version=4)), chance=lambda: 0.5)


async def investigate(addresses: Addresses, webhook: bytes, snapshot: Snapshot, data: Path) -> list[EvaluatedInvestigation]:
    """Post the webhook to a service of its own and wait for every investigation that it becomes."""
    settings = lab_settings(addresses, data, snapshot.dependencies, vector_index="numpy", embedder="hash")
    application = build(settings, world_of(snapshot))
    begun = time.perf_counter()
    async with application.http.router.lifespan_context(application.http):
        transport = httpx2.ASGITransport(app=application.http)
        async with httpx2.AsyncClient(transport=transport, base_url="http://service") as client:
            answer = await client.post("/webhooks/alertmanager", content=webhook, headers={"content-type": "application/json"})
        answer.raise_for_status()
        told = [a["investigation_id"] for a in answer.json()["alerts"]]
        found: dict[str, EvaluatedInvestigation] = {}
        while new := [id for id in dict.fromkeys(told) if id and id not in found]:
            found |= {id: await _evaluated(application, id, begun) for id in new}
            told = [e.disposition.investigation_id for e in (await application.ledger.entries(limit=len(told))).entries[::-1]]
        return list(found.values())


async def _evaluated(application: Application, investigation_id: str, begun: float) -> EvaluatedInvestigation:
    ended = await application.engine.wait(investigation_id, PATIENCE_SECONDS)
    elapsed_ms = (time.perf_counter() - begun) * 1000
    investigation = await application.stores.investigations.get(investigation_id)
    if investigation is None or investigation.report is None:
        why = f"not done after {PATIENCE_SECONDS:g} s" if not ended else investigation.failure if investigation else "lost"
        return EvaluatedInvestigation(report=None, error=why, elapsed_ms=elapsed_ms)
    meta = investigation.report["meta"]
    events = await application.stores.trail.read(investigation_id, limit=None)
    results = sorted((e.data for e in events if e.type is EventType.TOOL_RESULT), key=lambda data: (len(data["call"]["id"]), data["call"]["id"]))
    returned = tuple(text for data in results if (text := _text(data)))  # in the order they were asked, whichever answered first
    return EvaluatedInvestigation(
        report=investigation.report,
        returned=returned,
        tool_calls=meta["tool_calls"],
        bytes_read=meta["bytes_read"],
        own_ms=meta["own_ms"],
        elapsed_ms=elapsed_ms,
    )


def _text(outcome: JsonObject) -> str:
    result = outcome.get("result") or {}
    return str(result.get("text", ""))
