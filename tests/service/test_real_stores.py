"""The service on a real PostgreSQL and a real Redis; two replicas of it, one of which is killed."""

import asyncio
import os
import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from app.lab.faults import Fault, FaultKind, Faults
from app.lab.servers import LabFaults, LabServers
from tests.real.processes import until
from tests.service.serving import HIGH_MEMORY, process, web_app

pytestmark = [pytest.mark.real, pytest.mark.slow]
ALERTS = 16
LEASE = 2.0


@pytest.fixture
def stores() -> Iterator[dict[str, str]]:
    """A database of its own on the server, and one of Redis' numbered ones."""
    server, redis = os.environ.get("SRE_AGENT_TEST_POSTGRES_URL", ""), os.environ.get("SRE_AGENT_TEST_REDIS_URL", "")
    if not (server and redis):
        pytest.skip("SRE_AGENT_TEST_POSTGRES_URL and SRE_AGENT_TEST_REDIS_URL name the servers")
    name = f"service_{uuid.uuid4().hex[:12]}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    url = make_url(server).set(database=name).render_as_string(hide_password=False)
    yield {"DATABASE_URL": url, "REDIS_URL": redis.rsplit("/", 1)[0] + "/9"}
    with admin.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
    admin.dispose()


async def test_the_worked_example_on_postgresql_and_redis(tmp_path: Path, stores: dict[str, str]) -> None:
    # covers EMEM-10, WMEM-02
    async with LabServers(web_app().shifted(datetime.now(UTC))) as lab, process(lab, tmp_path, **stores) as (client, _, _log):
        first = (await client.post("/alerts", json=HIGH_MEMORY)).json()
        second = (await client.post("/alerts", json=HIGH_MEMORY)).json()
    assert [a["report"]["causes"][0]["cause"] for a in (first, second)] == ["oom_killed"] * 2
    assert (first["iterations"], second["iterations"]) == (2, 1), "the second found the first in Redis"
    assert second["memory_snapshot"]["episodic_memory"]["total_investigations"] == 2


async def every(client: httpx2.AsyncClient) -> list[dict[str, Any]]:
    return list((await client.get("/investigations", params={"limit": 200})).json()["investigations"])


async def test_when_a_replica_is_killed_the_other_finishes_its_work_within_the_lease_and_nothing_twice(
    tmp_path: Path, stores: dict[str, str]
) -> None:
    # covers EXEC-12
    env = {**stores, "SRE_AGENT_REPLICA_LEASE": str(LEASE), "SRE_AGENT_MAX_CONCURRENT": "2"}
    slow = LabFaults(kubernetes=Faults(Fault(FaultKind.SLOW, seconds=0.5)), prometheus=Faults(Fault(FaultKind.SLOW, seconds=0.5)))
    async with LabServers(web_app().shifted(datetime.now(UTC)), faults=slow) as lab, AsyncExitStack() as opened:
        one, victim, _ = await opened.enter_async_context(process(lab, tmp_path, "one", **env))
        two, _, _ = await opened.enter_async_context(process(lab, tmp_path, "two", **env))
        bodies = [{"type": "high_memory", "service": "web-app", "fingerprint": f"f{n}"} for n in range(ALERTS)]
        senders = (one, two)
        answers = await asyncio.gather(*(senders[n % 2].post("/alerts?wait=0", json=body) for n, body in enumerate(bodies)))
        wanted = {a.json()["investigation_id"] for a in answers}

        async def both_work() -> bool:
            return bool(sum(i["status"] == "running" for i in await every(two)) >= 3)  # more than one replica runs at once

        await until(both_work, 20, "both replicas run investigations")
        victim.kill()
        await victim.wait()

        async def drained() -> bool:
            return not {i["status"] for i in await every(two)} & {"queued", "running"}

        await until(drained, 60, "the other replica finishes everything")
        done = await every(two)
        trails = [(await two.get(f"/investigations/{i['id']}/trail")).json()["events"] for i in done]
    assert {i["id"] for i in done} == wanted and len(wanted) == ALERTS
    assert {i["status"] for i in done} == {"completed"}
    assert max(i["attempts"] for i in done) >= 2, "something was taken over"
    for events in trails:
        assert [e["sequence"] for e in events] == list(range(1, len(events) + 1))
        results = [e["key"] for e in events if e["type"] == "TOOL_RESULT"]
        assert len(results) == len(set(results)), "no answered call was made again"
        assert [e["type"] for e in events].count("AGENT_DONE") == 1
