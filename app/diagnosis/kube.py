"""Facts about Kubernetes objects that the API does not spell out: owners, health, quantities, label matching."""

import re
from datetime import UTC, datetime
from typing import Any

from app.diagnosis.reading import dig, rows
from app.domain.frozen import JsonObject

_SUFFIX = {
    "": 1.0,
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
}
_QUANTITY = re.compile(r"^([0-9.]+(?:[eE][+-]?\d+)?)([A-Za-z]*)$")


def quantity(text: Any) -> float | None:
    """A Kubernetes resource quantity (`512Mi`, `250m`, `3`) as a number in base units; None if it is none."""
    match = _QUANTITY.match(str(text).strip())
    if match is None or match[2] not in _SUFFIX:
        return None
    return float(match[1]) * _SUFFIX[match[2]]


def moment(text: Any) -> datetime | None:
    """An RFC 3339 time of the API; None if absent or unreadable."""
    if not isinstance(text, str) or not text:
        return None
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


# Reasons to wait for an image (pkg/kubelet/images/types.go).
PULLING = (
    *("ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"),
    *("ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed"),
)


def condition(item: JsonObject, kind: str) -> JsonObject | None:
    return next((c for c in rows(dig(item, "status", "conditions")) if c.get("type") == kind), None)


def containers(item: JsonObject) -> list[JsonObject]:
    """Container specs of a pod, or of a workload's template."""
    spec = dig(item, "spec", "template", "spec") or dig(item, "spec", "jobTemplate", "spec", "template", "spec") or item.get("spec") or {}
    return rows(spec.get("containers"))


def container_spec(pod: JsonObject, name: str) -> JsonObject:
    every = rows(dig(pod, "spec", "containers")) + rows(dig(pod, "spec", "initContainers"))
    return next((c for c in every if c.get("name") == name), {})


def statuses(pod: JsonObject) -> list[tuple[JsonObject, bool]]:
    """(container status, is it an init container), init containers first, in the order the API gives them."""
    init = [(s, True) for s in rows(dig(pod, "status", "initContainerStatuses"))]
    return init + [(s, False) for s in rows(dig(pod, "status", "containerStatuses"))]


def is_ready(pod: JsonObject) -> bool:
    """The Ready condition where there is one, else all containers ready."""
    ready = condition(pod, "Ready")
    if ready is not None:
        return bool(ready.get("status") == "True")
    states = rows(dig(pod, "status", "containerStatuses"))
    return bool(states) and all(s.get("ready") for s in states)


def is_done(pod: JsonObject) -> bool:
    return bool(dig(pod, "status", "phase") == "Succeeded")


def is_unhealthy(pod: JsonObject) -> bool:
    return not is_ready(pod) and not is_done(pod)


def restarted_within(pod: JsonObject, now: datetime, seconds: float) -> bool:
    """Did a container end and start again in the last `seconds`? A restart without a time counts as recent."""
    for status, _ in statuses(pod):
        if status.get("restartCount"):
            ended = moment(dig(status, "lastState", "terminated", "finishedAt"))
            if dig(status, "lastState", "terminated") and (ended is None or (now - ended).total_seconds() <= seconds):
                return True
    return False


def matches(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return bool(selector) and all(labels.get(k) == v for k, v in selector.items())


def expression_holds(expression: JsonObject, labels: dict[str, str]) -> bool:
    """One term of a label or node selector (`In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt`, `Lt`)."""
    key, operator, values = str(expression.get("key")), expression.get("operator"), expression.get("values") or []
    have = labels.get(key)
    if operator in ("Gt", "Lt"):
        left, right = quantity(have), quantity(values[0] if values else None)
        return left is not None and right is not None and (left > right if operator == "Gt" else left < right)
    table = {"In": have in values, "NotIn": have not in values, "Exists": have is not None, "DoesNotExist": have is None}
    return bool(table.get(str(operator), True))


def affinity_holds(pod: JsonObject, node: JsonObject) -> bool:
    """Does a node satisfy the pod's required node affinity? True when the pod has none."""
    terms = rows(dig(pod, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"))
    labels = node_labels(node)
    return not terms or any(all(expression_holds(e, labels) for e in rows(term.get("matchExpressions"))) for term in terms)


def node_labels(node: JsonObject) -> dict[str, str]:
    """A node's labels; its host name is its own name where no label says otherwise (the kubelet's default)."""
    return {"kubernetes.io/hostname": str(dig(node, "metadata", "name")), **(dig(node, "metadata", "labels") or {})}


def is_control_plane(node: JsonObject) -> bool:
    labels = dig(node, "metadata", "labels") or {}
    roles = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
    return any(r in labels for r in roles) or labels.get("kubernetes.io/role") in ("master", "control-plane")


def tolerates(pod: JsonObject, taint: JsonObject) -> bool:
    """Does one of the pod's tolerations cover a taint? A key-less `Exists` covers all."""
    for toleration in rows(dig(pod, "spec", "tolerations")):
        effect = toleration.get("effect") in (None, "", taint.get("effect"))
        key = toleration.get("key") in (None, "", taint.get("key"))
        value = toleration.get("operator") == "Exists" or toleration.get("value", "") == taint.get("value", "")
        if effect and key and value:
            return True
    return False


def is_dns(labels: dict[str, str]) -> bool:
    """Are these the labels that kubeadm, kops, k3s, the managed clouds or CoreDNS's own chart give cluster DNS?"""
    return any(labels.get(key) in ("kube-dns", "coredns") for key in ("k8s-app", "app.kubernetes.io/name"))


def alike(left: str, right: str) -> bool:
    """Are two names near misses of one another: equal but for punctuation and case, one a prefix of the other at a
    word's end, or at most two edits apart?"""
    a, b = (re.sub(r"[^a-z0-9]", "", n.lower()) for n in (left, right))
    if not a or not b or left == right:
        return False
    if a == b or left.startswith(right + "-") or right.startswith(left + "-"):
        return True
    return min(len(a), len(b)) >= 4 and _edits(a, b) <= 2


def _edits(a: str, b: str) -> int:
    if abs(len(a) - len(b)) > 2:
        return 3
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]
