"""The engine, on every database we support: written against our port, so that another engine could take its place."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from app.domain.errors import IllegalMove
from app.domain.investigation import InvestigationStatus
from app.runtime.dbos_engine import EngineOptions
from app.store import tables
from tests.contract.parts import NOW, Clock, Parts, WritingAgent, firing, new_id
from tests.contract.replica import QUICK, Replica, clock

pytestmark = pytest.mark.slow  # each launches an engine
ROOT = Path(__file__).resolve().parents[2]
S = InvestigationStatus
Around = Callable[[int], Awaitable[None]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "calls.txt"
    found.touch()
    return found


def calls(file: Path) -> Counter[str]:
    return Counter(" ".join((line.split()[0], line.split()[2])) for line in file.read_text().splitlines())


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - another process has to get there
            await asyncio.sleep(0.02)


@pytest.fixture
async def start(parts: Parts, file: Path) -> AsyncIterator[Callable[..., Awaitable[Replica]]]:
    """Launches the engine in this process; stopped at the end."""
    started: list[Replica] = []

    async def launch(around: Around | None = None, options: EngineOptions = QUICK, executor_id: str = "here") -> Replica:
        replica = Replica(parts, WritingAgent(file, around=around), executor_id, options)
        started.append(replica)
        await replica.service.start()
        return replica

    yield launch
    for replica in started:
        await replica.service.stop()


class Gate:
    """Call number 2 waits until it is let through; `begun` when it came there."""

    def __init__(self) -> None:
        self.begun, self.open = asyncio.Event(), asyncio.Event()

    async def __call__(self, number: int) -> None:
        if number == 2:
            self.begun.set()
            await self.open.wait()


async def test_an_accepted_alert_is_investigated(parts: Parts, start: Callable[..., Awaitable[Replica]], file: Path) -> None:
    replica = await start()
    investigation_id = await parts.investigation()
    assert await replica.engine.wait(investigation_id, 20)
    assert await replica.engine.status(investigation_id) is S.COMPLETED
    assert calls(file) == {f"{word} {n}": 1 for word in ("begin", "end") for n in (1, 2, 3)}


async def test_a_transaction_that_is_rolled_back_starts_nothing(parts: Parts, start: Callable[..., Awaitable[Replica]]) -> None:
    replica = await start()

    def broken(connection: object, workflow_id: str, argument: str) -> None:
        replica.engine.enqueue(connection, workflow_id, argument)
        raise OSError("just before the commit")

    parts.enqueue = broken
    with pytest.raises(OSError, match="just before"):
        await parts.investigation()
    assert await replica.engine.executors() == frozenset()
    parts.enqueue = replica.engine.enqueue
    assert await replica.engine.wait(await parts.investigation(), 20)


async def test_no_more_run_at_once_than_was_said(parts: Parts, start: Callable[..., Awaitable[Replica]]) -> None:
    running, most = 0, 0

    async def around(number: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    replica = await start(around, EngineOptions(concurrency=2, poll_s=0.05))
    accepted = await parts.send(*(firing(new_id()) for _ in range(8)))
    ended = await asyncio.gather(*(replica.engine.wait(d.investigation_id, 30) for d in accepted.dispositions))
    assert (all(ended), most <= 2) == (True, True)


async def test_waiting_ends_with_the_time_or_at_once_if_there_is_nothing_to_wait_for(parts: Parts, start: Callable[..., Awaitable[Replica]]) -> None:
    gate = Gate()
    replica = await start(gate)
    investigation_id = await parts.investigation()
    await gate.begun.wait()
    assert not await replica.engine.wait(investigation_id, 0.01)
    assert not await replica.engine.wait("unknown", 60)
    assert await replica.engine.status("unknown") is None
    gate.open.set()
    assert await replica.engine.wait(investigation_id, 20)


async def test_a_running_investigation_is_cancelled_within_the_call_it_makes(parts: Parts, start: Callable[..., Awaitable[Replica]]) -> None:
    gate = Gate()
    replica = await start(gate)
    investigation_id = await parts.investigation()
    await gate.begun.wait()
    await replica.engine.cancel(investigation_id)
    assert await replica.engine.wait(investigation_id, 5)
    assert await replica.engine.status(investigation_id) is S.CANCELLED

    async def nothing_held() -> bool:
        return await replica.engine.executors() == frozenset()

    await until(nothing_held)
    other = await parts.investigation()
    gate.open.set()
    assert await replica.engine.wait(other, 20)
    with pytest.raises(IllegalMove):
        await replica.engine.cancel(other)


async def test_an_answer_continues_what_waits_for_a_person(parts: Parts, start: Callable[..., Awaitable[Replica]], file: Path) -> None:
    replica = await start()
    parts.enqueue = None  # as if its first run had ended with the question
    investigation_id = await parts.running()
    await parts.investigations.await_approval(investigation_id, {"question": "may I?"})
    assert not await replica.engine.wait(investigation_id, 60)
    assert await replica.engine.signal(investigation_id, "q1", {"approved": True})
    assert not await replica.engine.signal(investigation_id, "q1", {"approved": False})

    async def completed() -> bool:
        return await replica.engine.status(investigation_id) is S.COMPLETED

    await until(completed)
    assert calls(file)["begin 1"] == 1


async def test_a_fork_runs_on_from_a_part_of_the_trail(parts: Parts, start: Callable[..., Awaitable[Replica]], file: Path) -> None:
    replica = await start()
    investigation_id = await parts.investigation()
    assert await replica.engine.wait(investigation_id, 20)
    events = await parts.trail.read(investigation_id)
    second = next(event.sequence for event in events if event.key == "tool:2#1")
    fork = await replica.engine.fork(investigation_id, second - 1)
    assert await replica.engine.wait(fork, 20)
    assert {key: n for key, n in calls(file).items() if key.startswith("begin")} == {"begin 1": 1, "begin 2": 2, "begin 3": 2}


async def test_a_stored_investigation_is_started_by_itself_and_once(parts: Parts, start: Callable[..., Awaitable[Replica]], file: Path) -> None:
    investigation_id = await parts.investigation()
    replica = await start()
    for _ in range(2):
        await replica.engine.start(investigation_id)
    assert await replica.engine.wait(investigation_id, 20)
    assert calls(file)["begin 1"] == 1


async def test_what_a_stop_interrupts_goes_on_at_the_next_launch(parts: Parts, start: Callable[..., Awaitable[Replica]], file: Path) -> None:
    gate = Gate()
    first = await start(gate)
    investigation_id = await parts.investigation()
    await gate.begun.wait()
    await first.service.stop()
    assert await parts.investigations.status(investigation_id) is S.RUNNING
    second = await start()
    assert await second.engine.wait(investigation_id, 20)
    assert calls(file) == {"begin 1": 1, "end 1": 1, "begin 2": 2, "end 2": 1, "begin 3": 1, "end 3": 1}


async def test_what_is_swept_is_forgotten_by_the_engine_too(parts: Parts, start: Callable[..., Awaitable[Replica]]) -> None:
    replica = await start()
    native = (await parts.send(firing("f1"))).dispositions[0].investigation_id
    assert await replica.engine.wait(native, 20)
    assert isinstance(parts.clock, Clock)
    parts.clock.now = NOW + timedelta(days=40)

    async def swept() -> bool:  # DBOS writes its own end a moment after ours
        return await replica.upkeep.sweep() == 1

    await until(swept)
    assert await parts.investigations.get(native) is None


async def test_what_the_engine_gave_up_becomes_failed(parts: Parts, start: Callable[..., Awaitable[Replica]]) -> None:
    """The runner catches what the agent does; this is for when it could not even record a failure."""
    replica = await start()

    async def broken(investigation_id: str) -> None:
        raise OSError("the disk is full")

    replica.engine._work = broken
    investigation_id = await parts.investigation()

    async def given_up() -> bool:
        return investigation_id in await replica.engine.given_up()

    await until(given_up)
    for _ in range(2):
        await replica.reaper.settle()
    found = await parts.investigations.get(investigation_id)
    assert found is not None
    assert (found.status, "ERROR" in found.failure) == (S.FAILED, True)


Spawn = Callable[..., tuple["subprocess.Popen[str]", list[str]]]


@pytest.fixture
def spawn(url: str, file: Path) -> Iterator[Spawn]:
    started: list[subprocess.Popen[str]] = []

    def begin(executor_id: str, stall: int = 0, alerts: int = 0) -> tuple["subprocess.Popen[str]", list[str]]:
        arguments = [sys.executable, "-m", "tests.contract.replica", url, str(file), executor_id, str(stall), str(alerts)]
        process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        up, *ids = process.stdout.readline().split()
        assert up == "up"
        return process, ids

    yield begin
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


# `a`: restarted under its own name. `b`: another replica takes the dead one's work over: because its process has ended, or,
# on another host, because its lease has expired, or because it left no trace.
@pytest.mark.parametrize(("successor", "trace"), [("a", "here"), ("b", "here"), ("b", "elsewhere"), ("b", "none")])
async def test_after_kill_9_no_recorded_call_is_repeated_and_all_investigations_end(
    url: str, file: Path, spawn: Spawn, successor: str, trace: str
) -> None:
    process, ids = spawn("a", stall=2, alerts=3)

    async def stalled() -> bool:
        return calls(file)["begin 2"] == 3

    await until(stalled)
    process.kill()
    process.wait()
    parts = Parts(url, clock=clock).open()
    t = tables.replicas
    if trace == "none":
        await parts.replicas.forget("a")
    if trace == "elsewhere":
        away = update(t).values(host="elsewhere", expires_at=NOW - timedelta(days=365))
        await parts.writer.run(lambda connection: connection.execute(away))
    spawn(successor)

    async def ended() -> bool:
        return [await parts.investigations.status(i) for i in ids] == [S.COMPLETED] * 3

    await until(ended, 60)
    assert calls(file) == {"begin 1": 3, "end 1": 3, "begin 2": 6, "end 2": 3, "begin 3": 3, "end 3": 3}
    found = [await parts.investigations.get(i) for i in ids]
    assert [i.attempts for i in found if i is not None] == [2, 2, 2]
    await parts.close()


async def test_a_living_replica_goes_on_beside_a_new_one(url: str, file: Path, spawn: Spawn) -> None:
    _, ids = spawn("a", stall=2, alerts=4)  # all that it runs at once

    async def stalled() -> bool:
        return calls(file)["begin 2"] == 4

    await until(stalled)
    _, others = spawn("b", alerts=2)
    parts = Parts(url, clock=clock).open()

    async def ended() -> bool:
        return [await parts.investigations.status(i) for i in others] == [S.COMPLETED] * 2

    await until(ended, 60)
    assert [await parts.investigations.status(i) for i in ids] == [S.RUNNING] * 4
    assert calls(file)["begin 2"] == 6
    await parts.close()
