"""check_services: Services with their endpoints and ports, Ingresses, NetworkPolicies."""

from collections.abc import Sequence

from pydantic import Field

from app.domain.frozen import JsonObject
from app.domain.owners import selects
from app.domain.tool import ToolContext, ToolResult, ToolStatus
from app.tools import service_text
from app.tools.answers import Arguments, Findings, KubeName, LooseName, answer, read_spec
from app.tools.kubernetes_client import KubernetesClient
from app.tools.kubernetes_reading import Cluster, Query, read
from app.tools.selection import narrow


class CheckServicesArguments(Arguments):
    namespace: KubeName = Field(description="Namespace to look in.")
    service: LooseName | None = Field(None, description="Service name, workload name or app label.")


class CheckServices:
    """Says per Service whether pods are selected, ready, and listening where the Service sends."""

    arguments = CheckServicesArguments
    spec = read_spec("check_services", "Services, endpoints, ingresses and network policies", "kubernetes", "services", CheckServicesArguments)

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client

    async def run(self, arguments: CheckServicesArguments, context: ToolContext) -> ToolResult:
        space, wanted = arguments.namespace, arguments.service or ""
        kinds = ("EndpointSlice", "Pod", "ReplicaSet", "Ingress", "NetworkPolicy")
        cluster = await read(self._client, [Query("Service", space, required=True), *(Query(k, space) for k in kinds)])
        if cluster.denied("Service"):
            return answer(self.spec, cluster.reading, Findings(ToolStatus.DENIED, f"Not allowed to read services in {space}"))
        services = choose(cluster, wanted)
        if not services:
            status = ToolStatus.NOT_FOUND if wanted else ToolStatus.NO_DATA
            summary = f"No service called {wanted} in {space}" if wanted else f"No services in {space}"
            data: JsonObject = {"services": [], "endpointslices": [], "ingresses": [], "networkpolicies": cluster.of("NetworkPolicy")}
            lines = [line for p in cluster.of("NetworkPolicy") for line in service_text.policy_lines(p)]
            return answer(self.spec, cluster.reading, Findings(status, summary, lines, data))
        return answer(self.spec, cluster.reading, _findings(cluster, services))


def choose(cluster: Cluster, wanted: str) -> list[JsonObject]:
    """The Service of that name, else those that select pods of the workload of that name; all when none is wanted."""
    services = cluster.of("Service")
    named = [s for s in services if not wanted or s["metadata"].get("name") == wanted]
    if named or not wanted:
        return named
    pods = narrow(cluster.of("Pod"), wanted, "", cluster.known())
    return [s for s in services if any(selects(s.get("spec", {}).get("selector"), p["metadata"].get("labels")) for p in pods)]


def _findings(cluster: Cluster, services: Sequence[JsonObject]) -> Findings:
    slices = [e for s in services for e in service_text.of_service(cluster.of("EndpointSlice"), s)]
    names = {s["metadata"]["name"] for s in services}
    ingresses = [i for i in cluster.of("Ingress") if names & _backends(i)]
    policies = cluster.of("NetworkPolicy")
    lines = [line for s in services for line in service_text.service_lines(s, cluster.of("Pod"), slices)]
    lines += [line for i in ingresses for line in service_text.ingress_lines(i)]
    lines += [line for p in policies for line in service_text.policy_lines(p)]
    data: JsonObject = {"services": [*services], "endpointslices": slices, "ingresses": ingresses, "networkpolicies": policies}
    return Findings(ToolStatus.OK, _summary(services, slices), lines, data)


def _backends(ingress: JsonObject) -> set[str]:
    spec = ingress.get("spec", {})
    paths = [p.get("backend") or {} for r in spec.get("rules") or () for p in (r.get("http") or {}).get("paths") or ()]
    return {str((b.get("service") or {}).get("name")) for b in [*paths, spec.get("defaultBackend") or {}]}


def _summary(services: Sequence[JsonObject], slices: Sequence[JsonObject]) -> str:
    counts = {s["metadata"]["name"]: service_text.endpoint_counts(service_text.of_service(slices, s)) for s in services}
    selecting = [s["metadata"]["name"] for s in services if s.get("spec", {}).get("selector")]
    empty = [name for name in selecting if counts[name][0] == 0]
    tail = f"without ready endpoints: {', '.join(empty[:6])}" if empty else "all with ready endpoints"
    return f"Found {len(services)} services: {tail}"
