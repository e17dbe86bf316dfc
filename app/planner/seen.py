"""Case and verdict -> the objects a model may name: those of the target, of the rules' hypotheses, and those that the
tools returned. Called by `questions` and `conclusion`."""

from collections.abc import Iterator

from app.domain.case import CaseFile
from app.domain.frozen import JsonObject
from app.domain.target import ObjectRef
from app.domain.verdict import Verdict

KINDS = {
    "pods": "Pod",
    "pod": "Pod",
    "deployments": "Deployment",
    "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet",
    "jobs": "Job",
    "cronjobs": "CronJob",
    "hpas": "HorizontalPodAutoscaler",
    "services": "Service",
    "ingresses": "Ingress",
    "networkpolicies": "NetworkPolicy",
    "nodes": "Node",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "persistentvolumes": "PersistentVolume",
    "resourcequotas": "ResourceQuota",
}
# More would make the schema long; the target and the hypotheses come first.
MOST = 120


def seen_objects(case: CaseFile, verdict: Verdict) -> tuple[ObjectRef, ...]:
    """Without doubles, the most to the point first."""
    refs = [h.object for h in verdict.hypotheses]
    refs += [case.target.workload, case.target.ref, *case.target.owners]
    for update in case.updates:
        if update.outcome.result is not None:
            refs += _returned(update.outcome.result.data)
    refs += [ObjectRef(kind="Namespace", name=r.namespace) for r in tuple(refs) if r.namespace]
    return tuple(dict.fromkeys(refs))[:MOST]


def _returned(data: JsonObject) -> Iterator[ObjectRef]:
    """A pod whose owners are known stands for its top owner: that is what verdicts name."""
    owners = data.get("owners")
    for key, kind in KINDS.items():
        items = data.get(key)
        for item in items if isinstance(items, list) else [items]:
            meta = item.get("metadata") if isinstance(item, dict) else None
            if isinstance(meta, dict) and isinstance(meta.get("name"), str):
                full = f"{meta.get('namespace')}/{meta['name']}"  # as check_pods names pods of all namespaces
                chain = owners.get(full, owners.get(meta["name"])) if kind == "Pod" and isinstance(owners, dict) else None
                top, _, name = str(chain[-1]).partition("/") if isinstance(chain, list) and chain else (kind, "", meta["name"])
                yield ObjectRef(kind=top, namespace=str(meta.get("namespace") or ""), name=name)
