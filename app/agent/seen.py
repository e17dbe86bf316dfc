"""The data of a tool result -> the objects it shows: what later calls may touch, and what the resolver knows of owners.

Called by `session` after every call. Names come from objects that a source returned, never from free text.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from app.domain.frozen import JsonObject
from app.domain.target import ObjectRef

# The lists of tool data -> kind: Kubernetes leaves `kind` out of the items of a list.
KINDS = {
    "pods": "Pod",
    "pod": "Pod",
    "deployments": "Deployment",
    "replicasets": "ReplicaSet",
    "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet",
    "jobs": "Job",
    "cronjobs": "CronJob",
    "hpas": "HorizontalPodAutoscaler",
    "services": "Service",
    "service": "Service",
    "endpointslices": "EndpointSlice",
    "ingresses": "Ingress",
    "networkpolicies": "NetworkPolicy",
    "nodes": "Node",
    "leases": "Lease",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "persistentvolumes": "PersistentVolume",
    "storageclasses": "StorageClass",
    "resourcequotas": "ResourceQuota",
    "limitranges": "LimitRange",
    "serviceaccounts": "ServiceAccount",
}
SERIES_LABELS = {
    "pod": "Pod",
    "node": "Node",
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "service": "Service",
}  # fmt: skip
NAME_LABELS = ("app", "app.kubernetes.io/name", "k8s-app")
REFERENCES = ("object", "workload")  # fields that hold `Kind/namespace/name`


@dataclass(frozen=True)
class Seen:
    """`refs` are all names with their kind; `objects` the API objects, each with its `kind`, that the resolver can use;
    `derived` stand in for owners that were named and not read."""

    refs: frozenset[ObjectRef]
    objects: tuple[JsonObject, ...]
    derived: tuple[JsonObject, ...]

    @property
    def namespaces(self) -> frozenset[str]:
        return frozenset(ref.namespace for ref in self.refs if ref.namespace)


def seen(data: JsonObject) -> Seen:
    objects, derived = tuple(_objects(data, "")), tuple(_owners(data))
    refs = {ref for item in (*objects, *derived) for ref in _refs_of(item)} | set(_mentioned(data))
    return Seen(frozenset(refs), objects, derived)


def _objects(value: Any, kind: str) -> Iterator[JsonObject]:
    """Every API object, outermost only: what is inside one (a pod template) is not another."""
    if isinstance(value, list):
        for item in value:
            yield from _objects(item, kind)
    elif isinstance(value, dict):
        if isinstance(value.get("metadata"), dict) and value["metadata"].get("name"):
            if value.get("kind") or kind:
                yield value if value.get("kind") else {"kind": kind, **value}
            return
        for name, inner in value.items():
            yield from _objects(inner, KINDS.get(name, ""))


def _owners(data: JsonObject) -> Iterator[JsonObject]:
    """`owners` of check_pods: {"pod": ["ReplicaSet/x", "Deployment/y"]} -> the ReplicaSet, as far as it says who
    owns it."""
    owners = data.get("owners")
    spaces = {p["metadata"]["name"]: str(p["metadata"].get("namespace") or "") for p in _objects(data.get("pods", []), "Pod")}
    for pod, chain in (owners if isinstance(owners, dict) else {}).items():
        named, _, bare = pod.rpartition("/")  # of all namespaces
        links = [link.split("/", 1) for link in chain or () if isinstance(link, str) and link.count("/") == 1]
        for (kind, name), above in pairwise(links):
            references = [{"kind": above[0], "name": above[1], "controller": True}]
            yield {"kind": kind, "metadata": {"name": name, "namespace": named or spaces.get(bare, ""), "ownerReferences": references}}


def _refs_of(item: JsonObject) -> Iterator[ObjectRef]:
    meta = item["metadata"]
    space = str(meta.get("namespace") or "")
    yield ObjectRef(kind=str(item["kind"]), namespace=space, name=str(meta["name"]))
    for owner in meta.get("ownerReferences") or ():
        if isinstance(owner, dict) and owner.get("kind") and owner.get("name"):
            yield ObjectRef(kind=str(owner["kind"]), namespace=space, name=str(owner["name"]))
    labels = meta.get("labels") or {}
    for label in NAME_LABELS:
        if isinstance(labels.get(label), str) and labels[label]:
            yield ObjectRef(kind="Label", namespace=space, name=labels[label])
    for address in (item.get("status") or {}).get("addresses") or ():
        if item["kind"] == "Node" and isinstance(address, dict) and address.get("address"):
            yield ObjectRef(kind="Label", name=str(address["address"]))
    node = (item.get("spec") or {}).get("nodeName")
    if node:
        yield ObjectRef(kind="Node", name=str(node))


def _mentioned(value: Any) -> Iterator[ObjectRef]:
    """References in text form, and the labels of time series."""
    if isinstance(value, list):
        for item in value:
            yield from _mentioned(item)
    elif isinstance(value, dict) and "metadata" not in value:
        for name, inner in value.items():
            if name == "edges" and isinstance(inner, list):
                yield from (end for edge in inner if isinstance(edge, dict) for end in _ends(edge))
            elif name in REFERENCES and isinstance(inner, str) and inner.count("/") >= 2:
                yield ObjectRef.parse(inner)
            elif name == "metric" and isinstance(inner, dict):
                yield from _labelled(inner)
            else:
                yield from _mentioned(inner)


def _ends(edge: JsonObject) -> Iterator[ObjectRef]:
    """Both ends of an edge of get_service_map, each by all its names."""
    also = edge.get("also")
    for side, more in (("caller", []), ("callee", also if isinstance(also, list) else [])):
        for name in (edge.get(side), *more):
            if name and isinstance(name, str):
                yield ObjectRef(kind="Label", namespace=str(edge.get(f"{side}_namespace") or ""), name=name)


def _labelled(labels: JsonObject) -> Iterator[ObjectRef]:
    space = str(labels.get("namespace") or "")
    for label, kind in SERIES_LABELS.items():
        if labels.get(label):
            yield ObjectRef(kind=kind, namespace="" if kind == "Node" else space, name=str(labels[label]))
