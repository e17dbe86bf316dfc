"""The Deployment controller's part in a changed template: a new ReplicaSet with the next revision. Called after writes.

There is no kubelet: the new ReplicaSet counts as ready at once and pods stay as they are.
"""

import hashlib
import json
import uuid
from typing import Any

from app.domain.frozen import iso
from app.lab.kubernetes.kinds import KINDS, Kind
from app.lab.kubernetes.store import ObjectStore

Object = dict[str, Any]
_REPLICA_SET = next(k for k in KINDS if k.kind == "ReplicaSet")
_REVISION = "deployment.kubernetes.io/revision"


def follow(store: ObjectStore, kind: Kind, deployment: Object) -> None:
    """Old ReplicaSets go to none, a new one takes their place, the Deployment's revision is the new one."""
    owned = [r for r in store.items(_REPLICA_SET, deployment["metadata"]["namespace"]) if _owns(deployment, r)]
    revision = 1 + max((int(r["metadata"].get("annotations", {}).get(_REVISION, 0)) for r in owned), default=0)
    for old in owned:
        _retire(store, old)
    store.put(_REPLICA_SET, _new(store, deployment, revision))
    meta = deployment["metadata"]
    annotations = meta.get("annotations", {}) | {_REVISION: str(revision)}
    status = deployment.get("status", {}) | {"observedGeneration": meta.get("generation", 1)}
    store.put(kind, deployment | {"metadata": meta | {"annotations": annotations}, "status": status})


def _owns(deployment: Object, item: Object) -> bool:
    return any(o.get("uid") == deployment["metadata"].get("uid") for o in item["metadata"].get("ownerReferences") or [])


def _retire(store: ObjectStore, old: Object) -> None:
    generation = old["metadata"].get("generation", 1) + 1
    meta = old["metadata"] | {"generation": generation}
    status = {"replicas": 0, "terminatingReplicas": 0, "observedGeneration": generation}
    store.put(_REPLICA_SET, old | {"metadata": meta, "spec": old["spec"] | {"replicas": 0}, "status": status})


def _new(store: ObjectStore, deployment: Object, revision: int) -> Object:
    meta, spec = deployment["metadata"], deployment["spec"]
    digest = hashlib.sha256(json.dumps([spec["template"], revision], sort_keys=True).encode()).hexdigest()[:10]
    replicas, template = spec.get("replicas", 1), spec["template"]
    labels = template["metadata"].get("labels", {}) | {"pod-template-hash": digest}
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": meta["name"], "uid": meta["uid"]}
    counts = dict.fromkeys(("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"), replicas)
    prefix = "deployment.kubernetes.io"
    return {
        "metadata": {
            "name": f"{meta['name']}-{digest}",
            "namespace": meta["namespace"],
            "uid": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{meta['uid']}/{digest}")),
            "generation": 1,
            "creationTimestamp": iso(store.world.now),
            "labels": labels,
            "annotations": {
                f"{prefix}/desired-replicas": str(replicas),
                f"{prefix}/max-replicas": str(replicas + max(1, replicas // 4)),
                _REVISION: str(revision),
            },
            "ownerReferences": [owner | {"controller": True, "blockOwnerDeletion": True}],
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": spec["selector"]["matchLabels"] | {"pod-template-hash": digest}},
            "template": template | {"metadata": template["metadata"] | {"labels": labels}},
        },
        "status": counts | {"terminatingReplicas": 0, "observedGeneration": 1},
    }
