"""The probe: only addresses that were configured or returned by the API, straight and through a CONNECT proxy."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from app.domain.errors import ToolFailure
from app.domain.tool import ToolContext, ToolResult, ToolStatus
from app.tools.catalogue import ToolsConfig, build_registry
from app.tools.check_http import ProbeConfig
from app.tools.kubernetes_client import KubernetesConfig
from app.tools.probe import Endpoint, Knock, Way, endpoint_of
from app.tools.probe import knock as knock_by
from app.tools.tls_probe import Trust
from tests.tools.objects import service
from tests.tools.servers import Reply, kubernetes, serving


async def knock(endpoint: Endpoint, timeout: float, proxy_url: str = "") -> Knock:
    return await knock_by(endpoint, Way(Trust(datetime(2026, 1, 1, tzinfo=UTC)), timeout, proxy_url))


@contextlib.asynccontextmanager
async def proxy(answers: dict[str, bytes]) -> AsyncIterator[str]:
    """Answers CONNECT by target; one that is not listed is never answered."""
    talking: set[asyncio.Task[Any]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talking.add(task)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            target = head.split(" ")[1]
            if target not in answers:
                await reader.read()
            writer.write(answers.get(target, b""))
            await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await asyncio.gather(*talking, return_exceptions=True)


async def ask(context: ToolContext, config: ToolsConfig, **arguments: Any) -> ToolResult:
    registry, sources = build_registry(config)
    tool = registry.get("check_http")
    assert tool is not None
    try:
        return await tool.run(tool.arguments(**arguments), context)
    finally:
        await sources.aclose()


OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"


def bad(reason: str) -> bytes:
    return f"HTTP/1.1 502 Bad Gateway\r\nContent-Length: {len(reason)}\r\n\r\n{reason}".encode()


async def test_a_service_is_probed_at_its_name_and_its_cluster_ip(context: ToolContext) -> None:
    answers = {"cart.shop.svc.cluster.local:80": bad("no such host"), "10.9.0.7:80": bad("connection refused")}
    async with serving(kubernetes({"Service": [service()]})) as api, proxy(answers) as through:
        config = ToolsConfig(kubernetes=KubernetesConfig(url=api.url), probe=ProbeConfig(proxy_url=through, timeout=1.0))
        got = await ask(context, config, service="cart", namespace="shop")
    assert got.text.splitlines() == ["probe cart.shop.svc.cluster.local:80: dns_failure", "probe 10.9.0.7:80: refused"]
    assert got.provenance.value == "untrusted"


@pytest.mark.parametrize(
    ("answer", "result"),
    [(OPEN, "open"), (bad("connection refused"), "refused"), (bad("unknown"), "unknown"), (b"garbage\r\n\r\n", "unknown"), (b"", "unknown")],
)
async def test_what_a_proxy_answers_is_understood(answer: bytes, result: str) -> None:
    async with proxy({"cart:80": answer}) as through:
        assert (await knock(Endpoint("cart", 80), 1.0, through)).result == result


async def test_silence_is_a_timeout() -> None:
    async with proxy({}) as through:
        assert (await knock(Endpoint("cart", 80), 0.2, through)).result == "timeout"


async def test_a_proxy_that_is_not_there_is_a_failure_of_the_tool() -> None:
    with pytest.raises(ToolFailure):
        await knock(Endpoint("cart", 80), 1.0, "http://127.0.0.1:9")


async def test_http_is_asked_where_the_target_says_so(context: ToolContext) -> None:
    async with serving(lambda _: Reply(503, b"{}")) as server:
        got = await ask(context, ToolsConfig(probe=ProbeConfig(targets=(f"{server.url}/health",))), service="127.0.0.1")
        assert got.text == f"probe {server.url}/health: open, HTTP 503"
        host = server.url.removeprefix("http://")
        straight = await ask(context, ToolsConfig(probe=ProbeConfig(targets=(host,))), service=host)
        assert straight.data["probes"][0]["result"] == "open"
    assert (await knock(endpoint_of("127.0.0.1:9"), 1.0)).result == "refused"


async def test_an_address_that_nobody_configured_is_never_tried(context: ToolContext) -> None:
    got = await ask(context, ToolsConfig(probe=ProbeConfig()), service="169.254.169.254:80")
    assert got.status is ToolStatus.NOT_FOUND


async def test_a_service_that_leads_elsewhere_is_not_followed(context: ToolContext) -> None:
    outside = service("out")
    outside["spec"] |= {"type": "ExternalName", "externalName": "evil.example"}
    inside = service("trick")
    inside["spec"]["clusterIP"] = "169.254.169.254"
    async with serving(kubernetes({"Service": [outside, inside]})) as api, proxy({"trick.shop.svc.cluster.local:80": OPEN}) as through:
        config = ToolsConfig(kubernetes=KubernetesConfig(url=api.url), probe=ProbeConfig(proxy_url=through, timeout=1.0))
        assert (await ask(context, config, service="out", namespace="shop")).status is ToolStatus.NOT_FOUND
        assert [p["host"] for p in (await ask(context, config, service="trick", namespace="shop")).data["probes"]] == ["trick.shop.svc.cluster.local"]


@pytest.mark.parametrize("text", ["cart", "cart:", ":80", "ftp://cart", "cart:http", "http://"])
def test_a_target_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="neither host:port"):
        endpoint_of(text)
