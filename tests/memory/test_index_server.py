"""The index on a Chroma server: built there, away when it is away, repaired when it has lost rows."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from app.memory.embedder_hash import HashEmbedder
from app.memory.index import RETRY_SECONDS, EpisodeIndex, State
from app.memory.index_chroma import ChromaIndex
from tests.memory.cases import random_rows
from tests.memory.sqlite_rows import SqliteRows

pytestmark = pytest.mark.slow

ROWS, VECTORS = random_rows(60)
CHROMA = Path(sys.executable).with_name("chroma")


class Server:
    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        command = [str(CHROMA), "run", "--path", str(self.folder), "--host", "127.0.0.1", "--port", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: ASYNC220
        async with asyncio.timeout(30), httpx2.AsyncClient() as client:
            while True:
                try:
                    await client.get(f"{self.url}/api/v2/heartbeat")
                    return
                except httpx2.TransportError:
                    await asyncio.sleep(0.05)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    made = Server(tmp_path / "server")
    await made.start()
    yield made
    made.stop()


async def finds(index: EpisodeIndex, number: int) -> bool:
    hits = await index.search(VECTORS[number], "", 1)
    return [hit.id for hit in hits] == [ROWS[number].case.id]


def stands(index: EpisodeIndex, state: State) -> bool:
    return index.state is state


async def test_an_index_on_a_server_is_built_shared_and_repaired(server: Server, tmp_path: Path) -> None:
    rows = SqliteRows(tmp_path / "rows.db")
    seconds = 0.0
    index = EpisodeIndex(rows, HashEmbedder(), ChromaIndex(server.url, HashEmbedder()), lambda: seconds)
    for row in ROWS[:50]:
        await rows.put(row)
    assert await finds(index, 7)
    await index.built()
    assert stands(index, State.READY)
    assert await finds(index, 7)

    replica = EpisodeIndex(rows, HashEmbedder(), ChromaIndex(server.url, HashEmbedder()))
    await rows.put(ROWS[50])
    await replica.add(ROWS[50])
    await replica.built()
    assert await finds(index, 50)
    await replica.close()

    server.stop()
    assert await finds(index, 7)
    assert stands(index, State.AWAY)
    await rows.put(ROWS[51])
    await index.add(ROWS[51])
    assert await finds(index, 51)

    await server.start()
    seconds = RETRY_SECONDS
    assert await finds(index, 51)
    await index.built()
    assert stands(index, State.READY)
    assert await finds(index, 51)
    await index.close()
