"""The frozen incidents beside the repository: the vocabulary agrees with theirs, and the scores hold."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from app.diagnosis.causes import CAUSES
from tests.diagnosis.offline import run_all

pytestmark = pytest.mark.shared


def test_the_vocabulary_is_the_closed_list(shared: Path) -> None:
    families = yaml.safe_load((shared / "causes.yaml").read_text(encoding="utf-8"))["families"]
    listed = {(f, name, c["object"], c["means"]) for f, causes in families.items() for name, c in causes.items()}
    assert listed <= {(m.family, name, m.object, m.means) for name, m in CAUSES.items()}


@pytest.mark.slow
@pytest.mark.parametrize(("folder", "floor"), [("kubernetes/snapshots", 1.0), ("incidents/synthetic", 1.0), ("incidents/boutique", 0.95)])
def test_snapshots_are_diagnosed_and_healthy_ones_left_alone(folder: str, floor: float, shared: Path, tmp_path: Path) -> None:
    out = tmp_path / "verdicts.jsonl"
    out.write_text("".join(json.dumps(r) + "\n" for r in run_all(shared / folder)), encoding="utf-8")
    wanted = (f"top1={floor}", "evidence_found=1", "false_alarms=0")
    referee = [
        sys.executable,
        str(shared / "tools/score_snapshots.py"),
        str(shared / folder),
        str(out),
        *(x for w in wanted for x in ("--require", w)),
    ]
    judged = subprocess.run(referee, capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout + judged.stderr
