"""Every Kubernetes tool keeps its caps on items, bytes and time, and says with totals what it left out."""

import asyncio
import contextlib
import json
import time
from typing import Any

import pytest

from app.domain.errors import ToolFailure
from app.domain.reason import Reason
from app.domain.tool import ToolContext, ToolResult
from app.tools.catalogue import ToolsConfig, build_registry
from app.tools.kubernetes_client import KubernetesConfig
from app.tools.kubernetes_kinds import KINDS
from tests.tools.objects import Object, event, pod, replica_set, service
from tests.tools.servers import Asked, Handler, Reply, kubernetes, serving

MANY = 60
SHOP = {"namespace": "shop"}
CALLS: dict[str, dict[str, Any]] = {
    "check_pods": SHOP,
    "check_events": SHOP,
    "get_recent_deploys": SHOP,
    "check_service_health": SHOP | {"service_name": "cart"},
    "check_workloads": SHOP,
    "check_services": SHOP,
    "check_config": SHOP,
    "check_ingresses": SHOP,
    "check_network_policies": SHOP,
    "check_nodes": {},
    "check_storage": SHOP,
    "check_quotas": SHOP,
    "check_operators": SHOP,
    "check_delivery": SHOP,
    "describe_pod": SHOP | {"pod": "cart-00"},
}
REGISTRY, _ = build_registry(ToolsConfig(kubernetes=KubernetesConfig(url="http://127.0.0.1:9")))


def plain(kind: str, number: int) -> Object:
    """An object of any kind that the tools can read; long enough for a byte cap to bite."""
    meta = {"name": f"cart-{number:02}", "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z", "annotations": {"pad": "x" * 250}}
    if not KINDS[kind].namespaced:
        meta.pop("namespace")
    made: dict[str, Object] = {
        "Pod": pod(f"cart-{number:02}"),
        "ReplicaSet": replica_set(f"cart-{number:02}", number + 1, "reg.example/cart:1", "2026-01-01T09:30:00Z"),
        "Service": service("cart" if not number else f"cart-{number:02}"),
        "Event": event("BackOff", "back-off", last=f"2026-01-01T09:{number:02}:00Z", name="cart-00"),
    }
    return made.get(kind, {"spec": {}, "status": {}}) | {"metadata": made.get(kind, {}).get("metadata", meta)}


def full() -> dict[str, list[Object]]:
    return {kind: [plain(kind, n) for n in range(MANY)] for kind in KINDS if kind != "NewEvent"}


async def ask(context: ToolContext, handler: Handler, name: str, **config: Any) -> ToolResult:
    async with serving(handler) as server:
        registry, sources = build_registry(ToolsConfig(kubernetes=KubernetesConfig(url=server.url, **config)))
        tool = registry.get(name)
        assert tool is not None
        try:
            return await tool.run(tool.arguments(**CALLS[name]), context)
        finally:
            await sources.aclose()


def test_every_tool_that_lists_kubernetes_objects_is_tried_here() -> None:
    assert {s.name for s in REGISTRY.specs() if s.source == "kubernetes"} - {"get_logs"} == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
async def test_items_are_capped_and_totals_are_told(context: ToolContext, name: str) -> None:
    got = await ask(context, kubernetes(full(), page=10), name, max_items=20, page_size=10)
    assert f"20 {'replicasets' if name == 'describe_pod' else ''}" in got.truncated
    assert "read, 40 left out" in got.truncated
    for value in got.data.values():
        assert not isinstance(value, list) or len(value) <= 400


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
async def test_bytes_are_capped_and_totals_are_told(context: ToolContext, name: str) -> None:
    cap = 16_000
    got = await ask(context, kubernetes(full()), name, max_bytes=cap, page_size=10)
    lists = got.invocation.count("GET ")
    assert "left out" in got.truncated
    assert got.bytes_read <= lists * 2 * cap


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
async def test_time_is_capped_whatever_part_of_an_answer_hangs(context: ToolContext, name: str) -> None:
    serve = kubernetes(full(), page=10)

    def handle(asked: Asked) -> Reply:
        return Reply(fault="hang") if asked.one("continue") or asked.path.endswith("cart-00") else serve(asked)

    begun = time.monotonic()
    tool = REGISTRY.get(name)
    assert tool is not None and tool.spec.timeout_seconds <= 30
    try:
        async with asyncio.timeout(10):
            await ask(context, handle, name, timeout=0.1, page_size=10)
    except ToolFailure as failure:
        assert failure.reason is Reason.TIMEOUT
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("name", [n for n in CALLS if n != "describe_pod"])
async def test_a_slow_list_ends_with_what_was_read(context: ToolContext, name: str) -> None:
    got = await ask(context, kubernetes(full(), page=10), name, max_seconds=0.0)
    assert "read after 0 s, 50 left out" in got.truncated


BARE = {"items": [{"metadata": {"name": "cart-00", "namespace": "shop"}}], "metadata": {}}
NULLS = {"items": [{"metadata": {"name": "cart-00", "namespace": "shop", "labels": None}, "spec": None, "status": None}]}


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "answer",
    [
        Reply(500, b"{}"),
        Reply(200, b"<html>login</html>"),
        Reply(200, b"[]"),
        Reply(200, b'{"items": [1, null, {}]}'),
        Reply(200, json.dumps(BARE).encode()),
        Reply(200, json.dumps(NULLS).encode()),
        Reply(200, b'{"items": [', fault="cut"),
        Reply(fault="drop"),
        Reply(403, b'{"kind": "Status", "message": "no"}'),
        Reply(404, b"404 page not found"),
    ],
    ids=["500", "html", "array", "no-objects", "bare", "nulls", "cut", "drop", "403", "404"],
)
async def test_whatever_the_server_answers_a_tool_answers_or_fails_by_name(context: ToolContext, name: str, answer: Reply) -> None:
    try:
        got = await ask(context, lambda _: answer, name, timeout=1.0)
    except ToolFailure as failure:
        assert failure.detail
    else:
        assert got.summary and got.invocation
        assert all(line.strip() for line in got.text.splitlines())


@pytest.mark.slow
async def test_an_answer_that_trickles_is_cut_off_although_each_part_comes_in_time(context: ToolContext) -> None:
    ended = asyncio.Event()

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
            while not reader.at_eof():
                writer.write(b" ")
                await writer.drain()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 0.02)
        except (ConnectionError, EOFError):
            pass  # the client has had enough
        finally:
            writer.transport.abort()
            ended.set()

    server = await asyncio.start_server(trickle, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    registry, sources = build_registry(ToolsConfig(kubernetes=KubernetesConfig(url=address, timeout=0.2)))
    tool = registry.get("check_events")
    assert tool is not None
    with pytest.raises(ToolFailure, match="no whole answer"):
        await tool.run(tool.arguments(**SHOP), context)
    await sources.aclose()
    server.close()
    await asyncio.wait_for(ended.wait(), 5)
