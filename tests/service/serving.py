"""The whole service over a lab world: built by `app.main.build`, SQLite on disk, HTTP without a socket or over a real one."""

import asyncio
import contextlib
import itertools
import json
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2

from app.cli.evaluate import empty_store
from app.cli.lab_service import lab_settings
from app.domain.trail import TrailEvent
from app.lab import snapshot
from app.lab.servers import LabFaults, LabServers
from app.main import Application, World, build
from app.settings import Settings
from tests.real.processes import SRE_AGENT, answers, free_port, running, until

Json = dict[str, Any]
SCENARIOS = Path(snapshot.__file__).parent / "scenarios"
HOOK = "/webhooks/alertmanager"
HIGH_MEMORY = {"type": "high_memory", "service": "web-app"}


def web_app() -> snapshot.World:
    """The memory incident of the requirements' story, told of a `web-app` in the namespace `shop`."""
    told = snapshot.load(SCENARIOS / "payment-gateway")

    def renamed(value: Any) -> Any:
        text = json.dumps(value).replace("payment-gateway", "web-app").replace("payments", "shop")
        return json.loads(text)

    return snapshot.World(
        now=told.now,
        namespace="shop",
        objects_of=lambda: renamed(told.objects),
        logs_of=lambda: renamed(told.logs),
        metrics_of=lambda: renamed(told.series),
        edges_of=lambda: renamed(told.dependencies),
        webhook_of=lambda: renamed(told.webhook),
    )


_ids = itertools.count(1)


def world_of(now: datetime) -> World:
    """Time stands still, ids count up over all services of the run, no chance."""
    return World(clock=lambda: now, new_id=lambda: str(uuid.UUID(int=next(_ids), version=4)), chance=lambda: 0.5)


@dataclass
class Served:
    """A service in this process and the lab it looks at."""

    app: Application
    client: httpx2.AsyncClient
    lab: LabServers

    async def alert(self, body: Json | None = None, **more: Any) -> Json:
        """POST /alerts, answered with the report; asked again where the line was not held long enough."""
        key = {"Idempotency-Key": str(uuid.uuid4())}
        answer = await self.client.post("/alerts", json=(body or HIGH_MEMORY) | more, headers=key)
        if answer.status_code == 202:
            await self.ended(answer.json()["investigation_id"])
            answer = await self.client.post("/alerts", json=(body or HIGH_MEMORY) | more, headers=key)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def hook(self, webhook: Json | None) -> Json:
        answer = await self.client.post(HOOK, json=webhook)
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    async def ended(self, investigation_id: str) -> Json:
        assert await self.app.engine.wait(investigation_id, 30)
        return await self.get(f"/investigations/{investigation_id}")

    async def get(self, path: str, **params: Any) -> Json:
        answer = await self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def trail(self, investigation_id: str) -> tuple[TrailEvent, ...]:
        return await self.app.stores.trail.read(investigation_id, limit=None)


@contextlib.asynccontextmanager
async def serving(settings: Settings, world: World | None = None) -> AsyncIterator[tuple[Application, httpx2.AsyncClient]]:
    app = build(settings, world)
    async with app.http.router.lifespan_context(app.http):
        transport = httpx2.ASGITransport(app=app.http)
        async with httpx2.AsyncClient(transport=transport, base_url="http://service", timeout=60) as client:
            yield app, client


@contextlib.asynccontextmanager
async def looking_at(world: snapshot.World, folder: Path, faults: LabFaults | None = None, **changes: Any) -> AsyncIterator[Served]:
    """`changes` are settings. The hash embedder and the scan over SQL: the light twins of the heavy parts."""
    async with LabServers(world, faults=faults) as lab:
        changes = {"vector_index": "numpy", "embedder": "hash", "default_namespace": world.namespace} | changes
        settings = lab_settings(lab.addresses, folder, world.dependencies, **changes)
        async with serving(settings, world_of(world.now)) as (app, client):
            yield Served(app, client, lab)


@contextlib.contextmanager
def environment(**variables: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def light(lab: LabServers, folder: Path, port: int, **more: str) -> dict[str, str]:
    """Environment of a service in a process of its own that looks at `lab`."""
    return {
        "SRE_AGENT_KUBERNETES_URL": lab.addresses.kubernetes,
        "SRE_AGENT_PROMETHEUS_URL": lab.addresses.prometheus,
        "SRE_AGENT_DATA_DIR": str(folder),
        "SRE_AGENT_PORT": str(port),
        "SRE_AGENT_EMBEDDER": "hash",
        "SRE_AGENT_VECTOR_INDEX": "numpy",
        "SRE_AGENT_DEFAULT_NAMESPACE": lab.world.namespace or "default",
    } | more


@contextlib.asynccontextmanager
async def process(
    lab: LabServers, folder: Path, name: str = "service", **env: str
) -> AsyncIterator[tuple[httpx2.AsyncClient, asyncio.subprocess.Process, Path]]:
    """`sre-agent serve`, ready; -> a client, the process, the file of its log."""
    port, log = free_port(), folder / f"{name}.log"
    url = f"http://127.0.0.1:{port}"
    async with running(SRE_AGENT, "serve", log=log, env=light(lab, folder / f"{name}-data", port, **env)) as started:

        async def ready() -> bool:
            assert started.returncode is None, log.read_text()[-3000:]
            return await answers(f"{url}/health/ready")

        await until(ready, 30, f"{name} is ready")
        async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
            yield client, started, log


def log_lines(log: Path) -> list[Json]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def make_empty(folder: Path) -> Path:
    return asyncio.run(empty_store(folder))
