"""Two runs over the same snapshots give the same verdict lines, whatever the order, the hash seed, or the answers beside them."""

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.real.processes import SRE_AGENT
from tests.service.serving import SCENARIOS

pytestmark = pytest.mark.slow
NAMES = ("payment-gateway", "slow-release", "image-typo")
TIMES = ("own_ms", "elapsed_ms", "duration_ms")
IDS = ("investigation_id", "alert_ids", "replay")


def snapshots(folder: Path, order: tuple[str, ...], answers: bool = True) -> Path:
    """Copies whose paths give the order in which they are run."""
    for place, name in enumerate(order):
        leave_out = shutil.ignore_patterns() if answers else shutil.ignore_patterns("expected.json")
        shutil.copytree(SCENARIOS / name, folder / str(place) / name, ignore=leave_out)
    return folder


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in (*TIMES, *IDS)}
    return [without_times(v) for v in value] if isinstance(value, list) else value


async def evaluated(folder: Path, seed: str) -> dict[str, str]:
    """Snapshot's name -> its line in canonical bytes."""
    out = folder.with_suffix(".jsonl")
    env = {**os.environ, "PYTHONHASHSEED": seed}
    process = await asyncio.create_subprocess_exec(
        SRE_AGENT, "evaluate", str(folder), "--json", str(out), env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    _, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    return {line.pop("snapshot").split("/")[1]: json.dumps(without_times(line), sort_keys=True) for line in lines}


async def test_order_hash_seed_and_answers_change_no_byte_of_a_verdict(tmp_path: Path) -> None:
    first = await evaluated(snapshots(tmp_path / "a", NAMES), "1")
    second = await evaluated(snapshots(tmp_path / "b", NAMES[::-1]), "4242")
    third = await evaluated(snapshots(tmp_path / "c", NAMES, answers=False), "1")
    assert set(first) == set(NAMES)
    assert first == second == third
