"""The frozen incidents beside the repository: the vocabulary agrees with theirs, and the scores hold."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from app.diagnosis.causes import CAUSES
from app.lab.scoring import calibration_error, confidences
from tests.diagnosis.offline import run_all

pytestmark = pytest.mark.shared
FOLDERS = [("kubernetes/snapshots", 1.0), ("incidents/synthetic", 1.0), ("incidents/boutique", 0.95)]
CALIBRATED = 0.1  # expected calibration error over all


def test_the_vocabulary_is_the_closed_list(shared: Path) -> None:
    families = yaml.safe_load((shared / "causes.yaml").read_text(encoding="utf-8"))["families"]
    listed = {(f, name, c["object"], c["means"]) for f, causes in families.items() for name, c in causes.items()}
    assert listed <= {(m.family, name, m.object, m.means) for name, m in CAUSES.items()}


@pytest.mark.slow
def test_snapshots_are_diagnosed_healthy_ones_left_alone_and_confidence_is_what_comes_true(shared: Path, tmp_path: Path) -> None:
    pairs: list[tuple[float, bool]] = []
    for folder, floor in FOLDERS:
        lines = investigated(shared / folder)
        referee(shared, shared / folder, lines, tmp_path, floor)
        own = confidences(shared / folder, lines)
        print(f"{folder}: {len(own)} causes named, expected calibration error {calibration_error(own)}")
        pairs += own
    error = calibration_error(pairs)
    print(f"all: {len(pairs)} causes named, expected calibration error {error}")
    assert error is not None and error <= CALIBRATED


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["kubernetes/snapshots", "incidents/synthetic"])
def test_a_snapshot_with_other_names_times_order_and_noise_is_diagnosed_as_well(folder: str, shared: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    mutate = [sys.executable, str(shared / "tools/mutate_snapshot.py"), str(shared / folder), str(made), "--seed", "quince-5"]
    subprocess.run(mutate, check=True, capture_output=True)
    referee(shared, made, investigated(made), tmp_path, 1.0)


def investigated(root: Path) -> list[str]:
    return [json.dumps(r) for r in run_all(root)]


def referee(shared: Path, root: Path, lines: list[str], folder: Path, floor: float) -> None:
    """The scorer beside the corpora agrees: top-1, every quote found, no false alarm."""
    out = folder / "verdicts.jsonl"
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    wanted = (f"top1={floor}", "evidence_found=1", "false_alarms=0")
    score = [sys.executable, str(shared / "tools/score_snapshots.py"), str(root), str(out), *(x for w in wanted for x in ("--require", w))]
    judged = subprocess.run(score, capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout + judged.stderr
