"""What delivery tools say of themselves -> an Application that cannot be applied, and what was deployed shortly before the onset.
Reads `check_argocd` and `check_github_deployments`.

Out of sync alone is no fault: somebody may not have synced yet. It becomes one when the tool tried and was refused, or cannot
even compare."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from app.diagnosis.applications import application
from app.diagnosis.kube import moment
from app.diagnosis.reading import Reading, dig, rows
from app.diagnosis.signals.deploys import AFTER, BEFORE
from app.diagnosis.world import Found, World, cite, signal
from app.domain.case import Signal
from app.domain.frozen import JsonObject
from app.domain.target import ObjectRef

FAILED = ("Failed", "Error")
LONG_AGO = timedelta(days=1)  # a sync that has failed for longer is not what began now, unless the alert is about delivery
_DELIVERY = re.compile(r"argo|gitops|out.?of.?sync|deliver|flux|kustom|helm", re.I)
SHORT = 12  # of a revision, as people write it


def find(world: World) -> Found:
    for reading in world.readings:
        if reading.tool == "check_argocd":
            for item in reading.items("applications"):
                yield from _refused(world, reading, item)


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
