"""API objects as read -> the part an investigation needs, in the API's own field names. Called by the client on every
object, so nothing else ever sees bookkeeping fields, long annotations or values that look like secrets."""

import re
from collections.abc import Callable
from typing import Any

from app.domain.frozen import JsonObject

METADATA = (
    "name",
    "namespace",
    "labels",
    "annotations",
    "ownerReferences",
    "creationTimestamp",
    "deletionTimestamp",
    "generation",
    "finalizers",
)
POD_SPEC = (
    "nodeName",
    "nodeSelector",
    "affinity",
    "tolerations",
    "topologySpreadConstraints",
    "serviceAccountName",
    "imagePullSecrets",
    "volumes",
    "priorityClassName",
    "schedulerName",
    "schedulingGates",
    "hostNetwork",
    "restartPolicy",
    "terminationGracePeriodSeconds",
    "dnsPolicy",
    "dnsConfig",
    "activeDeadlineSeconds",
    "overhead",
)
CONTAINER = (
    "name",
    "image",
    "imagePullPolicy",
    "command",
    "args",
    "ports",
    "envFrom",
    "resources",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
    "volumeMounts",
    "restartPolicy",
)
POD_STATUS = ("phase", "reason", "message", "conditions", "hostIP", "podIP", "startTime", "qosClass", "nominatedNodeName")
CONTAINER_STATUS = ("name", "state", "lastState", "ready", "restartCount", "image", "started")
NEW_EVENT = {
    "note": "message",
    "regarding": "involvedObject",
    "deprecatedCount": "count",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedSource": "source",
    "reportingController": "reportingComponent",
}
SHOWN_AS = {"NewEvent": "Event"}
WITHOUT_ANNOTATIONS = ("ConfigMap", "Namespace")  # they may repeat values, or say more than is asked
MAX_ANNOTATION = 300
SECRET_NAME = re.compile(
    r"(?i)(pass(word|wd|phrase)?$|passw|secret|token|credential|api_?key|access_?key|private_?key|auth_?key|encryption_?key|signing_?key|dsn$|conn(ection)?_?str)"
)
SECRET_VALUE = re.compile(r"://[^/\s:@]+:[^/\s@]+@|-----BEGIN|(?i:password|passwd|secret|token)\s*=\s*\S")


def trim(kind: str, item: JsonObject) -> JsonObject:
    """A copy with `kind`, trimmed metadata, and spec and status reduced by kind."""
    shorter: JsonObject = {"kind": SHOWN_AS.get(kind, kind), "metadata": metadata(item.get("metadata"))}
    if kind in WITHOUT_ANNOTATIONS:
        shorter["metadata"].pop("annotations", None)
    rest = {k: v for k, v in item.items() if k not in ("kind", "apiVersion", "metadata") and v is not None}
    shorter.update(TRIMMERS.get(kind, _as_is)(rest))
    return shorter


def metadata(meta: JsonObject | None) -> JsonObject:
    kept = _keep(meta or {}, METADATA)
    if kept.get("annotations"):
        kept["annotations"] = {
            k: v
            for k, v in kept["annotations"].items()
            if isinstance(v, str) and len(v) <= MAX_ANNOTATION and not k.endswith("last-applied-configuration")
        }
    if kept.get("ownerReferences"):
        kept["ownerReferences"] = [_keep(r, ("kind", "name", "controller")) for r in kept["ownerReferences"]]
    return kept


def pod_spec(spec: JsonObject | None) -> JsonObject:
    """Used for pods and for the templates of workloads."""
    kept = _keep(spec or {}, POD_SPEC)
    for name in ("initContainers", "containers", "ephemeralContainers"):
        if (spec or {}).get(name):
            kept[name] = [_container(c) for c in (spec or {})[name]]
    return kept


def _container(container: JsonObject) -> JsonObject:
    kept = _keep(container, CONTAINER)
    if container.get("env"):
        kept["env"] = [_variable(v) for v in container["env"]]
    return kept


def _variable(variable: JsonObject) -> JsonObject:
    """Name and plain value; a value that looks secret by its name or by itself is dropped, references stay."""
    name, value = str(variable.get("name", "")), variable.get("value")
    kept: JsonObject = {"name": name}
    if variable.get("valueFrom"):
        kept["valueFrom"] = variable["valueFrom"]
    elif value is not None and not SECRET_NAME.search(name) and not SECRET_VALUE.search(str(value)):
        kept["value"] = str(value)
    return kept


def _pod(rest: JsonObject) -> JsonObject:
    status = rest.get("status") or {}
    kept = _keep(status, POD_STATUS)
    for name in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"):
        if status.get(name):
            kept[name] = [_keep(s, CONTAINER_STATUS) for s in status[name]]
    return {"spec": pod_spec(rest.get("spec")), "status": kept}


def _template(template: JsonObject | None) -> JsonObject:
    return {"metadata": metadata((template or {}).get("metadata")), "spec": pod_spec((template or {}).get("spec"))}


def _workload(rest: JsonObject) -> JsonObject:
    spec = dict(rest.get("spec") or {})
    if "template" in spec:
        spec["template"] = _template(spec["template"])
    return {"spec": spec, "status": rest.get("status") or {}}


def _cron_job(rest: JsonObject) -> JsonObject:
    spec = dict(rest.get("spec") or {})
    inner = dict(spec.get("jobTemplate") or {})
    return {"spec": spec | {"jobTemplate": _workload(inner)}, "status": rest.get("status") or {}}


def _revision(rest: JsonObject) -> JsonObject:
    template = ((rest.get("data") or {}).get("spec") or {}).get("template")
    return {"revision": rest.get("revision"), "data": {"spec": {"template": _template(template)}}}


def _node(rest: JsonObject) -> JsonObject:
    status = _keep(rest.get("status") or {}, ("conditions", "capacity", "allocatable", "nodeInfo", "addresses"))
    return {"spec": _keep(rest.get("spec") or {}, ("taints", "unschedulable", "podCIDR", "providerID")), "status": status}


def _event(rest: JsonObject) -> JsonObject:
    keep = ("type", "reason", "message", "count", "firstTimestamp", "lastTimestamp", "eventTime", "series", "source", "reportingComponent")
    return _keep(rest, keep) | {"involvedObject": _keep(rest.get("involvedObject") or {}, ("kind", "namespace", "name", "fieldPath"))}


def _new_event(rest: JsonObject) -> JsonObject:
    """events.k8s.io/v1 -> the core shape."""
    core = {core: rest.get(name) for name, core in NEW_EVENT.items()}
    return _event(rest | {name: value for name, value in core.items() if value})


def _config_map(rest: JsonObject) -> JsonObject:
    """Keys of `data` and `binaryData`; what they hold is never kept."""
    return {"keys": sorted(str(key) for part in ("data", "binaryData") for key in rest.get(part) or {})}


def _name_only(_: JsonObject) -> JsonObject:
    return {}


def _as_is(rest: JsonObject) -> JsonObject:
    return rest


def _keep(source: Any, names: tuple[str, ...]) -> JsonObject:
    return {n: source[n] for n in names if source.get(n) not in (None, {}, [], "")} if isinstance(source, dict) else {}


TRIMMERS: dict[str, Callable[[JsonObject], JsonObject]] = {
    "Pod": _pod,
    "Deployment": _workload,
    "ReplicaSet": _workload,
    "StatefulSet": _workload,
    "DaemonSet": _workload,
    "Job": _workload,
    "CronJob": _cron_job,
    "ControllerRevision": _revision,
    "Node": _node,
    "Event": _event,
    "NewEvent": _new_event,
    "ConfigMap": _config_map,
    "Namespace": _name_only,
    "ServiceAccount": _name_only,
}
