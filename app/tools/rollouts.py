"""ReplicaSets and ControllerRevisions -> what was rolled out when, and what each revision changed. Pure; used by
get_recent_deploys and check_workloads."""

from collections.abc import Sequence

from app.domain.frozen import JsonObject
from app.domain.owners import controller_of
from app.tools.template_changes import changes, version

REVISION = "deployment.kubernetes.io/revision"
REUSED = "deployment.kubernetes.io/revision-history"
CAUSE = "kubernetes.io/change-cause"


def revision_of(item: JsonObject) -> int:
    """Revision of a ReplicaSet, Deployment or ControllerRevision; 0 if it has none."""
    said = item.get("revision") or (item["metadata"].get("annotations") or {}).get(REVISION) or 0
    return int(said) if str(said).isdigit() else 0


def template_of(item: JsonObject) -> JsonObject:
    source = item.get("data", {}).get("spec", {}) if item["kind"] == "ControllerRevision" else item.get("spec", {})
    return source.get("template") or {}


def rollouts(workload: JsonObject, revisions: Sequence[JsonObject]) -> list[JsonObject]:
    """Deploys of one workload, newest revision first: {workload, revision, version, time, changes, change_cause}.

    A revision's time is the creation of its ReplicaSet; after a roll-back the old ReplicaSet is used again, and then the
    Deployment's Progressing condition tells.
    """
    name = workload["metadata"]["name"]
    own = [r for r in revisions if _owned_by(r, workload["kind"], name) and revision_of(r)]
    ordered = sorted(own, key=lambda r: (revision_of(r), r["metadata"]["name"]))
    found = []
    for number, item in enumerate(ordered):
        before = template_of(ordered[number - 1]) if number else None
        annotations = item["metadata"].get("annotations") or {}
        reused = bool(annotations.get(REUSED))
        current = number == len(ordered) - 1
        changed = changes(before, template_of(item)) if before is not None else ["first revision known"]
        if reused:
            changed.append(f"roll-back to an earlier revision ({annotations[REUSED]})")
        found.append(
            {
                "workload": f"{workload['kind']}/{workload['metadata'].get('namespace', '')}/{name}",
                "revision": revision_of(item),
                "version": version(template_of(item)),
                "time": (_progressed(workload) if reused and current else "") or item["metadata"].get("creationTimestamp", ""),
                "changes": changed,
                "change_cause": str(annotations.get(CAUSE, "")),
            }
        )
    return found[::-1]


def line(deploy: JsonObject) -> str:
    """`Deployment/ns/name revision 7 at 2026-01-01T00:00:00Z image a:1 -> a:2; env X added; change-cause: ...`"""
    cause = f"; change-cause: {deploy['change_cause']}" if deploy["change_cause"] else ""
    return f"{deploy['workload']} revision {deploy['revision']} at {deploy['time'] or '(no time)'} {'; '.join(deploy['changes'])}{cause}"


def _owned_by(item: JsonObject, kind: str, name: str) -> bool:
    owner = controller_of(item) or {}
    return bool(owner.get("kind") == kind and owner.get("name") == name)


def _progressed(workload: JsonObject) -> str:
    conditions = workload.get("status", {}).get("conditions") or ()
    return next((str(c.get("lastTransitionTime") or c.get("lastUpdateTime") or "") for c in conditions if c.get("type") == "Progressing"), "")
