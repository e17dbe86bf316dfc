"""search_logs against real HTTP servers: what is asked of Loki and of Elasticsearch, paging, faults, and what the answers say."""

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from app.domain.errors import ToolFailure
from app.domain.reason import ErrorClass, Reason
from app.domain.tool import ToolContext, ToolResult, ToolStatus, Window
from app.lab.servers import LabServers
from app.lab.snapshot import World
from app.tools.catalogue import ToolsConfig, build_registry
from app.tools.elasticsearch_client import ElasticsearchConfig, ElasticsearchFields, at_path
from app.tools.log_source import LogQuery, renamed
from app.tools.loki_client import LokiClient, LokiConfig, LokiLabels, quoted
from tests.tools.log_stores import START, elasticsearch, loki
from tests.tools.servers import Asked, Handler, Reply, reply, serving

CART = {"namespace": "shop", "app": "cart", "pod": "cart-7d-a", "container": "server"}
SECOND = 1_000_000_000


def lines_of(count: int, text: str = "served {n} items", apart: int = SECOND) -> list[tuple[int, str]]:
    return [(START * SECOND + n * apart, text.format(n=n)) for n in range(count)]


def documents(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"@timestamp": START * 1000 + n // 3, "message": f"served {n} items", "service.name": "cart", **more} for n in range(count)]


async def ask(context: ToolContext, handler: Handler, store: str = "loki", config: Any = None, **arguments: Any) -> tuple[ToolResult, list[Asked]]:
    async with serving(handler) as server:
        if store == "loki":
            tools = ToolsConfig(loki=LokiConfig(**{"url": server.url, "timeout": 0.5, **(config or {})}))
        else:
            tools = ToolsConfig(elasticsearch=ElasticsearchConfig(**{"url": server.url, "timeout": 0.5, **(config or {})}))
        registry, sources = build_registry(tools)
        tool = registry.get("search_logs")
        assert tool is not None
        assert sources.names == {"logs", store}
        try:
            return await tool.run(tool.arguments(**arguments), context), server.asked
        finally:
            await sources.aclose()


async def test_loki_is_asked_by_labels_and_a_literal(context: ToolContext) -> None:  # covers LOGA-01
    entries = [*lines_of(3), (START * SECOND + 5 * SECOND, 'cannot reach "db" \\ at 10.0.0.1:5432')]
    got, asked = await ask(
        context, loki([(CART, entries)], tenant="shop-1"), config={"tenant": "shop-1"}, namespace="shop", service="cart", contains='"db" \\'
    )
    assert got.text == 'cannot reach "db" \\ at 10.0.0.1:5432'
    assert got.provenance.value == "untrusted"
    assert asked[0].one("query") == r'{namespace="shop", app="cart"} |= "\"db\" \\"'
    assert (asked[0].one("direction"), asked[0].one("limit")) == ("forward", "5000")
    assert got.invocation.startswith('GET /loki/api/v1/query_range?query={namespace="shop", app="cart"} |= ')
    assert got.data["service"] == "cart"
    assert got.data["timerange"] == {"start": "2026-01-01T09:00:00Z", "end": "2026-01-01T10:00:00Z"}
    assert got.data["log_count"] == 1
    assert got.data["error_patterns"][0]["pattern"] == "cannot reach <str> \\ at <ip>"


@pytest.mark.parametrize("newest", [False, True])
async def test_loki_is_read_page_by_page_and_no_line_of_one_moment_is_lost(context: ToolContext, newest: bool) -> None:
    entries = [(START * SECOND + n // 4 * SECOND, f"line number {n}") for n in range(300)]
    streams = [(CART, entries[::2]), ({**CART, "pod": "cart-7d-b"}, entries[1::2])]
    got, asked = await ask(context, loki(streams, most=30), config={"page": 200}, namespace="shop", limit=300, newest=newest)
    assert sorted(got.data["lines"]) == sorted(text for _, text in entries)
    assert got.truncated.startswith("cut at 300 lines") or "lines left out" in got.truncated
    assert len(asked) > 10
    assert got.data["analysis"]["affected_components"] == ["cart-7d-a/server", "cart-7d-b/server"]


@pytest.mark.parametrize(("newest", "first", "left"), [(False, "served 0 items", "newer"), (True, "served 90 items", "older")])
async def test_of_more_lines_than_the_limit_one_end_is_kept(context: ToolContext, newest: bool, first: str, left: str) -> None:
    got, _ = await ask(context, loki([(CART, lines_of(100))]), namespace="shop", limit=10, newest=newest)
    assert got.data["lines"][0] == first
    assert len(got.data["lines"]) == 10
    assert f"{left} lines left out" in got.truncated


async def test_more_lines_of_one_moment_than_a_page_holds_end_the_reading(context: ToolContext) -> None:
    got, asked = await ask(context, loki([(CART, lines_of(50, apart=0))]), config={"page": 20}, namespace="shop")
    assert len(got.data["lines"]) == 20
    assert "one moment" in got.truncated
    assert len(asked) < 5


async def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones(context: ToolContext) -> None:
    entries = lines_of(200, "item {n} " + "x" * 200)
    got, asked = await ask(context, loki([(CART, entries)]), config={"max_bytes": 8_000}, namespace="shop", limit=60)
    assert [int(a.one("limit")) for a in asked][:2] == [60, 12]
    assert "bytes" in got.truncated
    with pytest.raises(ToolFailure, match="more than"):
        await ask(context, loki([(CART, entries)]), config={"max_bytes": 2_000}, namespace="shop")


async def test_a_stream_that_is_not_there_is_told_from_one_that_says_nothing(context: ToolContext) -> None:
    handler = loki([({**CART, "app": "other"}, lines_of(2)), ({"namespace": "shop", "service_name": "web"}, lines_of(2))])
    gone, _ = await ask(context, handler, namespace="shop", service="cart")
    assert gone.status is ToolStatus.NOT_FOUND
    assert 'no stream {namespace="shop", app="cart"} or {namespace="shop", service_name="cart"}' in gone.note
    silent, _ = await ask(context, handler, namespace="shop", service="web", contains="never said")
    assert (silent.status, silent.note) == (ToolStatus.NO_DATA, "no line of the stream matches")
    second, _ = await ask(context, handler, namespace="shop", service="web")
    assert second.status is ToolStatus.OK


async def test_labels_are_named_as_they_are_here(context: ToolContext) -> None:
    config = {"labels": renamed(LokiLabels(), ["node=hostname", "unit=systemd_unit"]), "token": "secret-token"}
    got, asked = await ask(
        context, loki([({"hostname": "n1", "systemd_unit": "kubelet.service"}, lines_of(1))]), config=config, node="n1", unit="kubelet.service"
    )
    assert asked[0].one("query") == '{hostname="n1", systemd_unit="kubelet.service"}'
    assert asked[0].headers["authorization"] == "Bearer secret-token"
    assert "secret" not in got.model_dump_json()
    with pytest.raises(ValueError, match="expected name=value"):
        renamed(LokiLabels(), ["pods=pod"])


async def test_a_unit_without_a_suffix_is_also_the_service_of_that_name(context: ToolContext) -> None:
    named = [{"host.name": "n1", "systemd.unit": unit} for unit in ("kubelet.service", "kubelet", "kubelet.socket", "containerd.service")]
    stored = {"logs-a-b": [{"@timestamp": START * 1000 + n, "message": f"line of {d['systemd.unit']}", **d} for n, d in enumerate(named)]}
    fields = {"fields": renamed(ElasticsearchFields(), ["node=host.name", "unit=systemd.unit"])}
    got, _ = await ask(context, elasticsearch(stored), "elasticsearch", fields, node="n1", unit="kubelet")
    assert [line.split()[-1] for line in got.data["lines"]] == ["kubelet.service", "kubelet"]
    _, asked = await ask(context, loki([]), node="n1", unit="k3s-agent")
    selector = asked[0].one("query")
    pattern = json.loads(selector.partition("unit=~")[2].rstrip("}"))
    assert [bool(re.fullmatch(pattern, u)) for u in ("k3s-agent", "k3s-agent.service", "k3s-agent.socket", "k3sxagent")] == [True, True, False, False]


@pytest.mark.parametrize("text", ['a"b', "back\\slash", "`tick`", "{x}", "%s |= y", "ünï", "tab\there", "\x01", "a\nb"])
def test_no_text_leaves_its_quotes(text: str) -> None:
    assert json.loads(quoted(text)) == text
    assert "\n" not in quoted(text)


async def test_elasticsearch_is_asked_for_a_range_sorted_upwards(context: ToolContext) -> None:  # covers TOOL-15
    stored = {"logs-cart-2026.01.01": documents(3), "logs-cart-db-2026.01.01": documents(2, **{"service.name": "cart-db"})}
    got, asked = await ask(context, elasticsearch(stored, key="k"), "elasticsearch", {"api_key": "k"}, service="cart", namespace=None)
    assert (asked[0].method, asked[0].path) == ("POST", "/logs-cart-*/_search")
    body = json.loads(asked[0].body)
    assert body["size"] == 10_000
    assert body["sort"] == [{"@timestamp": {"order": "asc"}}]
    assert body["query"]["bool"]["filter"][0] == {
        "range": {"@timestamp": {"gte": "2026-01-01T09:00:00Z", "lte": "2026-01-01T10:00:00Z", "format": "strict_date_optional_time"}}
    }
    assert got.data["lines"] == ["served 0 items", "served 1 items", "served 2 items"]
    assert "POST /logs-cart-*/_search size=10000 sort=@timestamp:asc" in got.invocation


@pytest.mark.parametrize("newest", [False, True])
async def test_elasticsearch_is_paged_by_search_after_and_no_entry_of_one_moment_is_lost(context: ToolContext, newest: bool) -> None:
    stored = {"logs-cart-a": documents(50), "logs-cart-b": documents(50)}
    got, asked = await ask(context, elasticsearch(stored), "elasticsearch", {"page": 16}, service="cart", limit=100, newest=newest)
    assert sorted(got.data["lines"]) == sorted(2 * [f"served {n} items" for n in range(50)])
    assert json.loads(asked[1].body)["search_after"]
    assert len(asked) > 5


async def test_elasticsearch_keeps_to_its_limits_and_says_what_is_left_out(context: ToolContext) -> None:
    few, _ = await ask(context, elasticsearch({"logs-cart-a": documents(50)}), "elasticsearch", service="cart", limit=20)
    assert few.truncated == "cut at 20 lines: 20 of 50 entries read, the newer left out"
    long = documents(60)
    for document in long:
        document["message"] += "x" * 300
    cut, asked = await ask(context, elasticsearch({"logs-cart-a": long}), "elasticsearch", {"max_bytes": 12_000}, service="cart", limit=60)
    assert [json.loads(a.body)["size"] for a in asked][:2] == [60, 12]
    assert "entries read" in cut.truncated


async def test_an_index_that_is_not_there_is_told_from_one_without_lines(context: ToolContext) -> None:
    stored = {"logs-cart-a": documents(1)}
    gone, _ = await ask(context, elasticsearch(stored), "elasticsearch", service="web")
    assert (gone.status, gone.note) == (ToolStatus.NOT_FOUND, "no index matches logs-web-*")
    silent, _ = await ask(context, elasticsearch(stored), "elasticsearch", service="cart", pod="cart-7d-z")
    assert (silent.status, silent.note) == (ToolStatus.NO_DATA, "no line matches")
    phrase, _ = await ask(context, elasticsearch(stored), "elasticsearch", service="cart", contains="Served 0")
    assert phrase.status is ToolStatus.NO_DATA  # the store finds words, a literal has its case


@pytest.mark.parametrize("service", ["Cart/x", "a:b", "cart.", "CART"])
async def test_a_service_never_names_another_index(context: ToolContext, service: str) -> None:
    try:
        _, asked = await ask(context, elasticsearch({}), "elasticsearch", service=service)
    except ValidationError:
        return
    assert asked[0].path in ("/logs-*-*/_search", "/logs-cart-*/_search")


async def test_shards_that_failed_are_a_note(context: ToolContext) -> None:
    hits = {"total": 1, "hits": [{"_index": "i", "_id": "1", "sort": [1], "_source": {"message": "ok\n\nsecond line"}}]}
    answer = reply({"timed_out": True, "_shards": {"total": 3, "failed": 2}, "hits": hits})
    got, _ = await ask(context, lambda _: answer, "elasticsearch", service="cart")
    assert got.note == "2 of 3 shards did not answer: lines may be missing"
    assert got.data["lines"] == ["ok", "second line"]


def test_fields_are_found_nested_flat_and_mixed() -> None:
    assert at_path({"kubernetes": {"pod": {"name": "a"}}}, "kubernetes.pod.name") == "a"
    assert at_path({"kubernetes.pod.name": "a"}, "kubernetes.pod.name.keyword") == "a"
    assert at_path({"kubernetes": {"pod.name": "a"}}, "kubernetes.pod.name") == "a"
    assert at_path({"kubernetes": 5}, "kubernetes.pod.name") is None
    assert renamed(ElasticsearchFields(), ["pod=kubernetes.pod_name"]).pod == "kubernetes.pod_name"


FAULTS = [
    (Reply(fault="hang"), ErrorClass.TRANSIENT, Reason.TIMEOUT),
    (Reply(fault="drop"), ErrorClass.TRANSIENT, Reason.UNAVAILABLE),
    (Reply(200, b"{", fault="cut"), ErrorClass.TRANSIENT, Reason.UNAVAILABLE),
    (Reply(500, b"boom"), ErrorClass.TRANSIENT, Reason.UNAVAILABLE),
    (Reply(429, b"too many outstanding requests"), ErrorClass.TRANSIENT, Reason.UNAVAILABLE),
    (Reply(401, b"no org id"), ErrorClass.CONFIG, Reason.DENIED),
    (Reply(400, b"parse error at line 1"), ErrorClass.CONFIG, Reason.TOOL_ERROR),
    (Reply(302, b"", {"Location": "/login"}), ErrorClass.EXTERNAL, Reason.TOOL_ERROR),
    (Reply(200, b"<html>login</html>"), ErrorClass.EXTERNAL, Reason.INVALID_RESPONSE),
    (Reply(200, b"[]"), ErrorClass.EXTERNAL, Reason.INVALID_RESPONSE),
    (reply({"status": "success", "data": {"resultType": "streams", "result": 5}, "hits": {"hits": 5}}), ErrorClass.EXTERNAL, Reason.INVALID_RESPONSE),
    (
        reply({"data": {"resultType": "streams", "result": [{"stream": {}, "values": [["x"]]}]}, "hits": {"hits": [{}]}}),
        ErrorClass.EXTERNAL,
        Reason.INVALID_RESPONSE,
    ),
]


@pytest.mark.parametrize("store", ["loki", "elasticsearch"])
@pytest.mark.parametrize(("answer", "error_class", "reason"), FAULTS)
async def test_a_fault_becomes_a_failure_of_the_right_class(
    context: ToolContext, store: str, answer: Reply, error_class: ErrorClass, reason: Reason
) -> None:
    with pytest.raises(ToolFailure) as failure:
        await ask(context, lambda _: answer, store, service="cart")
    assert (failure.value.error_class, failure.value.reason) == (error_class, reason)


@pytest.mark.parametrize("store", ["loki", "elasticsearch"])
async def test_a_refusal_is_an_answer_that_names_what_may_not_be_read(context: ToolContext, store: str) -> None:  # covers ERR-03
    got, _ = await ask(context, lambda _: Reply(403, b"access denied"), store, service="cart")
    assert got.status is ToolStatus.DENIED
    assert "missing permission" in got.note
    assert "access denied" in got.note


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"contains": "x"},
        {"container": "a"},
        {"service": "a", "unit": "kubelet.service"},
        {"node": "n1", "unit": "a b"},
        {"namespace": 'a"} |= "'},
        {"namespace": "a", "source": "files"},
        {"namespace": "a", "contains": "a\nb"},
        {"namespace": "a", "limit": 10_001},
        {"namespace": "a", "query": "{}"},
    ],
)
def test_a_search_that_is_not_narrowed_or_not_plain_is_refused(arguments: dict[str, Any]) -> None:
    registry, _ = build_registry(ToolsConfig())
    tool = registry.get("search_logs")
    assert tool is not None
    with pytest.raises(ValidationError):
        tool.arguments.model_validate(arguments)


async def test_a_store_that_is_not_configured_says_so(context: ToolContext) -> None:
    with pytest.raises(ToolFailure) as failure:
        await ask(context, loki([]), source="elasticsearch", namespace="shop")
    assert failure.value.reason is Reason.NOT_CONFIGURED
    with pytest.raises(ToolFailure, match="namespace, service, pod or node"):
        await LokiClient(LokiConfig(url="http://127.0.0.1:9")).query(LogQuery(window=context.window))


async def test_what_was_not_said_before_is_new_and_a_loud_minute_stands_out(context: ToolContext) -> None:  # covers LOGA-01, LOGA-02
    calm = [(START * SECOND + n * 10 * SECOND, f"served {n} items") for n in range(360)]
    loud = [(START * SECOND + (3_000 * SECOND) + n * SECOND // 10, f"ERROR pool of {n} is exhausted") for n in range(200)]
    got, _ = await ask(context, loki([(CART, [*calm, *loud])]), namespace="shop", service="cart", new_since_minutes=20)
    assert got.data["timerange"]["start"] == "2026-01-01T09:40:00Z"
    assert got.data["log_count"] == 320
    new, burst = got.data["anomalies"]
    assert (new["kind"], new["pattern"], new["count"], new["first"]) == ("new", "ERROR pool of <num> is exhausted", 200, "2026-01-01T09:50:00Z")
    assert (burst["kind"], burst["minute"], burst["count"], burst["usual"]) == ("burst", "2026-01-01T09:50:00Z", 206, 6)
    assert got.line_with("x200 error NEW: ERROR pool of <num> is exhausted (2026-01-01T09:50:00Z to 2026-01-01T09:50:19.900Z)")
    analysis = got.data["analysis"]
    assert analysis["root_cause"] == ""
    assert analysis["summary"] == "200 of 320 lines tell of errors, in 1 patterns, most often: ERROR pool of <num> is exhausted"
    assert analysis["timeline"] == ["2026-01-01T09:50:00Z ERROR pool of <num> is exhausted"]


@pytest.fixture
async def lab() -> AsyncIterator[LabServers]:
    now = datetime(2026, 1, 1, 10, tzinfo=UTC)
    log = "Jan  1 09:59:00 n1 kubelet[7]: E0101 09:59:00.1 7 kubelet.go:1] PLEG is not healthy\nJan  1 09:00:00 n1 kubelet[7]: started\n"
    nodes = {"Node": [{"metadata": {"name": "n1"}}]}
    world = World(now, objects_of=lambda: nodes, logs_of=lambda: {"kube-system/n1/kubelet.service": log})
    async with LabServers(world) as servers:
        yield servers


async def test_the_log_of_a_unit_is_read_from_the_lab(lab: LabServers) -> None:
    now = datetime(2026, 1, 1, 10, tzinfo=UTC)
    registry, sources = build_registry(ToolsConfig(loki=LokiConfig(url=lab.addresses.loki)))
    tool = registry.get("search_logs")
    assert tool is not None
    context = ToolContext(now=now, window=Window(start=now - timedelta(minutes=30), end=now))
    got = await tool.run(tool.arguments(node="n1", unit="kubelet.service", contains="PLEG"), context)
    gone = await tool.run(tool.arguments(node="n2"), context)
    await sources.aclose()
    assert got.text == "Jan  1 09:59:00 n1 kubelet[7]: E0101 09:59:00.1 7 kubelet.go:1] PLEG is not healthy"
    assert gone.status is ToolStatus.NO_DATA
