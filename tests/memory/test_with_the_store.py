"""Episode memory over the product's own store: the two rooms agree on the port between them."""

from pathlib import Path

from app.domain.memory import RecallQuery
from app.domain.ports import VectorRows
from app.memory.embedder_hash import HashEmbedder
from app.memory.episodic import EpisodicMemory
from app.store.engine import Reads, make_engine
from app.store.tables import metadata
from app.store.vectors import Vectors
from app.store.writer import Writer
from tests.memory.cases import asked, past


async def test_a_case_stored_by_the_product_is_recalled_after_a_restart(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/store.db")
    with engine.begin() as connection:
        metadata.create_all(connection)
    writer = Writer(engine)
    writer.start()
    rows: VectorRows = Vectors(writer, Reads(engine))
    for start in range(2):
        memory = EpisodicMemory(rows, HashEmbedder, tmp_path / "chroma")
        for number in range(start * 6, start * 6 + 6):
            await memory.remember(past(number))
        await memory.built()
        query: RecallQuery = asked(past(4).task, past(4).service)
        similar, total = await memory.recall(query)
        assert similar[0].case == past(4)
        assert total == start * 6 + 6
        await memory.close()
    await writer.stop()
    engine.dispose()
