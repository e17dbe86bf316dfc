"""Time of one recall at 1,000 and 10,000 past cases: the numpy scan and Chroma in the same run, as a ratio."""

import asyncio
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from app.domain.memory import PastCase, RecallQuery
from app.domain.ports import VectorRow
from app.memory.embedder import to_blob
from app.memory.embedder_hash import HashEmbedder
from app.memory.episodic import EpisodicMemory
from app.store.engine import Reads, make_engine
from app.store.migrations import migrate
from app.store.vectors import Vectors
from app.store.writer import Writer

SIZES = (1_000, 10_000)
QUERIES = 30


def row(n: int, embedder: HashEmbedder, random: np.random.Generator) -> VectorRow:
    vector = random.normal(size=embedder.dimensions).astype(np.float32)
    case = PastCase(
        id=str(uuid.UUID(int=n)),
        task=f"case {n}",
        root_cause="",
        fix="",
        severity="P3",
        service=f"service-{n % 50}",
        alert_type="bench",
        timestamp=datetime.now(UTC),
    )
    return VectorRow(case=case, embedder=embedder.id, vector=to_blob(vector / np.linalg.norm(vector)))


async def median_ms(memory: EpisodicMemory) -> float:
    times = []
    for n in range(QUERIES):
        query = RecallQuery(investigation_id="none", task=f"case {n} slow", service=f"service-{n % 50}", target="t", alert_type="bench")
        begun = time.perf_counter()
        await memory.recall(query)
        times.append((time.perf_counter() - begun) * 1000)
    return sorted(times)[QUERIES // 2]


async def measure(size: int, folder: Path) -> None:
    engine = make_engine(f"sqlite:///{folder / 'bench.db'}")
    migrate(engine)
    writer = Writer(engine)
    writer.start()
    rows, embedder, random = Vectors(writer, Reads(engine)), HashEmbedder(), np.random.default_rng(0)
    for start in range(0, size, 200):
        await asyncio.gather(*(rows.put(row(n, embedder, random)) for n in range(start, start + 200)))
    scan = EpisodicMemory(rows, lambda: embedder, None)
    chroma = EpisodicMemory(rows, lambda: embedder, folder / "chroma")
    await scan.recall(RecallQuery(investigation_id="none", task="warm", service="service-1", target="t", alert_type="bench"))
    await chroma.recall(RecallQuery(investigation_id="none", task="warm", service="service-1", target="t", alert_type="bench"))
    begun = time.perf_counter()
    await chroma.built()
    built = time.perf_counter() - begun
    a, b = await median_ms(scan), await median_ms(chroma)
    print(f"recall at {size} cases: numpy scan {a:.1f} ms, Chroma {b:.1f} ms, ratio {b / a:.2f} (index rebuilt from SQL in {built:.1f} s)")
    await scan.close()
    await chroma.close()
    await writer.stop()
    engine.dispose()


def run() -> None:
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(measure(size, Path(folder)))
