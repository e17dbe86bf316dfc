"""Ingresses and HTTPRoutes -> their backends, and whether each leads to a ready pod. Pure; used by check_ingresses."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.domain.frozen import JsonObject
from app.tools.service_text import endpoint_counts, of_service


@dataclass(frozen=True)
class Shelf:
    """What was read of the namespace. A list is None when it could not be read: then nothing is said about it."""

    services: Sequence[JsonObject] | None
    slices: Sequence[JsonObject] | None


def title(item: JsonObject) -> str:
    return f"{item['kind'].lower()} {item['metadata'].get('namespace', '')}/{item['metadata']['name']}"


def ingress_backends(ingress: JsonObject) -> Iterator[JsonObject]:
    """{host, path, service, port} of every path and of the default backend; `service` is "" for another resource."""
    spec = ingress.get("spec", {})
    for rule in spec.get("rules") or ():
        for path in (rule.get("http") or {}).get("paths") or ():
            yield {"host": rule.get("host", "*"), "path": path.get("path", "/"), **_of(path.get("backend") or {})}
    if spec.get("defaultBackend"):
        yield {"host": "*", "path": "(default)", **_of(spec["defaultBackend"])}


def _of(backend: JsonObject) -> JsonObject:
    service = backend.get("service") or {}
    port = service.get("port") or {}
    return {"service": str(service.get("name", "")), "port": port.get("number") or port.get("name"), "namespace": ""}


def route_backends(route: JsonObject) -> Iterator[JsonObject]:
    """The same of an HTTPRoute; backends of other kinds than Service are left out."""
    hosts = ", ".join(route.get("spec", {}).get("hostnames") or ()) or "*"
    for rule in route.get("spec", {}).get("rules") or ():
        paths = ", ".join(str((m.get("path") or {}).get("value", "/")) for m in rule.get("matches") or ()) or "/"
        for ref in rule.get("backendRefs") or ():
            if ref.get("kind", "Service") == "Service":
                space = ref.get("namespace") or ""
                yield {"host": hosts, "path": paths, "service": str(ref.get("name", "")), "port": ref.get("port"), "namespace": space}


def followed(item: JsonObject, backend: JsonObject, shelf: Shelf) -> JsonObject:
    """A backend with {object, service_exists, port_exists, ready, not_ready, problem}; None for what is not known."""
    row = {**backend, "object": _ref(item), "service_exists": None, "port_exists": None, "ready": None, "not_ready": None, "problem": ""}
    name, home = backend["service"], str(item["metadata"].get("namespace", ""))
    if not name or shelf.services is None or (backend["namespace"] or home) != home:
        return row
    service = next((s for s in shelf.services if s["metadata"]["name"] == name), None)
    row["service_exists"] = service is not None
    if service is None:
        return row | {"problem": f"service {name} does not exist"}
    ports = service.get("spec", {}).get("ports") or ()
    row["port_exists"] = any(backend["port"] in (p.get("port"), p.get("name")) for p in ports)
    if not row["port_exists"]:
        have = ", ".join(f"{p.get('port')}{' (' + p['name'] + ')' if p.get('name') else ''}" for p in ports) or "none"
        return row | {"problem": f"service {name} has no port {backend['port']}; it has {have}"}
    if service.get("spec", {}).get("type") == "ExternalName" or shelf.slices is None:
        return row
    row["ready"], row["not_ready"] = endpoint_counts(of_service(shelf.slices, service))
    return row if row["ready"] else row | {"problem": f"service {name} has no ready endpoints ({row['not_ready']} not ready)"}


def _ref(item: JsonObject) -> str:
    return f"{item['kind']}/{item['metadata'].get('namespace', '')}/{item['metadata']['name']}"


def backend_line(item: JsonObject, row: JsonObject) -> str:
    """`ingress shop/web: host a.example path / -> service cart:80: 2 ready endpoints, 0 not ready`."""
    to = f"service {row['namespace'] + '/' if row['namespace'] else ''}{row['service']}:{row['port']}" if row["service"] else "another resource"
    if row["problem"]:
        said = str(row["problem"])
    elif row["ready"] is None:
        said = "service and port exist, endpoints not known" if row["port_exists"] else "not followed"
    else:
        said = f"{row['ready']} ready endpoints, {row['not_ready']} not ready"
    return f"{title(item)}: host {row['host']} path {row['path']} -> {to}: {said}"
