"""What is particular to one store: SQLite's file and processes, Redis' own expiry, hand-written keys, unreachable servers."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import fakeredis
import pytest

from app.memory.failures import StoreUnreachable
from app.memory.working_redis import RedisWorkingMemory
from app.memory.working_sqlite import SqliteWorkingMemory

COUNT = """
import asyncio, sys
from pathlib import Path
from app.memory.working_sqlite import SqliteWorkingMemory
async def main():
    memory = SqliteWorkingMemory(Path(sys.argv[1]))
    n = 0
    while n < int(sys.argv[2]):
        await memory.incr_window("calls", 3600)
        n += 1
        print(n, flush=True)
    await memory.close()
asyncio.run(main())
"""


def counting(path: Path, times: int) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", COUNT, str(path), str(times)], stdout=subprocess.PIPE, text=True)


# covers WMEM-06
@pytest.mark.slow
async def test_what_was_written_before_kill_9_is_there_after(tmp_path: Path) -> None:
    path = tmp_path / "working.db"
    process = counting(path, 1_000_000)
    assert process.stdout is not None
    acknowledged = 0
    while acknowledged < 200:
        acknowledged = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    acknowledged = int(rest.split()[-1]) if rest.split() else acknowledged
    memory = SqliteWorkingMemory(path)
    assert int(await memory.get("calls") or 0) >= acknowledged
    await memory.close()


@pytest.mark.slow
async def test_processes_of_one_machine_share_the_file_and_no_count_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "working.db"
    processes = [counting(path, 150) for _ in range(4)]
    for process in processes:
        await asyncio.to_thread(process.communicate)
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    memory = SqliteWorkingMemory(path)
    assert await memory.get("calls") == "600"
    await memory.close()


async def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    for turn in range(20):
        memories = [SqliteWorkingMemory(tmp_path / str(turn) / "working.db") for _ in range(8)]
        assert sorted(await asyncio.gather(*(memory.incr_window("calls", 60) for memory in memories))) == list(range(1, 9))
        for memory in memories:
            await memory.close()


async def test_a_file_that_is_no_database_is_said_to_be_unreachable_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "working.db"
    path.write_bytes(b"not a database, certainly not one" * 100)
    memory = SqliteWorkingMemory(path)
    with pytest.raises(StoreUnreachable, match="working"):
        await memory.get("k")
    with pytest.raises(OSError, match="working"):
        await memory.put("k", "v", 1)
    await memory.close()


async def test_expired_rows_are_swept_away(tmp_path: Path) -> None:
    memory = SqliteWorkingMemory(tmp_path / "working.db")
    await memory.put("brief", "v", 1e-6)
    for n in range(600):
        await memory.put(f"k{n % 5}", "v", 60)
    assert await memory._run(lambda db, _: db.execute("SELECT count(*) FROM working").fetchone()[0]) == 5
    await memory.close()


async def test_a_redis_that_is_not_there_is_said_to_be_unreachable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        memory = RedisWorkingMemory.connect(f"redis://127.0.0.1:{port}/0")
        with pytest.raises(StoreUnreachable, match="Redis"):
            await memory.get("k")
        await memory.close()


# covers KILL-01
async def test_a_key_set_by_hand_in_redis_reads_like_an_entry() -> None:
    client = fakeredis.FakeAsyncRedis(decode_responses=True)
    memory = RedisWorkingMemory(client)
    await client.set("kill_switch:sre-agent", "1")
    assert await memory.get("kill_switch:sre-agent") == "1"
    entry = await memory.entry("kill_switch:sre-agent")
    assert entry is not None
    assert entry.timestamp is None
    await memory.put("kill_switch:sre-agent", "0", 60)
    assert await memory.get("kill_switch:sre-agent") == "0"
    await memory.close()


async def test_a_key_of_a_kind_that_we_never_write_is_no_entry() -> None:
    client = fakeredis.FakeAsyncRedis(decode_responses=True)
    memory = RedisWorkingMemory(client)
    await client.rpush("failures:sre-agent", "x")
    assert await memory.get("failures:sre-agent") is None
    await memory.close()


@pytest.mark.real
async def test_redis_itself_lets_an_entry_go_when_its_time_is_over() -> None:
    memory = RedisWorkingMemory.connect(os.environ["SRE_AGENT_TEST_REDIS_URL"], prefix="expiry:")
    await memory.put("k", "v", 0.02)
    await memory.incr_window("n", 0.02)
    async with asyncio.timeout(10):
        while await memory.get("k") is not None or await memory.get("n") is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    await memory.close()
