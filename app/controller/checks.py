"""What `/health/ready` asks: each makes a `HealthCheck`. None of them costs money or waits long (API-13, API-14)."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from app.controller.ports import Check, HealthCheck

LEAST_FREE_BYTES = 100 * 1024 * 1024


def answers(name: str, ask: Callable[[], Awaitable[object]]) -> HealthCheck:
    """Ready when `ask` returns; its exception is the detail."""

    async def check() -> Check:
        await ask()
        return Check(name, True)

    check.__name__ = name
    return check


def no_problem(name: str, problem: Callable[[], str]) -> HealthCheck:
    """Ready when `problem` says ""."""

    async def check() -> Check:
        found = problem()
        return Check(name, not found, found)

    check.__name__ = name
    return check


def disk_space(folder: Path) -> HealthCheck:
    def problem() -> str:
        free = shutil.disk_usage(folder).free
        return "" if free > LEAST_FREE_BYTES else f"{free // 2**20} MiB free below {folder}, {LEAST_FREE_BYTES // 2**20} are needed"

    return no_problem("disk_space", problem)


def writable(folder: Path) -> HealthCheck:
    async def write() -> None:
        await asyncio.to_thread((folder / ".writable").write_text, "")

    return answers("data_directory_writable", write)
