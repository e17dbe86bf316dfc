"""get_service_map on the lab's Prometheus and on a real one: callers, callees and how each edge is doing."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import ValidationError

from app.domain.errors import ToolFailure
from app.domain.tool import ToolContext, ToolResult, ToolStatus, Window
from app.lab.prometheus_server import PrometheusApp
from app.lab.snapshot import World
from app.tools.edge_metrics import EDGE_FAMILIES
from app.tools.get_service_map import MAX_EDGES, GetServiceMap
from app.tools.prometheus_client import PrometheusClient, PrometheusConfig
from tests.real.processes import answers, free_port, running, until
from tests.tools.meshes import MESHES, ONSET, SCRAPE, SPAN, matrix, openmetrics
from tests.tools.servers import reply, serving

START = 1_767_258_000
Rows = list[dict[str, Any]]


def hour(start: float = START) -> ToolContext:
    now = datetime.fromtimestamp(start + SPAN, UTC)
    return ToolContext(now=now, window=Window(start=now - timedelta(seconds=SPAN), end=now))


async def ask(series: Rows, **arguments: Any) -> ToolResult:
    """On the lab's Prometheus, without a socket."""
    client = PrometheusClient(PrometheusConfig(url="http://prometheus"))
    world = World(hour().now, metrics_of=lambda: series)
    client._http = httpx2.AsyncClient(transport=httpx2.ASGITransport(PrometheusApp(world)))
    tool = GetServiceMap(client)
    try:
        return await tool.run(tool.arguments(**arguments), hour())
    finally:
        await client.aclose()


def check_cart(got: ToolResult, mesh: str, start: float) -> None:
    """What every mesh tells of cart: web calls it as ever, store became slow and fails."""
    assert got.status is ToolStatus.OK, got.note
    assert (got.data["callers"], got.data["callees"]) == (["web"], ["store"])
    assert len(got.data["edges"]) == got.data["total"] == 2
    ill, well = got.data["edges"]  # those that moved come first
    assert (ill["caller"], ill["callee"], ill["source"]) == ("cart", "store", mesh)
    assert (well["caller"], well["callee"]) == ("web", "cart")
    assert round(well["measures"]["request_rate"]["now"], 3) == 10
    assert well["measures"]["error_rate"]["now"] == pytest.approx(0, abs=1e-9)
    assert not any("after" in m for m in well["measures"].values())
    for name, before, after in (("error_rate", 0, 1 / 3), ("latency_p95", 0.0475, 3.875), ("latency_p99", 0.0495, 4.775)):
        measure = ill["measures"][name]
        assert measure["before"] == pytest.approx(before, abs=0.01)
        assert measure["after"] == pytest.approx(after, rel=0.35)
        assert abs(measure["at"] - (start + ONSET)) <= 3 * SCRAPE
    assert got.truncated == got.note == ""


@pytest.mark.parametrize("mesh", MESHES)
async def test_callers_and_callees_are_read_from_any_mesh_or_trace_metrics(mesh: str) -> None:
    got = await ask(matrix(mesh, START), namespace="shop", service="cart")
    check_cart(got, mesh, START)


async def test_the_line_of_an_edge_says_what_moved_and_when() -> None:
    got = await ask(matrix("istio", START), namespace="shop", service="cart")
    first, second = got.text.splitlines()
    assert first.startswith("shop/cart -> shop/store (also store-v1) [istio] request_rate 10/s, error_rate 0% -> 33.3333% at 09:4")
    assert second == "shop/web -> shop/cart (also cart-v1) [istio] request_rate 10/s, error_rate 0%, latency_p95 0.0475 s, latency_p99 0.0495 s"
    assert got.summary == "shop/cart: called by web; calls store"


async def test_a_workload_behind_a_service_is_found_by_its_own_name_and_what_both_sides_tell_counts_once() -> None:
    got = await ask(matrix("istio", START), namespace="shop", workload="cart-v1")
    assert got.data["callers"] == ["web"]
    assert got.data["edges"][0]["measures"]["request_rate"]["now"] == pytest.approx(10)


async def test_tcp_edges_have_bytes_and_cross_namespaces_and_unknown_ends_are_left_out() -> None:
    got = await ask(matrix("istio", START), namespace="shop", service="store")
    (edge,) = [e for e in got.data["edges"] if e["source"] == "istio tcp"]
    assert (edge["callee"], edge["callee_namespace"]) == ("db", "data")
    assert list(edge["measures"]) == ["sent_bytes_rate"]
    assert got.data["callees"] == ["db"]


async def test_a_namespace_alone_gives_all_its_edges_and_none_of_another() -> None:
    both = [*matrix("istio", START)]
    for row in matrix("istio", START):
        both.append({**row, "metric": {k: "stage" if v == "shop" else v for k, v in row["metric"].items()}})
    got = await ask(both, namespace="shop")
    assert [(e["caller"], e["callee"]) for e in got.data["edges"]] == [("cart", "store"), ("store", "db"), ("web", "cart")]
    assert {e["caller_namespace"] for e in got.data["edges"]} == {"shop"}
    named = await ask(both, namespace="shop", service="cart")
    assert named.data["total"] == 2
    assert "stage" not in named.invocation


async def test_edges_without_namespaces_are_read_for_any_namespace() -> None:
    got = await ask(matrix("service graph", START), namespace="shop")
    assert got.summary == "2 edges in shop"


async def test_before_and_after_are_told_apart_where_the_caller_says() -> None:
    got = await ask(matrix("service graph", START), service="cart", since_minutes=20)
    measures = got.data["edges"][0]["measures"]
    assert (measures["latency_p99"]["at"], round(measures["latency_p99"]["before"], 3)) == (START + ONSET, 0.05)
    assert measures["request_rate"]["before"] == pytest.approx(measures["request_rate"]["after"])


async def test_an_edge_that_was_not_there_before_says_since_when() -> None:
    def late(row: dict[str, Any]) -> dict[str, Any]:
        new = row["metric"]["client"] == "cart"
        return {**row, "values": row["values"][30:]} if new else row

    got = await ask([late(r) for r in matrix("service graph", START, ())], service="cart")
    assert [(e["caller"], e.get("first_seen", 0) > START + 1_800) for e in got.data["edges"]] == [("cart", True), ("web", False)]
    assert ", first seen 09:3" in got.text.splitlines()[0]
    young = await ask([{**r, "values": r["values"][30:]} for r in matrix("service graph", START, ())], service="cart")
    assert not any("first_seen" in e for e in young.data["edges"])


async def test_where_every_call_fails_the_share_is_one_though_no_good_series_exists() -> None:
    rows = [r for r in matrix("istio", START) if r["metric"].get("response_code") != "200"]
    got = await ask(rows, namespace="shop", service="store")
    (edge,) = [e for e in got.data["edges"] if e["source"] == "istio"]
    assert edge["measures"]["error_rate"]["now"] == 1


async def test_a_name_that_no_edge_has_is_not_found_and_no_mesh_is_no_data() -> None:
    gone = await ask(matrix("istio", START), namespace="shop", service="gone")
    assert (gone.status, gone.summary) == (ToolStatus.NOT_FOUND, "No edge of shop/gone in istio_requests_total, istio_tcp_sent_bytes_total")
    none = await ask([{"metric": {"__name__": "up", "job": "x"}, "values": [[START, "1"]]}], namespace="shop", service="cart")
    assert (none.status, none.data["edges"]) == (ToolStatus.NO_DATA, [])
    assert none.summary == "No mesh or trace metric tells who calls whom here"


@pytest.mark.slow
async def test_of_many_edges_the_most_are_shown_and_all_are_counted() -> None:
    rows = [{**r, "metric": {**r["metric"], "client": f"c{n:03}"}} for n in range(MAX_EDGES + 30) for r in matrix("service graph", START)[:1]]
    got = await ask(rows, service="cart")
    assert len(got.data["edges"]) == len(got.text.splitlines()) == MAX_EDGES
    assert got.data["total"] == len(got.data["callers"]) == MAX_EDGES + 30
    assert "130 edges, 100 shown" in got.truncated


async def test_one_measure_that_cannot_be_read_leaves_a_note_and_none_at_all_is_a_failure() -> None:
    sets = [r["metric"] for r in matrix("service graph", START)]

    def handler(refused: Callable[[str], bool]) -> Any:
        def handle(asked: Any) -> Any:
            if asked.path.endswith("/series"):
                return reply({"status": "success", "data": sets})
            if refused(asked.one("query")):
                return reply({"status": "error", "errorType": "execution", "error": "too many samples"}, 422)
            return reply({"status": "success", "data": {"resultType": "matrix", "result": []}})

        return handle

    async def tried(refused: Callable[[str], bool]) -> ToolResult:
        async with serving(handler(refused)) as server:
            client = PrometheusClient(PrometheusConfig(url=server.url))
            tool = GetServiceMap(client)
            try:
                return await tool.run(tool.arguments(service="cart"), hour())
            finally:
                await client.aclose()

    got = await tried(lambda query: "0.99" in query)
    assert "latency_p99 of service graph could not be read: Prometheus: execution: too many samples" in got.note
    assert got.text.splitlines()[0] == "cart -> store [service graph] no calls in the window"
    with pytest.raises(ToolFailure, match="too many samples"):
        await tried(lambda _: True)


def test_a_map_of_everything_is_refused() -> None:
    with pytest.raises(ValidationError, match="name a namespace, service or workload"):
        GetServiceMap.arguments(since_minutes=5)


@asynccontextmanager
async def real_prometheus(folder: Path, body: str) -> AsyncIterator[str]:
    assert shutil.which("promtool"), "needs Debian's prometheus"
    (folder / "in.om").write_text(body)
    command = ("promtool", "tsdb", "create-blocks-from", "openmetrics", "in.om", "data")
    made = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=asyncio.subprocess.DEVNULL)
    assert await made.wait() == 0
    (folder / "prometheus.yml").write_text("global: {}\n")
    url = f"http://127.0.0.1:{free_port()}"
    arguments = ("--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={url.removeprefix('http://')}")
    async with running("prometheus", *arguments, log=folder / "log"):
        await until(lambda: answers(f"{url}/-/ready"), 20, "Prometheus is ready")
        yield url


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("mesh", MESHES)
async def test_a_real_prometheus_gives_the_same_edges(mesh: str, tmp_path: Path) -> None:
    start = int(time.time()) // 60 * 60 - 3 * SPAN
    async with real_prometheus(tmp_path, openmetrics(mesh, start)) as url:
        client = PrometheusClient(PrometheusConfig(url=url))
        tool = GetServiceMap(client)
        got = await tool.run(tool.arguments(namespace="shop", service="cart"), hour(start))
        gone = await tool.run(tool.arguments(namespace="shop", service="gone"), hour(start))
        for query in (q for f in EDGE_FAMILIES for m in f.measures for q in m.queries):
            whole = query.replace("<sel>", 'x="y"').replace("<by>", "x").replace("<w>", "60s")
            assert (await client.range(whole, hour(start).window, SCRAPE)).series == []
        await client.aclose()
    check_cart(got, mesh, start)
    assert gone.status is ToolStatus.NOT_FOUND
