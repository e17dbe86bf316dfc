"""check_pods: the pods of a namespace, service, workload or node, with owners and everything that may ail them. A node alone: all its
pods, of all namespaces."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from pydantic import Field, model_validator

from app.domain.frozen import JsonObject
from app.domain.owners import deployment_of, node_name, owner_chain
from app.domain.target import ObjectRef
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
    """Which pods: a namespace, narrowed by service, workload or node; or a node in all namespaces."""

    namespace: KubeName | None = Field(None, description="Namespace to look in; only pods of a node may be asked for without one.")
    service: LooseName | None = Field(None, description="Workload name, Service name or app label.")
    workload: KubeName | None = Field(None, description="Exact name of a Deployment, StatefulSet, DaemonSet, Job or ReplicaSet.")
    node: KubeName | None = Field(None, description="Only pods of this node; alone: of all namespaces. Its name or its address.")

    @model_validator(mode="after")
    def _narrowed(self) -> "CheckPodsArguments":
        if not self.namespace and (not self.node or self.service or self.workload):
            raise ValueError("name a namespace, or a node alone")
        return self


class CheckPods:
    """TOOL-08, TREG-02; also answers as list_pods (decision 9).

    data: `pods`: objects; `owners`: {pod: ["ReplicaSet/x", "Deployment/y"]}; `usage`: {status: ok, no_data or denied,
    values: {pod: {container: {cpu, memory, timestamp, window}}}} where metrics.k8s.io answers. Of a node in all namespaces
    the pods in `owners` are `namespace/name`, there is no `usage`, and `on_node` has {node, pods, workloads: {reference: pods}}.
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
        a, space = arguments, arguments.namespace or ""
        if not space:
            return await self._of_node(a.node or "", context)
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

    async def _of_node(self, node: str, context: ToolContext) -> ToolResult:
        """One list of pods, narrowed by the server. ReplicaSets are not read, for that would be those of the whole cluster."""
        cluster = await read(self._client, [_on(node)])
        if cluster.denied("Pod"):
            return answer(self.spec, cluster.reading, Findings(ToolStatus.DENIED, "Not allowed to read pods in all namespaces"))
        if not cluster.of("Pod"):
            await read(self._client, [Query("Node")], cluster)
            named = node_name(node, cluster.known())
            if named and named != node:
                node, cluster = named, await read(self._client, [_on(named)])
            elif not named and cluster.readable("Node"):
                return answer(self.spec, cluster.reading, Findings(ToolStatus.NOT_FOUND, f"No node {node}", data={"pods": [], "owners": {}}))
        pods = cluster.of("Pod")
        if not pods:
            return answer(self.spec, cluster.reading, Findings(ToolStatus.NO_DATA, f"No pods on {node}", data={"pods": [], "owners": {}}))
        return answer(self.spec, cluster.reading, _of_node(node, pods, cluster, context.now))

    async def _none(self, a: CheckPodsArguments, cluster: Cluster) -> Findings:
        """No pod fits: a workload without pods is no data, a name that nothing has is not found."""
        wanted = a.workload or a.service or ""
        data: JsonObject = {"pods": [], "owners": {}}
        if not wanted:
            return Findings(ToolStatus.NO_DATA, f"No pods in {a.namespace}" + (f" on {a.node}" if a.node else ""), data=data)
        kinds = ("Deployment", "StatefulSet", "DaemonSet", "Job")
        await read(self._client, [Query(k, a.namespace or "") for k in kinds], cluster)
        there = narrow(cluster.of(*kinds), a.service or "", a.workload or "", cluster.known())
        lines = [f"{w['kind']} {a.namespace}/{w['metadata']['name']}: has no pods" for w in there]
        if there:
            return Findings(ToolStatus.NO_DATA, f"{wanted} exists in {a.namespace} and has no pods", lines, data)
        return Findings(ToolStatus.NOT_FOUND, f"Nothing called {wanted} in {a.namespace}", data=data)


def _on(node: str) -> Query:
    return Query("Pod", fields=f"spec.nodeName={node}", required=True)


def _of_node(node: str, pods: Sequence[JsonObject], cluster: Cluster, now: datetime) -> Findings:
    chains = [(*owner_chain(ref_of(p), cluster.known()), *deployment_of(p)) for p in pods]
    tops = Counter(str(chain[-1] if chain else ref_of(p)) for p, chain in zip(pods, chains, strict=True))
    full = _in_full(pods, cluster, now)
    lines = [f"node {node}: {len(pods)} pods of {len(tops)} workloads"]
    lines += _once(line for p, chain in zip(pods, chains, strict=True) for line in pod_lines(p, chain, str(ref_of(p)) in full))
    owners = {f"{p['metadata'].get('namespace', '')}/{p['metadata']['name']}": _links(chain) for p, chain in zip(pods, chains, strict=True)}
    on_node = {"node": node, "pods": len(pods), "workloads": dict(sorted(tops.items()))}
    told = f"{summary(pods, now)}; {len(tops)} workloads on {node}"
    return Findings(ToolStatus.OK, told, lines, {"pods": [*pods], "owners": owners, "on_node": on_node})


def _in_full(pods: Sequence[JsonObject], cluster: Cluster, now: datetime) -> set[str]:
    """References of the pods that are told in full: those in trouble first."""
    ranked = sorted(pods, key=lambda p: (not trouble(p, now), p["metadata"]["name"]))
    if len(pods) > MAX_IN_FULL:
        cluster.reading.truncated.append(f"{len(pods)} pods, {MAX_IN_FULL} of them in full, those in trouble first")
    return {str(ref_of(p)) for p in ranked[:MAX_IN_FULL]}


def _links(chain: Sequence[ObjectRef]) -> list[str]:
    return [f"{o.kind}/{o.name}" for o in chain]


def _findings(pods: Sequence[JsonObject], cluster: Cluster, now: datetime) -> Findings:
    known = cluster.known()
    owners = {p["metadata"]["name"]: owner_chain(ref_of(p), known) for p in pods}
    in_full = _in_full(pods, cluster, now)
    used = usage.pod_usage(pods, cluster.of("PodMetrics"))
    lines = _once(line for p in pods for line in pod_lines(p, owners[p["metadata"]["name"]], str(ref_of(p)) in in_full))
    lines += [line for p in pods if str(ref_of(p)) in in_full for line in usage.pod_lines(p, used.get(p["metadata"]["name"], {}))]
    data = {"pods": [*pods], "owners": {name: _links(chain) for name, chain in owners.items()}, "usage": usage.status(cluster, "PodMetrics", used)}
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
