"""get_service_map: who calls a service and whom it calls, from mesh and trace metrics, and how each edge is doing."""

from collections.abc import Sequence
from datetime import timedelta
from math import inf
from statistics import median

from pydantic import Field, model_validator

from app.domain.errors import ToolFailure
from app.domain.frozen import JsonObject
from app.domain.tool import ToolContext, ToolResult, ToolStatus, Window
from app.tools.answers import Arguments, Findings, KubeName, LooseName, answer, read_spec
from app.tools.change_points import Change, change_of
from app.tools.edge_reading import Edge, Edges, Wanted, families_there, read_edges
from app.tools.prometheus_client import PrometheusClient, Series
from app.tools.series_text import clock, points, short

MAX_EDGES = 100
YOUNG = 300.0  # seconds after the first edge of all from which on an edge counts as one that was not there before


class GetServiceMapArguments(Arguments):
    namespace: KubeName | None = Field(None, description="Namespace of the service; alone: every edge that begins or ends there.")
    service: LooseName | None = Field(None, description="Name of the service, as the mesh or the traces have it.")
    workload: KubeName | None = Field(None, description="Name of the workload.")
    since_minutes: int | None = Field(
        None, ge=1, le=1_440, description="Tell before and after apart so many minutes ago; without it, where each series itself began to move."
    )

    @model_validator(mode="after")
    def _narrowed(self) -> "GetServiceMapArguments":
        if not (self.namespace or self.service or self.workload):
            raise ValueError("name a namespace, service or workload")
        return self


class GetServiceMap:
    """data: `callers` and `callees` (names) of what is asked about; `edges`: [{caller, caller_namespace, callee, callee_namespace, also,
    source, measures: {name: {now, before, after, at, query}}}], rates a second, latencies in seconds, `at` in unix seconds."""

    arguments = GetServiceMapArguments
    spec = read_spec(
        "get_service_map",
        "Callers and callees of a service, with rate, errors and latency of each edge",
        "prometheus",
        "metrics",
        GetServiceMapArguments,
        timeout_seconds=20.0,
    )

    def __init__(self, client: PrometheusClient) -> None:
        self._client = client

    async def run(self, arguments: GetServiceMapArguments, context: ToolContext) -> ToolResult:
        a, window = arguments, context.window
        names = tuple(dict.fromkeys(n for n in (a.workload, a.service) if n))
        got = await read_edges(self._client, Wanted(a.namespace or "", names), window)
        what = "/".join(t for t in (a.namespace, " or ".join(names)) if t)
        if not got.edges:
            return answer(self.spec, got.reading, await self._none(what, got, window))
        since = (context.now - timedelta(minutes=a.since_minutes)).timestamp() if a.since_minutes else None
        earliest = min((_begins(e) for e in got.edges), default=0.0)
        told = [_as_json(e, since, earliest) for e in got.edges]
        told.sort(key=lambda edge: not any("after" in m for m in edge["measures"].values()))
        if len(told) > MAX_EDGES:
            got.reading.truncated.append(f"{len(told)} edges, {MAX_EDGES} shown, those that moved first")
        callers = sorted({e.caller.name for e in got.edges if {e.callee.name, *e.also} & set(names)})
        callees = sorted({e.callee.name for e in got.edges if e.caller.name in names})
        shown = told[:MAX_EDGES]
        data: JsonObject = {"callers": callers, "callees": callees, "edges": shown, "total": len(told)}
        return answer(self.spec, got.reading, Findings(ToolStatus.OK, _summary(what, names, data), [_line(e) for e in shown], data, window))

    async def _none(self, what: str, got: Edges, window: Window) -> Findings:
        """No edge: is there any mesh or trace metric at all?"""
        data: JsonObject = {"callers": [], "callees": [], "edges": [], "total": 0}
        got.reading.asked.append(f"/api/v1/series for edges of {what}")
        try:
            there = await families_there(self._client, window.end.timestamp())
        except ToolFailure as failure:  # what was asked for has been answered
            got.reading.notes.append(f"whether there are mesh metrics could not be read: {failure.detail}")
            return Findings(ToolStatus.NO_DATA, f"No known edge of {what}", data=data, window=window)
        if there:
            return Findings(ToolStatus.NOT_FOUND, f"No edge of {what} in {', '.join(there)}", data=data, window=window)
        return Findings(ToolStatus.NO_DATA, "No mesh or trace metric tells who calls whom here", data=data, window=window)


def _begins(edge: Edge) -> float:
    """Unix seconds of its first value, infinite where it has none."""
    return min((s.values[0][0] for _, s in edge.measures.values() if s.values), default=inf)


def _as_json(edge: Edge, since: float | None, earliest: float) -> JsonObject:
    measures = {name: _measured(query, series, since) for name, (query, series) in edge.measures.items()}
    begins = _begins(edge)
    found: JsonObject = {
        "caller": edge.caller.name,
        "caller_namespace": edge.caller.namespace,
        "callee": edge.callee.name,
        "callee_namespace": edge.callee.namespace,
        "also": list(edge.also),
        "source": edge.family,
        "measures": {name: m for name, m in measures.items() if m},
    }
    return found | ({"first_seen": begins} if earliest + YOUNG < begins < inf else {})


def _measured(query: str, series: Series, since: float | None) -> JsonObject:
    """{} where nothing finite was measured: no request, no latency."""
    finite = [(t, v) for t, v in points(series) if v - v == 0]
    if not finite:
        return {}
    found: JsonObject = {"now": finite[-1][1], "query": query}
    change = change_of(finite)
    if since is None:
        return found | (_changed(change) if change is not None else {})
    before, after = [v for t, v in finite if t < since], [v for t, v in finite if t >= since]
    return found | ({"before": median(before), "after": median(after), "at": since} if before and after else {})


def _changed(change: Change) -> JsonObject:
    return {"before": change.before, "after": change.after, "at": change.at}


def _line(edge: JsonObject) -> str:
    """`shop/web -> shop/cart [istio] request_rate 12.1/s, latency_p99 0.1 s -> 2.3 s at 09:41:00Z`."""
    also = f" (also {', '.join(edge['also'])})" if edge["also"] else ""
    measures = ", ".join(_told(name, m) for name, m in edge["measures"].items()) or "no calls in the window"
    young = f", first seen {clock(edge['first_seen'])}" if "first_seen" in edge else ""
    return f"{_end(edge, 'caller')} -> {_end(edge, 'callee')}{also} [{edge['source']}] {measures}{young}"


def _end(edge: JsonObject, side: str) -> str:
    return "/".join(t for t in (edge[f"{side}_namespace"], edge[side]) if t)


def _told(name: str, m: JsonObject) -> str:
    def value(key: str) -> str:
        share = name == "error_rate"
        return short(100 * m[key] if share else m[key]) + ("%" if share else "/s" if name.endswith("_rate") else " s")

    return f"{name} {value('before')} -> {value('after')} at {clock(m['at'])}" if "after" in m else f"{name} {value('now')}"


def _summary(what: str, names: Sequence[str], data: JsonObject) -> str:
    if not names:
        return f"{data['total']} edges in {what}"
    parts = [f"{word} {', '.join(data[key][:8])}" for word, key in (("called by", "callers"), ("calls", "callees")) if data[key]]
    return f"{what}: {'; '.join(parts)}"
