"""The trail as a journal: a call whose answer it holds is read, never repeated (design section 2).

`TrailJournal` fills the `Journal` port for a running investigation, `ReplayJournal` for one that is only looked at again.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable

from sqlalchemy import Connection, select

from app.domain.errors import IllegalMove, ReplayDiverged, WriteInDoubt
from app.domain.frozen import Clock, JsonObject
from app.domain.investigation import InvestigationStatus, is_final
from app.domain.reason import Reason
from app.domain.trail import EventType, TrailEvent
from app.store.outbox import enqueue_notices
from app.store.tables import investigations
from app.store.trail import append, held
from app.store.writer import Writer

Run = Callable[[], Awaitable[JsonObject]]
Told = Callable[[EventType, JsonObject], tuple[JsonObject, ...]]
_ANSWERS = {EventType.TOOL_CALL: EventType.TOOL_RESULT, EventType.LLM_CALL: EventType.LLM_RESULT}


def answer_of(event: EventType, key: str) -> tuple[EventType, str]:
    """Type and key of the event that answers a begun call; a type without an answering type answers under `key=`."""
    return (_ANSWERS[event], key) if event in _ANSWERS else (event, f"{key}=")


class _Numbered:
    """Tells the n-th use of a key within one run apart: `key#1`, `key#2` ..."""

    def __init__(self) -> None:
        self._used: Counter[tuple[EventType, str]] = Counter()

    def __call__(self, event: EventType, key: str) -> str:
        self._used[event, key] += 1
        return f"{key}#{self._used[event, key]}"


class TrailJournal:
    """One run of one investigation. Make a new one for each run: the n-th use of a key is counted from its beginning.

    The trail is asked in the transaction that begins a call, so that a run that was taken over sees what the other wrote.
    """

    def __init__(self, writer: Writer, clock: Clock, investigation_id: str, told: Told = lambda event, data: ()) -> None:
        """`told` gives the notices that an event gives rise to; they are committed with it."""
        self._writer = writer
        self._told = told
        self._clock = clock
        self._id = investigation_id
        self._number = _Numbered()

    async def call(self, event: EventType, key: str, asked: JsonObject, run: Run) -> tuple[JsonObject, bool]:
        """See the port. Raises WriteInDoubt for a write (`asked["writes"]`) that was begun and has no answer, and
        IllegalMove when the investigation has ended meanwhile (cancelled, or finished by another replica)."""
        numbered = self._number(event, key)
        answer, begun = await self._writer.run(lambda connection: self._begin(connection, event, numbered, asked))
        if answer is not None:
            return answer, True
        if begun and asked.get("writes"):
            await self._refuse(numbered)
        given = await run()
        return await self._writer.run(lambda connection: self._finish(connection, event, numbered, given))

    async def note(self, event: EventType, key: str, data: JsonObject) -> bool:
        return await self._writer.run(lambda connection: self._note(connection, event, key, data))

    def _note(self, connection: Connection, event: EventType, key: str, data: JsonObject) -> bool:
        new = append(connection, self._id, self._clock(), event, key, data)
        if new:
            enqueue_notices(connection, self._id, self._clock(), self._told(event, data), event.value.lower())
        return new

    def _begin(self, connection: Connection, event: EventType, key: str, asked: JsonObject) -> tuple[JsonObject | None, bool]:
        """-> (the answer if the trail holds one, whether the call had been begun before)."""
        answer = held(connection, self._id, *answer_of(event, key))
        if answer is not None:
            return answer, True
        status = connection.scalar(select(investigations.c.status).where(investigations.c.id == self._id))
        if status is None or is_final(InvestigationStatus(status)):
            raise IllegalMove(f"investigation {self._id} is {status or 'unknown'}: no further call is made for it")
        return None, not append(connection, self._id, self._clock(), event, key, asked)

    def _finish(self, connection: Connection, event: EventType, key: str, given: JsonObject) -> tuple[JsonObject, bool]:
        kind, answer_key = answer_of(event, key)
        if append(connection, self._id, self._clock(), kind, answer_key, given):
            return given, False
        first = held(connection, self._id, kind, answer_key)  # another replica answered first: its answer counts
        return (given, False) if first is None else (first, True)

    async def _refuse(self, key: str) -> None:
        detail = f"{key} was begun in an earlier run and has no recorded result; it is not run again, a person must look"
        await self.note(EventType.GUARDRAIL, f"in_doubt:{key}", {"reason": Reason.APPROVAL.value, "detail": detail})
        raise WriteInDoubt(detail)


class ReplayJournal:
    """A journal over events that were read before; runs nothing. `noted` collects what the replay noted."""

    def __init__(self, events: Iterable[TrailEvent]) -> None:
        self._held = {(event.type, event.key): event.data for event in events}
        self._number = _Numbered()
        self.noted: list[tuple[EventType, str, JsonObject]] = []

    async def call(self, event: EventType, key: str, asked: JsonObject, run: Run) -> tuple[JsonObject, bool]:
        """Raises ReplayDiverged at the first call whose answer the trail does not hold."""
        numbered = self._number(event, key)
        answer = self._held.get(answer_of(event, numbered))
        if answer is None:
            raise ReplayDiverged(f"the trail holds no answer to {event.value} {numbered}")
        return answer, True

    async def note(self, event: EventType, key: str, data: JsonObject) -> bool:
        self.noted.append((event, key, data))
        return False
