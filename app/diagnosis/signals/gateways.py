"""Gateways, routes and what controllers of Ingresses warn of -> a way in that nobody has taken up, or whose certificate is not there.
Reads `check_ingresses` and `check_events`. What a gateway says of a class, a namespace or a certificate counts (conditions of the Gateway
API), not a guess from labels. Twin: `ways`, for the backends."""

import re
from collections.abc import Iterator

from app.diagnosis.kube import moment
from app.diagnosis.reading import Reading, dig, rows
from app.diagnosis.world import RECENT, Found, World, cite, signal
from app.domain.frozen import JsonObject
from app.domain.target import ObjectRef

TAKEN_UP = ("Accepted", "Programmed")
CERTIFICATE = ("InvalidCertificateRef", "RefNotPermitted")  # reasons of ResolvedRefs=False at a listener
# Warnings of the controllers of Ingresses of NGINX, HAProxy, AWS and Google about the Secret of a host.
_NO_SECRET = re.compile(
    r"secrets? .{0,80}(not found|does ?n.t exist|does not exist|is missing|invalid)|(could not find|missing|no) (TLS )?secret", re.I
)


def find(world: World) -> Found:
    for reading in world.readings:
        if reading.tool == "check_ingresses":
            for gateway in reading.items("gateways"):
                yield from _gateway(reading, gateway)
            for route in reading.items("httproutes"):
                yield from _route(world, reading, route)
    for event in world.events:
        ref, message = world.about(event), str(event.item.get("message"))
        if ref.kind == "Ingress" and event.item.get("type") == "Warning" and world.age(event) <= RECENT and _NO_SECRET.search(message):
            facts = {"problem": message[:200]}
            source = cite(event.reading, (message,))
            yield signal("entrance_certificate_missing", ref, f"Ingress {ref.name}: {message[:160]}", source, moment(event.item.get("first")), facts)


def _ref(item: JsonObject, kind: str) -> ObjectRef:
    return ObjectRef(kind=kind, namespace=str(dig(item, "metadata", "namespace") or ""), name=str(dig(item, "metadata", "name")))


def _gateway(reading: Reading, item: JsonObject) -> Found:
    where = _ref(item, "Gateway")
    wrong = [c for c in rows(dig(item, "status", "conditions")) if c.get("type") in TAKEN_UP and c.get("status") != "True"]
    for told in wrong[:1]:
        said = f"{told.get('type')}={told.get('status')} {told.get('reason') or ''} {told.get('message') or ''}".strip()
        facts = {"problem": f"gateway {where.name} is {said}"}
        source = cite(reading, (f"gateway {where.namespace}/{where.name}", f"condition {told.get('type')}={told.get('status')}"))
        yield signal("gateway_not_taken_up", where, f"Gateway {where.name}: {said}", source, moment(told.get("lastTransitionTime")), facts)
    for listener in rows(dig(item, "status", "listeners")):
        for told in rows(listener.get("conditions")):
            if told.get("type") == "ResolvedRefs" and told.get("status") == "False" and told.get("reason") in CERTIFICATE:
                said = f"listener {listener.get('name')}: {told.get('reason')} {told.get('message') or ''}".strip()
                source = cite(reading, (f"listener {listener.get('name')}", "ResolvedRefs=False"))
                at = moment(told.get("lastTransitionTime"))
                yield signal("entrance_certificate_missing", where, f"Gateway {where.name}, {said}", source, at, {"problem": said})


def _route(world: World, reading: Reading, item: JsonObject) -> Found:
    """Refused by a gateway, or taken up by none: then there is no status, for nobody writes one."""
    route = _ref(item, "HTTPRoute")
    name = f"httproute {route.namespace}/{route.name}"
    told = [c for p in rows(dig(item, "status", "parents")) for c in rows(p.get("conditions")) if c.get("type") == "Accepted"]
    refused = [c for c in told if c.get("status") == "False"]
    if any(c.get("status") == "True" for c in told) or not rows(dig(item, "spec", "parentRefs")):
        return
    if refused:
        said = f"{refused[0].get('reason') or ''} {refused[0].get('message') or ''}".strip()
        source, at = cite(reading, (name, "Accepted=False")), moment(refused[0].get("lastTransitionTime"))
    elif not told:
        said, at = "no gateway has taken it up", None
        source = cite(reading, (name, said))
    else:
        return
    facts = {"path": " ".join(_paths(item)) or "/", "problem": f"{name}: {said}"}
    yield signal("route_refused", _behind(world, item, route), f"{name}: {said}", source, at, facts)


def _paths(item: JsonObject) -> Iterator[str]:
    for rule in rows(dig(item, "spec", "rules")):
        for match in rows(rule.get("matches")):
            yield str(dig(match, "path", "value") or "/")


def _behind(world: World, item: JsonObject, route: ObjectRef) -> ObjectRef:
    """The workload that the route should lead to, else the route."""
    names = {str(b.get("name")) for r in rows(dig(item, "spec", "rules")) for b in rows(r.get("backendRefs"))}
    meant = [w for n in sorted(names) for w in world.behind.get((route.namespace, n), ())]
    found = [r for p in world.of("Pod") if p.namespace == route.namespace for r in [world.workload_of(p)] if r.name in meant]
    return found[0] if found else route
