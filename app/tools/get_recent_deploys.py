"""get_recent_deploys: which workload was rolled out when, and what each revision changed."""

from datetime import timedelta

from pydantic import AliasChoices, Field

from app.domain.frozen import JsonObject
from app.domain.tool import Provenance, ToolContext, ToolResult, ToolStatus
from app.tools import rollouts
from app.tools.answers import Arguments, Findings, KubeName, LooseName, answer, read_spec
from app.tools.events import moment
from app.tools.kubernetes_client import KubernetesClient
from app.tools.kubernetes_reading import Query, read
from app.tools.selection import narrow

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")


class GetRecentDeploysArguments(Arguments):
    namespace: KubeName = Field(description="Namespace to look in.")
    service: LooseName | None = Field(
        None, description="Workload name, Service name or app label.", validation_alias=AliasChoices("service", "service_name")
    )
    workload: KubeName | None = Field(None, description="Exact name of the workload.")
    hours: float = Field(2, gt=0, le=720, description="How far back a deploy counts as recent.")


class GetRecentDeploys:
    """TOOL-05, TOOL-17. Every known revision is read; those outside the window are told apart as `older`."""

    arguments = GetRecentDeploysArguments
    spec = read_spec(
        "get_recent_deploys",
        "Rollouts of a service, newest first, with what each one changed",
        "kubernetes",
        "deployments",
        GetRecentDeploysArguments,
        provenance=Provenance.SEMI,
    )

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client

    async def run(self, arguments: GetRecentDeploysArguments, context: ToolContext) -> ToolResult:
        a = arguments
        kinds = (*WORKLOADS, "ReplicaSet", "ControllerRevision", *(("Service",) if a.service else ()))
        cluster = await read(self._client, [Query(k, a.namespace) for k in kinds])
        if cluster.denied(*WORKLOADS):
            return answer(self.spec, cluster.reading, Findings(ToolStatus.DENIED, f"Not allowed to read workloads in {a.namespace}"))
        chosen = narrow(cluster.of(*WORKLOADS), a.service or "", a.workload or "", cluster.known())
        revisions = cluster.of("ReplicaSet", "ControllerRevision")
        found = [d for w in chosen for d in rollouts.rollouts(w, revisions)]
        found.sort(key=lambda d: (moment(d["time"]), d["workload"], d["revision"]), reverse=True)
        since = context.now - timedelta(hours=a.hours)
        recent = [d for d in found if moment(d["time"]) >= since.timestamp()]
        data: JsonObject = {"deploys": recent, "older": [d for d in found if d not in recent]}
        what = a.workload or a.service or a.namespace
        if not chosen and (a.workload or a.service):
            return answer(self.spec, cluster.reading, Findings(ToolStatus.NOT_FOUND, f"Nothing called {what} in {a.namespace}", data=data))
        status = ToolStatus.OK if found else ToolStatus.NO_DATA
        lines = [rollouts.line(d) for d in found]
        return answer(self.spec, cluster.reading, Findings(status, _summary(recent, what, a.hours), lines, data))


def _summary(recent: list[JsonObject], what: str, hours: float) -> str:
    if not recent:
        return f"No deploy of {what} in the last {hours:g} hours"
    first = recent[0]
    return f"{len(recent)} deploys of {what} in the last {hours:g} hours; latest {first['version']} at {first['time']}: {'; '.join(first['changes'])}"
