"""Prometheus' HTTP API over the series of a world, as an ASGI application. Started by `servers.LabServers`."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from app.lab import prometheus_status, times
from app.lab.promql.evaluator import Evaluator, parse
from app.lab.promql.labels import Labels, PromqlError
from app.lab.promql.numbers import number
from app.lab.promql.series import SeriesIndex
from app.lab.snapshot import World

MAX_POINTS = 11_000
_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_UNITS_MS = (31_536_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1000, 1)
Params = Mapping[str, list[str]]


class PrometheusApp:
    """Holds one world; give it another with `show`. A query without a time means the world's `now`."""

    def __init__(self, world: World) -> None:
        self.show(world)

    def show(self, world: World) -> None:
        self._world = world
        self._built: SeriesIndex | None = None

    @property
    def _index(self) -> SeriesIndex:
        if self._built is None:
            self._built = SeriesIndex(self._world.series)
        return self._built

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            response = await self._answer(Request(scope, receive))
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        if path in ("/-/ready", "/-/healthy"):
            return PlainTextResponse(f"Prometheus Server is {'Ready' if path == '/-/ready' else 'Healthy'}.\n")
        params = await _params(request)
        try:
            data = self._data(path, params)
        except PromqlError as error:
            status = 400 if error.kind == "bad_data" else 422
            return _json({"status": "error", "errorType": error.kind, "error": str(error)}, status)
        return PlainTextResponse("404 page not found\n", 404) if data is None else _json({"status": "success", "data": data})

    def _data(self, path: str, params: Params) -> Any:
        now = self._now
        if path == "/api/v1/query":
            return self._query(_one(params, "query"), _time(params, "time", now))
        if path == "/api/v1/query_range":
            return self._query_range(params)
        if path == "/api/v1/series":
            if not params.get("match[]"):
                raise PromqlError("bad_data", "no match[] parameter provided")
            return [dict(labels) for labels in self._matching(params)]
        if path == "/api/v1/labels":
            return sorted({name for labels in self._matching(params) for name, _ in labels})
        if match := re.fullmatch(r"/api/v1/label/([^/]+)/values", path):
            return sorted({value for labels in self._matching(params) for name, value in labels if name == match[1]})
        return prometheus_status.data(path, params, self._world, Evaluator(self._index, now, now))

    @property
    def _now(self) -> int:
        return round(self._world.now.timestamp() * 1000)

    def _query(self, query: str, at: int) -> Any:
        node = parse(query)
        if type(node).__name__ in ("MatrixSelector", "SubqueryExpr"):
            windows = Evaluator(self._index, at, at).windows(node, at)
            return _matrix({labels: list(zip(w.times, w.values, strict=True)) for labels, w in windows})
        value = Evaluator(self._index, at, at).value(node, at)
        if isinstance(value, str):
            return {"resultType": "string", "result": [at / 1000, value]}
        if isinstance(value, list):
            return {"resultType": "vector", "result": [{"metric": dict(ls), "value": [at / 1000, number(v)]} for ls, v in value]}
        return {"resultType": "scalar", "result": [at / 1000, number(value)]}

    def _query_range(self, params: Params) -> Any:
        start, end = _time(params, "start", None), _time(params, "end", None)
        if end < start:
            raise PromqlError("bad_data", 'invalid parameter "end": end timestamp must not be before start time')
        step = _step(_one(params, "step"))
        if (end - start) / step > MAX_POINTS:
            limit = "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"
            raise PromqlError("bad_data", limit)
        node = parse(_one(params, "query"))
        if type(node).__name__ in ("MatrixSelector", "SubqueryExpr", "StringLiteral"):
            kind = "string" if type(node).__name__ == "StringLiteral" else "range vector"
            raise PromqlError(
                "bad_data", f'invalid parameter "query": invalid expression type "{kind}" for range query, must be Scalar or instant Vector'
            )
        evaluator = Evaluator(self._index, start, end)
        found: dict[Labels, list[tuple[int, float]]] = {}
        for at in range(start, end + 1, step):
            value = evaluator.value(node, at)
            for labels, sample in value if isinstance(value, list) else [((), float(value))]:
                found.setdefault(labels, []).append((at, sample))
        return _matrix(found)

    def _matching(self, params: Params) -> list[Labels]:
        """Label sets of series that a `match[]` selects (all without one) and that have samples in start..end."""
        start, end = _time(params, "start", 0), _time(params, "end", 2**53)
        selectors = [parse(text) for text in params.get("match[]", [])]
        if any(type(s).__name__ != "VectorSelector" for s in selectors):
            raise PromqlError("bad_data", 'invalid parameter "match[]": expected a series selector')
        pools = [self._index.select(s) for s in selectors] or [self._index.all]
        return sorted({s.labels for pool in pools for s in pool if s.between(start, end)[0]})


async def _params(request: Request) -> Params:
    pairs = list(request.query_params.multi_items())
    if request.method == "POST":
        form = await request.form()
        pairs = [(name, str(value)) for name, value in form.multi_items()] + pairs
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _one(params: Params, name: str) -> str:
    return params.get(name, [""])[0]


def _time(params: Params, name: str, default: int | None) -> int:
    """Unix seconds or RFC 3339 -> ms. Raises PromqlError."""
    text = _one(params, name)
    if not text and default is not None:
        return default
    try:
        seconds = float(text)
        if not math.isfinite(seconds):
            raise ValueError
        return round(seconds * 1000)
    except ValueError:
        pass
    try:
        return round(times.parse(text).timestamp() * 1000)
    except ValueError:
        raise PromqlError("bad_data", f'invalid parameter "{name}": cannot parse "{text}" to a valid timestamp') from None


def _step(text: str) -> int:
    """Seconds or a duration (`1m30s`) -> ms. Raises PromqlError."""
    try:
        step = round(float(text) * 1000)
    except ValueError:
        match = _DURATION.fullmatch(text)
        if not text or match is None:
            raise PromqlError("bad_data", f'invalid parameter "step": cannot parse "{text}" to a valid duration') from None
        step = sum(int(part or 0) * unit for part, unit in zip(match.groups(), _UNITS_MS, strict=True))
    if step <= 0:
        message = "zero or negative query resolution step widths are not accepted. Try a positive integer"
        raise PromqlError("bad_data", f'invalid parameter "step": {message}')
    return step


def _matrix(found: dict[Labels, list[tuple[int, float]]]) -> Any:
    rows = [{"metric": dict(ls), "values": [[t / 1000, number(v)] for t, v in points]} for ls, points in sorted(found.items())]
    return {"resultType": "matrix", "result": rows}


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body, separators=(",", ":")).encode(), status, media_type="application/json")
