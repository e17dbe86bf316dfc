"""Alert -> Target: which object an alert is about. Pure; called by the agent (with the objects read so far) and by
`grouping` (labels alone).

The traps (design section 7): alerts of kube-state-metrics about anything that is not a pod carry the pod, container,
instance, job and service of kube-state-metrics itself; `job` is the scrape job, a Kubernetes Job is `job_name`; without
honorLabels the target is in `exported_*`; node-exporter's `pod` is the exporter. Annotations and free naming habits
(`kube_pod`, `workload_name`) are believed only where the plain labels say nothing.
"""

import re
from collections.abc import Mapping, Sequence

from app.domain.alert import Alert
from app.domain.frozen import Frozen, JsonObject
from app.domain.owners import Index, index, node_name, owner_chain, selected_workloads
from app.domain.target import ObjectRef, Target

DECORATION = ("pod", "container", "instance", "job", "service", "endpoint", "namespace", "node")
# label -> kind, the most particular object first: a rule about a PVC may also carry the StatefulSet, not vice versa
OBJECT_LABELS = {
    "job_name": "Job",
    "cronjob": "CronJob",
    "horizontalpodautoscaler": "HorizontalPodAutoscaler",
    "hpa": "HorizontalPodAutoscaler",
    "poddisruptionbudget": "PodDisruptionBudget",
    "persistentvolumeclaim": "PersistentVolumeClaim",
    "persistentvolume": "PersistentVolume",
    "resourcequota": "ResourceQuota",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "deployment": "Deployment",
    "replicaset": "ReplicaSet",
    "ingress": "Ingress",
}
CLUSTER_SCOPED = ("Node", "PersistentVolume", "APIService", "Namespace", "Cluster", "Target", "Rule")
QUALIFIERS = ("container", "device", "mountpoint", "resource", "condition", "phase", "reason", "eviction_signal", "integration", "name", "controller")
QUALIFIED = frozenset({"Pod", "Node", "ResourceQuota", "PersistentVolume", "Deployment", "Job", "APIService"})
SAID_OTHERWISE = {  # naming habits of other senders: lower trust, asked in this order
    "pod": ("kube_pod", "kubernetes_pod_name", "pod_name"),
    "deployment": ("kube_deployment", "kubernetes_deployment"),
    "statefulset": ("kube_statefulset", "kube_stateful_set"),
    "daemonset": ("kube_daemonset", "kube_daemon_set"),
    "job_name": ("kube_job",),
    "service": ("kube_service", "service_name", "app", "app_kubernetes_io_name", "label_app", "application"),
    "node": ("kubernetes_node", "nodename", "node_name", "kube_node"),
    "namespace": ("kube_namespace", "kubernetes_namespace", "k8s_namespace", "namespace_name"),
}
WORKLOAD_NAMES = ("workload", "workload_name", "owner_name", "created_by_name")
MESH_CALLEES = {  # of a request in a mesh the one that answers, by (workload, its namespace): Istio, Cilium Hubble
    "destination_workload": ("destination_workload_namespace", "destination_namespace", "namespace"),
    "destination_service_name": ("destination_service_namespace", "namespace"),
}
WORKLOAD_KINDS = ("workload_type", "owner_kind", "created_by_kind")
KINDS = {k.lower(): k for k in ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet")}
PER_NODE = re.compile(r"(^|[-_./])(node-?exporter|kubelet|kube-?proxy|cadvisor)($|[-_./])")
KUBELET = re.compile(r"(^|[-_./])(kubelet|cadvisor)($|[-_./])")
STATE_METRICS = re.compile(r"kube-?state-?metrics")
KUBE_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
LOOSE_NAME = re.compile(r"[A-Za-z0-9\[]([-A-Za-z0-9_.:/\[\]]{0,251}[A-Za-z0-9\]])?")
API_SERVICE = re.compile(r"v[0-9][a-z0-9]*\.[a-z0-9.-]*")
_HASH = "[bcdfghjklmnpqrstvwxz2456789]"  # the letters Kubernetes makes names of (apimachinery, util/rand)
POD_SUFFIX = re.compile(rf"(-{_HASH}{{6,10}}-{_HASH}{{5}}|-{_HASH}{{5}}|-[0-9]{{1,4}})$")


class _Found(Frozen):
    ref: ObjectRef
    why: str
    believed: tuple[str, ...] = ()


def resolve(alert: Alert, objects: Sequence[JsonObject] = (), default_namespace: str = "") -> Target:
    """The target of an alert. `objects` (API JSON with `kind`) fill the owner chain and turn addresses into names;
    `default_namespace` is for alerts that name a thing of a namespace and no namespace. Never raises."""
    labels, origin, displaced = _labels(alert)
    known = index(objects)
    found = _exact(labels, known) or _fallback(alert, labels, known)
    ref = _in_default(found.ref, default_namespace)
    ref = _named_workload(ref, known, objects)
    chain = owner_chain(ref, known)
    if not chain and ref.kind == "Pod":
        chain = tuple(ObjectRef(kind=OBJECT_LABELS[n], namespace=ref.namespace, name=labels[n]) for n in found.believed if n in OBJECT_LABELS)
    qualifiers = [q for q in QUALIFIERS if q in labels and ref.kind in QUALIFIED and (q != "container" or ref.kind == "Pod")]
    used = sorted({*found.believed, *qualifiers})
    believed = {origin[name]: labels[name] for name in used if name in origin}
    believed |= {f"annotation:{n}": alert.annotations[n] for n in found.believed if n not in labels and n in alert.annotations}
    ignored = {n: v[:253] for n, v in sorted(alert.labels.items()) if n in displaced or (n in DECORATION and n not in believed)}
    container = labels.get("container", "") if ref.kind == "Pod" else ""
    return Target(ref=ref, owners=chain, container=container, why=found.why, believed=believed, ignored=ignored)


def _labels(alert: Alert) -> tuple[dict[str, str], dict[str, str], set[str]]:
    """Usable labels with `exported_*` in their rightful place -> (labels, where each came from, labels displaced)."""
    labels = {n: v for n, v in alert.labels.items() if isinstance(v, str) and LOOSE_NAME.fullmatch(v)}
    origin = {n: n for n in labels}
    exported = {n.removeprefix("exported_"): n for n in labels if n.startswith("exported_")}
    displaced: set[str] = set()
    if exported:  # the exporter's own labels stand in the plain places, all of them
        scraped = {"node", "pod", "container"} if _source(labels, KUBELET) else {"node"}  # the kubelet is no pod: these are the metric's
        displaced = {n for n in DECORATION if n in labels and (n in exported or n not in scraped)}
        for plain in displaced:
            labels.pop(plain, None)
        for plain, name in exported.items():
            labels[plain], origin[plain] = labels[name], name
    if "service" not in labels and not displaced and alert.service and LOOSE_NAME.fullmatch(alert.service):
        labels["service"], origin["service"] = alert.service, "service"
    return labels, origin, displaced


def _source(labels: dict[str, str], pattern: re.Pattern[str]) -> bool:
    """Whether the series came from such an exporter, by its scrape labels."""
    return any(pattern.search(labels.get(n, "")) for n in ("job", "service", "container"))


def _kube(labels: dict[str, str], name: str) -> str:
    value = labels.get(name, "")
    return value if KUBE_NAME.fullmatch(value) else ""


def _exact(labels: dict[str, str], known: Index) -> _Found | None:
    """What the plain labels name, most particular first; None if they name no object."""
    return _object(labels) or _api_service(labels) or _node(labels, known) or _pod(labels) or _workload(labels)


def _object(labels: dict[str, str]) -> _Found | None:
    for label, kind in OBJECT_LABELS.items():
        name = _kube(labels, label)
        if not name:
            continue
        namespace = "" if kind in CLUSTER_SCOPED else _kube(labels, "namespace")
        pod = _kube(labels, "pod")
        if kind in KINDS.values() and pod.startswith(f"{name}-") and not _source(labels, STATE_METRICS):
            ref = ObjectRef(kind="Pod", namespace=namespace, name=pod)
            return _Found(ref=ref, why=f"labels pod and {label} agree", believed=("pod", label, "namespace"))
        believed = (label, "namespace") if namespace else (label,)
        return _Found(ref=ObjectRef(kind=kind, namespace=namespace, name=name), why=f"label {label} names it", believed=believed)
    return None


def _api_service(labels: dict[str, str]) -> _Found | None:
    name = _kube(labels, "name")
    if not API_SERVICE.fullmatch(name) or _source(labels, PER_NODE):
        return None
    return _Found(ref=ObjectRef(kind="APIService", name=name), why="label name is that of an API service", believed=("name",))


def _node(labels: dict[str, str], known: Index) -> _Found | None:
    """A node by its label, or by the address of what runs once on every node (node-exporter, kubelet, kube-proxy)."""
    per_node, about_pod = _source(labels, PER_NODE), _kube(labels, "pod")
    exporter = re.search(r"node-?exporter", " ".join(labels.get(n, "") for n in ("job", "service", "container", "pod")))
    if about_pod and not exporter and not _source(labels, STATE_METRICS):
        return None
    name = _kube(labels, "node") or _kube(labels, "nodename") or _kube(labels, "kubernetes_node")
    if name and (exporter or not about_pod or _is_exporter_pod(labels)):
        label = next(n for n in ("node", "nodename", "kubernetes_node") if labels.get(n) == name)
        return _Found(ref=ObjectRef(kind="Node", name=name), why=f"label {label} names it", believed=(label,))
    instance = labels.get("instance", "")
    if not instance or not (per_node or instance.endswith(":9100")) or (about_pod and not exporter):
        return None
    host = _host(instance)
    running_on = known.get(("Pod", labels.get("namespace", ""), about_pod), {}).get("spec", {}).get("nodeName", "")
    ref = ObjectRef(kind="Node", name=node_name(host, known) or running_on or host)
    return _Found(ref=ref, why="label instance is the address of what runs on the node", believed=("instance",))


def _is_exporter_pod(labels: dict[str, str]) -> bool:
    pod, service = labels.get("pod", ""), labels.get("service", "")
    return bool(STATE_METRICS.search(pod)) or bool(service and pod.startswith(f"{service}-"))


def _host(instance: str) -> str:
    """`10.0.0.1:9100` -> `10.0.0.1`, `[::1]:9100` -> `::1`."""
    if instance.startswith("["):
        return instance[1:].split("]", 1)[0] or instance
    return instance.rsplit(":", 1)[0] if instance.count(":") == 1 else instance


def _pod(labels: dict[str, str]) -> _Found | None:
    pod = _kube(labels, "pod")
    if not pod:
        return None
    return _Found(ref=ObjectRef(kind="Pod", namespace=_kube(labels, "namespace"), name=pod), why="label pod names it", believed=("pod", "namespace"))


def _workload(labels: dict[str, str]) -> _Found | None:
    """`workload` with `workload_type`, and their like."""
    for label in WORKLOAD_NAMES:
        name = _kube(labels, label)
        if name:
            said = next((n for n in WORKLOAD_KINDS if labels.get(n, "").lower() in KINDS), "")
            kind = KINDS[labels[said].lower()] if said else "Deployment"
            ref = ObjectRef(kind=kind, namespace=_kube(labels, "namespace"), name=name)
            return _Found(ref=ref, why=f"label {label} names it", believed=(label, said, "namespace") if said else (label, "namespace"))
    return _mesh_callee(labels)


def _mesh_callee(labels: dict[str, str]) -> _Found | None:
    for label, spaces in MESH_CALLEES.items():
        name, space = _kube(labels, label), next((s for s in spaces if _kube(labels, s)), "")
        if name and space and name != "unknown":
            kind = "Deployment" if label == "destination_workload" else "Service"
            ref = ObjectRef(kind=kind, namespace=labels[space], name=name)
            return _Found(ref=ref, why=f"label {label} names the one that answers", believed=(label, space))
    return None


def _fallback(alert: Alert, labels: dict[str, str], known: Index) -> _Found:
    """Labels of other habits, the service, annotations, the scrape target, the namespace, the cluster, the rule itself."""
    rule = re.sub(r"[^A-Za-z0-9_.:-]+", "_", alert.name)[:120] or "unnamed"
    return (
        _by_habit(labels, labels, known)
        or _service(labels)
        or _by_habit(alert.annotations, labels, known)
        or _scrape_target(labels)
        or _space(labels, _habits(labels).get("namespace") or _habits(alert.annotations).get("namespace", ""))
        or _Found(ref=ObjectRef(kind="Rule", name=rule), why="the alert names no object")
    )


def _habits(source: Mapping[str, str]) -> dict[str, str]:
    """What other senders' names say in our own: `kube_pod` -> `pod`."""
    found: dict[str, str] = {}
    for plain, names in SAID_OTHERWISE.items():
        value = next((source[n] for n in names if isinstance(source.get(n), str) and KUBE_NAME.fullmatch(source[n])), "")
        if value:
            found[plain] = value
    return found


def _by_habit(source: Mapping[str, str], labels: dict[str, str], known: Index) -> _Found | None:
    said = _habits(source)
    if "namespace" in labels:
        said["namespace"] = labels["namespace"]
    found = _object(said) or _node(said, known) or _pod(said) or _service(said)
    if found is None:
        return None
    used = [n for plain in found.believed for n in SAID_OTHERWISE.get(plain, ()) if source.get(n) == said.get(plain)]
    return found.model_copy(update={"why": f"{', '.join(used)}: of lower trust, no plain label names an object", "believed": ("namespace", *used)})


def _service(labels: dict[str, str]) -> _Found | None:
    """`service`, unless it is the Service of the exporter that made the series (a single instance of it is named too)."""
    named, namespace = labels.get("service", ""), labels.get("namespace", "")
    if not named or ("instance" in labels and (_source(labels, STATE_METRICS) or _source(labels, PER_NODE))):
        return None
    believed = ("service", "namespace", "job") if "instance" not in labels else ("service", "namespace")
    return _Found(ref=ObjectRef(kind="Service", namespace=namespace, name=named), why="label service names it", believed=believed)


def _scrape_target(labels: dict[str, str]) -> _Found | None:
    job, instance = labels.get("job", ""), labels.get("instance", "")
    if not job or (instance and labels.get("namespace") and _source(labels, STATE_METRICS)):
        return None
    if _kube(labels, "namespace") and KUBE_NAME.fullmatch(job) and not instance and not _source(labels, STATE_METRICS):
        ref = ObjectRef(kind="Service", namespace=labels["namespace"], name=job)
        return _Found(ref=ref, why="label job with a namespace: most set-ups name a job after the Service", believed=("job", "namespace"))
    ref = ObjectRef(kind="Target", name=f"{job}/{instance}" if instance else job)
    return _Found(ref=ref, why="only a scrape target is named", believed=("job", "instance", "namespace"))


def _space(labels: dict[str, str], said: str) -> _Found | None:
    """The namespace, else the cluster."""
    namespace = _kube(labels, "namespace") or said
    if namespace:
        return _Found(ref=ObjectRef(kind="Namespace", name=namespace), why="only a namespace is named", believed=("namespace",))
    if labels.get("cluster"):
        return _Found(ref=ObjectRef(kind="Cluster", name=labels["cluster"]), why="only a cluster is named", believed=("cluster",))
    return None


def _in_default(ref: ObjectRef, namespace: str) -> ObjectRef:
    if ref.namespace or not namespace or ref.kind in CLUSTER_SCOPED:
        return ref
    return ref.model_copy(update={"namespace": namespace})


def _named_workload(ref: ObjectRef, known: Index, objects: Sequence[JsonObject]) -> ObjectRef:
    """A service that is really a workload of that name, or whose pods belong to exactly one, is that workload."""
    if ref.kind != "Service":
        return ref
    for kind in ("Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job"):
        if (kind, ref.namespace, ref.name) in known:
            return ref.model_copy(update={"kind": kind})
    service = known.get(("Service", ref.namespace, ref.name))
    behind = selected_workloads(service, objects) if service else []
    if len(behind) == 1:
        return ObjectRef(kind=str(behind[0]["kind"]), namespace=ref.namespace, name=str(behind[0]["metadata"]["name"]))
    return ref
