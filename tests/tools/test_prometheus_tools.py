"""The Prometheus tools against a real HTTP server: discovery, bounds, faults, and what the answers say."""

from datetime import timedelta
from typing import Any

import pytest

from app.domain.errors import ToolFailure
from app.domain.reason import ErrorClass, Reason
from app.domain.tool import ToolContext, ToolResult, ToolStatus, Window
from app.tools.catalogue import ToolsConfig, build_registry
from app.tools.golden_signals import OwnName
from app.tools.prometheus_client import PrometheusClient, PrometheusConfig, Series, step_for
from app.tools.promql import first_selector
from app.tools.scrape_pace import Pace, pace_of
from app.tools.series_text import as_json, short
from app.tools.signal_scope import Scope, discovery
from tests.tools.servers import Asked, Handler, Reply, reply, serving


def success(data: Any) -> Reply:
    return reply({"status": "success", "data": data})


def prometheus(label_sets: list[dict[str, str]], values: dict[str, list[float]], alerts: list[dict[str, Any]] | None = None) -> Handler:
    """Answers a range query by the first key of `values` that the query contains; 15 s apart, ending at the end asked.
    Raw samples are 15 s apart, too."""

    def handle(asked: Asked) -> Reply:
        if asked.path.endswith("/series"):
            return success(label_sets)
        if asked.path.endswith("/query"):
            at, seconds = float(asked.one("time")), float(asked.one("query").rsplit("[", 1)[1].removesuffix("s]"))
            pairs = [[at - seconds + 15 * i + 0.001 * (i % 2), "1"] for i in range(1, int(seconds) // 15 + 1)]
            return success({"resultType": "matrix", "result": [{"metric": {}, "values": pairs}]})
        if asked.path.endswith("/alerts"):
            return success({"alerts": alerts or []})
        if asked.path.endswith("/rules"):
            return success({"groups": [{"name": "g", "rules": [{"name": "Errors", "query": "x > 1"}]}]})
        query, end = asked.one("query"), float(asked.one("end"))
        found = next((v for k, v in values.items() if k in query), [])
        pairs = [[end - 15 * (len(found) - 1 - i), str(v)] for i, v in enumerate(found)]
        return success({"resultType": "matrix", "result": [{"metric": {"pod": "cart-7d-a"}, "values": pairs}] if found else []})

    return handle


async def ask(
    context: ToolContext, handler: Handler, name: str, config: ToolsConfig | None = None, **arguments: Any
) -> tuple[ToolResult, list[Asked]]:
    async with serving(handler) as server:
        registry, sources = build_registry(config or ToolsConfig(prometheus=PrometheusConfig(url=server.url, timeout=0.5, max_bytes=200_000)))
        tool = registry.get(name)
        assert tool is not None
        try:
            return await tool.run(tool.arguments(**arguments), context), server.asked
        finally:
            await sources.aclose()


CART = [
    {"__name__": "container_memory_working_set_bytes", "namespace": "shop", "pod": "cart-7d9f8b6c5d-x2k4p", "container": "server"},
    {"__name__": "kube_pod_container_resource_limits", "namespace": "shop", "pod": "cart-7d9f8b6c5d-x2k4p", "container": "server"},
    {"__name__": "container_memory_working_set_bytes", "namespace": "stage", "pod": "cart-7d9f8b6c5d-zzzzz", "container": "server"},
    {"__name__": "http_requests_total", "namespace": "shop", "job": "cart", "status": "200"},
    {"__name__": "shop_latency_seconds", "namespace": "shop", "service": "cart"},
]
VALUES = {"working_set": [100.0] * 20 + [230.0] * 20, "resource_limits": [250.0] * 40, "1 - (": [0.0] * 40, "http_requests_total": [5.0] * 40}


async def test_metrics_are_discovered_first_and_only_those_that_exist_are_read(context: ToolContext) -> None:  # covers TOOL-10
    got, asked = await ask(context, prometheus(CART, VALUES), "get_metrics", namespace="shop", service="cart")
    assert got.summary == "cart metrics - Memory: 92%, Errors: 0%, moved: memory_working_set"
    queries = [a.one("query") for a in asked if a.path.endswith("query_range")]
    assert (
        'sum by (pod, container) (container_memory_working_set_bytes{namespace="shop",pod="cart-7d9f8b6c5d-x2k4p",container!="",container!="POD"})'
        in queries
    )
    assert any('status!~"5.."' in q for q in queries)
    assert not any("istio" in q or "stage" in q for q in queries)
    assert 'shop_latency_seconds{namespace="shop",service="cart"}' in queries
    line = got.line_with("memory_working_set")
    numbers = "first=100 last=230 min=100 max=230 change at 09:55:15Z (before 100 after 230) step"
    assert line == f'memory_working_set{{pod="cart-7d-a"}} {numbers} [container_memory_working_set_bytes]'
    series = next(s for s in got.data["series"] if s["name"] == "memory_working_set")
    assert series["change"]["resolution"] == 15.0
    assert got.window == context.window


async def test_the_rate_window_follows_the_scrape_interval(context: ToolContext) -> None:
    _, asked = await ask(context, prometheus(CART, VALUES), "get_metrics", namespace="shop", service="cart")
    assert any("[60s]" in a.one("query") for a in asked)  # scraped every 15 s, give or take a millisecond


def test_the_pace_is_that_of_the_scrapes_and_not_of_their_number() -> None:
    def scraped(*times: float) -> list[Series]:
        return [Series({}, [(t, "1") for t in times])]

    assert pace_of(scraped(*range(0, 301, 15)), 301, 300) == Pace(15.0, None)
    assert pace_of(scraped(*(245 + i + 0.002 * (i % 3) for i in range(56))), 300, 300) == Pace(1.0, 55.0)
    assert pace_of(scraped(*(i * 7.5 for i in range(40))), 300, 300) == Pace(7.5, None)
    assert pace_of(scraped(0, 15, 30, 45, 200, 215, 230), 300, 300) == Pace(15.0, None)  # a gap is no interval
    assert pace_of(scraped(10, 130), 300, 300) is None
    assert [Pace(i).rate_window for i in (0.5, 1, 7.5, 15, 60)] == [10, 10, 30, 60, 240]


async def test_each_scrape_job_has_its_own_step_and_rate_window(context: ToolContext) -> None:
    sets = [
        {"__name__": "container_cpu_usage_seconds_total", "namespace": "shop", "pod": "cart-7d9f8b6c5d-x2k4p", "job": "kubelet"},
        {"__name__": "http_requests_total", "namespace": "shop", "service": "cart", "job": "cart", "code": "200"},
    ]
    serve, age = prometheus(sets, {"": [1.0] * 40}), 50

    def handle(asked: Asked) -> Reply:
        if asked.path.endswith("/query") and "http_requests" in asked.one("query"):
            at = float(asked.one("time"))
            return success({"resultType": "matrix", "result": [{"metric": {}, "values": [[at - i, "1"] for i in range(age, -1, -1)]}]})
        return serve(asked)

    got, asked = await ask(context, handle, "get_metrics", namespace="shop", service="cart")
    read = {(("cpu" if "cpu" in a.one("query") else "http"), a.one("step")): a.one("query") for a in asked if a.path.endswith("query_range")}
    assert sorted(read) == [("cpu", "15"), ("http", "1")]
    assert "[60s]" in read[("cpu", "15")]
    assert "[10s]" in read[("http", "1")]
    assert sum(1 for a in asked if a.path.endswith("/query")) == 2
    assert "[http_requests_total]" in got.line_with("error_rate")


async def test_what_is_scraped_seldom_is_looked_at_for_longer(context: ToolContext) -> None:
    def handle(asked: Asked) -> Reply:
        if asked.path.endswith("/query"):
            at, wide = float(asked.one("time")), "[3600s]" in asked.one("query")
            return success(
                {"resultType": "matrix", "result": [{"metric": {}, "values": [[at - 240 * i, "1"] for i in range(14, -1, -1)]}] if wide else []}
            )
        return prometheus(CART, VALUES)(asked)

    _, asked = await ask(context, handle, "query_prometheus", query='sum(rate(http_requests_total{job="cart"}[20m]))')
    assert [a.one("query") for a in asked if a.path.endswith("/query")] == [f'http_requests_total{{job="cart"}}[{s}s]' for s in (300, 3600)]
    assert asked[-1].one("step") == "240"


async def test_a_pace_that_cannot_be_learnt_is_half_a_minute(context: ToolContext) -> None:
    serve = prometheus(CART, VALUES)
    got, asked = await ask(
        context, lambda a: reply({}, 400) if a.path.endswith("/query") else serve(a), "query_prometheus", query="http_requests_total"
    )
    assert got.status is ToolStatus.OK
    assert asked[-1].one("step") == "30"


@pytest.mark.parametrize(
    ("query", "selector"),
    [
        ('sum by (a) (rate(x_total{b="c",d=~"e.+"}[5m] offset 5m)) / y', 'x_total{b="c",d=~"e.+"}'),
        ("up offset 1m", "up"),
        ('{__name__=~"a|b",c="d offset }e"} @ 5', '{__name__=~"a|b",c="d offset }e"}'),
        ('max_over_time(rate(a{b="x"}[1m])[1h:1m])', 'a{b="x"}'),
    ],
)
def test_the_first_selector_of_a_query_stands_without_range_and_offset(query: str, selector: str) -> None:
    assert first_selector(query) == selector


async def test_nothing_known_about_a_target_is_no_data(context: ToolContext) -> None:
    got, asked = await ask(context, prometheus([], {}), "get_metrics", namespace="shop", service="cart")
    assert got.status is ToolStatus.NO_DATA
    assert not [a for a in asked if a.path.endswith("query_range")]


def test_discovery_is_bounded_by_names_and_by_the_target() -> None:
    for selector in discovery(Scope("shop", ("cart",))):
        assert selector.startswith("{__name__=~")
        assert "cart" in selector
    assert discovery(Scope()) == []


async def test_names_of_ones_own_can_be_added(context: ToolContext) -> None:
    sets = [{"__name__": "basket_saturation", "service": "cart"}]
    async with serving(prometheus(sets, {"basket_saturation": [0.5] * 10})) as server:
        own = (OwnName("saturation", "basket_saturation"),)
        registry, sources = build_registry(ToolsConfig(prometheus=PrometheusConfig(url=server.url), own_names=own))
        tool = registry.get("get_metrics")
        assert tool is not None
        got = await tool.run(tool.arguments(service="cart"), context)
        await sources.aclose()
    assert got.text.startswith("saturation{")


@pytest.mark.parametrize(
    ("answer", "error_class", "reason"),
    [
        (reply({"status": "error", "errorType": "bad_data", "error": "parse error"}, 400), ErrorClass.CONFIG, Reason.TOOL_ERROR),
        (reply({"status": "error", "errorType": "timeout", "error": "query timed out"}, 422), ErrorClass.TRANSIENT, Reason.UNAVAILABLE),
        (reply({}, 503), ErrorClass.TRANSIENT, Reason.UNAVAILABLE),
        (reply({}, 429), ErrorClass.TRANSIENT, Reason.UNAVAILABLE),
        (reply({}, 401), ErrorClass.CONFIG, Reason.DENIED),
        (Reply(200, b"<html>"), ErrorClass.EXTERNAL, Reason.INVALID_RESPONSE),
        (success({"result": 5}), ErrorClass.EXTERNAL, Reason.INVALID_RESPONSE),
        (success({"result": [{"metric": {}, "values": [["x"]]}]}), ErrorClass.EXTERNAL, Reason.INVALID_RESPONSE),
        (Reply(200, b"x" * 300_000), ErrorClass.EXTERNAL, Reason.INVALID_RESPONSE),
        (Reply(200, b"{", fault="cut"), ErrorClass.TRANSIENT, Reason.UNAVAILABLE),
        (Reply(fault="hang"), ErrorClass.TRANSIENT, Reason.TIMEOUT),
        (Reply(fault="drop"), ErrorClass.TRANSIENT, Reason.UNAVAILABLE),
    ],
)
async def test_a_fault_becomes_a_failure_of_the_right_class(context: ToolContext, answer: Reply, error_class: ErrorClass, reason: Reason) -> None:
    with pytest.raises(ToolFailure) as failure:
        await ask(context, lambda _: answer, "query_prometheus", query="up")
    assert (failure.value.error_class, failure.value.reason) == (error_class, reason)


async def test_an_unbounded_query_is_never_sent(context: ToolContext) -> None:
    async with serving(prometheus([], {})) as server:
        client = PrometheusClient(PrometheusConfig(url=server.url))
        with pytest.raises(ToolFailure):
            await client.range('{__name__=~".+"}', context.window, 15)
        with pytest.raises(ToolFailure):
            await client.label_sets(['{a=~".+"}'], context.window)
        await client.aclose()
        assert server.asked == []


async def test_a_window_is_cut_to_a_day_and_points_to_what_prometheus_allows(context: ToolContext) -> None:
    async with serving(prometheus([], {})) as server:
        client = PrometheusClient(PrometheusConfig(url=server.url))
        await client.range("up", Window(start=context.now - timedelta(days=30), end=context.now), 1)
        await client.aclose()
        asked = server.asked[0]
    span = float(asked.one("end")) - float(asked.one("start"))
    assert span == 86400
    assert span / float(asked.one("step")) <= 11_000
    assert step_for(3600, 15) == 15
    with pytest.raises(ToolFailure):
        await PrometheusClient(PrometheusConfig(url="http://127.0.0.1:9")).range("up", Window(start=context.now, end=context.now), 1)


async def test_alerts_are_those_of_the_namespace_and_service(context: ToolContext) -> None:
    def one(name: str, **labels: str) -> dict[str, Any]:
        return {
            "labels": {"alertname": name, **labels},
            "state": "firing",
            "activeAt": "2026-01-01T09:50:00Z",
            "value": "1",
            "annotations": {"summary": "bad"},
        }

    alerts = [
        one("Errors", namespace="shop", service="cart"),
        one("Pods", namespace="shop", pod="cart-7d-a"),
        one("Other", namespace="shop", service="web"),
    ]
    got, _ = await ask(context, prometheus([], {}, [*alerts, one("Far", namespace="stage")]), "get_alerts", namespace="shop", service="cart")
    assert got.summary == "2 active alerts, firing: Errors, Pods"
    line = 'alert Errors{namespace="shop",service="cart"} firing since 2026-01-01T09:50:00Z value=1 query x > 1: bad'
    assert got.text.splitlines()[0] == line
    none, _ = await ask(context, prometheus([], {}), "get_alerts")
    assert none.status is ToolStatus.NO_DATA


async def test_one_signal_that_fails_leaves_a_note(context: ToolContext) -> None:  # covers ERR-04
    serve = prometheus(CART, VALUES)
    got, _ = await ask(
        context, lambda a: reply({}, 500) if "latency" in a.one("query") else serve(a), "get_metrics", namespace="shop", service="cart"
    )
    assert got.status is ToolStatus.OK
    assert "latency could not be read" in got.note


def test_numbers_are_short_and_stable() -> None:
    assert [short(v) for v in (0.0, 1.0, 134217728.0, 0.123456789, 1764000000.5, float("nan"))] == [
        "0",
        "1",
        "134217728",
        "0.123457",
        "1764000000",
        "nan",
    ]


def test_values_are_thinned_out_but_the_last_is_kept() -> None:
    series = Series({"pod": "a"}, [(float(t), "1") for t in range(1000)])
    made = as_json("n", "q", series, None, 1)
    assert len(made["values"]) <= 241
    assert made["values"][-1] == [999.0, "1"]
    assert made["step"] == 5
