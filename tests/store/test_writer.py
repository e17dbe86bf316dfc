"""The group-committing writer, on a real file."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import OperationalError

from app.domain.errors import Refused, StoreAway
from app.domain.reason import Reason
from app.store.engine import Reads, make_engine
from app.store.writer import Writer


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    engine = make_engine(f"sqlite:///{tmp_path / 'w.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY)"))
    yield engine
    engine.dispose()


def put(connection: Connection, n: int) -> int:
    connection.execute(text("INSERT INTO t VALUES (:n)"), {"n": n})
    return n


def numbers(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.scalars(text("SELECT n FROM t ORDER BY n")))


async def test_a_value_comes_back_after_the_commit(engine: Engine) -> None:
    writer = Writer(engine)
    writer.start()
    assert await writer.run(lambda connection: put(connection, 7)) == 7
    assert numbers(engine) == [7]
    await writer.stop()


async def test_one_that_fails_spoils_nothing_for_the_others(engine: Engine) -> None:
    writer = Writer(engine)

    def half(connection: Connection) -> None:
        put(connection, 50)
        raise ValueError("half done")

    # Nothing is taken before the start: all of these share one transaction.
    writer._open = True
    waiting = [asyncio.create_task(writer.run(lambda connection, n=n: put(connection, n))) for n in (1, 2, 2, 3)]  # type: ignore[misc]
    failing = asyncio.create_task(writer.run(half))
    broken = asyncio.create_task(writer.run(lambda connection: connection.execute(text("SELECT * FROM nowhere"))))
    await asyncio.sleep(0)
    writer.start()
    outcomes = await asyncio.gather(*waiting, failing, broken, return_exceptions=True)
    assert [type(outcome).__name__ for outcome in outcomes] == ["int", "int", "IntegrityError", "int", "ValueError", "OperationalError"]
    assert numbers(engine) == [1, 2, 3]
    await writer.stop()


async def test_what_waits_is_committed_together(engine: Engine) -> None:
    writer = Writer(engine, max_batch=50)
    writer._open = True
    waiting = [asyncio.create_task(writer.run(lambda connection, n=n: (put(connection, n), connection.get_transaction()))) for n in range(50)]  # type: ignore[misc]
    await asyncio.sleep(0)
    writer.start()
    assert len({id(transaction) for _, transaction in await asyncio.gather(*waiting)}) == 1
    await writer.stop()


async def test_intake_is_refused_when_too_much_waits_and_own_work_is_not(engine: Engine) -> None:
    writer = Writer(engine, max_waiting=1)
    writer._open = True
    first = asyncio.create_task(writer.run(lambda connection: put(connection, 1), intake=True))
    await asyncio.sleep(0)
    with pytest.raises(Refused) as refused:
        await writer.run(lambda connection: put(connection, 2), intake=True)
    assert (refused.value.status, refused.value.reason) == (503, Reason.QUEUE_FULL)
    own = asyncio.create_task(writer.run(lambda connection: put(connection, 3)))
    await asyncio.sleep(0)
    writer.start()
    assert (await first, await own) == (1, 3)
    await writer.stop()


async def test_what_was_taken_before_the_stop_is_committed_and_nothing_after(engine: Engine) -> None:
    writer = Writer(engine, max_batch=2)
    writer.start()
    taken = [asyncio.create_task(writer.run(lambda connection, n=n: put(connection, n))) for n in range(9)]  # type: ignore[misc]
    await asyncio.sleep(0)
    await writer.stop()
    assert await asyncio.gather(*taken) == list(range(9))
    with pytest.raises(Refused):
        await writer.run(lambda connection: put(connection, 10))
    assert not any(thread.name == "store-writer" for thread in threading.enumerate())


async def test_a_caller_that_gave_up_before_its_turn_is_left_out(engine: Engine) -> None:
    writer = Writer(engine)
    writer._open = True
    gone = asyncio.create_task(writer.run(lambda connection: put(connection, 1)))
    kept = asyncio.create_task(writer.run(lambda connection: put(connection, 2)))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    writer.start()
    assert await kept == 2
    assert numbers(engine) == [2]
    await writer.stop()


class Disk:
    """`full` lets no file of the database grow."""

    def __init__(self, engine: Engine) -> None:
        self.full = False
        event.listen(engine, "checkout", self._limit)

    def _limit(self, connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count={1 if self.full else 1_000_000}")


async def test_a_full_disk_is_a_store_that_is_away_until_there_is_room(engine: Engine) -> None:
    disk, writer = Disk(engine), Writer(engine)
    writer.start()

    def much(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE u AS SELECT randomblob(100000) AS x"))

    disk.full = True
    with pytest.raises(StoreAway, match="full"):
        await writer.run(much)
    disk.full = False
    await writer.run(much)
    await writer.stop()


async def test_a_query_that_is_wrong_is_no_store_that_is_away(engine: Engine) -> None:
    reads = Reads(engine)
    with pytest.raises(OperationalError):
        await reads.run(lambda connection: connection.execute(text("SELECT * FROM nowhere")))
    reads.close()


async def test_a_database_that_cannot_be_opened_is_away_for_readers(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    gone = make_engine(f"sqlite:///{tmp_path / 'folder'}")
    reads = Reads(gone)
    with pytest.raises(StoreAway):
        await reads.run(lambda connection: connection.execute(text("SELECT 1")))
    reads.close()
    gone.dispose()
