"""Which series tell how a service does, by whom it is instrumented; and which of them moved first."""

import re
from datetime import timedelta
from typing import Any

import pytest

from app.domain.errors import ToolFailure
from app.domain.tool import ToolContext, ToolStatus, Window
from app.tools.get_metrics import GetMetrics
from app.tools.golden_signals import OWN_NAMES, OwnName
from app.tools.onsets import moved, order_line
from app.tools.prometheus_client import MAX_POINTS
from app.tools.query_prometheus import QueryPrometheus
from app.tools.signal_scope import Scope, choose, sort_in
from tests.tools.prometheus_worlds import CONTEXT, NOW, ask, client, gauge, world


async def test_the_series_that_moved_first_is_named_with_its_baseline() -> None:
    got = await ask(
        GetMetrics,
        world(
            gauge("container_memory_working_set_bytes", lambda m: 1e8 if m < -40 else 3e8, namespace="shop", pod="cart-0", container="app"),
            gauge("cart_queue_depth", lambda m: 2 if m < -25 else 90, namespace="shop", service="cart"),
            gauge("kube_pod_container_status_restarts_total", lambda m: 0 if m < -10 else 3, namespace="shop", pod="cart-0", container="app"),
            gauge("cart_connections_active", lambda m: 5 if m < -9.75 else 40, namespace="shop", service="cart"),
            gauge("cart_latency_seconds", lambda m: 0.2, namespace="shop", service="cart"),
        ),
        namespace="shop",
        service="cart",
    )
    told = got.line_with("moved first: ")
    assert re.sub(r"\{[^}]*\}", "", told) == (
        "moved first: memory_working_set at 09:20:00Z (baseline 100000000, now 300000000), then queue at 09:35:00Z (baseline 2, now 90), "
        "then restarts at 09:50:00Z (baseline 0, now 3), together with connections at 09:50:15Z (baseline 5, now 40)"
    )
    assert got.text.splitlines()[-1] == told
    assert [m["name"] for m in got.data["moved"]] == ["memory_working_set", "queue", "restarts", "connections"]


async def test_where_nothing_moved_no_order_is_told() -> None:
    got = await ask(GetMetrics, world(gauge("cart_latency_seconds", lambda m: 0.2, namespace="shop", service="cart")), service="cart")
    assert "moved first" not in got.text
    assert got.data["moved"] == []


def test_many_changes_are_told_with_their_number() -> None:
    def one(number: int) -> dict[str, Any]:
        change = {"at": 60.0 * number, "before": 1.0, "after": 2.0, "kind": "step", "resolution": 15.0}
        return {"name": f"s{number}", "metric": {}, "values": [[900.0, "2"]], "change": change}

    order = moved([one(n) for n in (11, 3, 7, *range(20, 29))])
    assert [m["name"] for m in order][:3] == ["s3", "s7", "s11"]
    assert order_line(order).endswith("(baseline 1, now 2), and 4 more")
    ended = one(3) | {"values": [[885.0, "7"], [900.0, "NaN"]]}
    assert moved([ended])[0]["now"] == 7.0


def chosen(*label_sets: dict[str, str], own: tuple[OwnName, ...] = OWN_NAMES) -> dict[str, str]:
    """Signal -> query for a service `cart` in namespace `shop` that has those series."""
    scope = Scope("shop", ("cart",))
    return {c.name: c.query for c in choose(scope, sort_in(scope, list(label_sets)), own)}


SERVER = {"namespace": "shop", "service": "cart"}
ISTIO = {"destination_workload": "cart", "destination_service_namespace": "shop", "response_code": "200", "reporter": "destination"}


@pytest.mark.parametrize(
    ("metric", "labels", "good"),
    [
        ("http_requests_total", {**SERVER, "code": "200"}, 'code!~"5.."'),
        ("http_server_requests_seconds_count", {**SERVER, "status": "200"}, 'status!~"5.."'),
        ("http_server_request_duration_seconds_count", {**SERVER, "http_response_status_code": "200"}, 'http_response_status_code!~"5.."'),
        ("http_request_duration_seconds_count", {**SERVER, "status_code": "200"}, 'status_code!~"5.."'),
        ("grpc_server_handled_total", {**SERVER, "grpc_code": "OK"}, 'grpc_code!~"Unknown|'),
        ("istio_requests_total", ISTIO, 'destination_service_namespace="shop",destination_workload="cart",response_code!~"5.."'),
        ("nginx_ingress_controller_requests", {"exported_service": "cart", "exported_namespace": "shop", "status": "200"}, 'status!~"5.."'),
    ],
)
def test_requests_and_errors_are_known_by_every_profile(metric: str, labels: dict[str, str], good: str) -> None:
    found = chosen({"__name__": metric, **labels})
    assert set(found) == {"request_rate", "error_rate"}
    assert found["error_rate"].startswith("1 - (sum by (") and good in found["error_rate"]
    assert f"rate({metric}{{" in found["request_rate"]


@pytest.mark.parametrize(
    ("metric", "labels"),
    [
        ("http_request_duration_seconds", SERVER),
        ("http_server_requests_seconds", SERVER),
        ("http_server_request_duration_seconds", SERVER),
        ("istio_request_duration_milliseconds", ISTIO),
        ("grpc_server_handling_seconds", SERVER),
    ],
)
def test_latency_is_known_by_every_profile(metric: str, labels: dict[str, str]) -> None:
    found = chosen({"__name__": f"{metric}_bucket", "le": "0.1", **labels})
    assert {n: q[:23] for n, q in found.items()} == {"latency_p99": "histogram_quantile(0.99", "latency_p50": "histogram_quantile(0.5,"}
    assert all(f"rate({metric}_bucket{{" in q and "sum by (le, " in q for q in found.values())


def test_names_of_ones_own_are_read_as_they_are() -> None:
    own = (OwnName("basket_wait", "basket_wait_.+"),)
    assert chosen({"__name__": "basket_wait_ms", **SERVER}, own=own) == {"basket_wait": 'basket_wait_ms{namespace="shop",service="cart"}'}
    assert chosen({"__name__": "basket_wait_ms", **SERVER}) == {}


# The caps of what may be asked: points, a day, and never everything.
async def test_no_range_has_more_points_than_prometheus_gives_and_none_is_longer_than_a_day() -> None:
    asked: list[dict[str, str]] = []
    source = client(world(gauge("up", lambda m: 1, minutes=300, job="cart")))
    assert source._http is not None

    async def keep(request: Any) -> None:
        asked.append(dict(request.url.params))

    source._http.event_hooks["request"].append(keep)
    month = ToolContext(now=NOW, window=Window(start=NOW - timedelta(days=30), end=NOW))
    await GetMetrics(source).run(GetMetrics.arguments(service="cart", profile="target"), month)
    await QueryPrometheus(source).run(QueryPrometheus.arguments(query="up", minutes=1440), month)
    await source.aclose()
    ranges = [a for a in asked if "step" in a]
    assert len(ranges) == 2
    for one in ranges:
        span = float(one["end"]) - float(one["start"])
        assert span <= 24 * 3600 and span / float(one["step"]) <= MAX_POINTS


@pytest.mark.parametrize("query", ['{__name__=~".+"}', "{job=~'.*'}", "rate(x[2d])", "1"])
async def test_a_query_for_everything_is_refused_before_anything_is_asked(query: str) -> None:
    with pytest.raises(ToolFailure, match="query refused"):
        await ask(QueryPrometheus, world(), query=query)


def test_more_than_a_day_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="less than or equal to 1440"):
        QueryPrometheus.arguments(query="up", minutes=1441)


async def test_metrics_of_nothing_in_particular_are_not_asked_for() -> None:
    got = await ask(GetMetrics, world(gauge("up", lambda m: 1, job="cart")), CONTEXT)
    assert (got.status, got.summary) == (ToolStatus.NO_DATA, "No known series for everything")
