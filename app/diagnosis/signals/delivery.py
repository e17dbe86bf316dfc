"""What delivery tools say of themselves -> an Application that cannot be applied, and what was deployed shortly before the onset.
Reads `check_argocd`, `check_delivery` and `check_github_deployments`.

Out of sync alone is no fault: somebody may not have synced yet. It becomes one when the tool tried and was refused, or cannot
even compare."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from app.diagnosis.applications import application
from app.diagnosis.kube import moment
from app.diagnosis.reading import Reading, dig, rows
from app.diagnosis.signals.deploys import AFTER, BEFORE
from app.diagnosis.world import RECENT, Found, World, cite, signal
from app.domain.case import Signal
from app.domain.frozen import JsonObject
from app.domain.log_times import moment_of
from app.domain.target import ObjectRef

FAILED = ("Failed", "Error")
LONG_AGO = timedelta(days=1)  # a sync that has failed for longer is not what began now, unless the alert is about delivery
_DELIVERY = re.compile(r"argo|gitops|out.?of.?sync|deliver|flux|kustom|helm", re.I)
# An error of an object in the logs of Argo CD's controller (logrus) and of Flux's controllers (zap, JSON).
_ARGO = re.compile(
    r"level=error .*(Failed to load target state|ComparisonError|Sync operation .*failed|failed to sync|manifest generation error)"
    r'.*\bapplication="?(?:[\w.-]+/)?(?P<name>[\w.-]+)',
    re.I,
)
_ARGO_SPACE = re.compile(r"app-namespace=\"?([\w.-]+)")
_FLUX = re.compile(
    r'"level":\s*"error".*"(?P<kind>Kustomization|HelmRelease|GitRepository|HelmRepository|OCIRepository)":'
    r'\s*\{"name":\s*"(?P<name>[\w.-]+)",\s*"namespace":\s*"(?P<namespace>[\w.-]+)"\}'
)
_SAID = re.compile(r"(?:msg=|\"error\":\s*)\"((?:[^\"\\]|\\.)*)\"")
SHORT = 12  # of a revision, as people write it


def find(world: World) -> Found:
    for reading in world.readings:
        if reading.tool == "check_argocd":
            for item in reading.items("applications"):
                yield from _refused(world, reading, item)
        elif reading.tool == "check_delivery":
            yield from _held(world, reading)
        elif reading.tool == "get_logs":
            yield from _logged(world, reading)


def join(world: World, found: tuple[Signal, ...]) -> Iterator[Signal]:
    """Records of what was deployed, for workloads that were released shortly before: a record of another says nothing of them."""
    released = {str(s.object): s.object for s in found if s.kind == "released_before_onset"}
    for reading in world.readings if released else ():
        for row in reading.items("history") if reading.tool == "check_argocd" else ():
            own = [ref for name, ref in released.items() if name in (row.get("workloads") or ())]
            yield from (s for s in _synced(world, reading, row, own) if s is not None)
        for row in reading.items("records") if reading.tool == "check_github_deployments" else ():
            own = [ref for ref in released.values() if ref.name == row.get("service")]
            yield from (s for s in _deployed(world, reading, row, own) if s is not None)


def _refused(world: World, reading: Reading, item: JsonObject) -> Found:
    if dig(item, "status", "sync", "status") == "Synced":
        return
    state, ref = dig(item, "status", "operationState") or {}, application(item)
    phase, message, since, about = "", "", None, ""
    if state.get("phase") in FAILED or (state.get("phase") == "Running" and state.get("retryCount")):
        phase, message, since = str(state["phase"]), str(state.get("message") or ""), moment(state.get("finishedAt") or state.get("startedAt"))
        about = f"operation {phase}"
    else:
        errors = [c for c in rows(dig(item, "status", "conditions")) if str(c.get("type")).endswith("Error")]
        for condition in errors[:1]:
            message, since = str(condition.get("message") or ""), moment(condition.get("lastTransitionTime"))
            about = f"condition {condition.get('type')}"
    if not about or _old(world, since):
        return
    facts = {"message": message[:200] or about, "tool": "Application"}
    source = cite(reading, (f"application {ref.namespace}/{ref.name}", about))
    yield signal("delivery_failed", ref, f"Application {ref.name}, {about}: {message[:160]}", source, since, facts)


def _held(world: World, reading: Reading) -> Found:
    """Objects of Argo CD and Flux in the cluster that are refused; those alone that the alert names, where it names one."""
    rows = [r for r in reading.items("deliveries") if r.get("problem") and not _old(world, moment(r.get("since")))]
    values = {v for a in world.case.alerts for v in a.labels.values()}
    for row in [r for r in rows if r.get("name") in values] or rows:
        ref = ObjectRef(kind=str(row["kind"]), namespace=str(row.get("namespace") or ""), name=str(row["name"]))
        message = str(row.get("message") or row["problem"])
        source = cite(reading, (f"{ref.kind.lower()} {ref.namespace}/{ref.name}", str(row["problem"])))
        facts = {"message": message[:200], "tool": ref.kind}
        yield signal("delivery_failed", ref, f"{ref.kind} {ref.name}, {row['problem']}: {message[:160]}", source, moment(row.get("since")), facts)


def _logged(world: World, reading: Reading) -> Found:
    """What the controllers log, where their objects may not be read: the newest error of each object since shortly before the onset."""
    newest: dict[tuple[str, str, str], str] = {}
    for line in (str(x) for x in reading.result.data.get("lines") or []):
        argo, flux = _ARGO.search(line), _FLUX.search(line)
        when = moment_of(line, world.now)
        if (argo or flux) and line in reading.lines and (when is None or when >= world.onset - RECENT):
            space = (_ARGO_SPACE.search(line) or ["", "argocd"])[1] if argo else ""
            key = ("Application", space, argo["name"]) if argo else (flux["kind"], flux["namespace"], flux["name"]) if flux else ("", "", "")
            newest[key] = line
    known = {(r["kind"], r["name"]) for x in world.readings for r in x.items("deliveries")}  # their objects say it better, and whether it is over
    for (kind, space, name), line in sorted((k, v) for k, v in newest.items() if (k[0], k[2]) not in known):
        said = _SAID.search(line)
        facts = {"message": (said[1] if said else line)[:200], "tool": kind}
        ref = ObjectRef(kind=kind, namespace=space, name=name)
        yield signal("delivery_failed", ref, f"{kind} {name}: {facts['message'][:160]}", cite(reading, (line,)), moment_of(line, world.now), facts)


def _old(world: World, since: datetime | None) -> bool:
    return since is not None and world.onset - since > LONG_AGO and not any(_DELIVERY.search(a.name) for a in world.case.alerts)


def _in_time(world: World, when: datetime | None) -> bool:
    return when is not None and world.onset - BEFORE <= when <= world.onset + AFTER


def _synced(world: World, reading: Reading, row: JsonObject, own: list[ObjectRef]) -> Found:
    """A revision that was applied shortly before."""
    when, revision = moment(row.get("deployedAt")), str(row.get("revision") or "")[:SHORT]
    for ref in own if _in_time(world, when) else ():
        claim = f"Argo CD applied revision {revision} to {row.get('application')}"
        source = cite(reading, (str(row.get("application")), "deployed revision", str(row.get("deployedAt"))))
        yield signal("deployment_recorded", ref, claim, source, when, {"revision_in_git": revision})


def _deployed(world: World, reading: Reading, row: JsonObject, own: list[ObjectRef]) -> Found:
    """A deployment of the service's repository shortly before, whatever became of it."""
    when, sha = moment(row.get("created_at")), str(row.get("sha") or "")[:SHORT]
    for ref in own if _in_time(world, when) else ():
        claim = f"GitHub records deployment {row.get('id')} of {row.get('repository')} {sha}, state {row.get('state') or 'not reported'}"
        yield signal(
            "deployment_recorded",
            ref,
            claim,
            cite(reading, (f"deployment {row.get('id')} of {row.get('repository')}",)),
            when,
            {"revision_in_git": sha},
        )
