"""The Prometheus tools on a real Prometheus (Debian package) that holds series written by `promtool`."""

import asyncio
import json
import math
import shutil
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.domain.tool import ToolContext, ToolStatus, Window
from app.tools.alert_expression import reads_series, split
from app.tools.check_rules import CheckRules
from app.tools.check_targets import CheckTargets
from app.tools.get_metrics import GetMetrics
from app.tools.golden_signals import OWN_NAMES, SIGNALS
from app.tools.prometheus_client import PrometheusClient, PrometheusConfig
from app.tools.query_prometheus import QueryPrometheus
from app.tools.replay_alert import ReplayAlert
from tests.real.processes import answers, free_port, running, until

pytestmark = [pytest.mark.real, pytest.mark.slow]
SPAN = 3600  # of the window that is read
PODS = ("cart-7d9f8b6c5d-x2k4p", "cart-7d9f8b6c5d-zz9kp")


class Life(NamedTuple):
    """Of a service, in seconds: how often it is scraped, for how long it has been there, and when its trouble began."""

    scrape: int = 15
    span: int = SPAN
    onset: int = 2400


LIVES = (Life(), Life(60, SPAN, 2400), Life(30, 1200, 700), Life(5, 240, 150), Life(1, 55, 35))


def samples(start: int, life: Life) -> str:
    """OpenMetrics: at the onset the memory of one pod begins to grow and every third request fails."""
    series: dict[str, list[str]] = {}

    def add(name: str, labels: str, value: float, at: int) -> None:
        series.setdefault(f"{name}{{{labels}}}", []).append(f"{name}{{{labels}}} {value} {at}")

    target, good, bad = 'namespace="shop",job="cart",instance="10.1.0.1:8080"', 0.0, 0.0
    for second in range(0, life.span + 1, life.scrape):
        at, after = start + second, max(0, second - life.onset)
        for pod in PODS:
            size = 1e8 + 1e5 * math.sin(second) + (after * 2e8 / life.span if pod == PODS[0] else 0)
            add("container_memory_working_set_bytes", f'namespace="shop",pod="{pod}",container="server"', size, at)
        good += life.scrape * (6.7 if after else 10)
        bad += life.scrape * (3.3 if after else 0)
        add("http_requests_total", f'{target},code="200"', good, at)
        if after:
            add("http_requests_total", f'{target},code="500"', bad, at)
        add("up", target, 1, at)
    types = {"container_memory_working_set_bytes": "gauge", "http_requests": "counter", "up": "gauge"}
    body = [f"# TYPE {n} {t}\n" + "".join("\n".join(v) + "\n" for k, v in series.items() if k.startswith(n)) for n, t in types.items()]
    return "".join(body) + "# EOF\n"


@pytest.fixture
async def world(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, int]]:
    """(address, unix seconds of the first sample). Two hours old, so that Prometheus takes the blocks as they are."""
    assert shutil.which("promtool"), "needs Debian's prometheus"
    life = getattr(request, "param", LIVES[0])
    start = int(time.time()) // 60 * 60 - 3 * SPAN
    (tmp_path / "in.om").write_text(samples(start, life))
    made = await asyncio.create_subprocess_exec(
        "promtool", "tsdb", "create-blocks-from", "openmetrics", "in.om", "data", cwd=tmp_path, stdout=asyncio.subprocess.DEVNULL
    )
    assert await made.wait() == 0
    (tmp_path / "prometheus.yml").write_text("global: {}\n")
    url = f"http://127.0.0.1:{free_port()}"
    command = ("prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={url.removeprefix('http://')}")
    async with running(*command, log=tmp_path / "log"):
        await until(lambda: answers(f"{url}/-/ready"), 20, "Prometheus is ready")
        yield url, start


def window(start: int, life: Life = LIVES[0]) -> ToolContext:
    """The hour that ends with the last sample, however young the service is."""
    now = datetime.fromtimestamp(start + life.span, UTC)
    return ToolContext(now=now, window=Window(start=now - timedelta(seconds=SPAN), end=now))


@pytest.mark.parametrize(("world", "life"), [(life, life) for life in LIVES], indirect=["world"], ids=str)
async def test_a_leak_and_its_errors_are_dated_to_within_two_scrapes(world: tuple[str, int], life: Life) -> None:
    url, start = world
    client = PrometheusClient(PrometheusConfig(url=url))
    tool = GetMetrics(client)
    got = await tool.run(tool.arguments(namespace="shop", service="cart"), window(start, life))
    await client.aclose()
    assert got.status is ToolStatus.OK
    moved: dict[tuple[str, str], Any] = {(s["name"], s["metric"].get("pod", "")): s for s in got.data["series"] if "change" in s}
    assert {("memory_working_set", PODS[0]), ("error_rate", "")} <= set(moved), got.text
    assert not {("memory_working_set", PODS[1]), ("request_rate", "")} & set(moved), got.text
    for series in moved.values():
        assert abs(series["change"]["at"] - (start + life.onset)) <= 2 * life.scrape, got.text
    assert round(float(moved[("error_rate", "")]["values"][-1][1]), 6) == 0.33
    assert {s["step"] for s in got.data["series"]} == {life.scrape}


@pytest.mark.parametrize(("world", "life"), [(life, life) for life in LIVES[::4]], indirect=["world"], ids=str)
async def test_a_query_of_ones_own_is_read_as_finely_as_it_was_scraped(world: tuple[str, int], life: Life) -> None:
    url, start = world
    client = PrometheusClient(PrometheusConfig(url=url))
    tool = QueryPrometheus(client)
    got = await tool.run(tool.arguments(query=f'max(container_memory_working_set_bytes{{pod="{PODS[0]}"}})'), window(start, life))
    await client.aclose()
    (series,) = got.data["series"]
    assert series["step"] == life.scrape
    assert abs(series["change"]["at"] - (start + life.onset)) <= 2 * life.scrape, got.text


async def test_prometheus_itself_accepts_every_template_and_every_pattern(world: tuple[str, int]) -> None:
    url, start = world
    client, context = PrometheusClient(PrometheusConfig(url=url)), window(start)
    for signal in SIGNALS:
        query = signal.query.replace("<sel>", 'namespace="shop"').replace("<by>", "job").replace("<w>", "60s").replace("<code>", "code")
        await client.range(query, context.window, LIVES[0].scrape)
    for own in OWN_NAMES:
        await client.label_sets([f'{{__name__=~"{own.pattern}",namespace="shop"}}'], context.window)
    assert (await client.alerts())[0] == []
    assert (await client.rules())[0] == []
    await client.aclose()


# What an alert on the world above would ask, and the second after the onset at which its condition is first met.
REPLAYED = (
    ('container_memory_working_set_bytes{namespace="shop",container!=""} > 1.5e8', {"pod": PODS[0]}, 0.25 * SPAN),
    ('sum by (job) (rate(http_requests_total{code="500"}[1m])) / sum by (job) (rate(http_requests_total[1m])) > 0.1', {"job": "cart"}, 30),
    ("(0.1e9 * 1.5 < container_memory_working_set_bytes) and on (pod) container_memory_working_set_bytes > 0", {"pod": PODS[0]}, 0.25 * SPAN),
)


@pytest.mark.parametrize(("expression", "labels", "later"), REPLAYED)
async def test_an_expression_is_replayed_and_its_first_crossing_dated(
    world: tuple[str, int], expression: str, labels: dict[str, str], later: float
) -> None:
    url, start = world
    client, context = PrometheusClient(PrometheusConfig(url=url)), window(start)
    tool = ReplayAlert(client)
    began = datetime.fromtimestamp(start + LIVES[0].onset + later, UTC)
    got = await tool.run(tool.arguments(alert="Mine", expression=expression, labels={"alertname": "Mine", **labels}, starts_at=began), context)
    await client.aclose()
    assert (got.status, got.data["state"], got.data["own"]) == (ToolStatus.OK, "holds", True), got.text
    (told,) = got.data["replay"]
    assert abs(datetime.fromisoformat(told["first"]).timestamp() - began.timestamp()) <= 3 * LIVES[0].scrape, got.text
    assert told["value"] > told["threshold"]
    assert "the condition still holds" in got.line_with("now ")


RULES = """
groups:
- name: living
  interval: 1s
  rules:
  - {alert: Dead, expr: 'up{job="dead"} == 0', labels: {severity: critical}}
  - {alert: Waiting, expr: 'up{job="own"} == 1', for: 1h}
  - {alert: Torn, expr: 'up * on () up > 0'}
  - {record: 'job:up:sum', expr: 'sum by (job) (up)'}
"""


@pytest.fixture
async def living(tmp_path: Path) -> AsyncIterator[str]:
    """A Prometheus that scrapes itself, a port where nobody listens, and drops a third target; its rules fire and fail."""
    own, dead = free_port(), free_port()
    drop = {"source_labels": ["__address__"], "regex": "dropped.*", "action": "drop"}
    jobs: list[dict[str, Any]] = [
        {"job_name": "own", "static_configs": [{"targets": [f"127.0.0.1:{own}", "dropped:1"]}], "relabel_configs": [drop]},
        {"job_name": "dead", "static_configs": [{"targets": [f"127.0.0.1:{dead}"], "labels": {"namespace": "shop"}}]},
    ]
    config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "rule_files": ["rules.yml"], "scrape_configs": jobs}
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    (tmp_path / "rules.yml").write_text(RULES)
    url = f"http://127.0.0.1:{own}"
    command = ("prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={url.removeprefix('http://')}")
    async with running(*command, log=tmp_path / "log"):
        await until(lambda: answers(f"{url}/-/ready"), 20, "Prometheus is ready")
        yield url


async def test_rules_targets_and_the_rule_of_an_alert_are_read_as_prometheus_tells_them(living: str) -> None:
    client = PrometheusClient(PrometheusConfig(url=living))

    def context() -> ToolContext:
        now = datetime.now(UTC)
        return ToolContext(now=now, window=Window(start=now - timedelta(hours=1), end=now))

    async def settled() -> bool:
        states = {r["name"]: (r["state"], r["health"]) for r in (await client.rules())[0]}
        counted = await client.instant('count_over_time(up{job="dead"}[1m]) > 3', datetime.now(UTC).timestamp())
        return states == {"Dead": ("firing", "ok"), "Waiting": ("pending", "ok"), "Torn": ("inactive", "err")} and bool(counted[0])

    await until(settled, 30, "the rules are evaluated")
    rules = await CheckRules(client).run(CheckRules.arguments(), context())
    assert [r["name"] for r in rules.data["rules"]] == ["Torn", "Dead", "Waiting"]
    assert "found duplicate series for the match group" in rules.line_with("rule Torn lastError: ")
    assert rules.data["totals"] == {"firing": 1, "pending": 1, "inactive": 1, "failing": 1, "slow_groups": 0}
    assert "recording rule job:up:sum" in (await CheckRules(client).run(CheckRules.arguments(alert="job:up:sum"), context())).text
    targets = await CheckTargets(client).run(CheckTargets.arguments(), context())
    assert [(t["scrapePool"], t["health"]) for t in targets.data["targets"]] == [("dead", "down"), ("own", "up")]
    assert "connection refused" in targets.text.splitlines()[0]
    assert (await CheckTargets(client).run(CheckTargets.arguments(namespace="shop"), context())).summary == "1 targets, 1 down: dead"
    assert (await CheckTargets(client).run(CheckTargets.arguments(scrape_pool="own"), context())).summary == "1 targets, 0 down"
    labels = {"alertname": "Dead", "severity": "critical", "job": "dead"}
    replayed = await ReplayAlert(client).run(ReplayAlert.arguments(alert="Dead", labels=labels), context())
    await client.aclose()
    assert 'expression (from the rules of Prometheus): up{job="dead"} == 0' in replayed.text
    assert (replayed.data["state"], replayed.data["replay"][0]["value"]) == ("holds", 0.0)


@pytest.mark.shared
async def test_prometheus_takes_both_sides_of_every_public_alert(shared: Path, tmp_path: Path) -> None:
    """What we cut out of an expression is PromQL to Prometheus as well."""
    sides = []
    for text in (shared / "alert_catalogue.jsonl").read_text().splitlines():
        expression = json.loads(text)["expr"]
        if reads_series(expression):
            sides += [side for part in [split(expression)] for side in (part.left, part.right) if side]
    rules = [{"record": f"r:{number}", "expr": side} for number, side in enumerate(sides)]
    (tmp_path / "rules.json").write_text(json.dumps({"groups": [{"name": "sides", "rules": rules}]}))
    made = await asyncio.create_subprocess_exec("promtool", "check", "rules", "rules.json", cwd=tmp_path, stdout=asyncio.subprocess.PIPE)
    said, _ = await made.communicate()
    assert made.returncode == 0 and f"{len(rules)} rules found" in said.decode() and len(rules) > 2000
