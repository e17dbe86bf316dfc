"""What the service needs goes away while it runs, and comes back: nothing acknowledged is lost, and no restart is needed."""

import asyncio
import shutil
import signal
from pathlib import Path

import httpx2
import pytest

from app.memory.working_redis import RedisWorkingMemory
from tests.operating.operated import Operated, operated, webhook
from tests.operating.servers import postgresql_server, redis_server
from tests.real.processes import until

pytestmark = pytest.mark.slow


async def finished(service: Operated, count: int) -> None:
    async def drained() -> bool:
        counts = await service.counts()
        return not {"queued", "running"} & set(counts) and sum(counts.values()) == count

    await until(drained, 60, f"{count} investigations have ended")


async def is_ready(service: Operated) -> bool:
    return bool((await service.ready())["status"] == "ready")


@pytest.mark.real
async def test_after_a_restart_of_redis_no_connection_of_before_is_used(tmp_path: Path) -> None:
    async with redis_server(tmp_path) as redis:
        memory = RedisWorkingMemory.connect(f"redis://127.0.0.1:{redis.port}/0")
        await asyncio.gather(*(memory.get(f"k{n}") for n in range(8)))
        await redis.stop()
        await redis.start()
        assert await asyncio.gather(*(memory.get(f"k{n}") for n in range(8))) == [None] * 8
        await memory.close()


@pytest.mark.real
async def test_without_redis_the_service_is_not_ready_but_takes_alerts(tmp_path: Path) -> None:
    async with redis_server(tmp_path) as redis, operated(tmp_path, REDIS_URL=f"redis://127.0.0.1:{redis.port}/0") as service:
        await until(lambda: is_ready(service), 5, "ready")
        await redis.stop()
        not_ready = await service.client.get("/health/ready")
        assert not_ready.status_code == 503
        assert not_ready.json()["failing"] == ["working_memory"]
        assert (await service.client.get("/health/live")).status_code == 200
        answer = await service.client.post("/webhooks/alertmanager", json=webhook("one", "two"))
        assert answer.status_code == 202
        await finished(service, 2)
        await redis.start()
        assert await is_ready(service)
        assert (await service.client.post("/alerts", json={"type": "high_memory", "service": "three"})).status_code == 200


@pytest.mark.real
async def test_a_redis_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    async with redis_server(tmp_path) as redis, operated(tmp_path, REDIS_URL=f"redis://127.0.0.1:{redis.port}/0") as service:
        assert redis.process
        redis.process.send_signal(signal.SIGSTOP)
        assert (await service.client.post("/alerts", json={"type": "high_memory", "service": "one"}, timeout=20)).status_code == 200
        assert (await service.ready())["failing"] == ["working_memory"]
        redis.process.send_signal(signal.SIGCONT)
        assert await is_ready(service)


@pytest.mark.real
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT], ids=["fast shutdown", "crash"])
async def test_a_restart_of_postgresql_loses_nothing_and_needs_no_restart_of_ours(tmp_path: Path, number: signal.Signals) -> None:
    async with (
        postgresql_server(tmp_path) as postgresql,
        operated(tmp_path, DATABASE_URL=f"postgresql://sre@127.0.0.1:{postgresql.port}/postgres") as service,
    ):
        accepted: list[str] = []
        codes: set[int] = set()
        over = asyncio.Event()

        async def sender(tag: int) -> None:
            n = 0
            while not over.is_set():
                n += 1
                answer = await service.client.post("/webhooks/alertmanager", json=webhook(f"svc-{tag}-{n}"))
                codes.add(answer.status_code)
                if answer.status_code == 202:
                    accepted.append(answer.json()["investigation_id"])
                else:
                    await asyncio.sleep(0.05)

        senders = [asyncio.create_task(sender(tag)) for tag in range(3)]
        await until(lambda: _some(accepted, 10), 20, "alerts are taken")
        await postgresql.stop(number)
        not_ready = await service.client.get("/health/ready")
        assert (not_ready.status_code, not_ready.json()["failing"]) == (503, ["database"])
        assert (await service.client.get("/health")).json()["status"] == "degraded"
        assert (await service.client.get("/investigations")).status_code == 503
        await postgresql.start()
        await until(lambda: is_ready(service), 20, "ready again")
        before = len(accepted)
        await until(lambda: _some(accepted, before + 5), 20, "alerts are taken again")
        over.set()
        await asyncio.gather(*senders)
        await finished(service, len(set(accepted)) if codes == {202} else await _stored(service))
        ended = await _all(service.client)
    assert codes == {202, 503}
    assert set(accepted) <= set(ended)
    assert set(ended.values()) <= {"completed", "incomplete"}


async def _some(accepted: list[str], count: int) -> bool:
    return len(accepted) >= count


async def _stored(service: Operated) -> int:
    """A commit whose answer was lost is stored although nobody was told."""
    return len(await _all(service.client))


async def _all(client: httpx2.AsyncClient) -> dict[str, str]:
    found: dict[str, str] = {}
    cursor = ""
    while True:
        page = (await client.get("/investigations", params={"limit": 200, "cursor": cursor} if cursor else {"limit": 200})).json()
        found |= {one["id"]: one["status"] for one in page["investigations"]}
        cursor = page["next_cursor"]
        if not cursor:
            return found


async def test_a_chroma_folder_that_is_deleted_under_the_service_is_built_again(tmp_path: Path) -> None:
    async with operated(tmp_path, SRE_AGENT_VECTOR_INDEX="chroma") as service:
        for n in range(3):
            assert (await service.client.post("/alerts", json={"type": "high_memory", "service": f"svc-{n}"})).status_code == 200
        shutil.rmtree(tmp_path / "data" / "chroma")
        for n in range(3):
            answer = await service.client.post("/alerts", json={"type": "high_memory", "service": f"svc-{n}"})
            assert answer.status_code == 200
            assert answer.json()["report"]["similar_incidents"], "recall answers from SQL meanwhile"
    assert "Traceback" not in service.log.read_text()
