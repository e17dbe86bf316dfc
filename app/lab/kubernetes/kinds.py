"""Every kind the server knows: where it is served and by which fields it may be selected. Read by the other modules here."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """`group` is "" for the core group. `plural` is the resource name in paths and messages. `verbs` of the read side."""

    kind: str
    group: str
    version: str
    plural: str
    namespaced: bool = True
    singular: str = ""
    fields: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_POD_FIELDS = (
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.podIPs",
    "status.nominatedNodeName",
)
_EVENT_FIELDS = (*(f"involvedObject.{f}" for f in _INVOLVED), "reason", "reportingComponent", "source", "type")
_NEW_EVENT_FIELDS = (*(f"regarding.{f}" for f in _INVOLVED), "reason", "reportingController", "type")


def _kinds(group: str, version: str, names: str, cluster: str = "", **fields: tuple[str, ...]) -> Iterable[Kind]:
    """`names` and `cluster`: kinds, `Kind:plural` where the plural is irregular."""
    for text, namespaced in ((names, True), (cluster, False)):
        for word in text.split():
            kind, _, plural = word.partition(":")
            yield Kind(kind, group, version, plural or plural_of(kind), namespaced, kind.lower(), fields.get(kind, ()))


def plural_of(kind: str) -> str:
    word = kind.lower()
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "ch")) else "s")


KINDS: tuple[Kind, ...] = (
    *_kinds(
        "",
        "v1",
        "ConfigMap Endpoints:endpoints Event LimitRange PersistentVolumeClaim Pod PodTemplate ReplicationController"
        " ResourceQuota Secret ServiceAccount Service",
        "Namespace Node PersistentVolume ComponentStatus",
        Pod=_POD_FIELDS,
        Event=_EVENT_FIELDS,
        Node=("spec.unschedulable",),
        Namespace=("status.phase",),
        Secret=("type",),
        Service=("spec.clusterIP", "spec.type"),
        ReplicationController=("status.replicas",),
    ),
    *_kinds("apps", "v1", "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet", ReplicaSet=("status.replicas",)),
    *_kinds("batch", "v1", "CronJob Job", Job=("status.successful",)),
    *_kinds("autoscaling", "v2", "HorizontalPodAutoscaler"),
    *_kinds("networking.k8s.io", "v1", "Ingress NetworkPolicy", "IngressClass"),
    *_kinds("storage.k8s.io", "v1", "CSIStorageCapacity", "StorageClass VolumeAttachment CSIDriver CSINode"),
    *_kinds("policy", "v1", "PodDisruptionBudget"),
    *_kinds("discovery.k8s.io", "v1", "EndpointSlice"),
    *_kinds("coordination.k8s.io", "v1", "Lease"),
    *_kinds("events.k8s.io", "v1", "Event", Event=_NEW_EVENT_FIELDS),
    *_kinds("rbac.authorization.k8s.io", "v1", "Role RoleBinding", "ClusterRole ClusterRoleBinding"),
    *_kinds("scheduling.k8s.io", "v1", "", "PriorityClass"),
    *_kinds("admissionregistration.k8s.io", "v1", "", "MutatingWebhookConfiguration ValidatingWebhookConfiguration"),
    *_kinds("apiextensions.k8s.io", "v1", "", "CustomResourceDefinition"),
    *_kinds("apiregistration.k8s.io", "v1", "", "APIService"),
    *_kinds("certificates.k8s.io", "v1", "", "CertificateSigningRequest", CertificateSigningRequest=("spec.signerName",)),
)
# Groups that answer reviews only.
REVIEW_GROUPS = ("authentication.k8s.io", "authorization.k8s.io")
# A metric's kind and its resource differ.
_METRICS = {"PodMetrics": "pods", "NodeMetrics": "nodes"}


def key_of(kind: Kind) -> str:
    """The key under which a snapshot keeps the kind."""
    return "Event.events.k8s.io" if kind.kind == "Event" and kind.group else kind.kind


def custom(objects: dict[str, list[dict[str, object]]]) -> tuple[Kind, ...]:
    """Kinds of a snapshot that are not built in (custom resources, metrics), derived from their objects."""
    known = {key_of(k) for k in KINDS}
    found = []
    for kind, items in objects.items():
        if kind in known or not items:
            continue
        group, _, version = str(items[0].get("apiVersion") or "").rpartition("/")
        metadata = items[0].get("metadata")
        namespaced = isinstance(metadata, dict) and bool(metadata.get("namespace"))
        found.append(Kind(kind, group, version or "v1", _METRICS.get(kind, plural_of(kind)), namespaced, kind.lower()))
    return tuple(found)
