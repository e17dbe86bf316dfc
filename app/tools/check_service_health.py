"""check_service_health: a service in one look: pods, endpoints, error rate, alerts."""

from collections.abc import Sequence

from pydantic import AliasChoices, Field

from app.domain.errors import ToolFailure
from app.domain.frozen import JsonObject
from app.domain.tool import ToolContext, ToolResult, ToolStatus
from app.tools import get_alerts, service_text
from app.tools.answers import Arguments, Findings, KubeName, LooseName, Reading, answer, read_spec
from app.tools.check_workloads import lacking
from app.tools.kubernetes_client import KubernetesClient
from app.tools.kubernetes_reading import Cluster, Query, read
from app.tools.pod_text import readiness, trouble
from app.tools.prometheus_client import PrometheusClient
from app.tools.selection import narrow
from app.tools.series_text import latest
from app.tools.signal_reading import read_signals
from app.tools.signal_scope import Scope
from app.tools.workload_text import HEADLINES, title

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
BAD_ERROR_RATE = 0.01


class CheckServiceHealthArguments(Arguments):
    service_name: LooseName = Field(description="Name of the service or workload.", validation_alias=AliasChoices("service_name", "service"))
    namespace: KubeName | None = Field(None, description="Namespace; every one that may be read when absent.")


class CheckServiceHealth:
    """TOOL-01: `status`, `error_rate` (percent), `pods` as "3/5", `alerts`; an unknown service is `Unknown service`."""

    arguments = CheckServiceHealthArguments
    spec = read_spec(
        "check_service_health",
        "Status, error rate, ready pods and alerts of one service",
        "kubernetes",
        "services",
        CheckServiceHealthArguments,
        timeout_seconds=20.0,
    )

    def __init__(self, client: KubernetesClient, prometheus: PrometheusClient | None = None) -> None:
        self._client, self._prometheus = client, prometheus

    async def run(self, arguments: CheckServiceHealthArguments, context: ToolContext) -> ToolResult:
        name, space = arguments.service_name, arguments.namespace or ""
        kinds = ("Pod", "ReplicaSet", "Service", "EndpointSlice", *WORKLOADS)
        cluster = await read(self._client, [Query(k, space) for k in kinds])
        if cluster.denied("Pod", "Service"):
            return answer(
                self.spec, cluster.reading, Findings(ToolStatus.DENIED, f"Not allowed to read pods and services in {space or 'any namespace'}")
            )
        known = cluster.known()
        services = [s for s in cluster.of("Service") if s["metadata"].get("name") == name]
        workloads = narrow(cluster.of(*WORKLOADS), name, "", known)
        pods = narrow(cluster.of("Pod"), name, "", known)
        if not (services or workloads or pods):
            unknown = Findings(ToolStatus.NOT_FOUND, f"Unknown service {name}", ["Unknown service"], {"error": "Unknown service"})
            return answer(self.spec, cluster.reading, unknown)
        data, lines = _kubernetes(cluster, services, workloads, pods)
        await self._add_metrics(cluster.reading, data, lines, arguments, context)
        data["status"] = _status(data, workloads)
        error = f", error rate {data['error_rate']:g}%" if data["error_rate"] is not None else ""
        summary = f"{name} is {data['status']}: pods {data['pods']}{error}" + (f", alerts {', '.join(data['alerts'][:4])}" if data["alerts"] else "")
        return answer(self.spec, cluster.reading, Findings(ToolStatus.OK, summary, lines, data, context.window))

    async def _add_metrics(
        self, reading: Reading, data: JsonObject, lines: list[str], arguments: CheckServiceHealthArguments, context: ToolContext
    ) -> None:
        """Error rate and alerts, where Prometheus is configured and answers; otherwise a note."""
        if self._prometheus is None:
            reading.notes.append("error rate and alerts not checked: prometheus is not configured")
            return
        name, space = arguments.service_name, arguments.namespace or ""
        try:
            only = frozenset({"error_rate", "success_ratio"})
            got = await read_signals(self._prometheus, Scope(space, (name,), families=frozenset({"service"})), context.window, only=only)
            found, size = await self._prometheus.alerts()
        except ToolFailure as failure:
            reading.notes.append(f"error rate and alerts not checked: {failure.detail}")
            return
        reading.asked += [*got.reading.asked, "GET /api/v1/alerts"]
        reading.bytes_read += got.reading.bytes_read + size
        chosen = get_alerts.select(found, space, name)
        failing, fine = latest(got.series, "error_rate"), latest(got.series, "success_ratio")
        share = failing if failing is not None else None if fine is None else 1 - fine
        data["error_rate"] = None if share is None else round(100 * share, 3)
        data["alerts"] = sorted({str((a.get("labels") or {}).get("alertname")) for a in chosen})
        lines += [*got.lines, *(get_alerts.line(a) for a in chosen)]


def _kubernetes(
    cluster: Cluster, services: Sequence[JsonObject], workloads: Sequence[JsonObject], pods: Sequence[JsonObject]
) -> tuple[JsonObject, list[str]]:
    slices = [e for s in services for e in service_text.of_service(cluster.of("EndpointSlice"), s)]
    running = [p for p in pods if p.get("status", {}).get("phase") != "Succeeded"]
    ready = sum(1 for p in running if readiness(p)[0] == readiness(p)[1] > 0)
    wanted = sum(int(w.get("spec", {}).get("replicas", 1)) for w in workloads if w["kind"] in ("Deployment", "StatefulSet"))
    lines = [f"{title(w)}: {HEADLINES[w['kind']](w)}" for w in workloads]
    lines += [line for s in services for line in service_text.service_lines(s, cluster.of("Pod"), slices)]
    lines += [f"pod {p['metadata'].get('namespace')}/{p['metadata']['name']}: {trouble(p)}" for p in running if trouble(p)]
    data: JsonObject = {
        "status": "unknown",
        "error_rate": None,
        "pods": f"{ready}/{wanted or len(running)}",
        "alerts": [],
        "service": services[0] if services else None,
        "endpointslices": slices,
    }
    return data, lines


def _status(data: JsonObject, workloads: Sequence[JsonObject]) -> str:
    ready, wanted = (int(n) for n in data["pods"].split("/"))
    if wanted and not ready:
        return "down"
    bad = ready < wanted or data["alerts"] or any(lacking(w) for w in workloads) or (data["error_rate"] or 0) > 100 * BAD_ERROR_RATE
    return "degraded" if bad else "healthy" if wanted else "unknown"
