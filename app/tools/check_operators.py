"""check_operators: what the Operator Lifecycle Manager has installed: catalogues, versions, plans, extensions, and what is wrong with them."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from pydantic import Field

from app.domain.frozen import JsonObject
from app.domain.tool import Provenance, ToolContext, ToolResult, ToolStatus
from app.tools.answers import Arguments, Findings, KubeName, answer, read_spec
from app.tools.events import moment
from app.tools.kubernetes_client import KubernetesClient
from app.tools.kubernetes_reading import Query, read
from app.tools.pod_text import condition_line

NAMESPACED = ("CatalogSource", "ClusterServiceVersion", "InstallPlan", "Subscription", "OperatorGroup")
CLUSTER = ("ClusterCatalog", "ClusterExtension")
COPIED = "olm.copiedFrom"  # a label: the same version shown in every namespace that it watches
RESTS = ("Succeeded", "Replacing", "Deleting")  # phases of a version in which nothing is wanted of it
WRONG_IF_TRUE = ("CatalogSourcesUnhealthy", "ResolutionFailed", "InstallPlanFailed", "BundleUnpackFailed", "MultipleOperatorGroups")
WRONG_IF_NOT = ("Serving", "Installed")
ON_PURPOSE = ("UserSpecifiedUnavailable",)
HELD_UP = ("Retrying", "Blocked", "Failed")  # reasons of Progressing
PATIENCE_SECONDS = 300  # installing takes minutes


class CheckOperatorsArguments(Arguments):
    namespace: KubeName = Field(description="Namespace of the operator; catalogues and extensions of the cluster are always read.")


class CheckOperators:
    """data: `operators`: [{kind, namespace, name, phase, problem, since}]; `problem` is "" where none is known. A plan that waits
    for approval is told by its phase; that is a person's to decide."""

    arguments = CheckOperatorsArguments
    spec = read_spec(
        "check_operators",
        "Operators of the lifecycle manager: catalogues, versions, install plans, extensions",
        "kubernetes",
        "operators",
        CheckOperatorsArguments,
        provenance=Provenance.SEMI,
    )

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client

    async def run(self, arguments: CheckOperatorsArguments, context: ToolContext) -> ToolResult:
        space = arguments.namespace
        queries = [*(Query(k, space, optional=True) for k in NAMESPACED), *(Query(k, optional=True) for k in CLUSTER)]
        cluster = await read(self._client, queries)
        if cluster.denied(*NAMESPACED, *CLUSTER):
            return answer(self.spec, cluster.reading, Findings(ToolStatus.DENIED, "Not allowed to read operators"))
        items = [i for i in cluster.of(*NAMESPACED, *CLUSTER) if COPIED not in (i["metadata"].get("labels") or {})]
        if not items:
            none = Findings(ToolStatus.NO_DATA, f"No operators of the lifecycle manager in {space}", data={"operators": []})
            return answer(self.spec, cluster.reading, none)
        rows = [operator(i, items, context.now) for i in items]
        lines = [line for item, row in zip(items, rows, strict=True) for line in operator_lines(item, row)]
        wrong = [f"{r['kind']} {r['name']}" for r in rows if r["problem"]]
        summary = f"Found {len(items)} objects of the lifecycle manager: " + (f"wrong: {', '.join(wrong[:6])}" if wrong else "none known to be wrong")
        return answer(self.spec, cluster.reading, Findings(ToolStatus.OK, summary, lines, {"operators": rows}))


def operator(item: JsonObject, every: Sequence[JsonObject], now: datetime) -> JsonObject:
    """One row of the answer."""
    meta, status = item["metadata"], item.get("status") or {}
    phase = str(status.get("phase") or status.get("state") or (status.get("connectionState") or {}).get("lastObservedState") or "")
    problem, since = next(_problems(item, every, now), ("", ""))
    return {
        "kind": item["kind"],
        "namespace": meta.get("namespace", ""),
        "name": meta["name"],
        "phase": phase,
        "problem": problem,
        "since": since,
    }


def _problems(item: JsonObject, every: Sequence[JsonObject], now: datetime) -> Iterator[tuple[str, str]]:
    """(what is wrong, since when), the most telling first. Plans and versions have a phase, the rest has conditions."""
    kind, status = item["kind"], item.get("status") or {}
    conditions = [c for c in status.get("conditions") or () if isinstance(c, dict)]
    for told in conditions:
        about, state, since = str(told.get("type")), told.get("status"), str(told.get("lastTransitionTime") or "")
        off = about in WRONG_IF_NOT and state != "True" and told.get("reason") not in ON_PURPOSE and not _fresh(since, now)
        held = about == "Progressing" and told.get("reason") in HELD_UP
        if (about in WRONG_IF_TRUE and state == "True") or off or held:
            yield f"{about}={state} {told.get('reason') or ''}: {told.get('message') or 'no message'}", since
    phase, since = str(status.get("phase") or ""), str(status.get("lastTransitionTime") or item["metadata"].get("creationTimestamp") or "")
    if (kind == "ClusterServiceVersion" and phase not in RESTS and (phase == "Failed" or not _fresh(since, now))) or (
        kind == "InstallPlan" and phase == "Failed"
    ):
        last = next((c for c in reversed(conditions) if c.get("message")), {})
        said = f"{status.get('reason') or last.get('reason') or ''} {status.get('message') or last.get('message') or ''}".strip()
        yield f"phase {phase or 'not set'}{': ' + said if said else ''}", since
    seen = (status.get("connectionState") or {}).get("lastObservedState")
    if kind == "CatalogSource" and seen and seen != "READY":
        yield f"connection state {seen}", str(status["connectionState"].get("lastConnect") or "")
    groups = [i for i in every if i["kind"] == kind == "OperatorGroup"]
    if len(groups) > 1:
        yield f"one of {len(groups)} operator groups of its namespace, so that no version is resolved", ""


def _fresh(since: str, now: datetime) -> bool:
    return bool(moment(since)) and now.timestamp() - moment(since) < PATIENCE_SECONDS


def operator_lines(item: JsonObject, row: JsonObject) -> list[str]:
    space = f"{row['namespace']}/" if row["namespace"] else ""
    name = f"{row['kind']} {space}{row['name']}"
    resolved = (((item.get("status") or {}).get("resolvedSource") or {}).get("image") or {}).get("ref")
    lines = [f"{name}: phase {row['phase'] or 'not told'}" + (f", resolved image {resolved}" if resolved else "")]
    lines += [f"{name}: {row['problem']}"] if row["problem"] else []
    return lines + [condition_line(name, c) for c in (item.get("status") or {}).get("conditions") or () if c.get("type")]
