"""Owner chains: from a pod upward to the workload that a person would name, and from a node's address to its name.

Works on API objects (JSON with `kind`) that were read so far; used by the resolver and by the Kubernetes tools.
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from app.domain.frozen import JsonObject
from app.domain.target import ObjectRef

Index: TypeAlias = dict[tuple[str, str, str], JsonObject]
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job", "ReplicaSet")
_MAX_CHAIN = 5


def index(objects: Iterable[JsonObject]) -> Index:
    """(kind, namespace, name) -> object; objects without a kind or a name are left out."""
    found: Index = {}
    for item in objects:
        meta = item.get("metadata")
        if isinstance(meta, dict) and item.get("kind") and meta.get("name"):
            found[(str(item["kind"]), str(meta.get("namespace") or ""), str(meta["name"]))] = item
    return found


def controller_of(item: JsonObject) -> JsonObject | None:
    """The owner reference that has `controller: true`, or the only one there is."""
    references = [r for r in item.get("metadata", {}).get("ownerReferences") or () if isinstance(r, dict)]
    controlling = [r for r in references if r.get("controller")]
    if controlling:
        return controlling[0]
    return references[0] if len(references) == 1 else None


def owner_chain(ref: ObjectRef, known: Index) -> tuple[ObjectRef, ...]:
    """Owners upward, nearest first. An owner that was not read ends the chain but is part of it. A pod that is gone is
    placed by the ReplicaSet whose name it carries."""
    chain: list[ObjectRef] = []
    current = ref
    while len(chain) < _MAX_CHAIN:
        item = known.get((current.kind, current.namespace, current.name))
        upper = controller_of(item) if item is not None else None
        if item is None and current.kind == "Pod" and "-" in current.name:
            named = current.name.rsplit("-", 1)[0]
            upper = {"kind": "ReplicaSet", "name": named} if ("ReplicaSet", current.namespace, named) in known else None
        if upper is None or not upper.get("kind") or not upper.get("name"):
            break
        current = ObjectRef(kind=str(upper["kind"]), namespace=current.namespace, name=str(upper["name"]))
        if current in chain or current == ref:
            break
        chain.append(current)
    # a static pod is owned by its node, which is not a workload
    return tuple(o for o in chain if o.kind != "Node")


def deployment_of(pod: JsonObject) -> tuple[ObjectRef, ...]:
    """The Deployment above a pod whose ReplicaSet was not read: a ReplicaSet is named after its Deployment and the hash of its
    template. () where the names do not fit."""
    meta = pod.get("metadata", {})
    owner, digest = controller_of(pod), (meta.get("labels") or {}).get("pod-template-hash")
    name = str(owner.get("name") or "") if owner is not None and owner.get("kind") == "ReplicaSet" else ""
    if not digest or not name.endswith(f"-{digest}"):
        return ()
    return (ObjectRef(kind="Deployment", namespace=str(meta.get("namespace") or ""), name=name.removesuffix(f"-{digest}")),)


def node_name(address: str, known: Index) -> str:
    """The Node that has this address or host name, "" if none of those read does."""
    for (kind, _, name), item in sorted(known.items(), key=lambda pair: pair[0]):
        if kind != "Node":
            continue
        addresses = [a.get("address") for a in item.get("status", {}).get("addresses") or ()]
        if address == name or address in addresses:
            return name
    return ""


def selects(selector: JsonObject | None, labels: JsonObject | None) -> bool:
    """Whether a Service's selector (plain equality) takes these labels; an empty selector takes nothing."""
    return bool(selector) and all((labels or {}).get(k) == v for k, v in (selector or {}).items())


def selected_workloads(service: JsonObject, objects: Sequence[JsonObject]) -> list[JsonObject]:
    """The workloads whose pods this Service selects, by their template's labels."""
    meta, selector = service.get("metadata", {}), service.get("spec", {}).get("selector")
    return [
        o
        for o in objects
        if o.get("kind") in ("Deployment", "StatefulSet", "DaemonSet")
        and o.get("metadata", {}).get("namespace") == meta.get("namespace")
        and selects(selector, o.get("spec", {}).get("template", {}).get("metadata", {}).get("labels"))
    ]
