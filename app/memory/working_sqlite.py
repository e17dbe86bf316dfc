"""Working memory in a SQLite file: what an installation has before it has Redis. Built by `main`.

Survives `kill -9` (WAL), shared by the processes of one machine; a power cut may lose the last moments
(synchronous=NORMAL), which entries that live an hour can bear. All calls run in one thread, in order.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from app.domain.frozen import Clock
from app.memory.entry import DEFAULT_TTL, LEASE, Entry, checked_ttl, utc_now
from app.memory.failures import StoreUnreachable

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS working (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, counter INTEGER NOT NULL, timestamp REAL NOT NULL, expires REAL NOT NULL);
CREATE INDEX IF NOT EXISTS working_expires ON working (expires);
CREATE TABLE IF NOT EXISTS working_messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, message TEXT NOT NULL, at REAL NOT NULL);
"""
_PUT = "INSERT OR REPLACE INTO working VALUES (?, ?, 0, ?, ?)"
# Counting starts anew on an expired row, and on one that holds a value instead of a counter.
_INCR = """
INSERT INTO working VALUES (:key, '1', 1, :now, :end) ON CONFLICT (key) DO UPDATE SET
    value = CASE WHEN counter = 0 OR expires <= :now THEN '1' ELSE CAST(CAST(value AS INTEGER) + 1 AS TEXT) END,
    expires = CASE WHEN counter = 0 OR expires <= :now THEN :end ELSE expires END,
    counter = 1, timestamp = :now
RETURNING value
"""
_ACQUIRE = """
INSERT INTO working VALUES (:key, :holder, 0, :now, :end) ON CONFLICT (key) DO UPDATE SET
    value = :holder, timestamp = :now, expires = :end
WHERE expires <= :now OR value = :holder
"""
_RENEW = "UPDATE working SET expires = :end WHERE key = :key AND value = :holder AND expires > :now"
_BUSY_SECONDS = 5.0
_MESSAGE_SECONDS = 60.0
_SWEEP_EVERY = 500


class SqliteWorkingMemory:
    """Fills `WorkingMemory`. `path` is made with its folders at first use; `poll` is how often a subscriber looks (s).

    Raises StoreUnreachable when the file cannot be opened, is no database, or stays locked for 5 s.
    """

    def __init__(self, path: Path, clock: Clock = utc_now, poll: float = 0.1) -> None:
        self._path = path
        self._clock = clock
        self._poll = poll
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="working-memory")
        self._db: sqlite3.Connection | None = None
        self._writes = 0

    async def entry(self, key: str) -> Entry | None:
        """The value with the time it was written."""
        row = await self._run(lambda db, now: db.execute("SELECT value, timestamp FROM working WHERE key = ? AND expires > ?", (key, now)).fetchone())
        return Entry(row[0], datetime.fromtimestamp(row[1], UTC)) if row else None

    async def get(self, key: str) -> str | None:
        found = await self.entry(key)
        return found.value if found else None

    async def put(self, key: str, value: str, ttl: float = DEFAULT_TTL) -> None:
        checked_ttl(ttl)
        await self._run(lambda db, now: self._write(db, now, _PUT, (key, value, now, now + ttl)))

    async def delete(self, key: str) -> None:
        await self._run(lambda db, _: db.execute("DELETE FROM working WHERE key = ?", (key,)))

    async def incr_window(self, key: str, window: float) -> int:
        checked_ttl(window)
        row = await self._run(lambda db, now: db.execute(_INCR, {"key": key, "now": now, "end": now + window}).fetchone())
        return int(row[0])

    async def acquire(self, name: str, holder: str, ttl: float) -> bool:
        return await self._lease(_ACQUIRE, name, holder, checked_ttl(ttl))

    async def renew(self, name: str, holder: str, ttl: float) -> bool:
        return await self._lease(_RENEW, name, holder, checked_ttl(ttl))

    async def release(self, name: str, holder: str) -> None:
        await self._run(lambda db, _: db.execute("DELETE FROM working WHERE key = ? AND value = ?", (LEASE + name, holder)))

    async def publish(self, channel: str, message: str) -> None:
        def tell(db: sqlite3.Connection, now: float) -> None:
            db.execute("INSERT INTO working_messages (channel, message, at) VALUES (?, ?, ?)", (channel, message, now))
            db.execute("DELETE FROM working_messages WHERE at < ?", (now - _MESSAGE_SECONDS,))

        await self._run(tell)

    def subscribe(self, channel: str) -> AsyncIterator[str]:
        # The thread works in order, so the place is taken before anything this process publishes later.
        return _Subscription(self, channel, self._submit(lambda db, _: _last_message(db)), self._poll)

    async def messages_after(self, channel: str, last: int) -> list[tuple[int, str]]:
        """(id, message) of one channel, oldest first."""
        query = "SELECT id, message FROM working_messages WHERE channel = ? AND id > ? ORDER BY id"
        return await self._run(lambda db, _: db.execute(query, (channel, last)).fetchall())

    async def close(self) -> None:
        """Close the file; safe to call twice."""
        await asyncio.to_thread(self._thread.shutdown)
        if self._db is not None:
            self._db.close()
            self._db = None

    async def _lease(self, statement: str, name: str, holder: str, ttl: float) -> bool:
        def change(db: sqlite3.Connection, now: float) -> bool:
            return db.execute(statement, {"key": LEASE + name, "holder": holder, "now": now, "end": now + ttl}).rowcount == 1

        return await self._run(change)

    def _write(self, db: sqlite3.Connection, now: float, statement: str, values: tuple[str | float, ...]) -> None:
        db.execute(statement, values)
        self._writes += 1
        if self._writes % _SWEEP_EVERY == 0:
            db.execute("DELETE FROM working WHERE expires <= ?", (now,))

    async def _run(self, call: Callable[[sqlite3.Connection, float], T]) -> T:
        return await asyncio.wrap_future(self._submit(call))

    def _submit(self, call: Callable[[sqlite3.Connection, float], T]) -> "Future[T]":
        return self._thread.submit(self._call, call)

    def _call(self, call: Callable[[sqlite3.Connection, float], T]) -> T:
        try:
            return call(self._open(), self._clock().timestamp())
        except sqlite3.Error as error:
            # Not mended by itself: the kill switch lies in this file, and an empty one would say that nobody has thrown it.
            fix = "; look at it, then move it away to begin with an empty one" if _damaged(error) else ""
            raise StoreUnreachable(f"working memory {self._path}: {error}{fix}") from error

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # check_same_thread: opened and used in the one thread, closed after that thread has ended.
            db = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            try:
                _into_wal(db)
                db.execute("PRAGMA synchronous=NORMAL")
                db.executescript(_SCHEMA)
            except sqlite3.Error:
                db.close()
                raise
            self._db = db
        return self._db


def _damaged(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def _into_wal(db: sqlite3.Connection) -> None:
    """SQLite does not wait for others when it changes the journal of a new file, so the first to come are told to retry."""
    give_up = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.005)


def _last_message(db: sqlite3.Connection) -> int:
    # sqlite_sequence, not max(id): the newest message may have been swept already.
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'working_messages'").fetchone()
    return int(row[0]) if row else 0


class _Subscription:
    """Reads the message table every `poll` seconds from where it stood when it was made."""

    def __init__(self, memory: SqliteWorkingMemory, channel: str, start: "Future[int]", poll: float) -> None:
        self._memory = memory
        self._channel = channel
        self._start = start
        self._poll = poll
        self._last = -1
        self._waiting: deque[str] = deque()
        self._closed = False

    def __aiter__(self) -> "_Subscription":
        return self

    async def __anext__(self) -> str:
        if self._last < 0:
            self._last = await asyncio.wrap_future(self._start)
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            for number, message in await self._memory.messages_after(self._channel, self._last):
                self._last = number
                self._waiting.append(message)
            if not self._waiting:
                await asyncio.sleep(self._poll)
        return self._waiting.popleft()

    async def aclose(self) -> None:
        self._closed = True
