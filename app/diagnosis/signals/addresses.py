"""Addresses in the environment of containers (`host:port`) against the services that exist -> clients that ask for
what is not there. Reads `check_pods`/`check_workloads` with `check_services` of the same namespace."""

import re
from collections.abc import Iterator

from app.diagnosis.kube import alike, containers, matches
from app.diagnosis.reading import Seen, rows
from app.diagnosis.signals.services import ports_of
from app.diagnosis.world import Found, World, cite, signal
from app.domain.case import Signal
from app.domain.target import ObjectRef

_ADDRESS = re.compile(r"^(?:[a-z][a-z0-9+.-]*://)?(?:[^@/\s]*@)?(?P<host>[a-z0-9][a-z0-9.-]*[a-z0-9]):(?P<port>\d{2,5})(?:[/?].*)?$", re.I)


def find(world: World) -> Found:
    for client, name, value in _settings(world):
        match = _ADDRESS.match(value)
        where = world.workload_of(client)
        if match is None or not world.has_read("check_services", client.namespace):
            continue
        host, namespace = in_cluster(match["host"], client.namespace)
        if not host or namespace != client.namespace or host == "localhost":
            continue
        service = world.get("Service", namespace, host)
        facts = {"host": host, "port": match["port"], "variable": name, "value": value, "client": where.name}
        source = cite(client.reading, (client.name, value), (name, value), (value,))
        if service is not None:
            if int(match["port"]) not in ports_of(service):
                facts["ports"] = ", ".join(map(str, ports_of(service)))
                yield signal("address_port_unknown", where, f"{name}={value}, but Service {host} has ports {facts['ports']}", source, None, facts)
                yield _port_moved(world, service, facts)
            continue
        yield from _unknown(world, where, facts, client)


def in_cluster(host: str, namespace: str) -> tuple[str, str]:
    """(service, namespace) of a cluster name `x`, `x.ns`, `x.ns.svc[.domain]`; ("", "") for what lies outside."""
    parts = host.split(".")
    if re.fullmatch(r"[\d.]+", host):
        return "", ""
    if len(parts) == 1:
        return host, namespace
    return (parts[0], parts[1]) if (len(parts) == 2 and parts[1] == namespace) or "svc" in parts[2:3] else ("", "")


def _settings(world: World) -> Iterator[tuple[Seen, str, str]]:
    """(pod, variable, value) of one pod of each workload."""
    seen: set[tuple[str, str]] = set()
    for pod in world.of("Pod"):
        key = str(world.workload_of(pod))
        for container in containers(pod.item):
            for variable in rows(container.get("env")):
                value = variable.get("value")
                if isinstance(value, str) and (key, f"{variable.get('name')}={value}") not in seen:
                    seen.add((key, f"{variable.get('name')}={value}"))
                    yield pod, str(variable.get("name")), value


def _unknown(world: World, where: ObjectRef, facts: dict[str, str], client: Seen) -> Found:
    """A host without a Service: the Service of a workload of that name is missing, or the client has it wrong."""
    source = cite(client.reading, (client.name, facts["value"]), (facts["value"],))
    host = facts["host"]
    workload = next((k for k in ("Deployment", "StatefulSet", "DaemonSet") if world.get(k, where.namespace, host)), "")
    if not workload and any(world.workload_of(p).name == host for p in world.of("Pod") if p.namespace == where.namespace):
        workload = "Deployment"
    if workload:
        target = ObjectRef(kind="Namespace", name=where.namespace)
        yield signal("service_missing", target, f"{workload} {host} runs, clients ask for it, and there is no Service {host}", source, None, facts)
        return
    near = next((s.name for s in world.of("Service") if s.namespace == where.namespace and alike(s.name, host)), "")
    if near:
        claim = f"{facts['variable']}={facts['value']} of {where.name}: there is no Service {host}, but there is {near}"
        yield signal("address_near_miss", where, claim, source, None, {**facts, "near": near})
    else:
        yield signal("address_unknown_host", where, f"{facts['variable']} of {where.name} names {host}, which is no Service", source, None, facts)


def _port_moved(world: World, service: Seen, facts: dict[str, str]) -> Signal | None:
    """The service's own workload, when its containers listen where the client asks: then the Service is wrong."""
    for pod in _selected(world, service):
        if int(facts["port"]) in _listening(pod):
            where = world.workload_of(pod)
            source = cite(service.reading, (service.name, facts["ports"]), (service.name,))
            more = {**facts, "service": service.name, "target": facts["ports"], "listens": facts["port"], "pod": pod.name}
            return signal(
                "service_port_moved", where, f"Service {service.name} offers {facts['ports']}, clients ask {facts['port']}", source, None, more
            )
    return None


def _selected(world: World, service: Seen) -> list[Seen]:
    return [
        p
        for p in world.of("Pod")
        if p.namespace == service.namespace and matches(service.at("spec", "selector") or {}, p.at("metadata", "labels") or {})
    ]


def _listening(pod: Seen) -> list[int]:
    return [int(p.get("containerPort") or 0) for c in containers(pod.item) for p in rows(c.get("ports"))]
