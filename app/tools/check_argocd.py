"""check_argocd: is what git says delivered: sync, health, last operation and history of the Applications of a service."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from pydantic import Field

from app.domain.errors import ToolFailure
from app.domain.frozen import JsonObject
from app.domain.reason import ErrorClass, Reason
from app.domain.tool import Provenance, ToolContext, ToolResult, ToolStatus, Window
from app.tools.answers import Arguments, Findings, KubeName, LooseName, Reading, answer, read_spec
from app.tools.argocd_client import Applications, ArgoClient
from app.tools.events import moment

MAX_APPLICATIONS = 10
MAX_LINES = 20
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Rollout", "CronJob", "Job")


class CheckArgocdArguments(Arguments):
    namespace: KubeName | None = Field(None, description="Namespace delivered to.")
    service: LooseName | None = Field(None, description="Service, delivered object, or Application.")
    workload: KubeName | None = Field(None, description="Exact name of a workload.")
    hours: float = Field(24, gt=0, le=720, description="How far back counts as recent.")


class CheckArgocd:
    """An Application is that of a service if it is called so, manages an object of that name, or says so by the configured label
    or annotation.

    data: `applications`: objects, trimmed; `history`: [{application, id, revision, deployedAt, by, recent, workloads}], newest
    first, `workloads` as Kind/namespace/name."""

    arguments = CheckArgocdArguments
    spec = read_spec(
        "check_argocd",
        "Argo CD Applications: sync, health, history",
        "argocd",
        "applications",
        CheckArgocdArguments,
        provenance=Provenance.SEMI,
        timeout_seconds=15.0,
    )

    def __init__(self, client: ArgoClient | None) -> None:
        self._client = client

    async def run(self, arguments: CheckArgocdArguments, context: ToolContext) -> ToolResult:
        a, reading = arguments, Reading()
        wanted = a.workload or a.service or ""
        since = context.now - timedelta(hours=a.hours)
        listed = await self._listed(wanted, a.namespace or "", reading)
        if listed.status is ToolStatus.DENIED:
            reading.notes.append(listed.note)
            return answer(self.spec, reading, Findings(ToolStatus.DENIED, "Not allowed to read Applications", data={"applications": []}))
        chosen = [i for i in listed.items if self._is_of(i, wanted, a.namespace or "")]
        what = wanted or a.namespace or "anything"
        if not chosen:
            status = ToolStatus.NOT_FOUND if wanted and listed.items else ToolStatus.NO_DATA
            none = f"No Argo CD Application delivers {what} ({len(listed.items)} read)"
            return answer(self.spec, reading, Findings(status, none, data={"applications": [], "history": []}))
        if len(chosen) > MAX_APPLICATIONS:
            reading.truncated.append(f"{len(chosen)} applications, {MAX_APPLICATIONS} shown")
        chosen = sorted(chosen, key=_well)[:MAX_APPLICATIONS]
        return answer(self.spec, reading, _findings(chosen, Window(start=since, end=context.now)))

    async def _listed(self, wanted: str, namespace: str, reading: Reading) -> Applications:
        """Those of that name if there are, which is a small answer; else all."""
        if self._client is None:
            raise ToolFailure(ErrorClass.CONFIG, Reason.NOT_CONFIGURED, "Argo CD is not configured")
        found = Applications("")
        for name in [wanted, ""] if wanted and not self._client.service_key else [""]:
            found = await self._client.applications(name)
            reading.asked.append(found.asked)
            reading.bytes_read += found.bytes_read
            if found.status is not ToolStatus.OK or any(self._is_of(i, wanted, namespace) for i in found.items):
                break
        return found

    def _is_of(self, item: JsonObject, wanted: str, namespace: str) -> bool:
        meta, resources = item["metadata"], item["status"]["resources"]
        here = not namespace or any(r.get("namespace") == namespace for r in resources)
        here = here or item["spec"]["destination"].get("namespace") == namespace
        if not wanted:
            return here
        key = self._client.service_key if self._client else ""
        said = {**meta["annotations"], **(meta.get("labels") or {})}.get(key) if key else None
        managed = any(r.get("name") == wanted and (not namespace or r.get("namespace") == namespace) for r in resources)
        return here and (said == wanted or managed or (not said and meta["name"] == wanted))


def _well(item: JsonObject) -> tuple[bool, str]:
    """Those in trouble first."""
    status = item["status"]
    return (status["sync"].get("status") == "Synced" and status["health"].get("status") == "Healthy"), title(item)


def title(item: JsonObject) -> str:
    return f"application {item['metadata']['namespace']}/{item['metadata']['name']}"


def _findings(items: Sequence[JsonObject], window: Window) -> Findings:
    history = sorted((h for i in items for h in _history(i, window.start)), key=lambda h: moment(h["deployedAt"]), reverse=True)
    recent = [h for h in history if h["recent"]]
    lines = [line for i in items for line in _lines(i)] + [_deploy_line(h) for h in history[:MAX_LINES]]
    wrong = [i for i in items if not _well(i)[0]]
    tail = f"; {_state_line(wrong[0])}" if wrong else ""
    last = f", latest deployed {recent[0]['revision'][:12]} at {recent[0]['deployedAt']}" if recent else ", nothing deployed in the window"
    summary = f"{len(items) - len(wrong)} of {len(items)} applications synced and healthy{last}{tail}"
    return Findings(ToolStatus.OK, summary, lines, {"applications": [*items], "history": history}, window)


def _history(item: JsonObject, since: datetime) -> Iterator[JsonObject]:
    managed = [r for r in item["status"]["resources"] if r.get("kind") in WORKLOADS]
    workloads = [f"{r['kind']}/{r.get('namespace', '')}/{r.get('name', '')}" for r in managed]
    for row in item["status"]["history"]:
        at, by = str(row.get("deployedAt", "")), row["initiatedBy"]
        who = "automated sync" if by.get("automated") else str(by.get("username") or "")
        recent = moment(at) >= since.timestamp()
        made = {"id": row.get("id", 0), "revision": str(row["revision"]), "deployedAt": at, "by": who, "recent": recent}
        yield {"application": title(item), **made, "workloads": workloads}


def _state_line(item: JsonObject) -> str:
    """`application argocd/shop: sync OutOfSync at 3f2a1bc, health Degraded, automated sync on, to namespace shop`."""
    sync, health = item["status"]["sync"], item["status"]["health"]
    at = sync.get("revision") or ", ".join(str(r) for r in sync.get("revisions") or ())
    told = f"sync {sync.get('status', 'unknown')}" + (f" at {at}" if at else "")
    message = f" ({health['message']})" if health.get("message") else ""
    to = item["spec"]["destination"].get("namespace") or "(its own)"
    automated = "on" if item["spec"]["automated"] else "off"
    return f"{title(item)}: {told}, health {health.get('status', 'unknown')}{message}, automated sync {automated}, to namespace {to}"


def _lines(item: JsonObject) -> Iterator[str]:
    name, status = title(item), item["status"]
    yield _state_line(item)
    for source in item["spec"]["sources"]:
        inside = source.get("path") or source.get("chart") or ""
        yield f"{name} source: {source.get('repoURL', '')} {inside} at {source.get('targetRevision', 'HEAD')}"
    for condition in status["conditions"]:
        yield f"{name} condition {condition.get('type')} since {condition.get('lastTransitionTime', '(no time)')}: {condition.get('message', '')}"
    state = status["operationState"]
    if state.get("phase"):
        tries = f", {state['retryCount']} retries" if state.get("retryCount") else ""
        at = state.get("finishedAt") or state.get("startedAt") or "(no time)"
        yield f"{name} operation {state['phase']} at {at}{tries}: {state.get('message', '')}"
    for row in state["resources"][:MAX_LINES]:
        failed = row.get("status") or row.get("hookPhase")
        yield f"{name} operation on {_ref(row)}: {failed} {row.get('message', '')}"
    odd = [r for r in status["resources"] if r.get("status") == "OutOfSync" or r["health"].get("status") in ("Degraded", "Missing")]
    for row in odd[:MAX_LINES]:
        told = ", ".join(filter(None, (row.get("status"), f"health {row['health']['status']}" if row["health"].get("status") else "")))
        yield f"{name} resource {_ref(row)}: {told} {row['health'].get('message', '')}".rstrip()


def _ref(row: JsonObject) -> str:
    return f"{row.get('kind', '')}/{row.get('namespace', '')}/{row.get('name', '')}"


def _deploy_line(row: JsonObject) -> str:
    by = f" by {row['by']}" if row["by"] else ""
    return f"{row['application']} deployed revision {row['revision']} at {row['deployedAt'] or '(no time)'}{by} (id {row['id']})"
