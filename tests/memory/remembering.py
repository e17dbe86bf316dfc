"""A process that remembers one case after another until it is killed; run by test_index_kill.py.

`python -m tests.memory.remembering FOLDER FIRST` prints each number after it was remembered.
"""

import asyncio
import sys
from pathlib import Path

from app.memory.embedder_hash import HashEmbedder
from app.memory.episodic import EpisodicMemory
from tests.memory.cases import past
from tests.memory.sqlite_rows import SqliteRows


async def main(folder: Path, first: int) -> None:
    memory = EpisodicMemory(SqliteRows(folder / "rows.db"), HashEmbedder, folder / "chroma")
    for number in range(first, first + 3000):
        await memory.remember(past(number))
        print(number, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
