"""check_pods: the pods of a namespace, service, workload or node, with owners and everything that may ail them."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from pydantic import Field

from app.domain.frozen import JsonObject
from app.domain.owners import owner_chain
from app.domain.tool import ToolContext, ToolResult, ToolStatus
from app.tools import usage
from app.tools.answers import Arguments, Findings, KubeName, LooseName, answer, read_spec
from app.tools.kubernetes_client import KubernetesClient
from app.tools.kubernetes_reading import Cluster, Query, read
from app.tools.pod_text import pod_lines, trouble
from app.tools.selection import narrow, ref_of

MAX_IN_FULL = 60
REPEATED = re.compile(r" (init )?container \S+: (env|envFrom|command|args) .*")


class CheckPodsArguments(Arguments):
    """Which pods: a namespace, narrowed by service, workload or node."""

    namespace: KubeName = Field(description="Namespace to look in.")
    service: LooseName | None = Field(None, description="Workload name, Service name or app label.")
    workload: KubeName | None = Field(None, description="Exact name of a Deployment, StatefulSet, DaemonSet, Job or ReplicaSet.")
    node: KubeName | None = Field(None, description="Only pods of this node.")


class CheckPods:
    """TOOL-08, TREG-02; also answers as list_pods (decision 9).

    data: `pods`: objects; `owners`: {pod: ["ReplicaSet/x", "Deployment/y"]}; `usage`: {status: ok, no_data or denied,
    values: {pod: {container: {cpu, memory, timestamp, window}}}} where metrics.k8s.io answers.
    """

    arguments = CheckPodsArguments
    spec = read_spec(
        "check_pods",
        "Check pod status for a service",
        "kubernetes",
        "pods",
        CheckPodsArguments,
        timeout_seconds=30.0,
        retry_count=3,
        rate_limit="100/minute",
    )

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client

    async def run(self, arguments: CheckPodsArguments, context: ToolContext) -> ToolResult:
        a, space = arguments, arguments.namespace
        queries = [Query("Pod", space, fields=f"spec.nodeName={a.node}" if a.node else "", required=True), Query("ReplicaSet", space)]
        queries += [Query("Service", space)] if a.service else []
        cluster = await read(self._client, [*queries, Query("PodMetrics", space, optional=True)])
        if any(o.kind == "Job" for p in cluster.of("Pod") for o in owner_chain(ref_of(p), cluster.known())):
            await read(self._client, [Query("Job", space)], cluster)
        if cluster.denied("Pod"):
            return answer(self.spec, cluster.reading, Findings(ToolStatus.DENIED, f"Not allowed to read pods in {space}"))
        known = cluster.known()
        pods = narrow(cluster.of("Pod"), a.service or "", a.workload or "", known)
        if not pods:
            return answer(self.spec, cluster.reading, await self._none(a, cluster))
        return answer(self.spec, cluster.reading, _findings(pods, cluster, context.now))

    async def _none(self, a: CheckPodsArguments, cluster: Cluster) -> Findings:
        """No pod fits: a workload without pods is no data, a name that nothing has is not found."""
        wanted = a.workload or a.service or ""
        data: JsonObject = {"pods": [], "owners": {}}
        if not wanted:
            return Findings(ToolStatus.NO_DATA, f"No pods in {a.namespace}" + (f" on {a.node}" if a.node else ""), data=data)
        kinds = ("Deployment", "StatefulSet", "DaemonSet", "Job")
        await read(self._client, [Query(k, a.namespace) for k in kinds], cluster)
        there = narrow(cluster.of(*kinds), a.service or "", a.workload or "", cluster.known())
        lines = [f"{w['kind']} {a.namespace}/{w['metadata']['name']}: has no pods" for w in there]
        if there:
            return Findings(ToolStatus.NO_DATA, f"{wanted} exists in {a.namespace} and has no pods", lines, data)
        return Findings(ToolStatus.NOT_FOUND, f"Nothing called {wanted} in {a.namespace}", data=data)


def _findings(pods: Sequence[JsonObject], cluster: Cluster, now: datetime) -> Findings:
    known = cluster.known()
    owners = {p["metadata"]["name"]: owner_chain(ref_of(p), known) for p in pods}
    ranked = sorted(pods, key=lambda p: (not trouble(p, now), p["metadata"]["name"]))
    in_full = {p["metadata"]["name"] for p in ranked[:MAX_IN_FULL]}
    if len(pods) > MAX_IN_FULL:
        cluster.reading.truncated.append(f"{len(pods)} pods, {MAX_IN_FULL} of them in full, those in trouble first")
    used = usage.pod_usage(pods, cluster.of("PodMetrics"))
    lines = _once(line for p in pods for line in pod_lines(p, owners[p["metadata"]["name"]], p["metadata"]["name"] in in_full))
    lines += [line for p in pods if p["metadata"]["name"] in in_full for line in usage.pod_lines(p, used.get(p["metadata"]["name"], {}))]
    chains = {name: [f"{o.kind}/{o.name}" for o in chain] for name, chain in owners.items()}
    data = {"pods": [*pods], "owners": chains, "usage": usage.status(cluster, "PodMetrics", used)}
    return Findings(ToolStatus.OK, summary(pods, now), lines, data)


def _once(lines: Iterable[str]) -> list[str]:
    """Replicas share their environment and command: of equal ones only those of the first pod stay."""
    kept, seen = [], set()
    for line in lines:
        found = REPEATED.search(line)
        if found is None or found.group() not in seen:
            kept.append(line)
        if found is not None:
            seen.add(found.group())
    return kept


def summary(pods: Sequence[JsonObject], now: datetime | None = None) -> str:
    """`Found 5 pods: 4 healthy, 1 high memory (pod-456)` (TOOL-08)."""
    troubles = Counter(trouble(p, now) for p in pods)
    parts = [f"{troubles.pop('', 0)} healthy"]
    for word, count in sorted(troubles.items(), key=lambda t: (-t[1], t[0])):
        names = [p["metadata"]["name"] for p in pods if trouble(p, now) == word]
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        parts.append(f"{count} {word} ({shown})")
    return f"Found {len(pods)} pod{'s' if len(pods) != 1 else ''}: {', '.join(parts)}"
