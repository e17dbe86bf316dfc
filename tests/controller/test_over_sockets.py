"""The same application behind the real server: what only sockets can show."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
import uvicorn

from app.controller import examples
from app.controller.app_factory import create_app
from app.controller.parts import Limits
from tests.controller.hostile import FINE
from tests.controller.twin import Twin, parts_with

HOOK = "/webhooks/alertmanager"


@asynccontextmanager
async def serving(twin: Twin, limits: Limits) -> AsyncIterator[int]:
    server = uvicorn.Server(uvicorn.Config(create_app(parts_with(twin, limits)), log_config=None, lifespan="off", ws="none"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        running = asyncio.create_task(server.serve([listening]))
        try:
            async with asyncio.timeout(10):
                while not server.started:  # noqa: ASYNC110 - the server has no event for it
                    await asyncio.sleep(0.005)
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await running


async def raw(port: int, request: bytes, close: bool = False) -> bytes:
    """Send bytes, read until the server closes; `close`: go away instead of reading."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await writer.drain()
    if close:
        writer.close()
        await writer.wait_closed()
        return b""
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize("factor", [2, 12])
async def test_an_honest_sender_of_too_much_gets_to_read_the_answer(twin: Twin, factor: int) -> None:
    limits = Limits(max_body_bytes=100_000)
    async with serving(twin, limits) as port, httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        try:
            response = await client.post("/alerts", content=b"a" * (factor * limits.max_body_bytes), headers={"Content-Type": "application/json"})
            assert (response.status_code, response.json()["reason"]) == (413, "too_large")
            assert response.headers["connection"] == "close"
        except httpx2.HTTPError:
            assert factor > 4, "only who goes on and on may find the connection closed"
        assert (await client.get("/health/live")).status_code == 200
    assert len(twin.kept[0].body) == limits.max_body_bytes


async def test_a_sender_that_goes_away_in_the_middle_leaves_what_it_sent_in_quarantine(twin: Twin) -> None:
    async with serving(twin, Limits()) as port:
        head = f"POST {HOOK} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(FINE)}\r\n\r\n"
        await raw(port, head.encode() + FINE[:20], close=True)
        async with asyncio.timeout(5):
            while not twin.kept:  # noqa: ASYNC110 - bounded, and the server is another party
                await asyncio.sleep(0.005)
    assert (twin.kept[0].reason.value, twin.kept[0].body) == ("body_incomplete", FINE[:20])
    assert twin.intakes == []


async def test_a_sender_that_drips_is_told_and_cut_off(twin: Twin) -> None:
    async with serving(twin, Limits(body_timeout_s=0.1)) as port:
        answer = await raw(port, b"POST /alerts HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"body_timeout" in answer


async def test_a_chunked_body_is_as_good_as_any(twin: Twin) -> None:
    chunk = b"%x\r\n%s\r\n" % (len(FINE), FINE)
    head = f"POST {HOOK} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    async with serving(twin, Limits()) as port:
        answer = await raw(port, head + chunk + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 202 ")
    assert twin.intakes[0].body == FINE


async def test_many_senders_at_once_are_all_answered(twin: Twin) -> None:
    # covers API-18
    async with serving(twin, Limits()) as port, httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        bodies = [json.dumps(examples.WEBHOOK_REQUESTS["alertmanager"]).replace("8f1c7b0d2f7c9a11", f"{n:016x}") for n in range(50)]
        answers = await asyncio.gather(*(client.post(HOOK, content=b, headers={"Content-Type": "application/json"}) for b in bodies))
    assert {a.status_code for a in answers} == {202}
    assert len({a.json()["investigation_id"] for a in answers}) == 50
    assert len({a.headers["x-request-id"] for a in answers}) == 50
