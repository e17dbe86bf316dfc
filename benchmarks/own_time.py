"""Own time of an investigation (resolver, planner, diagnosis, report; sources excluded) over the lab's own scenarios."""

import json
import statistics
import tempfile
from pathlib import Path

from app.cli.evaluate import evaluate_all
from tests.real.processes import ROOT


def run() -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.jsonl"
        evaluate_all(ROOT / "app" / "lab" / "scenarios", out)
        lines = [json.loads(line) for line in out.read_text().splitlines()]
    own = statistics.median(line["own_ms"] for line in lines)
    elapsed = statistics.median(line["elapsed_ms"] for line in lines)
    print(f"own time per investigation: median {own:.1f} ms of {elapsed:.0f} ms elapsed, ratio {own / elapsed:.3f} ({len(lines)} scenarios)")
