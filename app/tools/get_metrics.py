"""get_metrics: the golden signals of a service, workload, pods, node or scrape target, with when each began to move and which
moved first."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from app.domain.frozen import JsonObject
from app.domain.tool import ToolContext, ToolResult, ToolStatus
from app.tools.answers import Arguments, Findings, KubeName, LooseName, answer, read_spec
from app.tools.golden_signals import OWN_NAMES, OwnName
from app.tools.onsets import moved, order_line
from app.tools.prometheus_client import PrometheusClient
from app.tools.quantities import cores, size
from app.tools.series_text import latest
from app.tools.signal_reading import read_signals
from app.tools.signal_scope import Scope, describe

FAMILIES = {
    "workload": frozenset({"workload"}),
    "service": frozenset({"service", "target"}),
    "node": frozenset({"node"}),
    "target": frozenset({"target", "service"}),
}


class GetMetricsArguments(Arguments):
    namespace: KubeName | None = Field(None, description="Namespace of the target.")
    service: LooseName | None = Field(None, description="Service name; for a scrape target its job, or job/instance.")
    workload: KubeName | None = Field(None, description="Name of the workload.")
    pods: tuple[KubeName, ...] | None = Field(None, max_length=40, description="Exact pod names, where they are known.")
    node: LooseName | None = Field(None, description="Node name or address.")
    profile: Literal["workload", "service", "node", "target"] | None = Field(None, description="Family of signals; all that fit when absent.")


class GetMetrics:
    """TOOL-10. Which series exist is asked first; only those are read."""

    arguments = GetMetricsArguments
    spec = read_spec("get_metrics", "Current metrics and when they began to move", "prometheus", "metrics", GetMetricsArguments, timeout_seconds=20.0)

    def __init__(self, client: PrometheusClient, own_names: Sequence[OwnName] = OWN_NAMES) -> None:
        self._client, self._own = client, tuple(own_names)

    async def run(self, arguments: GetMetricsArguments, context: ToolContext) -> ToolResult:
        scope = scope_of(arguments)
        got = await read_signals(self._client, scope, context.window, self._own)
        what = describe(scope)
        if not got.series:
            got.reading.asked = got.reading.asked or [f"/api/v1/series for {what}"]
            none = Findings(ToolStatus.NO_DATA, f"No known series for {what}", data={"series": []}, window=context.window)
            return answer(self.spec, got.reading, none)
        order = moved(got.series)
        lines = [*got.lines, *([order_line(order)] if order else [])]
        found = Findings(ToolStatus.OK, summary(what, got.series), lines, {"series": got.series, "moved": order}, context.window)
        return answer(self.spec, got.reading, found)


def scope_of(a: GetMetricsArguments) -> Scope:
    names = tuple(dict.fromkeys(n for n in (a.workload, a.service) if n))
    if a.profile:
        families = FAMILIES[a.profile]
    elif a.node and not (names or a.pods):
        families = FAMILIES["node"]
    else:
        families = frozenset({"workload", "service", "target"}) | (FAMILIES["node"] if a.node or not (names or a.pods) else frozenset())
    return Scope(a.namespace or "", names, tuple(sorted(a.pods or ())), (a.node,) if a.node else (), families)


def summary(what: str, series: Sequence[JsonObject]) -> str:
    """`web-app metrics - CPU: 45%, Memory: 92%` (TOOL-10), shares where limits are known, then what moved."""
    parts = []
    for word, used, limit, show in (("CPU", "cpu_usage", "cpu_limit", cores), ("Memory", "memory_working_set", "memory_limit", size)):
        value, most = latest(series, used), latest(series, limit)
        if value is not None:
            parts.append(f"{word}: {round(100 * value / most)}%" if most else f"{word}: {show(value)}")
    rate = latest(series, "error_rate")
    if rate is not None:
        parts.append(f"Errors: {round(100 * rate, 1):g}%")
    names = sorted({s["name"] for s in series if "change" in s})
    parts += [f"moved: {', '.join(names[:5])}"] if names else [] if parts else [f"{len(series)} series, none moved"]
    return f"{what} metrics - {', '.join(parts)}"
