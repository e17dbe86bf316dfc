"""One contract over every place that keeps logs: the same lines give the same templates, findings and marks wherever they were kept."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.tool import ToolContext, ToolResult, ToolStatus
from app.tools.catalogue import ToolsConfig, build_registry
from app.tools.elasticsearch_client import ElasticsearchConfig
from app.tools.kubernetes_client import KubernetesConfig
from app.tools.log_text import MAX_LINE
from app.tools.loki_client import LokiConfig
from tests.tools.log_stores import elasticsearch, loki
from tests.tools.servers import Handler, serving
from tests.tools.test_log_text import kubelet

NOW = datetime(2026, 1, 1, 10, tzinfo=UTC)
STORES = ("loki", "elasticsearch", "kubernetes")
LONG = "payload " + "x" * 6_000
Log = list[tuple[datetime, str]]


def minutes_ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def story() -> Log:
    """Forty minutes: one template as ever, one five times as often in the last twenty, one new and loud in one minute, one over-long line."""
    calm = [(minutes_ago(40 - n / 2), f"served {n} items") for n in range(80)]
    slow = [(minutes_ago(39 - n), f"WARN retry {n} of peer") for n in range(0, 18, 2)] + [
        (minutes_ago(19.5 - n / 5), f"WARN retry {n} of peer") for n in range(90)
    ]
    loud = [(minutes_ago(5) + timedelta(seconds=n / 2), f"ERROR pool of {n} is exhausted") for n in range(60)]
    return sorted([*calm, *slow, *loud, (minutes_ago(1.25), LONG)])


def handler(store: str, log: Log) -> Handler:
    if store == "kubernetes":
        return kubelet(log)
    if store == "loki":
        labels = {"namespace": "shop", "app": "cart", "pod": "cart-7d-a"}
        return loki([(labels, [(int(at.timestamp() * 1000) * 1_000_000, text) for at, text in log])])
    names = {"service.name": "cart", "kubernetes.namespace": "shop", "kubernetes.pod.name": "cart-7d-a"}
    return elasticsearch({"logs-cart-1": [{"@timestamp": int(at.timestamp() * 1000), "message": text, **names} for at, text in log]})


async def ask(context: ToolContext, store: str, log: Log, **more: Any) -> ToolResult:
    """The last twenty minutes, compared with the twenty before."""
    async with serving(handler(store, log)) as server:
        if store == "kubernetes":
            config, tool_name = ToolsConfig(kubernetes=KubernetesConfig(url=server.url)), "get_logs"
            arguments: dict[str, Any] = {"namespace": "shop", "pod": "cart-7d-a", "since_minutes": 20, "tail_lines": 1_000}
        else:
            stores = {"loki": LokiConfig(url=server.url)} if store == "loki" else {"elasticsearch": ElasticsearchConfig(url=server.url)}
            config, tool_name = ToolsConfig(**stores), "search_logs"
            arguments = {"namespace": "shop", "pod": "cart-7d-a", "minutes": 40, "new_since_minutes": 20}
            arguments |= {"service": "cart"} if store == "elasticsearch" else {}
        registry, sources = build_registry(config)
        tool = registry.get(tool_name)
        assert tool is not None
        try:
            return await tool.run(tool.arguments(**arguments, **more), context)
        finally:
            await sources.aclose()


# covers LOGA-01
@pytest.mark.parametrize("store", STORES)
async def test_templates_have_counts_times_samples_and_what_is_new_whatever_the_store(store: str, context: ToolContext) -> None:
    got = await ask(context, store, story())
    assert got.status is ToolStatus.OK
    assert got.provenance.value == "untrusted"
    found = {t["template"]: t for t in got.data["templates"]}
    served, retried, pool = (found[name] for name in ("served <num> items", "WARN retry <num> of peer", "ERROR pool of <num> is exhausted"))
    assert (pool["count"], pool["before"], pool["new"], pool["level"]) == (60, 0, True, "error")
    assert (pool["first"], pool["last"]) == ("2026-01-01T09:55:00Z", "2026-01-01T09:55:29.500Z")
    assert pool["samples"] == [f"ERROR pool of {n} is exhausted" for n in (0, 1, 59)]
    assert (served["count"], served["before"], served["new"]) == (40, 40, False)
    assert (retried["count"], retried["before"], retried["new"]) == (90, 9, False)
    assert set(pool) == {"template", "count", "before", "first", "last", "samples", "level", "new"}
    assert "x60 error NEW: ERROR pool of <num> is exhausted (2026-01-01T09:55:00Z to 2026-01-01T09:55:29.500Z)" in got.text.splitlines()


# covers LOGA-01, LOGA-02
@pytest.mark.parametrize("store", STORES)
async def test_the_findings_of_a_time_range_are_made_by_code_whatever_the_store(store: str, context: ToolContext) -> None:
    got = await ask(context, store, story())
    data = got.data
    assert data["service"] in ("cart", "cart-7d-a", "shop/cart-7d-a")
    assert data["timerange"] == {"start": "2026-01-01T09:40:00Z", "end": "2026-01-01T10:00:00Z"}
    assert data["log_count"] == 191 == data["total"]
    assert [(p["pattern"], p["count"]) for p in data["error_patterns"]] == [("ERROR pool of <num> is exhausted", 60)]
    assert [(a["kind"], a.get("pattern", "")) for a in data["anomalies"] if "payload" not in a.get("pattern", "")] == [
        ("new", "ERROR pool of <num> is exhausted"),
        ("risen", "WARN retry <num> of peer"),
        ("burst", ""),
    ]
    risen = next(a for a in data["anomalies"] if a["kind"] == "risen")
    assert (risen["per_minute"], risen["usual"], risen["count"]) == (4.5, 0.45, 90)
    assert "RISEN from 0.45 to 4.5 a minute: WARN retry <num> of peer" in got.text.splitlines()
    assert "BURST of 67 lines in the minute of 2026-01-01T09:55:00Z, usual are 7" in got.text.splitlines()
    assert set(data["analysis"]) == {"summary", "root_cause", "timeline", "affected_components", "recommended_actions"}
    assert data["analysis"]["summary"].startswith("60 of 191 lines tell of errors, in 1 patterns")
    assert data["analysis"]["timeline"] == ["2026-01-01T09:55:00Z ERROR pool of <num> is exhausted"]
    assert (data["analysis"]["root_cause"], data["analysis"]["recommended_actions"]) == ("", [])


@pytest.mark.parametrize("store", STORES)
async def test_a_line_that_is_cut_says_so_in_the_line_and_in_the_note(store: str, context: ToolContext) -> None:
    got = await ask(context, store, story())
    (line,) = [text for text in got.data["lines"] if text.startswith("payload")]
    assert len(line) <= MAX_LINE
    kept = line.index(" [... ")
    assert line[kept:] == f" [... {len(LONG) - kept} characters left out]"
    assert line in got.text.splitlines()
    assert f"1 lines cut at {MAX_LINE} characters" in got.truncated


@pytest.mark.parametrize("store", STORES)
async def test_lines_as_often_as_before_are_no_anomaly_whatever_the_store(store: str, context: ToolContext) -> None:
    got = await ask(context, store, [line for line in story() if "served" in line[1]])
    assert got.data["anomalies"] == got.data["error_patterns"] == []
    assert got.truncated == ""
    none = await ask(context, store, [])
    assert none.status in (ToolStatus.NO_DATA, ToolStatus.NOT_FOUND)
    assert (none.data["log_count"], none.data["analysis"]["summary"]) == (0, "no lines")


@pytest.mark.parametrize("store", STORES[:2])
async def test_of_more_lines_than_the_limit_the_last_minutes_are_kept_where_they_are_compared(store: str, context: ToolContext) -> None:
    got = await ask(context, store, story(), limit=150)
    assert got.data["lines"][-1] == "served 79 items"
    assert "older" in got.truncated
    assert got.note == "no line before 2026-01-01T09:40:00Z to compare with"
