"""Pods -> lines of text, and the words a pod's trouble is called by. Used by check_pods, describe_pod, check_workloads."""

import json
from collections.abc import Sequence
from datetime import datetime

from app.domain.frozen import JsonObject
from app.domain.target import ObjectRef
from app.tools.container_text import spec_lines, status_lines
from app.tools.events import moment

# what a pod is called in a summary line (TOOL-08), the first that fits
TROUBLES = {
    "OOMKilled": "high memory",
    "CrashLoopBackOff": "crash loop",
    "ImagePullBackOff": "image pull failing",
    "ErrImagePull": "image pull failing",
    "InvalidImageName": "image name invalid",
    "CreateContainerConfigError": "config missing",
    "CreateContainerError": "container cannot be created",
    "RunContainerError": "container cannot start",
    "Unschedulable": "unschedulable",
    "Evicted": "evicted",
}

USUAL = ("PodReadyToStartContainers", "Initialized", "ContainersReady", "PodScheduled")  # conditions worth a line only when not true
VOLUMES = {"persistentVolumeClaim": "claimName", "configMap": "name", "secret": "secretName", "hostPath": "path"}  # those that can be missing
STATUS_GROUPS = ("initContainer", "container", "ephemeralContainer")
FRESH = 3600.0  # seconds for which an OOM kill of a pod that is ready again still counts


def title(pod: JsonObject) -> str:
    return f"pod {pod['metadata'].get('namespace', '')}/{pod['metadata'].get('name', '')}"


def pod_lines(pod: JsonObject, owners: Sequence[ObjectRef] = (), full: bool = True) -> list[str]:
    """All facts of a pod, the headline alone when `full` is false."""
    name, spec, status = title(pod), pod.get("spec", {}), pod.get("status", {})
    lines = [_headline(name, pod, owners)]
    if not full:
        return lines
    if status.get("reason") or status.get("message"):
        lines.append(f"{name}: status {status.get('reason', '')}: {status.get('message', '')}")
    if pod["metadata"].get("deletionTimestamp"):
        lines.append(f"{name}: terminating since {pod['metadata']['deletionTimestamp']}")
    lines += [condition_line(name, c) for c in status.get("conditions") or () if c.get("status") != "True" or c.get("type") not in USUAL]
    if pod["metadata"].get("labels"):
        lines.append(f"{name}: labels {pairs(pod['metadata']['labels'])}")
    lines += placement_lines(name, spec)
    statuses = {(s.get("name"), f"{group}Statuses"): s for group in STATUS_GROUPS for s in status.get(f"{group}Statuses") or ()}
    for group, word in (("initContainers", "init container"), ("containers", "container"), ("ephemeralContainers", "ephemeral container")):
        for container in spec.get(group) or ():
            prefix = f"{name} {word} {container.get('name')}"
            found = statuses.pop((container.get("name"), group.removesuffix("s") + "Statuses"), None)
            lines += status_lines(prefix, found) if found else []
            lines += spec_lines(prefix, container)
    for (container_name, _), left in statuses.items():
        lines += status_lines(f"{name} container {container_name}", left)
    return lines


def _headline(name: str, pod: JsonObject, owners: Sequence[ObjectRef]) -> str:
    spec, status = pod.get("spec", {}), pod.get("status", {})
    ready, total = readiness(pod)
    chain = " of " + " of ".join(f"{o.kind}/{o.name}" for o in owners) if owners else ""
    node = spec.get("nodeName") or "(not scheduled)"
    address = f", ip {status['podIP']}" if status.get("podIP") else ""
    created = f", created {pod['metadata']['creationTimestamp']}" if pod["metadata"].get("creationTimestamp") else ""
    return f"{name}: phase {status.get('phase', 'Unknown')}, ready {ready}/{total}, restarts {restarts(pod)}, node {node}{address}{created}{chain}"


def condition_line(name: str, condition: JsonObject) -> str:
    """`pod a/b: condition Ready=False ContainersNotReady: message (since ...)`."""
    reason = f" {condition['reason']}" if condition.get("reason") else ""
    message = f": {condition['message']}" if condition.get("message") else ""
    since = f" (since {condition['lastTransitionTime']})" if condition.get("lastTransitionTime") else ""
    return f"{name}: condition {condition.get('type')}={condition.get('status')}{reason}{message}{since}"


def placement_lines(name: str, spec: JsonObject) -> list[str]:
    """Where the pod may run and what it needs there: selector, affinity, tolerations, account, volumes."""
    lines = []
    if spec.get("nodeSelector"):
        lines.append(f"{name}: nodeSelector {pairs(spec['nodeSelector'])}")
    for kind, rules in sorted((spec.get("affinity") or {}).items()):
        lines += [f"{name}: {kind} {when} {json.dumps(rule, sort_keys=True)}" for when, rule in sorted((rules or {}).items())]
    own = [t for t in spec.get("tolerations") or () if not str(t.get("key", "")).startswith("node.kubernetes.io/")]
    lines += [f"{name}: tolerates {_toleration(t)}" for t in own]
    if spec.get("schedulingGates"):
        lines.append(f"{name}: schedulingGates {', '.join(str(g.get('name')) for g in spec['schedulingGates'])}")
    lines += [f"{name}: topologySpreadConstraint {json.dumps(t, sort_keys=True)}" for t in spec.get("topologySpreadConstraints") or ()]
    if spec.get("serviceAccountName"):
        lines.append(f"{name}: serviceAccountName {spec['serviceAccountName']}")
    if spec.get("schedulerName") not in (None, "default-scheduler"):
        lines.append(f"{name}: schedulerName {spec['schedulerName']}")
    if spec.get("dnsPolicy", "ClusterFirst") not in ("ClusterFirst", "ClusterFirstWithHostNet"):
        servers = ", ".join((spec.get("dnsConfig") or {}).get("nameservers") or ()) or "those of its node"
        lines.append(f"{name}: dnsPolicy {spec['dnsPolicy']}, nameservers {servers}")
    if spec.get("priorityClassName"):
        lines.append(f"{name}: priorityClassName {spec['priorityClassName']}")
    if spec.get("imagePullSecrets"):
        lines.append(f"{name}: imagePullSecrets {', '.join(str(s.get('name')) for s in spec['imagePullSecrets'])}")
    return lines + [f"{name}: volume {_volume(v)}" for v in spec.get("volumes") or () if VOLUMES.keys() & v.keys()]


def _toleration(toleration: JsonObject) -> str:
    key, value = toleration.get("key", "(every taint)"), toleration.get("value")
    return f"{key}{'=' + value if value else ''}:{toleration.get('effect', '(every effect)')}"


def _volume(volume: JsonObject) -> str:
    kind, field = next((k, f) for k, f in VOLUMES.items() if k in volume)
    source = volume[kind] or {}
    return f"{volume.get('name')} {kind} {source.get(field, '')}" + (" (optional)" if source.get("optional") else "")


def pairs(values: JsonObject | None) -> str:
    return " ".join(f"{k}={v}" for k, v in sorted((values or {}).items()))


def readiness(pod: JsonObject) -> tuple[int, int]:
    """(ready containers, containers), sidecars among them as kubectl counts. A pod of a node that stopped reporting keeps
    `ready: true` on its containers: its condition Ready is the truth, so it counts as none ready."""
    statuses = _running_statuses(pod)
    total = len(pod.get("spec", {}).get("containers") or pod.get("status", {}).get("containerStatuses") or ()) + len(sidecars(pod))
    ready = sum(1 for s in statuses if s.get("ready"))
    conditions = {c.get("type"): c.get("status") for c in pod.get("status", {}).get("conditions") or ()}
    return (0, total) if ready == total and conditions.get("Ready", "True") != "True" else (ready, total)


def sidecars(pod: JsonObject) -> set[str]:
    """Names of the init containers that keep running (restartPolicy Always)."""
    return {str(c.get("name")) for c in pod.get("spec", {}).get("initContainers") or () if c.get("restartPolicy") == "Always"}


def _running_statuses(pod: JsonObject) -> list[JsonObject]:
    """Of containers and sidecars."""
    status, beside = pod.get("status", {}), sidecars(pod)
    return [*(status.get("containerStatuses") or ()), *(s for s in status.get("initContainerStatuses") or () if s.get("name") in beside)]


def restarts(pod: JsonObject) -> int:
    return sum(int(s.get("restartCount") or 0) for s in _running_statuses(pod))


def trouble(pod: JsonObject, now: datetime | None = None) -> str:
    """What ails a pod in a word or two, "" for a healthy or finished one. A pod that is ready again but was killed for
    memory within the hour before `now` is not healthy."""
    status = pod.get("status", {})
    ready, total = readiness(pod)
    if status.get("phase") == "Succeeded" or (status.get("phase") == "Running" and ready == total and not _recent_oom(pod, now)):
        return ""
    for word in _words(pod):
        if word in TROUBLES:
            return TROUBLES[word]
    if pod["metadata"].get("deletionTimestamp"):
        return "terminating"
    return "failed" if status.get("phase") == "Failed" else "pending" if status.get("phase") == "Pending" else "not ready"


def _recent_oom(pod: JsonObject, now: datetime | None) -> bool:
    if now is None:
        return False
    ended = [(s.get("lastState") or {}).get("terminated") or {} for s in _running_statuses(pod)]
    times = [moment(str(e.get("finishedAt") or "")) for e in ended if e.get("reason") == "OOMKilled"]
    return any(now.timestamp() - t < FRESH for t in times)


def _words(pod: JsonObject) -> list[str]:
    """Reasons in order of how much they say: last terminations first, then waits, then conditions."""
    status = pod.get("status", {})
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    ended = [(s.get(w) or {}).get("terminated") or {} for s in containers for w in ("state", "lastState")]
    waiting = [(s.get("state") or {}).get("waiting") or {} for s in containers]
    found = ["OOMKilled" for e in ended if e.get("reason") == "OOMKilled"]
    found += [str(w.get("reason")) for w in waiting]
    found += [str(c.get("reason")) for c in status.get("conditions") or () if c.get("status") == "False"]
    return [*found, str(status.get("reason"))]
