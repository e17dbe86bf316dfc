"""Kill -9 in a storm of alerts, on every database we support: nothing acknowledged is lost, nothing is done twice."""

import asyncio
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.domain.investigation import InvestigationStatus
from app.domain.trail import EventType
from app.store import tables
from tests.contract.parts import Parts, WritingAgent
from tests.contract.replica import Replica, clock
from tests.contract.storm import PRINTS

ROOT = Path(__file__).resolve().parents[2]
KILLS = 3


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines()


def begin(url: str, calls: Path, acknowledged: Path) -> "subprocess.Popen[bytes]":
    arguments = [sys.executable, "-m", "tests.contract.storm", url, str(calls), str(acknowledged)]
    return subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL)


async def storm(url: str, calls: Path, acknowledged: Path) -> None:
    """Until twenty more bodies were acknowledged, then kill -9."""
    before = len(lines(acknowledged))
    process = begin(url, calls, acknowledged)
    async with asyncio.timeout(60):
        while len(lines(acknowledged)) < before + 20:
            assert process.poll() is None
            await asyncio.sleep(0.02)
    process.kill()
    process.wait()


@pytest.mark.slow
async def test_kill_9_in_a_storm_loses_nothing_and_repeats_nothing(url: str, tmp_path: Path) -> None:
    calls, acknowledged = tmp_path / "calls", tmp_path / "acknowledged"
    calls.touch()
    acknowledged.touch()
    for _ in range(KILLS):
        await storm(url, calls, acknowledged)
    parts = Parts(url, clock=clock).open()
    replica = Replica(parts, WritingAgent(calls), "storm")
    await replica.service.start()
    async with asyncio.timeout(60):
        while (counts := await parts.investigations.counts())[InvestigationStatus.COMPLETED] < sum(counts.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    bodies = await parts.reads.run(lambda connection: set(connection.scalars(select(tables.bodies.c.id))))
    assert set(lines(acknowledged)) - bodies == set()
    e = tables.episodes
    each = select(e.c.fingerprint, func.count(e.c.investigation_id.distinct())).group_by(e.c.fingerprint)
    started = await parts.reads.run(lambda connection: {row[0]: row[1] for row in connection.execute(each)})
    assert started == dict.fromkeys(PRINTS, 1)
    assert counts[InvestigationStatus.COMPLETED] == len(PRINTS)
    t = tables.trail_events
    results = select(t.c.investigation_id, func.count()).where(t.c.type == EventType.TOOL_RESULT.value).group_by(t.c.investigation_id)
    assert set((await parts.reads.run(lambda connection: {r[0]: r[1] for r in connection.execute(results)})).values()) == {3}
    # A call that had ended when the process was killed may have been without its recorded answer: at most those that ran.
    ended = Counter(line for line in lines(calls) if line.startswith("end"))
    assert sum(ended.values()) - len(ended) <= KILLS * 4
    await replica.service.stop()
    await parts.close()
