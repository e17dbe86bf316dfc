"""`kill -9` of a real process while it remembers: nothing acknowledged is lost, and recall is right at once and after repair."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.memory.embedder_hash import HashEmbedder
from app.memory.episodic import EpisodicMemory
from tests.memory.cases import asked, past, row_of
from tests.memory.sqlite_rows import SqliteRows

ROOT = Path(__file__).parents[2]


def remember_until_killed(folder: Path, first: int, acknowledge: int) -> int:
    """-> the last number that was acknowledged; the process is killed once it has acknowledged so many."""
    command = [sys.executable, "-m", "tests.memory.remembering", str(folder), str(first)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    last = first - 1
    while last < first + acknowledge - 1:
        line = process.stdout.readline()
        assert line, "the process ended by itself"
        last = int(line) if line.strip().isdigit() else last
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    return max([last, *(int(word) for word in rest.split() if word.isdigit())])


# covers EMEM-12
@pytest.mark.slow
async def test_killed_while_remembering_again_and_again_no_case_is_lost_and_recall_stays_right(tmp_path: Path) -> None:
    rows = SqliteRows(tmp_path / "rows.db")
    for number in range(940):  # Chroma rewrites its files at each thousandth row: the kills fall around that
        await rows.put(row_of(past(number)))
    last = 939
    for acknowledge in (3, 30, 31, 33, 60):
        last = remember_until_killed(tmp_path, last + 1, acknowledge)
        memory = EpisodicMemory(rows, HashEmbedder, tmp_path / "chroma")
        for built in (False, True):
            if built:
                await memory.built()
            for number in (0, 500, 939, last - 2, last):
                case = past(number)
                similar, total = await memory.recall(asked(case.task, case.service))
                assert similar[0].case == case
                assert total in (last + 1, last + 2)  # one more may have been stored and not yet acknowledged
        last = total - 1
        await memory.close()
