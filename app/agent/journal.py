"""A journal in memory: the twin of the store's, for tests, for runs that need no durability, and for resuming or replaying
from events that were read elsewhere. Same keys, same numbering, same answers."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable

from app.domain.errors import ReplayDiverged
from app.domain.frozen import Clock, JsonObject
from app.domain.trail import EventType, TrailEvent

Run = Callable[[], Awaitable[JsonObject]]
_ANSWERS = {EventType.TOOL_CALL: EventType.TOOL_RESULT, EventType.LLM_CALL: EventType.LLM_RESULT}


class MemoryJournal:
    """One run. `events` are what an earlier run left; with `strict` a call that they do not answer, or that was asked
    differently, raises ReplayDiverged instead of running."""

    def __init__(self, investigation_id: str, clock: Clock, events: Iterable[TrailEvent] = (), strict: bool = False) -> None:
        self.events = list(events)
        self._id = investigation_id
        self._clock = clock
        self._strict = strict
        self._held = {(event.type, event.key): event.data for event in self.events}
        self._used: Counter[tuple[EventType, str]] = Counter()

    async def call(self, event: EventType, key: str, asked: JsonObject, run: Run) -> tuple[JsonObject, bool]:
        self._used[event, key] += 1
        key = f"{key}#{self._used[event, key]}"
        answer = (_ANSWERS[event], key) if event in _ANSWERS else (event, f"{key}=")
        if self._strict:
            self._same_question(event, key, asked)
        if answer in self._held:
            return self._held[answer], True
        if self._strict:
            raise ReplayDiverged(f"the trail holds no answer to {event.value} {key}")
        self._append(event, key, asked)
        given = await run()
        self._append(*answer, given)
        return given, False

    async def note(self, event: EventType, key: str, data: JsonObject) -> bool:
        return not self._strict and self._append(event, key, data)

    def _same_question(self, event: EventType, key: str, asked: JsonObject) -> None:
        before = self._held.get((event, key))
        if before is not None and before != asked:
            fields = sorted(name for name in before.keys() | asked.keys() if before.get(name) != asked.get(name))
            raise ReplayDiverged(f"{event.value} {key} was asked differently: {', '.join(fields)}")

    def _append(self, event: EventType, key: str, data: JsonObject) -> bool:
        if (event, key) in self._held:
            return False
        self._held[event, key] = data
        self.events.append(
            TrailEvent(investigation_id=self._id, sequence=len(self.events) + 1, at=self._clock(), type=event, key=key, data=data)
        )  # fmt: skip
        return True
