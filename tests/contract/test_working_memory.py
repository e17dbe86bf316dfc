"""What every working memory does, whichever store is behind it: SQLite, the Redis adapter over fakeredis, a real Redis.

No test waits for time to pass. A SQLite world has a clock of its own; a Redis world is aged by shortening what PTTL
says of every key.
"""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import fakeredis
import pytest
from redis.asyncio import Redis

from app.domain.ports import WorkingMemory
from app.memory.entry import Entry
from app.memory.working_redis import RedisWorkingMemory
from app.memory.working_sqlite import SqliteWorkingMemory

BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Memory(WorkingMemory, Protocol):
    """The port, and what both adapters add to it."""

    async def put(self, key: str, value: str, ttl: float = ...) -> None: ...

    async def entry(self, key: str) -> Entry | None: ...

    async def close(self) -> None: ...


class World:
    """A store with a clock. `another()` is a second process's view of the same store."""

    def __init__(self) -> None:
        self.now = BEGAN
        self.made: list[Memory] = []

    def clock(self) -> datetime:
        return self.now

    def another(self) -> Memory:
        memory = self.open()
        self.made.append(memory)
        return memory

    def open(self) -> Memory:
        raise NotImplementedError

    async def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def close(self) -> None:
        for memory in self.made:
            await memory.close()


class SqliteWorld(World):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def open(self) -> Memory:
        return SqliteWorkingMemory(self.path, self.clock, poll=0.005)


class RedisWorld(World):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.prefix = f"test-{uuid.uuid4()}:"
        self.server = None if url else fakeredis.FakeServer()
        self.raw = self.client()

    def client(self) -> "Redis":
        if self.url:
            return Redis.from_url(self.url, decode_responses=True)
        return fakeredis.FakeAsyncRedis(server=self.server, decode_responses=True)

    def open(self) -> Memory:
        return RedisWorkingMemory(self.client(), self.clock, self.prefix)

    async def pass_time(self, seconds: float) -> None:
        await super().pass_time(seconds)
        async for key in self.raw.scan_iter(match=self.prefix + "*"):
            left = await self.raw.pttl(key) - round(seconds * 1000)
            await (self.raw.pexpire(key, left) if left > 0 else self.raw.delete(key))

    async def close(self) -> None:
        await super().close()
        async for key in self.raw.scan_iter(match=self.prefix + "*"):
            await self.raw.delete(key)
        await self.raw.aclose()


@pytest.fixture(params=["sqlite", "fakeredis", pytest.param("redis", marks=pytest.mark.real)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    if request.param == "redis" and not os.environ.get("SRE_AGENT_TEST_REDIS_URL"):
        pytest.skip("SRE_AGENT_TEST_REDIS_URL names no server")
    made = SqliteWorld(tmp_path / "made" / "working.db") if request.param == "sqlite" else RedisWorld("")
    if request.param == "redis":
        made = RedisWorld(os.environ["SRE_AGENT_TEST_REDIS_URL"])
    yield made
    await made.close()


@pytest.fixture
def memory(world: World) -> Memory:
    return world.another()


# covers WMEM-01, WMEM-02
async def test_a_value_is_read_back_by_every_process_until_it_is_replaced(memory: Memory, world: World) -> None:
    assert await memory.get("k") is None
    await memory.put("k", "one", 60)
    assert await world.another().get("k") == "one"
    await memory.put("k", "two", 60)
    assert await memory.get("k") == "two"


@pytest.mark.parametrize("value", ["", "naïve ☃ 漢字", "a\x00b", "two\nlines", '{"value": "x"}', "x" * 300_000])
async def test_any_text_comes_back_as_it_was(memory: Memory, value: str) -> None:
    await memory.put("kéy with space", value, 60)
    assert await memory.get("kéy with space") == value


# covers WMEM-01
async def test_an_entry_lives_an_hour_unless_its_writer_says_otherwise(memory: Memory, world: World) -> None:
    await memory.put("default", "v")
    await memory.put("short", "v", 30)
    await world.pass_time(29)
    assert await memory.get("short") == "v"
    await world.pass_time(2)
    assert await memory.get("short") is None
    await world.pass_time(3600 - 31 - 1)
    assert await memory.get("default") == "v"
    await world.pass_time(2)
    assert await memory.get("default") is None


async def test_writing_again_starts_the_hour_again(memory: Memory, world: World) -> None:
    await memory.put("k", "v", 60)
    await world.pass_time(50)
    await memory.put("k", "w", 60)
    await world.pass_time(50)
    assert await memory.get("k") == "w"


# covers WMEM-01
async def test_an_entry_says_when_it_was_written(memory: Memory, world: World) -> None:
    await world.pass_time(7.5)
    await memory.put("k", "v", 60)
    assert await memory.entry("k") == Entry("v", BEGAN + timedelta(seconds=7.5))
    assert await memory.entry("absent") is None


async def test_a_deleted_key_is_gone_and_deleting_nothing_is_fine(memory: Memory) -> None:
    await memory.put("k", "v", 60)
    await memory.delete("k")
    await memory.delete("k")
    assert await memory.get("k") is None


async def test_a_window_begins_with_its_first_event_and_later_ones_do_not_prolong_it(memory: Memory, world: World) -> None:
    assert [await memory.incr_window("calls", 60) for _ in range(3)] == [1, 2, 3]
    await world.pass_time(40)
    assert await memory.incr_window("calls", 60) == 4
    await world.pass_time(21)
    assert await memory.incr_window("calls", 60) == 1


async def test_a_count_can_be_read_and_deleted_like_a_value(memory: Memory) -> None:
    await memory.incr_window("calls", 60)
    await memory.incr_window("calls", 60)
    assert await memory.get("calls") == "2"
    await memory.delete("calls")
    assert await memory.incr_window("calls", 60) == 1


async def test_counting_on_a_key_that_holds_a_value_starts_anew(memory: Memory) -> None:
    await memory.put("k", "41", 60)
    assert await memory.incr_window("k", 60) == 1
    await memory.put("k", "text", 60)
    assert await memory.get("k") == "text"


async def test_every_event_of_a_window_is_counted_once_when_many_count_at_once(memory: Memory, world: World) -> None:
    both = [memory, world.another()]
    counts = await asyncio.gather(*(both[n % 2].incr_window("calls", 60) for n in range(40)))
    assert sorted(counts) == list(range(1, 41))


async def test_a_lease_has_one_holder_until_it_expires(memory: Memory, world: World) -> None:
    other = world.another()
    assert await memory.acquire("reaper", "a", 30)
    assert not await other.acquire("reaper", "b", 30)
    assert await memory.acquire("reaper", "a", 30)
    await world.pass_time(31)
    assert await other.acquire("reaper", "b", 30)
    assert not await memory.renew("reaper", "a", 30)


async def test_renewing_prolongs_a_lease_that_is_still_ours(memory: Memory, world: World) -> None:
    await memory.acquire("reaper", "a", 30)
    await world.pass_time(20)
    assert await memory.renew("reaper", "a", 30)
    await world.pass_time(20)
    assert not await world.another().acquire("reaper", "b", 30)


async def test_a_lease_that_has_expired_cannot_be_renewed(memory: Memory, world: World) -> None:
    await memory.acquire("reaper", "a", 30)
    await world.pass_time(31)
    assert not await memory.renew("reaper", "a", 30)
    assert not await memory.renew("never taken", "a", 30)


async def test_only_its_holder_gives_a_lease_back(memory: Memory, world: World) -> None:
    other = world.another()
    await memory.acquire("reaper", "a", 30)
    await other.release("reaper", "b")
    assert not await other.acquire("reaper", "b", 30)
    await memory.release("reaper", "a")
    assert await other.acquire("reaper", "b", 30)


async def test_one_of_many_that_ask_at_once_gets_the_lease(memory: Memory, world: World) -> None:
    both = [memory, world.another()]
    taken = await asyncio.gather(*(both[n % 2].acquire("reaper", f"holder-{n}", 30) for n in range(20)))
    assert taken.count(True) == 1


async def test_a_lease_and_a_value_of_one_name_do_not_meet(memory: Memory) -> None:
    await memory.put("reaper", "v", 60)
    assert await memory.acquire("reaper", "a", 30)
    await memory.delete("reaper")
    assert await memory.renew("reaper", "a", 30)


async def test_subscribers_hear_what_is_published_after_they_subscribed(memory: Memory, world: World) -> None:
    other = world.another()
    await other.publish("stop", "before")
    first, second = memory.subscribe("stop"), memory.subscribe("stop")
    await memory.publish("go", "another channel")
    await memory.publish("stop", "one")
    assert await anext(first) == "one"
    await other.publish("stop", "zwei ☃")
    async with asyncio.timeout(10):
        assert await anext(first) == "zwei ☃"
        assert [await anext(second), await anext(second)] == ["one", "zwei ☃"]
    for subscription in (first, second):
        await subscription.aclose()  # type: ignore[attr-defined]


async def test_a_closed_subscription_ends(memory: Memory) -> None:
    subscription = memory.subscribe("stop")
    await subscription.aclose()  # type: ignore[attr-defined]
    with pytest.raises(StopAsyncIteration):
        await anext(subscription)


async def test_publishing_to_nobody_is_fine(memory: Memory) -> None:
    await memory.publish("stop", "anybody there?")


@pytest.mark.parametrize("ttl", [0, -1, float("nan")])
async def test_a_time_to_live_of_nothing_is_a_mistake_of_the_caller(memory: Memory, ttl: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        await memory.put("k", "v", ttl)
    with pytest.raises(ValueError, match="above 0"):
        await memory.incr_window("k", ttl)
    with pytest.raises(ValueError, match="above 0"):
        await memory.acquire("k", "a", ttl)


async def test_closing_twice_is_fine(memory: Memory) -> None:
    await memory.put("k", "v", 60)
    await memory.close()
    await memory.close()
