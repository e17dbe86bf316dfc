"""check_workloads: controllers of a namespace or service: desired against real, conditions, templates, autoscalers,
disruption budgets, schedules."""

from collections.abc import Sequence

from pydantic import Field

from app.domain.frozen import JsonObject
from app.domain.tool import Provenance, ToolContext, ToolResult, ToolStatus
from app.tools.answers import Arguments, Findings, KubeName, LooseName, answer, read_spec
from app.tools.kubernetes_client import KubernetesClient
from app.tools.kubernetes_reading import Query, read
from app.tools.label_selectors import takes
from app.tools.schedule_text import schedule_lines
from app.tools.selection import labels_of, narrow
from app.tools.workload_text import workload_lines, worth_showing

KEYS = {
    "Deployment": "deployments",
    "ReplicaSet": "replicasets",
    "StatefulSet": "statefulsets",
    "DaemonSet": "daemonsets",
    "Job": "jobs",
    "CronJob": "cronjobs",
    "HorizontalPodAutoscaler": "hpas",
    "PodDisruptionBudget": "poddisruptionbudgets",
}
BESIDE = ("HorizontalPodAutoscaler", "PodDisruptionBudget")
CONTROLLERS = tuple(k for k in KEYS if k not in BESIDE)


class CheckWorkloadsArguments(Arguments):
    namespace: KubeName = Field(description="Namespace to look in.")
    service: LooseName | None = Field(None, description="Workload name, Service name or app label.")
    workload: KubeName | None = Field(None, description="Exact name of the workload.")


class CheckWorkloads:
    """Conditions carry texts of admission and of the scheduler, so the answer is believed by half."""

    arguments = CheckWorkloadsArguments
    spec = read_spec(
        "check_workloads",
        "Deployments, StatefulSets, DaemonSets, Jobs, CronJobs and autoscalers: desired against real",
        "kubernetes",
        "workloads",
        CheckWorkloadsArguments,
        provenance=Provenance.SEMI,
    )

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client

    async def run(self, arguments: CheckWorkloadsArguments, context: ToolContext) -> ToolResult:
        a = arguments
        kinds = (*KEYS, *(("Service",) if a.service else ()))
        cluster = await read(self._client, [Query(k, a.namespace) for k in kinds])
        if cluster.denied(*CONTROLLERS):
            return answer(self.spec, cluster.reading, Findings(ToolStatus.DENIED, f"Not allowed to read workloads in {a.namespace}"))
        chosen = narrow(cluster.of(*CONTROLLERS), a.service or "", a.workload or "", cluster.known())
        chosen += _autoscalers(cluster.of("HorizontalPodAutoscaler"), chosen, bool(a.service or a.workload), a.workload or a.service or "")
        chosen += _budgets(cluster.of("PodDisruptionBudget"), chosen, bool(a.service or a.workload))
        data: JsonObject = {key: [i for i in chosen if i["kind"] == kind] for kind, key in KEYS.items()}
        if not chosen:
            wanted = a.workload or a.service
            status = ToolStatus.NOT_FOUND if wanted else ToolStatus.NO_DATA
            summary = f"Nothing called {wanted} in {a.namespace}" if wanted else f"No workloads in {a.namespace}"
            return answer(self.spec, cluster.reading, Findings(status, summary, data=data))
        shown = [i for i in chosen if worth_showing(i)]
        lines = [line for item in shown for line in workload_lines(item)]
        late = [line for item in shown if item["kind"] == "CronJob" for line in schedule_lines(item, context.now)]
        return answer(self.spec, cluster.reading, Findings(ToolStatus.OK, summary_of(chosen), lines + late, data))


def _autoscalers(hpas: Sequence[JsonObject], chosen: Sequence[JsonObject], narrowed: bool, wanted: str) -> list[JsonObject]:
    """Those that scale what was chosen, or have the name asked for; all when nothing was narrowed."""
    scaled = {(i["kind"], i["metadata"]["name"]) for i in chosen}
    refs = [(h, h.get("spec", {}).get("scaleTargetRef") or {}) for h in hpas]
    return [h for h, ref in refs if not narrowed or (ref.get("kind"), ref.get("name")) in scaled or h["metadata"]["name"] == wanted]


def _budgets(budgets: Sequence[JsonObject], chosen: Sequence[JsonObject], narrowed: bool) -> list[JsonObject]:
    """Those that protect pods of what was chosen."""
    labels = [labels_of(i) for i in chosen if i["kind"] in CONTROLLERS]
    return [b for b in budgets if not narrowed or any(takes(b.get("spec", {}).get("selector"), have) for have in labels)]


def lacking(item: JsonObject) -> str:
    """`cart 1/3` for a workload that has fewer ready pods than it wants, `x failed` for a failed Job, else ""."""
    spec, status, name = item.get("spec", {}), item.get("status", {}), item["metadata"]["name"]
    if item["kind"] == "Job":
        return f"{name} failed" if any(c.get("type") == "Failed" and c.get("status") == "True" for c in status.get("conditions") or ()) else ""
    if item["kind"] == "DaemonSet":
        wanted, ready = int(status.get("desiredNumberScheduled") or 0), int(status.get("numberReady") or 0)
    elif item["kind"] in ("Deployment", "StatefulSet"):
        wanted, ready = int(spec.get("replicas", 1)), int(status.get("readyReplicas") or 0)
    else:
        return ""
    return f"{name} {ready}/{wanted}" if ready < wanted else ""


def summary_of(items: Sequence[JsonObject]) -> str:
    short = [lacking(i) for i in items if lacking(i)]
    count = sum(1 for i in items if i["kind"] not in ("ReplicaSet", *BESIDE))
    return f"Found {count} workloads: " + (f"not as wanted: {', '.join(short[:6])}" if short else "all as wanted")
