"""Accept rate of the ledger as a ratio to the bare insert rate of the same database, in the same run."""

import asyncio
import tempfile
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.domain.alert import Alert, Source
from app.domain.intake import Intake
from app.store.coverage import Rules
from app.store.engine import Reads, make_engine
from app.store.ledger import Ledger
from app.store.migrations import migrate
from app.store.writer import Writer

WEBHOOKS, ALERTS, SENDERS = 300, 10, 32
BODY = b"x" * 6500


def intake(n: int) -> Intake:
    now = datetime.now(UTC)
    alerts = tuple(
        Alert(
            id=str(uuid.uuid4()),
            source=Source.ALERTMANAGER,
            fingerprint=f"{n * ALERTS + i:016x}",
            name="Bench",
            type="Bench",
            labels={"n": str(n)},
            starts_at=now,
            received_at=now,
        )
        for i in range(ALERTS)
    )
    return Intake(source=Source.ALERTMANAGER, body=BODY, content_type="application/json", received_at=now, alerts=alerts)


def bare(engine: sa.Engine) -> float:
    """Rows of the body's size, ten per commit -> rows per second."""
    table = sa.Table("bench", sa.MetaData(), sa.Column("id", sa.String, primary_key=True), sa.Column("body", sa.LargeBinary))
    table.metadata.create_all(engine)
    begun = time.perf_counter()
    for n in range(WEBHOOKS):
        with engine.begin() as connection:
            connection.execute(table.insert(), [{"id": f"{n}-{i}", "body": BODY[:1400]} for i in range(ALERTS)])
    return WEBHOOKS * ALERTS / (time.perf_counter() - begun)


async def accepted(engine: sa.Engine) -> float:
    def enqueue(connection: Any, workflow_id: str, argument: str) -> None:
        """The workflow row is the engine's; here only what the ledger writes is measured."""

    writer = Writer(engine)
    writer.start()
    rules = Rules(enqueue=enqueue, target_key=lambda alert: "", new_id=lambda: str(uuid.uuid4()), window=timedelta(seconds=300))
    ledger = Ledger(writer, Reads(engine), rules)
    gate = asyncio.Semaphore(SENDERS)

    async def one(n: int) -> None:
        async with gate:
            await ledger.accept(intake(n))

    begun = time.perf_counter()
    await asyncio.gather(*(one(n) for n in range(WEBHOOKS)))
    took = time.perf_counter() - begun
    await writer.stop()
    return WEBHOOKS * ALERTS / took


def run() -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(f"sqlite:///{Path(folder) / 'bench.db'}")
        migrate(engine)
        insert = bare(engine)
        accept = asyncio.run(accepted(engine))
        engine.dispose()
    what = f"accept (SQLite, {ALERTS} alerts a webhook, {SENDERS} senders)"
    print(f"{what}: {accept:.0f} alerts/s, bare insert {insert:.0f} rows/s, ratio {accept / insert:.2f}")
