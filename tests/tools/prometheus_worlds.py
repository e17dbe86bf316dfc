"""Worlds of series behind the lab's Prometheus, and the tools asked about them in process."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from app.domain.tool import ToolContext, ToolResult, Window
from app.lab.prometheus_server import PrometheusApp
from app.lab.snapshot import World
from app.tools.prometheus_client import PrometheusClient, PrometheusConfig

NOW = datetime(2026, 1, 1, 10, tzinfo=UTC)
STEP = 15
CONTEXT = ToolContext(now=NOW, window=Window(start=NOW - timedelta(hours=1), end=NOW))


def gauge(name: str, of: Callable[[float], float | None], minutes: int = 120, **labels: str) -> dict[str, Any]:
    """A series every 15 s up to now; `of` gets the minutes before now as a negative number, None leaves a gap."""
    end = NOW.timestamp()
    times = [end - STEP * i for i in range(minutes * 60 // STEP, -1, -1)]
    values = [(t, of((t - end) / 60)) for t in times]
    return {"metric": {"__name__": name, **labels}, "values": [[t, str(v)] for t, v in values if v is not None]}


def world(*series: dict[str, Any], rules: list[dict[str, Any]] | None = None, targets: dict[str, Any] | None = None) -> World:
    return World(now=NOW, metrics_of=lambda: list(series), rules_of=lambda: rules or [], targets_of=lambda: targets)


def client(of: World) -> PrometheusClient:
    made = PrometheusClient(PrometheusConfig(url="http://prometheus"))
    made._http = httpx2.AsyncClient(transport=httpx2.ASGITransport(PrometheusApp(of)))
    return made


async def ask(tool: type[Any], of: World, context: ToolContext = CONTEXT, **arguments: Any) -> ToolResult:
    source = client(of)
    try:
        made = tool(source)
        result: ToolResult = await made.run(made.arguments(**arguments), context)
        return result
    finally:
        await source.aclose()
