"""Services, EndpointSlices, Ingresses and NetworkPolicies -> lines of text: does traffic find ready pods on the right
port? Used by check_services and check_service_health."""

import json
from collections.abc import Sequence

from app.domain.frozen import JsonObject
from app.domain.owners import selects
from app.tools.pod_text import pairs, readiness

SERVICE_LABEL = "kubernetes.io/service-name"


def title(item: JsonObject) -> str:
    return f"{item['kind'].lower()} {item['metadata'].get('namespace', '')}/{item['metadata'].get('name', '')}"


def service_lines(service: JsonObject, pods: Sequence[JsonObject], slices: Sequence[JsonObject]) -> list[str]:
    """`pods` are those of the namespace, `slices` likewise; what a Service selects is worked out here."""
    name, spec = title(service), service.get("spec", {})
    shown = ", ".join(_port(p) for p in spec.get("ports") or ()) or "none"
    lines = [
        f"{name}: type {spec.get('type', 'ClusterIP')}, clusterIP {spec.get('clusterIP', 'none')}, "
        f"selector {pairs(spec.get('selector')) or '(none)'}, ports {shown}"
    ]
    if spec.get("externalName"):
        lines.append(f"{name}: externalName {spec['externalName']}")
    chosen = [p for p in pods if selects(spec.get("selector"), p["metadata"].get("labels"))]
    if spec.get("selector"):
        ready = sum(1 for p in chosen if readiness(p)[0] == readiness(p)[1])
        lines.append(f"{name}: selector matches {len(chosen)} pods, {ready} of them ready")
        lines += _near_misses(name, service, pods) if not chosen else []
    lines += endpoint_lines(name, of_service(slices, service))
    for port in spec.get("ports") or ():
        lines.append(f"{name} port {port.get('port')}/{port.get('protocol', 'TCP')}: {_meets(port, chosen)}")
    return lines


def of_service(slices: Sequence[JsonObject], service: JsonObject) -> list[JsonObject]:
    wanted = service["metadata"].get("name")
    return [s for s in slices if (s["metadata"].get("labels") or {}).get(SERVICE_LABEL) == wanted]


def endpoint_counts(slices: Sequence[JsonObject]) -> tuple[int, int]:
    """(ready, not ready) addresses; a condition that is absent or null counts as ready (API reference)."""
    ready = waiting = 0
    for endpoint in (e for s in slices for e in s.get("endpoints") or ()):
        size = len(endpoint.get("addresses") or ())
        if (endpoint.get("conditions") or {}).get("ready") is False:
            waiting += size
        else:
            ready += size
    return ready, waiting


def endpoint_lines(name: str, slices: Sequence[JsonObject]) -> list[str]:
    ready, waiting = endpoint_counts(slices)
    lines = [f"{name}: endpoints ready {ready}, not ready {waiting}" if slices else f"{name}: no EndpointSlice"]
    for part in slices:
        ports = ", ".join(f"{p.get('port')}/{p.get('protocol', 'TCP')}" for p in part.get("ports") or ()) or "none"
        for endpoint in part.get("endpoints") or ():
            word = "not ready" if (endpoint.get("conditions") or {}).get("ready") is False else "ready"
            about = (endpoint.get("targetRef") or {}).get("name", "")
            lines.append(f"{name}: endpoint {','.join(endpoint.get('addresses') or ())} ports {ports} {word}" + (f" pod {about}" if about else ""))
    return lines


def _port(port: JsonObject) -> str:
    named = f"{port['name']} " if port.get("name") else ""
    node = f" nodePort {port['nodePort']}" if port.get("nodePort") else ""
    spoken = f" appProtocol {port['appProtocol']}" if port.get("appProtocol") else ""
    return f"{named}{port.get('port')}->{port.get('targetPort', port.get('port'))}/{port.get('protocol', 'TCP')}{node}{spoken}"


def _meets(port: JsonObject, pods: Sequence[JsonObject]) -> str:
    """Whether the target port is a container port of the selected pods, by number or by name, with the same protocol."""
    target, protocol = port.get("targetPort", port.get("port")), port.get("protocol", "TCP")
    if not pods:
        return f"targetPort {target}/{protocol} meets no container port, for no pod is selected"
    declared = [(c.get("name"), p) for pod in pods[:1] for c in pod.get("spec", {}).get("containers") or () for p in c.get("ports") or ()]
    if not declared:
        return f"targetPort {target}/{protocol}: the selected pods declare no container ports"
    fits = [(c, p) for c, p in declared if target in (p.get("containerPort"), p.get("name"))]
    exact = [(c, p) for c, p in fits if p.get("protocol", "TCP") == protocol]
    if exact:
        return f"targetPort {target}/{protocol} meets container port {exact[0][1].get('containerPort')}/{protocol} of container {exact[0][0]}"
    have = ", ".join(f"{p.get('containerPort')}/{p.get('protocol', 'TCP')} of container {c}" for c, p in declared)
    what = "has another protocol than the container port" if fits else "meets no container port of the selected pods"
    return f"targetPort {target}/{protocol} {what}; they have {have}"


def _near_misses(name: str, service: JsonObject, pods: Sequence[JsonObject]) -> list[str]:
    """Pods that carry part of the selector, or the Service's name: what the selector may have meant."""
    wanted = set((service.get("spec", {}).get("selector") or {}).items())
    own = str(service["metadata"].get("name"))
    near = [p for p in pods if wanted & set((p["metadata"].get("labels") or {}).items()) or p["metadata"]["name"].startswith(f"{own}-")]
    seen = {pairs(p["metadata"].get("labels")): p["metadata"]["name"] for p in reversed(near)}
    return [f"{name}: not selected: pod {pod} has labels {labels}" for labels, pod in sorted(seen.items(), key=lambda s: s[1])[:5]]


def ingress_lines(ingress: JsonObject) -> list[str]:
    name, spec = title(ingress), ingress.get("spec", {})
    lines = []
    for rule in spec.get("rules") or [{}]:
        paths = (rule.get("http") or {}).get("paths") or []
        lines += [f"{name}: host {rule.get('host', '*')} path {p.get('path', '/')} -> {_backend(p.get('backend'))}" for p in paths]
    if spec.get("defaultBackend"):
        lines.append(f"{name}: default -> {_backend(spec['defaultBackend'])}")
    addresses = (ingress.get("status", {}).get("loadBalancer") or {}).get("ingress") or []
    lines.append(f"{name}: class {spec.get('ingressClassName', 'default')}, addresses {json.dumps(addresses, sort_keys=True)}")
    return lines


def _backend(backend: JsonObject | None) -> str:
    service = (backend or {}).get("service") or {}
    port = service.get("port") or {}
    return f"service {service.get('name')}:{port.get('number') or port.get('name')}" if service else json.dumps(backend, sort_keys=True)


def policy_lines(policy: JsonObject) -> list[str]:
    name, spec = title(policy), policy.get("spec", {})
    types = ", ".join(spec.get("policyTypes") or ["Ingress"])
    lines = [f"{name}: podSelector {json.dumps(spec.get('podSelector') or {}, sort_keys=True)}, policyTypes {types}"]
    for way in ("ingress", "egress"):
        lines += [f"{name}: allows {way} {json.dumps(rule, sort_keys=True)}" for rule in spec.get(way) or ()]
        if way.capitalize() in (spec.get("policyTypes") or ["Ingress"]) and not spec.get(way):
            lines.append(f"{name}: allows no {way} at all")
    return lines
