"""Prometheus' HTTP API -> series, bounded in points, span and bytes. Every Prometheus tool reads through this; anything
that speaks the same API (Thanos, Mimir, VictoriaMetrics, the lab) will do."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx2

from app.domain.errors import ToolFailure
from app.domain.frozen import JsonObject
from app.domain.reason import ErrorClass, Reason
from app.domain.tool import Window
from app.tools.http_reading import Answer, fetch, invalid, unavailable
from app.tools.promql import checked

SOURCE = "Prometheus"
MAX_POINTS = 11_000  # Prometheus' own limit per series
MAX_SPAN = 24 * 3600
WANTED_POINTS = 720


@dataclass(frozen=True)
class PrometheusConfig:
    """`url` is the base URL, with a path prefix if there is one; `headers` for a tenant or a token. Times in seconds."""

    url: str
    timeout: float = 8.0
    headers: dict[str, str] = field(default_factory=dict)
    max_bytes: int = 8 * 1024 * 1024
    max_series: int = 200


@dataclass(frozen=True)
class Series:
    """One series of a matrix: labels and [unix seconds, text] pairs, oldest first."""

    metric: dict[str, str]
    values: list[tuple[float, str]]


@dataclass(frozen=True)
class Matrix:
    """The answer to one range query. `truncated` says what was left out, "" if nothing."""

    query: str
    series: list[Series]
    step: int
    bytes_read: int
    truncated: str = ""


class PrometheusClient:
    """Made once; usable from one event loop. `aclose` when done. Methods raise ToolFailure: TRANSIENT for 429, 5xx,
    network and Prometheus' own `timeout`; CONFIG for 401, 403 and queries that it refuses; EXTERNAL for garbage."""

    def __init__(self, config: PrometheusConfig) -> None:
        self._config = config
        self._http: httpx2.AsyncClient | None = None

    async def range(self, query: str, window: Window, interval: float, age: float | None = None) -> Matrix:
        """At most 24 h and 11,000 points; the step is the scrape interval or more, and the last point is the window's end.
        `age`: seconds since the first sample where that is less than the window. Labels of a series in order."""
        start, end = _bounds(window)
        step = step_for(min(age or end - start, end - start), interval)
        start = end - min(MAX_POINTS - 1, int((end - start) // step)) * step
        params = {"query": checked(query), "start": _number(start), "end": _number(end), "step": str(step)}
        data, size = await self._ask("/api/v1/query_range", params)
        found = [_series(r) for r in _list(data, "result")]
        found.sort(key=lambda s: sorted(s.metric.items()))
        left = f"{len(found)} series, {self._config.max_series} shown" if len(found) > self._config.max_series else ""
        return Matrix(query, found[: self._config.max_series], step, size, left)

    async def instant(self, query: str, at: float) -> tuple[list[JsonObject], int]:
        """-> ([{metric, value}], bytes)."""
        data, size = await self._ask("/api/v1/query", {"query": checked(query), "time": _number(at)})
        return [r for r in _list(data, "result") if isinstance(r, dict)], size

    async def samples(self, selector: str, seconds: int, end: datetime) -> tuple[list[Series], int]:
        """The raw samples of the last `seconds`, with the times at which they were scraped; -> (series, bytes)."""
        query = checked(f"{selector}[{seconds}s]")
        data, size = await self._ask("/api/v1/query", {"query": query, "time": _number(end.timestamp())})
        return [_series(r) for r in _list(data, "result")], size

    async def label_sets(self, selectors: Sequence[str], window: Window) -> tuple[list[dict[str, str]], int]:
        """The label sets that match any of the selectors; -> (label sets, bytes)."""
        start, end = _bounds(window)
        params: JsonObject = {"match[]": [checked(s) for s in selectors], "start": _number(start), "end": _number(end)}
        data, size = await self._ask("/api/v1/series", params)
        if not isinstance(data, list):
            raise invalid(SOURCE, "no list of series")
        return [{str(k): str(v) for k, v in s.items()} for s in data if isinstance(s, dict)], size

    async def alerts(self) -> tuple[list[JsonObject], int]:
        data, size = await self._ask("/api/v1/alerts", {})
        return [a for a in _list(data, "alerts") if isinstance(a, dict)], size

    async def rule_groups(self, kind: str = "") -> tuple[list[JsonObject], int]:
        """Groups with their rules, of one `kind` (`alert` or `record`) or of both; -> (groups, bytes)."""
        data, size = await self._ask("/api/v1/rules", {"type": kind} if kind else {})
        return [g for g in _list(data, "groups") if isinstance(g, dict)], size

    async def rules(self) -> tuple[list[JsonObject], int]:
        """Every alerting rule: {name, query, duration, state, health, lastError, labels}; -> (rules, bytes)."""
        groups, size = await self.rule_groups("alert")
        return [r for g in groups for r in g.get("rules") or () if isinstance(r, dict)], size

    async def targets(self, scrape_pool: str = "") -> tuple[list[JsonObject], dict[str, int], int]:
        """Active targets; -> (targets, scrape pool -> targets dropped by relabelling, bytes). Servers before 2.49 count no
        dropped ones. `scrape_pool` narrows on the server's side, from 2.42 on."""
        params = {"state": "active"} | ({"scrapePool": scrape_pool} if scrape_pool else {})
        data, size = await self._ask("/api/v1/targets", params)
        counts = data.get("droppedTargetCounts") if isinstance(data, dict) else None
        dropped = {str(k): v for k, v in counts.items() if isinstance(v, int)} if isinstance(counts, dict) else {}
        return [t for t in _list(data, "activeTargets") if isinstance(t, dict)], dropped, size

    async def aclose(self) -> None:
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _ask(self, path: str, params: JsonObject) -> tuple[Any, int]:
        if self._http is None:
            self._http = connect(self._config)
        request = self._http.build_request("GET", self._config.url.rstrip("/") + path, params=params)
        got = await fetch(self._http, request, SOURCE, self._config.max_bytes)
        return _data(got), len(got.body)


def connect(config: PrometheusConfig) -> httpx2.AsyncClient:
    verify = not config.url.startswith("http:")  # without TLS no trust store is needed, and loading it costs 0.1 s
    return httpx2.AsyncClient(timeout=httpx2.Timeout(config.timeout), headers=config.headers, verify=verify)


def step_for(span: float, interval: float) -> int:
    """Whole seconds: the scrape interval, or more where that would give over 720 points."""
    return max(1, math.ceil(interval), math.ceil(span / WANTED_POINTS))


def _bounds(window: Window) -> tuple[float, float]:
    end = window.end.timestamp()
    start = max(window.start.timestamp(), end - MAX_SPAN)
    if start >= end:
        raise ToolFailure(ErrorClass.CONFIG, Reason.INVALID_ARGUMENTS, "the window ends before it begins")
    return start, end


def _data(got: Answer) -> Any:
    if got.status in (408, 429) or got.status >= 500:
        raise unavailable(SOURCE, f"status {got.status}: {got.body[:200].decode('utf-8', 'replace')}", got.status)
    if got.status in (401, 403):
        raise ToolFailure(ErrorClass.CONFIG, Reason.DENIED, f"{SOURCE} refuses the credentials ({got.status})", got.status)
    if got.cut:
        raise invalid(SOURCE, f"more than {len(got.body)} bytes: narrow the query", got.status)
    body = got.json(SOURCE)
    if body.get("status") == "success":
        return body.get("data")
    said = f"{body.get('errorType', '')}: {body.get('error', '')}"[:300]
    if body.get("errorType") in ("timeout", "canceled", "unavailable"):
        raise unavailable(SOURCE, said, got.status)
    raise ToolFailure(ErrorClass.CONFIG if got.status == 400 else ErrorClass.EXTERNAL, Reason.TOOL_ERROR, f"{SOURCE}: {said}", got.status)


def _list(data: Any, name: str) -> list[Any]:
    found = data.get(name) if isinstance(data, dict) else None
    if not isinstance(found, list):
        raise invalid(SOURCE, f"no list of {name}")
    return found


def _series(raw: Any) -> Series:
    try:
        metric = {str(k): str(v) for k, v in sorted(raw["metric"].items())}
        return Series(metric, [(float(t), str(v)) for t, v in raw["values"]])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise invalid(SOURCE, f"a series of another shape: {error}") from error


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
