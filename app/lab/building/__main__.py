"""`python -m app.lab.building [FOLDER]`: writes every story into FOLDER (default: `app/lab/scenarios`)."""

import sys
from pathlib import Path

from app.lab.building.shelf import STORIES

FOLDER = Path(__file__).resolve().parents[1] / "scenarios"

if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    for build in STORIES:
        scene = build()
        scene.write(target / scene.name)
