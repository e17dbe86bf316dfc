"""Working and episode memory as one: fills `Memory` of `agent/ports.py`. Built by `main`.

Working memory is asked first ("have we seen this before recently?", WMEM-03), then episode memory; every result goes
to both (WMEM-04). An investigation never waits long for memory and never fails for its sake.
"""

import asyncio
import json
from collections.abc import Coroutine, Sequence
from typing import Any, Generic, TypeVar

import structlog

from app.domain.frozen import Clock, JsonObject
from app.domain.memory import PastCase, Recalled, RecallQuery
from app.domain.ports import WorkingMemory
from app.memory.entry import DEFAULT_TTL, utc_now
from app.memory.episodic import EpisodicMemory
from app.memory.patterns import learned_patterns
from app.telemetry.logs import shorten
from app.telemetry.metrics import AGENT_NAME, memory_recall_total

log = structlog.get_logger()

T = TypeVar("T")

DEADLINE_SECONDS = 10.0
"""A layer that has not answered by then is left out. The first call loads the model and opens Chroma: about 2 s."""

_PATIENCE = 3  # storing may take so many deadlines: what is not stored is lost, what is not recalled is only missed

_RECENT = "recent:"


class _Attempt(Generic[T]):
    """What came of asking one layer: its answer, or why there is none."""

    def __init__(self, answer: T, problem: str = "") -> None:
        self.answer = answer
        self.problem = problem


class TwoLayerMemory:
    """`clock` dates patterns; `deadline` is seconds per layer and call."""

    def __init__(self, working: WorkingMemory, episodic: EpisodicMemory, clock: Clock = utc_now, deadline: float = DEADLINE_SECONDS) -> None:
        self._working = working
        self._episodic = episodic
        self._clock = clock
        self._deadline = deadline

    async def start(self) -> None:
        """Nothing heavy: the embedder and Chroma are opened by the first investigation that needs them."""

    async def recall(self, query: RecallQuery) -> Recalled:
        recent, similar, past = await asyncio.gather(
            self._ask("working memory", self._recent(query), None),
            self._ask("episode memory", self._episodic.recall(query), ((), 0)),
            self._ask("episode memory", self._episodic.history(query.service), ()),
        )
        others = [case for case in past.answer if case.id != query.investigation_id]
        problems = tuple(dict.fromkeys(a.problem for a in (recent, similar, past) if a.problem))
        recalled = Recalled(
            recent=recent.answer,
            similar=similar.answer[0],
            total=similar.answer[1],
            patterns=learned_patterns(others, query.alert_type, self._clock()),
            available=not problems,
            note="; ".join(problems),
        )
        _tell(query, recalled)
        return recalled

    async def remember(self, case: PastCase, target: str, recent: JsonObject) -> None:
        """Never raises: what could not be stored is in the log, and the report stands without it."""
        entry = json.dumps({"investigation_id": case.id, **recent})
        short = await self._ask("working memory", self._working.put(_RECENT + target, entry, DEFAULT_TTL), None, _PATIENCE)
        lasting = await self._ask("episode memory", self._episodic.remember(case), None, _PATIENCE)
        for problem in (short.problem, lasting.problem):
            if problem:
                log.error("memory_not_stored", investigation=case.id, reason=problem)
        if not lasting.problem:
            log.info("memory_stored", episode_id=case.id, service=case.service, target=target, root_cause=shorten(case.root_cause, 80))

    async def snapshot(self, alert: JsonObject, tools: Sequence[str], similar: int, patterns: Sequence[str]) -> JsonObject:
        """`memory_snapshot` of the native answer (API-09); `alert` holds its `type` and `service`."""
        total = await self._ask("episode memory", self._episodic.total(), 0)
        return {
            "working_memory": {"current_alert": alert, "recent_tools_used": list(tools)},
            "episodic_memory": {"total_investigations": total.answer, "similar_past_cases": similar, "learned_patterns": list(patterns)},
        }

    async def close(self) -> None:
        """Close the episode index in order. The working memory is shared and is closed by whoever built it."""
        await self._episodic.close()

    async def _recent(self, query: RecallQuery) -> JsonObject | None:
        text = await self._working.get(_RECENT + query.target)
        recent = json.loads(text) if text else None
        if not isinstance(recent, dict) or recent.get("investigation_id") == query.investigation_id:
            return None
        return recent

    async def _ask(self, layer: str, question: Coroutine[Any, Any, T], otherwise: T, patience: int = 1) -> _Attempt[T]:
        """Any failure becomes a sentence, whatever a layer may raise; cancellation passes through to the layer."""
        deadline = self._deadline * patience
        task = asyncio.create_task(question)
        try:
            await asyncio.wait({task}, timeout=deadline)
        finally:
            task.cancel()
        if not task.done():
            return _Attempt(otherwise, f"{layer} did not answer within {deadline:g} s")
        error = task.exception()
        return _Attempt(task.result()) if error is None else _Attempt(otherwise, f"{layer} failed: {type(error).__name__}: {error}")


def _tell(query: RecallQuery, recalled: Recalled) -> None:
    found = "hit" if recalled.similar or recalled.recent else "miss"
    memory_recall_total.labels(AGENT_NAME, found if recalled.available else "unavailable").inc()
    log.info(
        "memory_recall",
        task=shorten(query.task, 80),
        similar=[case.case.id for case in recalled.similar],
        relevance=[case.relevance for case in recalled.similar],
        recent=recalled.recent is not None,
        total=recalled.total,
        note=recalled.note,
    )
