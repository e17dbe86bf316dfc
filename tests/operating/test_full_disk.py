"""A disk without room: nothing is acknowledged that is not stored, nothing stored is lost, and it goes on when there is room."""

import resource
from pathlib import Path

import pytest

from tests.operating.operated import Operated, operated, webhook
from tests.real.processes import until

pytestmark = pytest.mark.slow


def room(service: Operated, limit: int) -> None:
    """No file of the service may grow beyond `limit` bytes, its log included: to a program that is a full disk."""
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


async def test_intake_refuses_while_the_disk_is_full_and_everything_acknowledged_is_investigated(tmp_path: Path) -> None:
    async with operated(tmp_path, SRE_AGENT_MAX_CONCURRENT="2") as service:
        accepted: list[str] = []

        async def post(name: str) -> int:
            answer = await service.client.post("/webhooks/alertmanager", json=webhook(name))
            if answer.status_code == 202:
                accepted.append(answer.json()["investigation_id"])
            else:
                assert answer.headers["retry-after"]
                assert answer.json()["reason"] == "unavailable"
            return answer.status_code

        for n in range(12):
            assert await post(f"before-{n}") == 202
        room(service, 4096)
        codes = [await post(f"during-{n}") for n in range(12)]
        assert set(codes) == {503}
        assert (await service.client.get("/investigations")).status_code == 200
        assert (await service.client.get("/health")).status_code == 200
        room(service, resource.RLIM_INFINITY)
        for n in range(5):
            assert await post(f"after-{n}") == 202

        async def drained() -> bool:
            return not {"queued", "running"} & set(await service.counts())

        await until(drained, 40, "what was acknowledged is investigated without a restart")
        ended = {one["id"]: one["status"] for one in await service.investigations()}
    assert set(accepted) == set(ended)
    assert set(ended.values()) <= {"completed", "incomplete"}
