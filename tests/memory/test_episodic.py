"""Recall and remember: service first, top three, relevance, never the case itself."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.memory.embedder import to_blob
from app.memory.embedder_hash import HashEmbedder
from app.memory.embedder_minilm import MinilmEmbedder
from app.memory.episodic import EpisodicMemory
from tests.memory.cases import asked, past
from tests.memory.sqlite_rows import SqliteRows


@pytest.fixture
def rows(tmp_path: Path) -> SqliteRows:
    return SqliteRows(tmp_path / "rows.db")


@pytest.fixture(params=["chroma", "scan"])
async def memory(request: pytest.FixtureRequest, rows: SqliteRows, tmp_path: Path) -> AsyncIterator[EpisodicMemory]:
    made = EpisodicMemory(rows, HashEmbedder, tmp_path / "chroma" if request.param == "chroma" else None)
    yield made
    await made.close()


# covers EMEM-05
async def test_an_empty_memory_recalls_nothing_and_loads_nothing(rows: SqliteRows, tmp_path: Path) -> None:
    def never() -> HashEmbedder:
        raise AssertionError("an embedder was asked for")

    memory = EpisodicMemory(rows, never, tmp_path / "chroma")
    assert await memory.recall(asked("anything", "checkout")) == ((), 0)
    assert not (tmp_path / "chroma").exists()
    await memory.close()


# covers EMEM-02, EMEM-05, EMEM-06
async def test_a_repeat_in_the_same_words_is_recalled_with_its_relevance(memory: EpisodicMemory, rows: SqliteRows) -> None:
    cases = [past(n) for n in range(8)]
    for case in cases:
        await memory.remember(case)
    similar, total = await memory.recall(asked(cases[5].task, cases[5].service))
    embedder = HashEmbedder()
    task, text = embedder.embed([f"Task: {cases[5].task}", cases[5].text])
    assert similar[0].case == cases[5]
    assert similar[0].relevance == pytest.approx(float(task @ text), abs=0.002)
    assert similar[0].relevance == round(similar[0].relevance, 3)
    assert total == 8
    assert (await rows.rows(embedder.id))[0].embedder == embedder.id


async def test_the_investigation_itself_is_never_recalled(memory: EpisodicMemory) -> None:
    for number in range(3):
        await memory.remember(past(number))
    similar, total = await memory.recall(asked(past(1).task, past(1).service, investigation_id=past(1).id))
    assert past(1).id not in [found.case.id for found in similar]
    assert total == 3


# covers EMEM-08
async def test_cases_of_the_service_come_first_and_others_fill_up(memory: EpisodicMemory) -> None:
    task = "HighMemory: container memory near its limit"
    for number, service in enumerate(("mailer", "checkout", "mailer", "billing-worker", "mailer")):
        await memory.remember(past(number, task=task, root_cause=f"leak {number}", service=service))
    similar, _ = await memory.recall(asked(task, "checkout"))
    assert len(similar) == 3
    assert similar[0].case.service == "checkout"
    assert len({found.case.id for found in similar}) == 3
    enough, _ = await memory.recall(asked(task, "mailer"))
    assert {found.case.service for found in enough} == {"mailer"}
    unknown, _ = await memory.recall(asked(task, "", limit=5))
    assert len(unknown) == 5


# covers EMEM-15
async def test_a_novel_incident_recalls_nothing(memory: EpisodicMemory) -> None:
    for number in range(6):
        await memory.remember(past(number))
    assert await memory.recall(asked("completely unrelated wording of zebra quokka jamboree", "checkout")) == ((), 6)


async def test_remembering_twice_is_remembering_once(memory: EpisodicMemory, rows: SqliteRows) -> None:
    await memory.remember(past(0))
    await memory.remember(past(0, fix="another fix"))
    similar, total = await memory.recall(asked(past(0).task, past(0).service))
    assert [found.case.fix for found in similar] == ["another fix"]
    assert total == 1


async def test_a_case_that_retention_took_out_of_sql_is_not_recalled(memory: EpisodicMemory, rows: SqliteRows) -> None:
    for number in range(4):
        await memory.remember(past(number, task="same words", service="checkout"))
    rows.delete(past(2).id)
    similar, total = await memory.recall(asked("same words", "checkout"))
    assert {found.case.id for found in similar} == {past(0).id, past(1).id, past(3).id}
    assert total == 3


# covers EMEM-12
async def test_what_was_remembered_is_recalled_by_the_next_process(rows: SqliteRows, tmp_path: Path) -> None:
    for _ in range(2):
        memory = EpisodicMemory(rows, HashEmbedder, tmp_path / "chroma")
        await memory.remember(past(0))
        await memory.close()
    memory = EpisodicMemory(rows, HashEmbedder, tmp_path / "chroma")
    similar, _ = await memory.recall(asked(past(0).task, past(0).service))
    assert [found.case for found in similar] == [past(0)]
    await memory.close()


async def test_cases_of_another_embedder_get_vectors_of_this_one_in_the_background(rows: SqliteRows, tmp_path: Path) -> None:
    fallback = EpisodicMemory(rows, HashEmbedder, None)
    for number in range(20):
        await fallback.remember(past(number))
    await fallback.close()
    memory = EpisodicMemory(rows, MinilmEmbedder, tmp_path / "chroma")
    await memory.recall(asked(past(3).task, past(3).service))
    await memory.built()
    assert await rows.count(MinilmEmbedder.id) == 20
    assert await rows.count(HashEmbedder.id) == 0
    similar, _ = await memory.recall(asked(past(3).task, past(3).service))
    assert past(3) in [found.case for found in similar]
    await memory.close()


async def test_the_last_resort_leaves_the_vectors_of_the_model_alone(rows: SqliteRows) -> None:
    model = EpisodicMemory(rows, MinilmEmbedder, None)
    await model.remember(past(0))
    await model.close()
    memory = EpisodicMemory(rows, HashEmbedder, None)
    assert await memory.recall(asked(past(0).task, past(0).service)) == ((), 1)
    await memory.built()
    [kept] = await rows.rows(MinilmEmbedder.id)
    assert kept.vector == to_blob(MinilmEmbedder().embed([past(0).text])[0])
    await memory.close()
