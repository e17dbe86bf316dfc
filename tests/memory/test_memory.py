"""Both layers as one: working memory first, both written, and no failure of a layer reaches an investigation."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.agent.ports import Memory
from app.domain.ports import VectorRow, WorkingMemory
from app.memory.embedder_hash import HashEmbedder
from app.memory.episodic import EpisodicMemory
from app.memory.failures import StoreUnreachable
from app.memory.memory import TwoLayerMemory
from app.memory.working_sqlite import SqliteWorkingMemory
from app.telemetry.metrics import AGENT_NAME, registry
from tests.memory.cases import NOW, asked, past
from tests.memory.sqlite_rows import SqliteRows

TARGET = "Deployment/shop/checkout"
RECENT = {"verdict": "checkout ran out of memory", "tools": ["check_pods"]}


class House:
    def __init__(self, path: Path) -> None:
        self.now = NOW
        self.rows = SqliteRows(path / "rows.db")
        self.working = SqliteWorkingMemory(path / "working.db", lambda: self.now)
        self.memory = self.build(self.working, self.rows)

    def build(self, working: WorkingMemory, rows: SqliteRows, deadline: float = 10.0) -> TwoLayerMemory:
        return TwoLayerMemory(working, EpisodicMemory(rows, HashEmbedder, None), lambda: self.now, deadline)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    await made.memory.start()
    yield made
    await made.memory.close()
    await made.working.close()


def recalls() -> dict[str, float]:
    name = "agent_memory_recall_total"
    return {result: registry.get_sample_value(name, {"agent_name": AGENT_NAME, "result": result}) or 0.0 for result in ("hit", "miss", "unavailable")}


async def test_it_fills_the_port_of_the_agent(house: House) -> None:
    port: Memory = house.memory
    assert (await port.recall(asked("anything", "checkout"))).available


# covers WMEM-03, WMEM-04
async def test_a_result_is_in_both_layers_and_the_next_investigation_of_the_target_sees_it(house: House) -> None:
    await house.memory.remember(past(0), TARGET, RECENT)
    with capture_logs() as lines:
        recalled = await house.memory.recall(asked(past(0).task, "checkout"))
    assert recalled.recent == {"investigation_id": past(0).id, **RECENT}
    assert [found.case for found in recalled.similar] == [past(0)]
    assert (recalled.total, recalled.available, recalled.note) == (1, True, "")
    assert [line["event"] for line in lines] == ["memory_recall"]


# covers WMEM-01, WMEM-04
async def test_after_an_hour_the_recent_context_is_gone_and_the_record_stays(house: House) -> None:
    await house.memory.remember(past(0), TARGET, RECENT)
    house.now += timedelta(seconds=3601)
    recalled = await house.memory.recall(asked(past(0).task, "checkout"))
    assert recalled.recent is None
    assert [found.case for found in recalled.similar] == [past(0)]


async def test_an_investigation_that_resumes_does_not_recall_itself(house: House) -> None:
    await house.memory.remember(past(0), TARGET, RECENT)
    recalled = await house.memory.recall(asked(past(0).task, "checkout", investigation_id=past(0).id))
    assert recalled.recent is None
    assert recalled.similar == ()
    assert recalled.patterns == ()


async def test_another_target_has_no_recent_context(house: House) -> None:
    await house.memory.remember(past(0), "Deployment/shop/mailer", RECENT)
    assert (await house.memory.recall(asked("words of another kind altogether", "checkout"))).recent is None


# covers LRN-01
async def test_what_repeats_is_said_as_a_pattern(house: House) -> None:
    for number in (0, 4):
        await house.memory.remember(past(number), TARGET, RECENT)
    recalled = await house.memory.recall(asked("anything", "checkout"))
    assert recalled.patterns == ("checkout: oom_killed 2 times in 1 day, last fixed by: measure0",)


# decision 17: recall hits are counted
async def test_every_recall_is_counted_by_what_came_of_it(house: House) -> None:
    await house.memory.remember(past(0), TARGET, RECENT)
    before = recalls()
    await house.memory.recall(asked(past(0).task, "checkout"))
    await house.memory.recall(asked("zebra quokka jamboree", "nobody", target="Deployment/shop/nobody"))
    away = house.build(Unreachable(), house.rows)  # type: ignore[arg-type]
    await away.recall(asked("x", "checkout"))
    await away.close()
    assert {result: count - before[result] for result, count in recalls().items()} == {"hit": 1, "miss": 1, "unavailable": 1}


# covers API-09
async def test_the_snapshot_of_memory_has_the_shape_of_the_worked_example(house: House) -> None:
    await house.memory.remember(past(0), TARGET, RECENT)
    alert = {"type": "high_memory", "service": "web-app"}
    assert await house.memory.snapshot(alert, ["check_pods", "get_metrics"], 0, ()) == {
        "working_memory": {"current_alert": alert, "recent_tools_used": ["check_pods", "get_metrics"]},
        "episodic_memory": {"total_investigations": 1, "similar_past_cases": 0, "learned_patterns": []},
    }


class Unreachable:
    """A working memory whose server is away: every call fails as the port says."""

    async def get(self, _: str) -> str | None:
        raise StoreUnreachable("connection refused")

    async def put(self, *_: object) -> None:
        raise StoreUnreachable("connection refused")


class BrokenRows(SqliteRows):
    async def total(self) -> int:
        raise ArithmeticError("the database is in flames")

    async def put(self, row: VectorRow) -> None:
        raise ArithmeticError("the database is in flames")


class SilentRows(SqliteRows):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked = asyncio.Event()

    async def total(self) -> int:
        self.asked.set()
        await asyncio.Event().wait()
        return 0


async def test_without_working_memory_the_past_is_still_recalled_and_the_note_says_what_is_missing(house: House) -> None:
    await house.memory.remember(past(0), TARGET, RECENT)
    memory = house.build(Unreachable(), house.rows)  # type: ignore[arg-type]
    recalled = await memory.recall(asked(past(0).task, "checkout"))
    assert not recalled.available
    assert recalled.note == "working memory failed: StoreUnreachable: connection refused"
    assert [found.case for found in recalled.similar] == [past(0)]
    await memory.close()


async def test_whatever_breaks_in_the_record_recall_says_so_and_goes_on(house: House, tmp_path: Path) -> None:
    await house.memory.remember(past(0), TARGET, RECENT)
    memory = house.build(house.working, BrokenRows(tmp_path / "other.db"))
    recalled = await memory.recall(asked("anything", "checkout"))
    assert not recalled.available
    assert "ArithmeticError: the database is in flames" in recalled.note
    assert recalled.recent is not None
    await memory.close()


async def test_a_record_that_does_not_answer_is_not_waited_for(house: House, tmp_path: Path) -> None:
    memory = house.build(house.working, SilentRows(tmp_path / "other.db"), deadline=0.05)
    recalled = await memory.recall(asked("anything", "checkout"))
    assert recalled.note == "episode memory did not answer within 0.05 s"
    assert not recalled.available
    await memory.close()


async def test_what_could_not_be_stored_is_in_the_log(house: House, tmp_path: Path) -> None:
    memory = house.build(Unreachable(), BrokenRows(tmp_path / "other.db"))  # type: ignore[arg-type]
    with capture_logs() as lines:
        await memory.remember(past(0), TARGET, RECENT)
    assert [line["event"] for line in lines] == ["memory_not_stored", "memory_not_stored"]
    await memory.close()


async def test_garbage_in_working_memory_is_no_recent_context(house: House) -> None:
    await house.working.put("recent:" + TARGET, "[1, 2]", 60)
    assert (await house.memory.recall(asked("x", "checkout"))).recent is None
    await house.working.put("recent:" + TARGET, "{not json", 60)
    recalled = await house.memory.recall(asked("x", "checkout"))
    assert recalled.recent is None
    assert "working memory failed" in recalled.note


async def test_a_cancelled_recall_is_cancelled(house: House, tmp_path: Path) -> None:
    silent = SilentRows(tmp_path / "other.db")
    memory = house.build(house.working, silent)
    task = asyncio.create_task(memory.recall(asked("x", "checkout")))
    await silent.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await memory.close()
