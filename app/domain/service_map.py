"""Who calls whom, from the file that the setting names; pure but for reading it. Used by `main`."""

import json
from pathlib import Path

from app.domain.errors import CannotStart


def read_service_map(path: Path | None) -> dict[str, tuple[str, ...]]:
    """Caller -> callees in order; empty without a file. Raises CannotStart when the file is not of the documented form."""
    if path is None:
        return {}
    try:
        edges = [(str(e["caller"]), str(e["callee"])) for e in json.loads(path.read_text(encoding="utf-8"))["edges"]]
    except (OSError, ValueError, KeyError, TypeError) as wrong:
        raise CannotStart(f'{path}: a service map is {{"edges": [{{"caller": ..., "callee": ...}}]}}: {wrong}') from wrong
    return {caller: tuple(sorted({b for a, b in edges if a == caller})) for caller, _ in edges}
