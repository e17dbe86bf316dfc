"""Throwaway Redis and PostgreSQL that a test may stop and start again."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from tests.real.processes import free_port, until


class Server:
    """`start` is over when the port answers, `stop` when the process has ended."""

    def __init__(self, port: int, command: tuple[str, ...], user: str | None = None) -> None:
        self.port = port
        self._command = command
        self._user = user
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        null = asyncio.subprocess.DEVNULL
        self.process = await asyncio.create_subprocess_exec(*self._command, stdout=null, stderr=null, user=self._user)
        await until(self._answers, 20, f"{self._command[0]} answers")

    async def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            await self.process.wait()
            self.process = None

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True


@contextlib.asynccontextmanager
async def redis_server(folder: Path) -> AsyncIterator[Server]:
    port = free_port()
    server = Server(port, ("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)))
    await server.start()
    try:
        yield server
    finally:
        await server.stop(signal.SIGKILL)


def _binaries() -> Path:
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))


@contextlib.asynccontextmanager
async def postgresql_server(folder: Path) -> AsyncIterator[Server]:
    """With a superuser `sre` and the database `postgres`; SIGINT is its fast shutdown."""
    bins = _binaries()
    data, port = folder / "postgresql", free_port()
    data.mkdir()
    user = "postgres" if os.getuid() == 0 else None
    if user:
        shutil.chown(data, user)
        for parent in data.parents[:3]:
            parent.chmod(0o755)
    initdb = await asyncio.create_subprocess_exec(
        str(bins / "initdb"), "-D", str(data), "-U", "sre", "--auth=trust", "-E", "UTF8", stdout=asyncio.subprocess.DEVNULL, user=user
    )
    assert await initdb.wait() == 0
    command = (str(bins / "postgres"), "-D", str(data), "-p", str(port), "-k", "/tmp", "-c", "listen_addresses=127.0.0.1")
    server = Server(port, command, user)
    await server.start()
    try:
        yield server
    finally:
        await server.stop(signal.SIGINT)
