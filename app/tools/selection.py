"""Which objects a caller means by `service` or `workload` (tool contract, "common narrowing"). Pure; every Kubernetes
tool narrows with it. Nothing is guessed: no match is an empty list, and the tool says so."""

from collections.abc import Sequence

from app.domain.frozen import JsonObject
from app.domain.owners import Index, owner_chain, selects
from app.domain.target import ObjectRef

NAME_LABELS = ("app", "app.kubernetes.io/name", "k8s-app")


def ref_of(item: JsonObject) -> ObjectRef:
    meta = item["metadata"]
    return ObjectRef(kind=item["kind"], namespace=meta.get("namespace", ""), name=meta["name"])


def line_up(item: JsonObject, known: Index) -> list[str]:
    """Names of an object and of its owners."""
    ref = ref_of(item)
    return [ref.name, *(o.name for o in owner_chain(ref, known))]


def labels_of(item: JsonObject) -> JsonObject:
    """The labels its pods carry: a pod's own, a workload's template's."""
    if item["kind"] == "Pod":
        return dict(item["metadata"].get("labels") or {})
    spec = item.get("spec", {})
    template = (spec.get("jobTemplate") or {}).get("spec", {}).get("template") if item["kind"] == "CronJob" else spec.get("template")
    return dict(((template or {}).get("metadata") or {}).get("labels") or item["metadata"].get("labels") or {})


def of_workload(items: Sequence[JsonObject], workload: str, known: Index) -> list[JsonObject]:
    """The workload of exactly this name and everything that it owns."""
    return [i for i in items if workload in line_up(i, known)[(1 if i["kind"] == "Pod" else 0) :]]


def of_service(items: Sequence[JsonObject], service: str, services: Sequence[JsonObject], known: Index) -> list[JsonObject]:
    """Pods or workloads of a service: by workload name, else by the Service's selector, else by label, else by prefix."""
    named = of_workload(items, service, known)
    if named:
        return named
    selector = next((s.get("spec", {}).get("selector") for s in services if s["metadata"].get("name") == service), None)
    selected = [i for i in items if selects(selector, labels_of(i))]
    if selected:
        return selected
    labelled = [i for i in items if any(labels_of(i).get(label) == service for label in NAME_LABELS)]
    return labelled or [i for i in items if line_up(i, known)[-1].startswith(service)]


def narrow(items: Sequence[JsonObject], service: str, workload: str, known: Index) -> list[JsonObject]:
    """By workload, else by service, else everything; `known` must hold the Services when a service is asked for."""
    if workload:
        return of_workload(items, workload, known)
    if service:
        services = [o for (kind, _, _), o in sorted(known.items(), key=lambda p: p[0]) if kind == "Service"]
        return of_service(items, service, services, known)
    return list(items)
