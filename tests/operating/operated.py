"""The service as its operators have it: a process, signals, and what its log says."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.real.processes import SRE_AGENT, answers, free_port, running, until

Json = dict[str, Any]


def environment(folder: Path) -> dict[str, str]:
    """Nothing of the caller's but what a process needs; a home of its own, so that what is written there would be seen."""
    (folder / "home").mkdir(exist_ok=True)
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT") if name in os.environ}
    light = {"SRE_AGENT_EMBEDDER": "hash", "SRE_AGENT_VECTOR_INDEX": "numpy", "SRE_AGENT_PORT": "0"}
    return kept | light | {"HOME": str(folder / "home"), "SRE_AGENT_DATA_DIR": str(folder / "data")}


@dataclass
class Operated:
    """A running service: its client, its process, its log."""

    client: httpx2.AsyncClient
    process: asyncio.subprocess.Process
    log: Path

    def lines(self) -> list[Json]:
        """Every line of the log is JSON."""
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def events(self) -> list[str]:
        return [str(line["event"]) for line in self.lines()]

    async def ready(self) -> Json:
        return dict((await self.client.get("/health/ready")).json())

    async def investigations(self) -> list[Json]:
        return list((await self.client.get("/investigations", params={"limit": 200})).json()["investigations"])

    async def counts(self) -> dict[str, int]:
        return {k: v for k, v in (await self.client.get("/health")).json()["investigations"].items() if v}


@contextlib.asynccontextmanager
async def operated(folder: Path, name: str = "service", **env: str) -> AsyncIterator[Operated]:
    """`sre-agent serve`, alive; killed at the end of the block unless it has ended."""
    port, log = free_port(), folder / f"{name}.log"
    url = f"http://127.0.0.1:{port}"
    async with running(SRE_AGENT, "serve", log=log, env=environment(folder) | {"SRE_AGENT_PORT": str(port)} | env) as process:

        async def alive() -> bool:
            assert process.returncode is None, log.read_text()[-3000:]
            return await answers(f"{url}/health/live")

        await until(alive, 30, f"{name} is alive")
        async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
            yield Operated(client, process, log)


def webhook(*names: str, **labels: str) -> Json:
    """What Alertmanager sends, one alert for each name."""
    alerts = [
        {
            "status": "firing",
            "labels": {"alertname": "HighErrorRate", "namespace": "shop", "service": name, "severity": "warning"} | labels,
            "annotations": {},
            "startsAt": "2026-01-05T10:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
        }
        for name in names
    ]
    return {"version": "4", "status": "firing", "receiver": "agent", "alerts": alerts}
