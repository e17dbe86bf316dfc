"""`sre-agent replay ID` over the database that a service left."""

import asyncio
import json
import os
import sqlite3
from pathlib import Path

import pytest

from tests.real.processes import SRE_AGENT
from tests.service.serving import Json, looking_at, web_app

pytestmark = pytest.mark.slow


@pytest.fixture
async def answer(folder: Path) -> Json:
    async with looking_at(web_app(), folder) as service:
        return await service.alert()


async def replay(folder: Path, investigation_id: str) -> tuple[int, str, str]:
    """Only the data folder is known: no source, no model, no memory is asked. -> exit code, stdout, stderr"""
    env = {**os.environ, "SRE_AGENT_DATA_DIR": str(folder), "SRE_AGENT_VECTOR_INDEX": "numpy", "SRE_AGENT_EMBEDDER": "hash"}
    process = await asyncio.create_subprocess_exec(
        SRE_AGENT, "replay", investigation_id, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=env, cwd=folder
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def change(folder: Path, statement: str, *values: str) -> None:
    with sqlite3.connect(folder / "sre-agent.db") as connection:
        assert connection.execute(statement, values).rowcount == 1
    connection.close()


async def test_a_replay_prints_the_same_report(folder: Path, answer: Json) -> None:
    # covers TRACE-01, REPL-01, REPL-02, REPL-04
    code, out, err = await replay(folder, answer["investigation_id"])
    assert (code, out.strip()) == (0, answer["answer"].strip()), err
    assert "same bytes as recorded" in err


async def test_a_trail_that_was_changed_does_not_replay(folder: Path, answer: Json) -> None:
    # covers REPL-01
    with sqlite3.connect(folder / "sre-agent.db") as connection:
        rows = connection.execute("SELECT sequence, data FROM trail_events WHERE type = 'TOOL_RESULT' ORDER BY sequence").fetchall()
    connection.close()
    sequence, data = next((s, d) for s, d in rows if "OOMKilled" in d)
    change(
        folder, "UPDATE trail_events SET data = ? WHERE type = 'TOOL_RESULT' AND sequence = ?", data.replace("OOMKilled", "Completed"), str(sequence)
    )
    code, _, err = await replay(folder, answer["investigation_id"])
    assert code == 1
    assert "differs (high): evidence" in err or "the replay stopped" in err


async def test_a_report_that_was_changed_is_told_with_the_field(folder: Path, answer: Json) -> None:
    # covers REPL-01
    report = {**answer["report"], "verdict": "All is well"}
    change(folder, "UPDATE investigations SET results = ? WHERE id = ?", json.dumps(report), answer["investigation_id"])
    code, out, err = await replay(folder, answer["investigation_id"])
    assert (code, "differs (high): verdict" in err) == (1, True)
    assert out.startswith(answer["report"]["verdict"]), "what the trail says"


async def test_a_result_that_is_missing_stops_the_replay(folder: Path, answer: Json) -> None:
    # covers REPL-02
    change(folder, "DELETE FROM trail_events WHERE type = 'TOOL_RESULT' AND key LIKE 'tool:get_logs:%'")
    code, out, err = await replay(folder, answer["investigation_id"])
    assert (code, out) == (1, "")
    assert "the replay stopped" in err and "get_logs" in err


async def test_an_unknown_id_is_said_to_be_unknown(folder: Path, answer: Json) -> None:
    code, out, err = await replay(folder, "no-such-id")
    assert (code, out) == (2, "")
    assert "no investigation no-such-id" in err
