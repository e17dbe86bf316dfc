"""Who calls whom, as far as an investigation knows: by the configured service map, by mesh and trace metrics
(`get_service_map`), and by the addresses in the environment of pods. Made once per `world`."""

import re
from collections.abc import Iterable, Iterator, Mapping

from app.diagnosis.kube import matches
from app.diagnosis.reading import Seen, rows

# `store:`, `store.shop` or `store.shop.svc`; a third label that is not `svc` makes it a host of the world outside.
ADDRESS = re.compile(r"(?<![-\w.])([a-z0-9][-a-z0-9]*)(?::|\.([a-z0-9][-a-z0-9]*)(?![-\w]|\.(?!svc\b)\w))")
Names = dict[tuple[str, str], set[str]]  # (namespace, name of a Service) -> the workloads behind it


def callees_of(configured: Mapping[str, tuple[str, ...]], measured: Iterable[tuple[set[str], set[str]]]) -> dict[str, tuple[str, ...]]:
    """Caller -> whom it calls, each end under all names that it goes by."""
    found = {caller: set(callees) for caller, callees in configured.items()}
    for callers, callees in measured:
        for caller in callers:
            found.setdefault(caller, set()).update(callees - callers)
    return {caller: tuple(sorted(callees)) for caller, callees in sorted(found.items()) if callees}


def behind(services: list[Seen], pods: list[tuple[str, Seen]]) -> Names:
    """`pods` with the names of their workloads."""
    found: Names = {}
    for service in services:
        selector = service.at("spec", "selector") or {}
        chosen = {w for w, p in pods if selector and p.namespace == service.namespace and matches(selector, p.at("metadata", "labels") or {})}
        found[(service.namespace, service.name)] = chosen
    return found


def by_metrics(edges: list[Seen], known: Names) -> Iterator[tuple[set[str], set[str]]]:
    """Of the edges of `get_service_map`. An end that is a Service stands for the workloads behind it too."""
    for edge in edges:
        ends = []
        for side, also in (("caller", []), ("callee", edge.item.get("also") or [])):
            space, names = str(edge.item.get(f"{side}_namespace") or ""), {str(edge.item.get(side) or ""), *map(str, also)} - {""}
            more = [w for (n, service), w in known.items() if service in names and space in ("", n)]
            ends.append(names.union(*more))
        yield ends[0], ends[1]


def by_environment(pods: list[tuple[str, Seen]], known: Names) -> Iterator[tuple[set[str], set[str]]]:
    """Of pods whose environment names a Service as an address: `store:5432`, `http://store.shop/`; of a namespace whose Services were not
    read, a workload of that name."""
    placed = {(p.namespace, workload) for workload, p in pods}
    for workload, pod in pods:
        values = [str(v.get("value") or "") for c in rows(pod.at("spec", "containers")) for v in rows(c.get("env"))]
        for name, space in sorted({found for value in values for found in ADDRESS.findall(value)}):
            service = (space or pod.namespace, name)
            if service in known or (space and service in placed):
                yield {workload}, {name, *known.get(service, ())}
