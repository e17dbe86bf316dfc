"""Services against the pods they mean -> selectors, ports and protocols that do not meet. Reads `check_services`, with
the pods and workloads of the same namespace."""

from app.diagnosis.kube import alike, is_ready, matches
from app.diagnosis.reading import Seen, dig, rows
from app.diagnosis.world import Cite, Found, World, cite, signal
from app.domain.frozen import JsonObject
from app.domain.target import ObjectRef


def find(world: World) -> Found:
    yield from _unserved(world)
    for service in world.of("Service"):
        selector = service.at("spec", "selector") or {}
        if not selector or service.at("spec", "type") == "ExternalName":
            continue
        pods = [p for p in world.of("Pod") if p.namespace == service.namespace and matches(selector, p.at("metadata", "labels") or {})]
        if pods:
            yield from _ports(world, service, pods)
            if not any(is_ready(p.item) for p in pods):
                where = world.workload_of(pods[0])
                yield signal(
                    "service_without_ready_pods",
                    where,
                    f"Service {service.name} has no ready endpoint",
                    _about(service),
                    None,
                    {"service": service.name},
                )
        elif _pods_known(world, service.namespace):
            yield from _unmet(world, service, selector)


def _unserved(world: World) -> Found:
    """Workloads that listen on a port while no Service selects them: harmless alone, telling beside a full quota."""
    told: set[str] = set()
    for pod in world.of("Pod"):
        where = world.workload_of(pod)
        ports = [p for c in rows(pod.at("spec", "containers")) for p in rows(c.get("ports"))]
        if not ports or str(where) in told or where.kind in ("Job", "DaemonSet", "Pod") or not world.has_read("check_services", pod.namespace):
            continue
        told.add(str(where))
        if not world.services_of(where):
            namespace = ObjectRef(kind="Namespace", name=pod.namespace)
            claim = f"{where.kind} {where.name} listens on {ports[0].get('containerPort')} and no Service selects it"
            shown = cite(pod.reading, (pod.name, "ports", str(ports[0].get("containerPort"))), (pod.name,))
            yield signal("workload_unserved", namespace, claim, shown, None, {"workload": where.name})


def _about(service: Seen, *more: str) -> Cite:
    return cite(service.reading, ("Service", service.name, *more), (service.name, *more), *((m,) for m in more), (service.name,))


def _pods_known(world: World, namespace: str) -> bool:
    return world.has_read("check_pods", namespace) and any(p.namespace == namespace for p in world.of("Pod"))


def _unmet(world: World, service: Seen, selector: dict[str, str]) -> Found:
    """No pod carries the selector. If a workload of that template exists it is scaled away or refused (another cause);
    else the one it means is named like it, or differs from it in one label."""
    text = ", ".join(f"{k}={v}" for k, v in sorted(selector.items()))
    facts = {"service": service.name, "selector": text}
    templates = [w for kind in ("Deployment", "StatefulSet", "DaemonSet") for w in world.of(kind) if w.namespace == service.namespace]
    for workload in templates:
        if matches(selector, workload.at("spec", "template", "metadata", "labels") or {}):
            kind = str(workload.item.get("kind") or _kind_of(world, workload))
            where = ObjectRef(kind=kind, namespace=service.namespace, name=workload.name)
            yield signal("service_without_pods", where, f"Service {service.name} has no pod to send to", _about(service), None, facts)
            return
    meant = _meant(world, service, selector)
    claim = f"Service {service.name} selects {text}, which no pod carries"
    value = next(iter(sorted(selector.values())), "")
    if meant is None:
        where = ObjectRef(kind="Service", namespace=service.namespace, name=service.name)
        yield signal("selector_meets_nothing", where, claim, _about(service, value), None, facts)
        return
    labels = ", ".join(f"{k}={v}" for k, v in sorted((meant.at("metadata", "labels") or {}).items()) if k in selector or alike(v, value))
    yield signal("selector_near_miss", world.workload_of(meant), claim, _about(service, value), None, {**facts, "labels": labels, "pod": meant.name})


def _kind_of(world: World, workload: Seen) -> str:
    return next((k for k in ("Deployment", "StatefulSet", "DaemonSet") if world.get(k, workload.namespace, workload.name)), "Deployment")


def _meant(world: World, service: Seen, selector: dict[str, str]) -> Seen | None:
    """The pod the service most likely means: of a workload of its name, else with the most labels equal or alike; a pod
    that another service already selects is not it unless the name says so."""
    best: tuple[float, str] | None = None
    for pod in world.of("Pod"):
        labels = pod.at("metadata", "labels") or {}
        if pod.namespace != service.namespace:
            continue
        score = 0.0
        owner = world.workload_of(pod).name
        score += 4 if owner == service.name else 2 if alike(owner, service.name) else 0
        score += sum(1 for k, v in selector.items() if labels.get(k) == v)
        score += sum(1 for k, v in selector.items() if alike(labels.get(k, ""), v) or v in [x for y, x in labels.items() if alike(y, k)])
        if score >= 1 and (best is None or (-score, pod.name) < (-best[0], best[1])):
            best = (score, pod.name)
    return world.get("Pod", service.namespace, best[1]) if best else None


def _ports(world: World, service: Seen, pods: list[Seen]) -> Found:
    declared = [p for pod in pods for c in rows(pod.at("spec", "containers")) for p in rows(c.get("ports"))]
    where = world.workload_of(pods[0])
    for port in rows(service.at("spec", "ports")):
        target = port.get("targetPort", port.get("port"))
        facts: JsonObject = {"service": service.name, "port": port.get("port"), "target": target, "protocol": port.get("protocol") or "TCP"}
        facts["listens"] = ", ".join(sorted({f"{p.get('containerPort')}/{p.get('protocol') or 'TCP'}" for p in declared}))
        facts["pod"] = pods[0].name
        if not declared:
            continue
        same = [p for p in declared if target in (p.get("containerPort"), p.get("name"))]
        source = _about(service, str(target))
        if not same:
            claim = f"Service {service.name} sends to {target}, the containers declare {facts['listens']}"
            yield signal("target_port_unmet", where, claim, source, None, facts)
        elif not any((p.get("protocol") or "TCP") == facts["protocol"] for p in same):
            claim = f"Service {service.name} forwards {facts['protocol']} to {target}, the container listens on {facts['listens']}"
            yield signal("protocol_unmet", where, claim, _about(service, str(facts["protocol"]), str(target)), None, facts)


def ports_of(service: Seen) -> list[int]:
    return [int(dig(p, "port") or 0) for p in rows(service.at("spec", "ports"))]
