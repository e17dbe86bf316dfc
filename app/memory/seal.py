"""A seal on a folder: what its files were when it was last closed in order. Used by `index_chroma.py`.

Chroma rewrites its HNSW files in place, so a `kill -9` can leave them half written, and opening such files was seen
to crash the whole process (truncated data) or to answer wrongly with the right count (metadata file gone). So a
folder is opened only under an unbroken seal; the seal is taken off first and put back after an orderly close.
"""

import hashlib
import json
import shutil
from pathlib import Path

_CHUNK = 1 << 20


def seal(folder: Path) -> None:
    """Write the seal beside the folder. Call with nothing open in it."""
    mark = _mark(folder)
    draft = mark.with_suffix(".draft")
    draft.write_text(json.dumps(_contents(folder)), encoding="utf-8")
    draft.replace(mark)


def break_seal(folder: Path) -> bool:
    """Take the seal off; -> was it there and true?"""
    mark = _mark(folder)
    try:
        expected = json.loads(mark.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        expected = None
    mark.unlink(missing_ok=True)
    return expected is not None and bool(expected == _contents(folder))


def throw_away(folder: Path) -> None:
    """Remove the folder and its seal; nothing there is fine."""
    _mark(folder).unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)


def _mark(folder: Path) -> Path:
    return folder.with_name(folder.name + ".seal")


def _contents(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
