"""A database URL turned into an engine with our settings, and the way everybody reads; `main` makes one per process."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError, TimeoutError

from app.domain.errors import CannotStart, StoreAway

T = TypeVar("T")
# first byte of SQLite's codes: no permission to write, busy, locked, no memory, read-only, I/O error, full, cannot open, protocol
_SQLITE_AWAY = {3, 5, 6, 7, 8, 10, 13, 14, 15}
_READ_ONLY = "25006"  # PostgreSQL during a fail-over
_DAMAGE = ("not a database", "malformed")
_LOCK = 7_201_845_114  # PostgreSQL advisory lock
_PRAGMAS = ("busy_timeout=30000", "synchronous=FULL", "foreign_keys=ON")


def database_url(url: str) -> str:
    """Name our PostgreSQL driver where the URL names none; SQLite stays as it is."""
    for plain in ("postgres://", "postgresql://"):
        if url.startswith(plain):
            return "postgresql+psycopg://" + url.removeprefix(plain)
    return url


def make_engine(url: str, pool_size: int = 10) -> Engine:
    """SQLite: WAL, synchronous=FULL, and every transaction begins as BEGIN IMMEDIATE unless it only reads. PostgreSQL: psycopg.

    The folder of a SQLite file is made if it is missing.
    """
    parsed = make_url(database_url(url))
    if parsed.get_backend_name() != "sqlite":
        return server_engine(parsed, pool_size=pool_size, max_overflow=5)
    if parsed.database:
        Path(parsed.database).expanduser().parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, pool_size=pool_size, max_overflow=5)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def server_engine(url: URL, **pool: int) -> Engine:
    """A server may vanish without a word: a connection is given up when nothing comes back for some 20 s."""
    alive = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2, "tcp_user_timeout": 20_000}
    unsaid = {name: value for name, value in alive.items() if name not in url.query}
    return create_engine(url, pool_pre_ping=True, pool_timeout=10, connect_args=unsaid, **pool)


@contextmanager
def telling(engine: Engine) -> Iterator[None]:
    """What the database says while it is opened becomes CannotStart: one sentence, without its password."""
    try:
        yield
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error).split("\n", 1)[0]
        if not is_sqlite(engine):
            raise CannotStart(f"{engine.url.render_as_string()} cannot be used: {said}") from error
        file = engine.url.database
        if any(word in said for word in _DAMAGE):
            said += "; put a backup in its place, or move it away to begin with an empty database"
        raise CannotStart(f"{file} cannot be used: {said}") from error


def away(error: BaseException) -> StoreAway | None:
    """None where asking again would not help: the query is wrong, or the data forbid it. What went before counts too: after
    an I/O error SQLite has rolled back by itself, and the roll-back that follows fails for want of a transaction."""
    one: BaseException | None = error
    while one is not None:
        if isinstance(one, SQLAlchemyError) and _waits(one):
            said = str(getattr(one, "orig", None) or one).split("\n", 1)[0]
            return StoreAway(f"the database is away: {said}")
        one = one.__cause__ or one.__context__
    return None


def _waits(error: SQLAlchemyError) -> bool:
    cause = getattr(error, "orig", None)
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _SQLITE_AWAY
    if isinstance(error, OperationalError | InterfaceError | TimeoutError) or getattr(error, "connection_invalidated", False):
        return True
    return getattr(cause, "sqlstate", "") == _READ_ONLY


def one_at_a_time(connection: Connection) -> None:
    """Until the transaction ends, no other accepts alerts or ends an investigation: joins see each other, and none is made
    to what just ended. SQLite has one writer anyway."""
    if not is_sqlite(connection):
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def is_sqlite(engine: Engine | Connection) -> bool:
    return engine.dialect.name == "sqlite"


def _prepare(connection: Any, _record: Any) -> None:
    # The driver's own BEGIN comes only before the first write and never before a SAVEPOINT: we say it ourselves.
    connection.isolation_level = None
    set_pragmas(connection)


def set_pragmas(connection: Any) -> None:
    """On a connection of the sqlite3 module. The file remembers WAL; to set it again would need the file for oneself."""
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        connection.execute("PRAGMA journal_mode=WAL")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reading") else "BEGIN IMMEDIATE")


class Reads:
    """Reads off the event loop, each in one transaction that sees one state and takes no write lock. The threads are its
    own: DBOS takes the loop's, and takes them along when it stops."""

    def __init__(self, engine: Engine, threads: int = 8) -> None:
        self._engine = engine.execution_options(reading=True)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="store-read")

    async def run(self, fn: Callable[[Connection], T]) -> T:
        """Raises StoreAway when the database does not answer."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, fn)

    def close(self) -> None:
        self._threads.shutdown()

    def _read(self, fn: Callable[[Connection], T]) -> T:
        try:
            with self._engine.begin() as connection:
                return fn(connection)
        except SQLAlchemyError as error:
            raise (away(error) or error) from error
