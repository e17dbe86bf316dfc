"""check_delivery: what the delivery tools of the cluster say of themselves in their own objects: Argo CD's Applications, Flux's
Kustomizations, releases and sources. Twin: check_argocd, which asks Argo CD's API for history and what is delivered to a service."""

from collections.abc import Iterator

from pydantic import Field

from app.domain.frozen import JsonObject
from app.domain.tool import Provenance, ToolContext, ToolResult, ToolStatus
from app.tools.answers import Arguments, Findings, KubeName, answer, read_spec
from app.tools.kubernetes_client import KubernetesClient
from app.tools.kubernetes_reading import Query, read

FLUX = ("GitRepository", "HelmRelease", "HelmRepository", "Kustomization")
KINDS = ("Application", *FLUX)
FAILED = ("Failed", "Error")  # phases of an operation of Argo CD
WORKING = ("Progressing", "DependencyNotReady", "ProgressingWithRetry")  # reasons of Ready=False of Flux by which nothing is wrong yet
MAX_MESSAGE = 800
MAX_RESOURCES = 200


class CheckDeliveryArguments(Arguments):
    namespace: KubeName | None = Field(None, description="Namespace of the objects; without it, all.")


class CheckDelivery:
    """data: `deliveries`: [{kind, namespace, name, state, problem, message, since, resources: [Kind/namespace/name]}]; `problem` is "" where
    none is known: to be out of sync is none as long as the tool can compare and was not refused."""

    arguments = CheckDeliveryArguments
    spec = read_spec(
        "check_delivery",
        "Argo CD Applications and Flux objects of the cluster: synced, ready, or refused and why",
        "kubernetes",
        "deliveries",
        CheckDeliveryArguments,
        provenance=Provenance.SEMI,
    )

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client

    async def run(self, arguments: CheckDeliveryArguments, context: ToolContext) -> ToolResult:
        space = arguments.namespace or ""
        cluster = await read(self._client, [Query(k, space, optional=True) for k in KINDS])
        if cluster.denied(*KINDS):
            return answer(self.spec, cluster.reading, Findings(ToolStatus.DENIED, "Not allowed to read objects of delivery tools"))
        rows = [delivery(i) for i in cluster.of(*KINDS)]
        if not rows:
            return answer(self.spec, cluster.reading, Findings(ToolStatus.NO_DATA, "No objects of Argo CD or Flux", data={"deliveries": []}))
        lines = [line for row in sorted(rows, key=lambda r: not r["problem"]) for line in delivery_lines(row)]
        wrong = [f"{r['kind']} {r['name']}" for r in rows if r["problem"]]
        summary = f"Found {len(rows)} objects of delivery tools: " + (f"refused: {', '.join(wrong[:6])}" if wrong else "none is refused")
        return answer(self.spec, cluster.reading, Findings(ToolStatus.OK, summary, lines, {"deliveries": rows}))


def delivery(item: JsonObject) -> JsonObject:
    """One row of the answer."""
    meta, status = item["metadata"], item.get("status") or {}
    if item["kind"] == "Application":
        sync, health = (str((status.get(part) or {}).get("status") or "Unknown") for part in ("sync", "health"))
        state, resources = f"sync {sync}, health {health}", [_applied(r) for r in status.get("resources") or ()]
        problem, message, since = next(_application(status, sync), ("", "", ""))
    else:
        state, resources = ("suspended" if (item.get("spec") or {}).get("suspend") else _ready(status)), _inventory(status)
        problem, message, since = ("", "", "") if state == "suspended" else next(_flux(status), ("", "", ""))
    return {
        "kind": item["kind"],
        "namespace": meta.get("namespace", ""),
        "name": meta["name"],
        "state": state,
        "problem": problem,
        "message": " ".join(message.split())[:MAX_MESSAGE],
        "since": since,
        "resources": resources[:MAX_RESOURCES],
    }


def delivery_lines(row: JsonObject) -> list[str]:
    name = f"{row['kind'].lower()} {row['namespace']}/{row['name']}"
    lines = [f"{name}: {row['state']}"]
    return [*lines, f"{name}: {row['problem']} since {row['since'] or 'unknown'}: {row['message']}"] if row["problem"] else lines


def _application(status: JsonObject, sync: str) -> Iterator[tuple[str, str, str]]:
    """(what, message, since): Argo CD cannot compare, or its last operation was refused and has not been made good."""
    for condition in status.get("conditions") or ():
        if str(condition.get("type")).endswith("Error"):
            yield f"condition {condition['type']}", str(condition.get("message") or ""), str(condition.get("lastTransitionTime") or "")
    operation = status.get("operationState") or {}
    if sync != "Synced" and (operation.get("phase") in FAILED or operation.get("retryCount")):
        since = str(operation.get("finishedAt") or operation.get("startedAt") or "")
        yield f"operation {operation.get('phase')}", str(operation.get("message") or ""), since


def _flux(status: JsonObject) -> Iterator[tuple[str, str, str]]:
    for condition in status.get("conditions") or ():
        kind, said, reason = (str(condition.get(k) or "") for k in ("type", "status", "reason"))
        if (kind == "Ready" and said == "False" and reason not in WORKING) or (kind == "Stalled" and said == "True"):
            yield f"{kind}={said} {reason}", str(condition.get("message") or ""), str(condition.get("lastTransitionTime") or "")


def _ready(status: JsonObject) -> str:
    found: JsonObject = next((c for c in status.get("conditions") or () if c.get("type") == "Ready"), {})
    return f"Ready={found.get('status', 'Unknown')} {found.get('reason', '')}".strip()


def _applied(row: JsonObject) -> str:
    return f"{row.get('kind')}/{row.get('namespace') or ''}/{row.get('name')}"


def _inventory(status: JsonObject) -> list[str]:
    """Flux keeps `<namespace>_<name>_<group>_<kind>` of each object that it applied."""
    entries = [str(e.get("id") or "").split("_") for e in (status.get("inventory") or {}).get("entries") or ()]
    return [f"{e[3]}/{e[0]}/{e[1]}" for e in entries if len(e) == 4]
