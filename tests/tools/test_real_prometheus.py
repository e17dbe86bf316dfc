"""The Prometheus tools on a real Prometheus (Debian package) that holds series written by `promtool`."""

import asyncio
import math
import shutil
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.domain.tool import ToolContext, ToolStatus, Window
from app.tools.get_metrics import GetMetrics
from app.tools.golden_signals import OWN_NAMES, SIGNALS
from app.tools.prometheus_client import PrometheusClient, PrometheusConfig
from app.tools.query_prometheus import QueryPrometheus
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
