"""A signal ends the service in order: within seconds, with exit code 0, callers told where to look, and the work goes on later."""

import asyncio
import signal
from functools import partial
from pathlib import Path

import httpx2
import pytest

from tests.operating.operated import Operated, environment, operated, webhook
from tests.real.processes import SRE_AGENT, running, until

pytestmark = pytest.mark.slow


async def _silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes what is asked and never answers."""
    while await reader.read(65_536):
        pass
    writer.close()


async def silent_source() -> tuple[asyncio.Server, str]:
    server = await asyncio.start_server(_silence, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_service_in_order_while_callers_wait(tmp_path: Path, number: signal.Signals) -> None:
    server, source = await silent_source()
    async with operated(tmp_path, SRE_AGENT_PROMETHEUS_URL=source) as service:
        body = {"type": "high_memory", "service": "web"}
        waiting = [asyncio.create_task(service.client.post("/alerts", json=body)) for _ in range(6)]

        async def taken() -> bool:
            return (await service.counts()).get("running", 0) == 4

        await until(taken, 20, "four investigations run, two wait")
        begun = asyncio.get_running_loop().time()
        service.process.send_signal(number)
        code = await asyncio.wait_for(service.process.wait(), 15)
        took = asyncio.get_running_loop().time() - begun
        answers = await asyncio.gather(*waiting)
    server.close()
    assert code == 0
    assert took < 10
    assert {answer.status_code for answer in answers} == {202}, "accepted: the links say where the report will be"
    assert service.events()[-1] == "service_stopped"
    assert "Traceback" not in service.log.read_text()

    async with operated(tmp_path, "again") as again:

        async def drained() -> bool:
            counts = await again.counts()
            return not {"queued", "running"} & set(counts)

        await until(drained, 60, "the next start finishes all six")
        ended = await again.investigations()
        assert len(ended) == 6
        assert {one["id"] for one in ended} == {answer.json()["investigation_id"] for answer in answers}
        assert {one["status"] for one in ended} <= {"completed", "incomplete"}


async def _stopping(service: Operated) -> bool:
    return "service_stopping" in service.events()


async def test_a_second_signal_leaves_no_grace(tmp_path: Path) -> None:
    async with operated(tmp_path) as service:
        _, writer = await asyncio.open_connection("127.0.0.1", service.client.base_url.port)
        writer.write(b"POST /alerts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        for _ in range(2):
            service.process.send_signal(signal.SIGTERM)
            await until(partial(_stopping, service), 5, "the signal was taken")
        assert await asyncio.wait_for(service.process.wait(), 4) == 0
        writer.close()


async def test_a_signal_during_the_start_ends_it_in_order(tmp_path: Path) -> None:
    connected = asyncio.Event()

    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    env = environment(tmp_path) | {"DATABASE_URL": f"postgresql://agent@127.0.0.1:{port}/agent"}
    async with running(SRE_AGENT, "serve", log=tmp_path / "log", env=env) as process:
        await asyncio.wait_for(connected.wait(), 20)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    server.close()
    await server.wait_closed()
    assert "Traceback" not in (tmp_path / "log").read_text()


async def test_the_name_under_which_work_is_taken_is_kept_over_restarts(tmp_path: Path) -> None:
    names = []
    for name in ("one", "two"):
        async with operated(tmp_path, name) as service:
            names.append((tmp_path / "data" / "executor-id").read_text())
            service.process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(service.process.wait(), 10) == 0
    assert names[0] == names[1] != ""


async def test_a_second_process_on_the_same_folder_says_so_and_breaks_nothing(tmp_path: Path) -> None:
    async with operated(tmp_path, "first") as first, operated(tmp_path, "second", SRE_AGENT_REPLICA_LEASE="3") as second:
        assert "data_folder_shared" in second.events()
        assert "data_folder_shared" not in first.events()
        posted: list[httpx2.Response] = []
        for n in range(10):
            service = (first, second)[n % 2]
            posted.append(await service.client.post("/webhooks/alertmanager", json=webhook(f"svc-{n}")))
        assert {answer.status_code for answer in posted} == {202}

        async def drained() -> bool:
            return set(await first.counts()) <= {"completed", "incomplete"}

        await until(drained, 30, "both work on what was accepted")
        assert len(await second.investigations()) == 10
