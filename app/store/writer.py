"""The one thread of a process that writes: what waits is committed together, each piece in a savepoint of its own.

Everything in `store` that changes a row goes through `Writer.run`. A commit costs a disk flush however many rows it
carries, so a hundred pieces in one are some ten times cheaper, and on SQLite nobody else of ours holds the write lock.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

from app.domain.errors import Refused
from app.domain.reason import Reason
from app.store.engine import away

T = TypeVar("T")
_TRIES = 3  # of a piece that lost a race, and of a transaction that was chosen as a deadlock's victim


class _Piece:
    """One function and the future that waits for it. As a context it keeps what the function raised for its caller,
    except trouble with the database itself, which concerns the whole transaction."""

    def __init__(self, fn: Callable[[Connection], Any]) -> None:
        self.fn = fn
        self.future: Future[Any] = Future()
        self.value: Any = None
        self.error: BaseException | None = None

    def __enter__(self) -> "_Piece":
        self.value, self.error = None, None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        if isinstance(error, OperationalError):
            return False
        self.error = error
        return isinstance(error, Exception)

    def deliver(self) -> None:
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.value)


class Writer:
    """`start()` before the first `run`, `stop()` after the last; what was taken before `stop` is still committed."""

    def __init__(self, engine: Engine, max_batch: int = 100, max_waiting: int = 2000) -> None:
        self._engine = engine
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._waiting: deque[_Piece] = deque()
        self._wake = threading.Condition()
        self._open = False
        self._done: Future[None] = Future()
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)

    def start(self) -> None:
        self._open = True
        self._thread.start()

    async def stop(self) -> None:
        with self._wake:
            self._open = False
            self._wake.notify()
        if self._thread.is_alive():
            await asyncio.wrap_future(self._done)
            self._thread.join()

    async def run(self, fn: Callable[[Connection], T], *, intake: bool = False) -> T:
        """Run `fn` in a transaction and return its value after the commit; what it raises is raised here, and StoreAway when
        the database does not answer or takes nothing.

        `fn` may be called again after a lost race, so it must have no effect but on its connection. `intake` work is
        refused (503, QUEUE_FULL) when too much waits; an investigation's own writes never are.
        """
        piece = _Piece(fn)
        with self._wake:
            if not self._open:
                raise Refused(503, Reason.UNAVAILABLE, "The service is stopping; send this again to its successor.")
            if intake and len(self._waiting) >= self._max_waiting:
                raise Refused(503, Reason.QUEUE_FULL, "Too much is waiting to be stored; send this again in a few seconds.")
            self._waiting.append(piece)
            self._wake.notify()
        value: T = await asyncio.wrap_future(piece.future)
        return value

    def _work(self) -> None:
        while batch := self._next():
            self._commit(batch)
            for piece in batch:
                piece.deliver()
        self._done.set_result(None)

    def _next(self) -> list[_Piece]:
        with self._wake:
            self._wake.wait_for(lambda: self._waiting or not self._open)
            taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._max_batch))]
        # A caller that gave up before its turn is left out; from here on its future cannot be cancelled.
        batch = [piece for piece in taken if piece.future.set_running_or_notify_cancel()]
        return batch or (self._next() if taken else [])

    def _commit(self, batch: list[_Piece]) -> None:
        if not self._together(batch):
            for piece in batch:
                self._together([piece])

    def _together(self, batch: list[_Piece]) -> bool:
        """Whether the batch was committed; the last failure of a batch of one is its answer."""
        for _ in range(_TRIES):
            try:
                with self._engine.begin() as connection:
                    for piece in batch:
                        with piece:
                            self._attempt(connection, piece)
                return True
            except SQLAlchemyError as error:
                for piece in batch:
                    piece.error = away(error) or error
        return False

    @staticmethod
    def _attempt(connection: Connection, piece: _Piece) -> None:
        for tried in range(1, _TRIES + 1):
            try:
                with connection.begin_nested():
                    piece.value = piece.fn(connection)
                return
            except IntegrityError:  # another replica wrote the same row first: now it can be seen
                if tried == _TRIES:
                    raise
