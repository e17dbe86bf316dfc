"""Ports that two rooms share. A port that only one room needs lives in that room (`agent/ports.py`)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

from app.domain.frozen import Frozen, JsonObject
from app.domain.memory import PastCase
from app.domain.trail import EventType


class WorkingMemory(Protocol):
    """Short-lived shared state: asked first in each investigation, and used by breakers, limits, switches and leases.

    Two adapters, one contract suite: a SQLite table (embedded) and Redis. Keys and values are text; times are seconds.
    Every method may raise `OSError` or a subclass when the store cannot be reached.
    """

    async def get(self, key: str) -> str | None:
        """The value, or None if absent or expired."""

    async def put(self, key: str, value: str, ttl: float) -> None:
        """Set a value that expires after `ttl` seconds."""

    async def delete(self, key: str) -> None:
        """Remove a key; absent is fine."""

    async def incr_window(self, key: str, window: float) -> int:
        """Count one event; the count so far in the window that began with the first event after the last expiry."""

    async def acquire(self, name: str, holder: str, ttl: float) -> bool:
        """Take a lease if it is free, expired or already ours."""

    async def renew(self, name: str, holder: str, ttl: float) -> bool:
        """Prolong a lease; False if it is no longer ours."""

    async def release(self, name: str, holder: str) -> None:
        """Give a lease back; somebody else's lease is left alone."""

    async def publish(self, channel: str, message: str) -> None:
        """Tell all subscribers of a channel; nobody listening is fine."""

    def subscribe(self, channel: str) -> AsyncIterator[str]:
        """Messages published after the call, until the iterator is closed."""


class Enqueue(Protocol):
    """Start a workflow inside the caller's database transaction: `store` calls it, `runtime` fills it.

    `connection` is a `sqlalchemy.Connection`; typed loosely so that the domain needs no database library.
    """

    def __call__(self, connection: Any, workflow_id: str, argument: str) -> None: ...


class VectorRow(Frozen):
    """One past case with its vector: float16 little-endian bytes, and the id of the embedder that made it."""

    case: PastCase
    embedder: str
    vector: bytes


class VectorRows(Protocol):
    """The truth about episode memory, in SQL; Chroma is an index of it. `memory` asks, `store` fills."""

    async def put(self, row: VectorRow) -> None:
        """Insert or replace by case id, durable when it returns."""

    async def count(self, embedder: str) -> int:
        """How many rows this embedder has."""

    async def rows(self, embedder: str, after: str = "", limit: int = 500) -> tuple[VectorRow, ...]:
        """A page of rows in id order, ids greater than `after`."""

    async def by_ids(self, ids: tuple[str, ...]) -> tuple[PastCase, ...]:
        """The cases with these ids, in any order; unknown ids are left out."""

    async def cases_of(self, service: str, limit: int) -> tuple[PastCase, ...]:
        """The newest cases of a service, newest first."""

    async def total(self) -> int:
        """All cases, whatever the embedder."""


class Journal(Protocol):
    """The trail of one investigation, as a journal: what is there is read, never repeated. Filled by `store`.

    `key` must be a function of what is asked (name and arguments, canonically), not of time or order; the n-th use of
    the same key within one run is told apart by the journal itself.
    """

    async def call(self, event: EventType, key: str, asked: JsonObject, run: Callable[[], Awaitable[JsonObject]]) -> tuple[JsonObject, bool]:
        """Commit that `key` begins (TOOL_CALL, LLM_CALL ...), run it, commit the answer; or return the answer that the
        trail already holds. -> (answer, replayed)."""

    async def note(self, event: EventType, key: str, data: JsonObject) -> bool:
        """Commit an event once: a second run that notes the same key again adds nothing. -> whether it was added now."""


class Redact(Protocol):
    """The one choke point for secrets: used before model, store, log and notice."""

    def __call__(self, text: str) -> tuple[str, int]:
        """-> (text without secrets, how many were taken out)."""
