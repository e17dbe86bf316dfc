"""Past cases for the tests of memory: made from a number, or written out."""

import random
import uuid
from datetime import UTC, datetime, timedelta

import numpy as np

from app.domain.memory import PastCase, RecallQuery
from app.domain.ports import VectorRow
from app.memory.embedder import Vectors, to_blob
from app.memory.embedder_hash import HashEmbedder

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SERVICES = ("checkout", "mailer", "billing-worker", "geo-lookup")
SEED = random.Random(11)
IDS = [str(uuid.UUID(int=SEED.getrandbits(128), version=4)) for _ in range(12_000)]


def past(number: int, **changed: object) -> PastCase:
    """The n-th of an endless row of cases, each with words of its own."""
    service = SERVICES[number % len(SERVICES)]
    words: dict[str, object] = {
        "id": IDS[number],
        "task": f"Alert number{number} on {service}: symptom{number * 7919 % 10007}",
        "root_cause": f"cause{number * 104729 % 9973} in part{number % 31}",
        "fix": f"measure{number % 17}",
        "severity": "P2",
        "service": service,
        "alert_type": "high_memory",
        "cause": "oom_killed",
        "state": "confirmed",
        "timestamp": NOW - timedelta(minutes=number),
    }
    return PastCase.model_validate(words | changed)


def asked(task: str, service: str = "", **changed: object) -> RecallQuery:
    words: dict[str, object] = {"investigation_id": "now", "task": task, "service": service, "target": f"Deployment/shop/{service}"}
    return RecallQuery.model_validate({"alert_type": "high_memory"} | words | changed)


def row_of(case: PastCase, embedder: HashEmbedder | None = None) -> VectorRow:
    chosen = embedder or HashEmbedder()
    return VectorRow(case=case, embedder=chosen.id, vector=to_blob(chosen.embed([case.text])[0]))


def random_rows(count: int, seed: int = 0) -> tuple[list[VectorRow], Vectors]:
    """Rows with random unit vectors, quick to make in thousands."""
    vectors = np.random.default_rng(seed).normal(size=(count, HashEmbedder.dimensions)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [VectorRow(case=past(n), embedder=HashEmbedder.id, vector=to_blob(vectors[n])) for n in range(count)], vectors
