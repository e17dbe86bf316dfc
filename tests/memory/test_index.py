"""The index over Chroma: answers right when its store is missing, stale or damaged, and repairs itself meanwhile."""

import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from app.domain.ports import VectorRow
from app.memory.embedder_hash import HashEmbedder
from app.memory.failures import IndexUnreachable
from app.memory.index import RETRY_SECONDS, EpisodeIndex, State
from app.memory.index_chroma import ChromaIndex, metadata
from app.memory.index_numpy import NumpyIndex
from app.memory.seal import seal
from tests.memory.cases import past, random_rows, row_of
from tests.memory.sqlite_rows import SqliteRows

MANY, VECTORS = random_rows(1100)


class House:
    """SQL rows and a Chroma folder; `open()` is what a process does when it starts."""

    def __init__(self, path: Path) -> None:
        self.rows = SqliteRows(path / "rows.db")
        self.folder = path / "chroma"
        self.seconds = 0.0
        self.opened: list[EpisodeIndex] = []

    def open(self) -> EpisodeIndex:
        index = EpisodeIndex(self.rows, HashEmbedder(), ChromaIndex(self.folder, HashEmbedder()), lambda: self.seconds)
        self.opened.append(index)
        return index

    async def fill(self, rows: list[VectorRow]) -> None:
        """Rows in SQL and in a Chroma that was closed in order."""
        for row in rows:
            await self.rows.put(row)
        index = self.open()
        await index.search(VECTORS[0], "", 1)
        await index.built()
        assert stands(index, State.READY)
        await index.close()

    async def close(self) -> None:
        for index in self.opened:
            await index.close()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    yield made
    await made.close()


def stands(index: EpisodeIndex, state: State) -> bool:
    return index.state is state


async def answers_rightly(index: EpisodeIndex, rows: list[VectorRow], service: str = "") -> None:
    """Rows are found first by their own vector, and the nearest are nearly all true ones (HNSW is approximate)."""
    own = [row for row in rows if not service or row.case.service == service]
    vectors = np.stack([np.frombuffer(row.vector, "<f2").astype(np.float32) for row in own])
    true = asked = 0
    for at in range(0, len(own), max(1, len(own) // 8)):
        near = np.argsort(-(vectors @ vectors[at]))[:5]
        hits = await index.search(vectors[at], service, 5)
        assert hits[0].id == own[at].case.id
        assert hits[0].distance < 0.01
        assert hits == sorted(hits, key=lambda hit: hit.distance)
        true, asked = true + len({hit.id for hit in hits} & {own[n].case.id for n in near}), asked + len(near)
    assert true / asked >= 0.9


# covers EMEM-12
async def test_a_store_that_was_closed_in_order_is_opened_as_it_is(house: House) -> None:
    await house.fill(MANY[:40])
    index = house.open()
    with capture_logs() as lines:
        await answers_rightly(index, MANY[:40])
        await answers_rightly(index, MANY[:40], service="mailer")
    assert stands(index, State.READY)
    assert lines == []


async def test_a_missing_store_is_built_from_sql_and_the_scan_answers_meanwhile(house: House) -> None:
    await house.fill(MANY[:40])
    shutil.rmtree(house.folder)
    index = house.open()
    await answers_rightly(index, MANY[:40])
    await index.built()
    assert stands(index, State.READY)
    await answers_rightly(index, MANY[:40])


async def test_a_store_that_lacks_rows_of_sql_is_built_anew(house: House) -> None:
    await house.fill(MANY[:40])
    for row in MANY[40:60]:
        await house.rows.put(row)
    index = house.open()
    await answers_rightly(index, MANY[:60])
    await index.built()
    assert stands(index, State.READY)
    await answers_rightly(index, MANY[:60])


async def test_a_store_with_rows_that_sql_has_lost_is_built_anew(house: House) -> None:
    await house.fill(MANY[:40])
    house.rows.delete(MANY[7].case.id)
    index = house.open()
    await index.search(VECTORS[7], "", 1)
    await index.built()
    assert MANY[7].case.id not in [hit.id for hit in await index.search(VECTORS[7], "", 40)]


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def scribble(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 4)
        file.write(b"\xa5" * (size // 2 + 1))


# Opening some of these crashed the process or gave wrong neighbours with the right count, hence the seal.
@pytest.mark.slow
@pytest.mark.parametrize("harm", [cut, scribble, Path.unlink], ids=["cut", "scribbled", "gone"])
@pytest.mark.parametrize("part", ["*/data_level0.bin", "*/length.bin", "*/index_metadata.pickle", "chroma.sqlite3"])
async def test_a_damaged_store_is_thrown_away_and_built_anew(house: House, harm: Callable[[Path], None], part: str) -> None:
    await house.fill(MANY)
    [damaged] = house.folder.glob(part)
    harm(damaged)
    index = house.open()
    await answers_rightly(index, MANY)
    await index.built()
    assert stands(index, State.READY)
    await answers_rightly(index, MANY)


@pytest.mark.slow
async def test_a_store_with_the_right_count_and_wrong_neighbours_is_noticed(house: House) -> None:
    await house.fill(MANY)
    [part] = house.folder.glob("*/index_metadata.pickle")
    part.unlink()
    seal(house.folder)  # as if Chroma itself had closed it like this
    index = house.open()
    await answers_rightly(index, MANY)
    await index.built()
    assert stands(index, State.READY)
    await answers_rightly(index, MANY)


async def test_a_store_that_breaks_while_it_is_open_is_built_anew(house: House) -> None:
    await house.fill(MANY[:40])
    index = house.open()
    await index.search(VECTORS[0], "", 1)
    other = ChromaIndex(house.folder, HashEmbedder())
    other._connect()
    other._client.delete_collection(other._name)
    other._drop_client()
    await answers_rightly(index, MANY[:40])
    assert stands(index, State.BUILDING)
    await index.built()
    await answers_rightly(index, MANY[:40])
    assert stands(index, State.READY)


async def test_a_row_added_while_the_index_is_being_built_is_not_missed(house: House) -> None:
    for row in MANY[:40]:
        await house.rows.put(row)
    index = house.open()
    await index.search(VECTORS[0], "", 1)
    assert stands(index, State.BUILDING)
    for row in MANY[40:50]:
        await house.rows.put(row)
        await index.add(row)
    await index.built()
    assert stands(index, State.READY)
    await answers_rightly(index, MANY[:50])


async def test_adding_the_same_case_again_replaces_it(house: House) -> None:
    await house.fill(MANY[:10])
    index = house.open()
    changed = VectorRow(case=MANY[3].case, embedder=HashEmbedder.id, vector=MANY[900].vector)
    await house.rows.put(changed)
    await index.add(changed)
    assert (await index.search(VECTORS[900], "", 1))[0].id == MANY[3].case.id
    assert len(await index.search(VECTORS[900], "", 40)) == 10


async def test_a_store_in_use_by_another_process_is_left_alone_and_the_scan_answers(house: House) -> None:
    await house.fill(MANY[:40])
    owner, second = house.open(), house.open()
    await owner.search(VECTORS[0], "", 1)
    await answers_rightly(second, MANY[:40])
    assert stands(owner, State.READY)
    assert stands(second, State.AWAY)
    await owner.close()
    house.seconds += RETRY_SECONDS
    await answers_rightly(second, MANY[:40])
    await second.built()
    await answers_rightly(second, MANY[:40])
    assert stands(second, State.READY)


async def test_two_embedders_never_meet_in_one_collection(house: House) -> None:
    class Other(HashEmbedder):
        id = "another-embedder"

    await house.fill(MANY[:10])
    await house.rows.put(VectorRow(case=past(2000), embedder=Other.id, vector=MANY[0].vector))
    index = EpisodeIndex(house.rows, Other(), ChromaIndex(house.folder, Other()))
    assert [hit.id for hit in await index.search(VECTORS[0], "", 20)] == [past(2000).id]
    await index.built()
    assert [hit.id for hit in await index.search(VECTORS[0], "", 20)] == [past(2000).id]
    await index.close()


async def test_a_server_that_cannot_be_reached_is_away_and_the_scan_answers(house: House) -> None:
    for row in MANY[:20]:
        await house.rows.put(row)
    index = EpisodeIndex(house.rows, HashEmbedder(), ChromaIndex("http://127.0.0.1:9", HashEmbedder()))
    await answers_rightly(index, MANY[:20])
    assert stands(index, State.AWAY)
    await index.close()


async def test_an_index_that_was_never_opened_says_so() -> None:
    with pytest.raises(IndexUnreachable, match="not open"):
        await ChromaIndex("http://127.0.0.1:9", HashEmbedder()).count()


async def test_the_scan_looks_again_when_sql_has_changed(house: House) -> None:
    scan = NumpyIndex(house.rows, HashEmbedder.id, HashEmbedder.dimensions)
    assert await scan.search(VECTORS[0], "", 3) == []
    for row in MANY[:5]:
        await house.rows.put(row)
    assert (await scan.search(VECTORS[4], "", 3))[0].id == MANY[4].case.id
    assert await scan.search(VECTORS[4], "no such service", 3) == []
    house.rows.delete(MANY[4].case.id)
    assert MANY[4].case.id not in [hit.id for hit in await scan.search(VECTORS[4], "", 9)]


# covers EMEM-04
def test_the_metadata_in_chroma_are_those_the_requirements_name() -> None:
    case = past(0, task="t" * 300, root_cause="r" * 300, fix="f" * 300, duration_s=1.5, findings_count=4)
    assert metadata(case) == {
        "task": "t" * 200,
        "root_cause": "r" * 200,
        "fix": "f" * 200,
        "severity": "P2",
        "duration_s": 1.5,
        "timestamp": "2026-03-01 12:00:00",
        "findings_count": 4,
        "service": "checkout",
        "alert_type": "high_memory",
    }
    assert row_of(case).embedder == HashEmbedder.id
