"""describe_pod: one pod with its owners and its events."""

from dataclasses import replace
from datetime import datetime

from pydantic import AliasChoices, Field

from app.domain.errors import ToolFailure
from app.domain.frozen import JsonObject
from app.domain.owners import owner_chain
from app.domain.tool import Provenance, ToolContext, ToolResult, ToolStatus
from app.tools import events, usage
from app.tools.answers import Arguments, Findings, KubeName, answer, read_spec
from app.tools.event_reading import read_events
from app.tools.kubernetes_client import KubernetesClient
from app.tools.kubernetes_reading import Cluster, Query, read
from app.tools.pod_text import pod_lines, restarts, trouble
from app.tools.selection import ref_of


class DescribePodArguments(Arguments):
    namespace: KubeName = Field(description="Namespace of the pod.")
    pod: KubeName = Field(description="Name of the pod.", validation_alias=AliasChoices("pod", "pod_name"))


class DescribePod:
    """TOOL-04: `status`, `last_state`, `memory_limit`, `restarts` beside the pod itself; an unknown pod is `Not found`."""

    arguments = DescribePodArguments
    spec = read_spec("describe_pod", "One pod in full, with its events", "kubernetes", "pods", DescribePodArguments, provenance=Provenance.SEMI)

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client

    async def run(self, arguments: DescribePodArguments, context: ToolContext) -> ToolResult:
        space, name = arguments.namespace, arguments.pod
        cluster = Cluster()
        cluster.add(await self._client.get("Pod", space, name))
        if cluster.denied("Pod"):
            return answer(self.spec, cluster.reading, Findings(ToolStatus.DENIED, f"Not allowed to read pods in {space}"))
        await read(self._client, [Query("ReplicaSet", space)], cluster)
        await read_events(self._client, cluster, space, {"kind": "Pod", "name": name})
        rows = events.rows(cluster.of("Event"))
        lines = [events.line(r) for r in rows]
        pods = cluster.of("Pod")
        if not pods:
            gone = ["Not found", *lines]  # events outlive their pod
            return answer(self.spec, cluster.reading, Findings(ToolStatus.NOT_FOUND, "Not found", gone, {"error": "Not found", "events": rows}))
        pod = pods[0]
        used = await self._usage(cluster, space, name)
        owners = owner_chain(ref_of(pod), cluster.known())
        data = {"pod": pod, "events": rows, "owners": [str(o) for o in owners], **_short(pod, context.now)}
        summary = f"{name}: {data['status']}, {data['restarts']} restarts" + (f", last {data['last_state']}" if data["last_state"] else "")
        shown = [*pod_lines(pod, owners), *usage.pod_lines(pod, used), *lines]
        return answer(
            self.spec, cluster.reading, Findings(ToolStatus.OK, summary, shown, data | {"usage": usage.status(cluster, "PodMetrics", used)})
        )

    async def _usage(self, cluster: Cluster, space: str, name: str) -> JsonObject:
        """What its containers use; nothing when no metrics server answers."""
        try:
            got = await self._client.get("PodMetrics", space, name)
        except ToolFailure as failure:
            cluster.reading.notes.append(f"PodMetrics could not be read: {failure.detail}")
            return {}
        cluster.add(replace(got, note="") if got.status is ToolStatus.NOT_FOUND else got)
        return dict(usage.pod_usage(cluster.of("Pod"), got.items).get(name, {}))


def _short(pod: JsonObject, now: datetime) -> JsonObject:
    ended = [(s.get("lastState") or {}).get("terminated") or {} for s in pod.get("status", {}).get("containerStatuses") or ()]
    limits = [((c.get("resources") or {}).get("limits") or {}).get("memory") for c in pod.get("spec", {}).get("containers") or ()]
    return {
        "status": trouble(pod, now) or str(pod.get("status", {}).get("phase", "Unknown")),
        "last_state": next((str(e["reason"]) for e in ended if e.get("reason")), ""),
        "memory_limit": next((m for m in limits if m), ""),
        "restarts": restarts(pod),
    }
