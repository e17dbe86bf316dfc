"""SelfSubjectAccessReview: may the reader do this? The lab's reader may read what the snapshot read, and nothing else."""

import json
from typing import Any

from app.lab.kubernetes.kinds import Kind
from app.lab.kubernetes.status import bad_request
from app.lab.kubernetes.store import ObjectStore

READ = ("get", "list", "watch")


def review(body: bytes, store: ObjectStore) -> dict[str, Any]:
    """A review as posted -> the same with its status. Raises ApiError 400."""
    try:
        asked = json.loads(body)
        spec = asked["spec"]
        wanted = spec.get("resourceAttributes") or {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from error
    kind = next((k for k in store.kinds if k.plural == wanted.get("resource") and k.group == wanted.get("group", "")), None)
    allowed = kind is not None and may(store, str(wanted.get("verb", "")), kind, str(wanted.get("subresource", "")))
    reason = {"reason": 'RBAC: allowed by ClusterRoleBinding "sre-agent" of ClusterRole "sre-agent"'} if allowed else {}
    return {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": spec,
        "status": {"allowed": allowed} | reason,
    }


def may(store: ObjectStore, verb: str, kind: Kind, subresource: str = "") -> bool:
    """Reads of what was read; of subresources, `log`, `status` and `scale`."""
    return verb in READ and subresource in ("", "log", "status", "scale") and store.readable(kind)
