"""The name under which this process takes work. DBOS recovers by that name at launch, so it must be unique among living
processes, and should be the same after a restart where only one process can own the data."""

import fcntl
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.domain.frozen import NewId


@dataclass(frozen=True)
class Identity:
    """`close()` gives a kept name up; the end of the process does too."""

    id: str
    host: str
    pid: int
    file: IO[str] | None = None

    def close(self) -> None:
        if self.file is not None:
            self.file.close()


def identity(new_id: NewId, data_dir: Path | None) -> Identity:
    """With `data_dir` (embedded SQLite) the name kept there, unless another living process holds it; else a fresh one."""
    host, pid = socket.gethostname(), os.getpid()
    if data_dir is None:
        return Identity(new_id(), host, pid)
    data_dir.mkdir(parents=True, exist_ok=True)
    file = (data_dir / "executor-id").open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return Identity(new_id(), host, pid)
    file.seek(0)
    kept = file.read().strip()
    if not kept:
        kept = new_id()
        file.write(kept)
        file.flush()
        os.fsync(file.fileno())
    return Identity(kept, host, pid, file)


def is_gone(host: str, pid: int, us: Identity) -> bool:
    """Whether a process of this host, known by another name, has certainly ended. pid 0 is nobody's: it is being taken
    over. A number in use may have been given anew: then only the lease tells."""
    if host != us.host or pid == 0:
        return False
    if pid == us.pid:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
