"""Real processes for tests: started on free loopback ports, waited for by condition, ended by process id."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx2

ROOT = Path(__file__).resolve().parents[2]
SRE_AGENT = str(ROOT / ".venv" / "bin" / "sre-agent")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


async def until(condition: Callable[[], Awaitable[bool]], seconds: float, what: str) -> float:
    """Ask again and again until true; AssertionError when `seconds` have passed. -> seconds it took."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        if await condition():
            return time.monotonic() - begun
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


async def answers(url: str) -> bool:
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=2) as client:
            return (await client.get(url)).status_code == 200
    except httpx2.HTTPError:
        return False


@contextlib.asynccontextmanager
async def running(*command: str, log: Path, env: dict[str, str] | None = None) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that is killed at the end of the block unless it has ended before; its output goes to `log`."""
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(*command, stdout=out, stderr=out, env={**os.environ, **(env or {})}, cwd=str(log.parent))
    try:
        yield process
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
