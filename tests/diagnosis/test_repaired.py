"""Worlds whose fault was repaired some minutes ago while the alert still fires: no cause is named, and what is over is told."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.diagnosis.offline import Offline
from tests.diagnosis.repaired import repair, repairable

pytestmark = [pytest.mark.shared, pytest.mark.slow]
SINCE = (11, 18, 30, 45)  # minutes; a container that ran for less may crash again
PER_CLASS = 2  # of the big corpus, so that the test stays short
FOLDERS = ("kubernetes/snapshots", "incidents/synthetic", "incidents/boutique")
LEAK = "memory_leak"  # one that was only restarted leaks on
SCENARIOS = Path(__file__).parents[2] / "app/lab/scenarios"


def chosen(shared: Path) -> list[Path]:
    """All repairable snapshots of the small corpora, a few of each class of the big one."""
    small = [f for root in (shared / FOLDERS[0], shared / FOLDERS[1], SCENARIOS) for f in sorted(root.iterdir()) if (f / "expected.json").exists()]
    classes: dict[str, list[Path]] = {}
    for folder in sorted(p.parent for p in (shared / FOLDERS[2]).glob("*/expected.json")):
        answer = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
        classes.setdefault(answer["causes"][0]["class"], []).append(folder)
    return [f for f in [*small, *(f for group in classes.values() for f in group[:PER_CLASS])] if repairable(f)]


@pytest.mark.parametrize("in_place", [False, True], ids=["by a new revision", "in place"])
def test_no_cause_is_named_where_the_fault_was_repaired_while_the_alert_fires(in_place: bool, shared: Path, tmp_path: Path) -> None:
    named, silent = [], []
    worlds = [f for f in chosen(shared) if not (in_place and LEAK in (f / "expected.json").read_text(encoding="utf-8"))]
    for number, folder in enumerate(worlds):
        since = SINCE[number % len(SINCE)]
        out = tmp_path / str(number)
        repair(folder, out, timedelta(minutes=since), in_place)
        verdict, _, _ = asyncio.run(Offline(out).investigate())
        if verdict.hypotheses:
            named.append((folder.name, since, verdict.line))
        elif verdict.state != "not_a_problem":
            silent.append((folder.name, since, verdict.line))
    print(f"{len(worlds)} repaired worlds: {len(named)} false causes, {len(silent)} inconclusive")
    assert len(worlds) >= 40
    assert not named
    assert len(silent) <= len(worlds) // 10, silent
