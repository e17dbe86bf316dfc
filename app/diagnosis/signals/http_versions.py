"""Services whose `appProtocol` (or port name, as meshes read it) promises a protocol that the process behind does not speak -> the Service.
Reads `check_services` and the logs of both sides.

A proxy believes the Service: it opens HTTP/2 where `kubernetes.io/h2c` or `grpc` stands. Only a Service and a complaint together tell."""

import re

from app.diagnosis.reading import Reading, Seen, rows
from app.diagnosis.world import Found, World, cite, signal
from app.domain.frozen import JsonObject
from app.domain.log_times import moment_of
from app.domain.target import ObjectRef

_SECOND = re.compile(r"(kubernetes\.io/)?h2c|grpc(-\w+)?|http2(-\w+)?", re.I)
_FIRST = re.compile(r"(kubernetes\.io/)?(http|ws|https|wss)", re.I)
# The callee got the preface of HTTP/2 (RFC 9113, 3.4): Node, Tomcat, Jetty, Puma, gunicorn, nginx, Apache; the caller got an answer in HTTP/1:
# nginx, Envoy, Go, grpc-java, grpc-core.
GOT_SECOND = re.compile(
    r"PRI \* HTTP/2|method PRI|upstream sent invalid header.{0,80}HTTP/1\.[01]|upstream (sent|rejected).{0,60}(http2|h2c|frame)"
    r"|HTTP/1\.x transport connection broken|server sent GOAWAY.*HTTP_1_1_REQUIRED|http2: (failed reading the frame payload|frame too large)"
    r"|First received frame was not SETTINGS|upstream_reset_before_response_started\{protocol_error|Trying to connect an http1\.x server",
    re.I,
)
# The callee speaks only HTTP/2 and got HTTP/1: Go, Netty, grpc-core, hyper.
GOT_FIRST = re.compile(
    r"error reading preface from client.{0,40}bogus greeting|HTTP/2 client preface string missing or corrupt|malformed HTTP response .{0,8}\\x00\\x00"
    r"|Failed parsing HTTP/2 .*expected .*SETTINGS|invalid (HTTP/2 )?connection preface",
    re.I,
)


def find(world: World) -> Found:
    lines = [(r, x) for r in world.readings if r.tool == "get_logs" for x in _lines(r)]
    told = {pattern: [(r, x) for r, x in lines if pattern.search(x)] for pattern in (GOT_SECOND, GOT_FIRST)}
    for service in world.of("Service") if any(told.values()) else ():
        for port in rows(service.at("spec", "ports")):
            said = str(port.get("appProtocol") or port.get("name") or "")
            pattern = GOT_SECOND if _SECOND.fullmatch(said) else GOT_FIRST if _FIRST.fullmatch(said) or not said else None
            if pattern:
                yield from _told(world, service, port, [(r, x) for r, x in told[pattern] if _about(world, r, x, service)])


def _lines(reading: Reading) -> list[str]:
    return [str(x) for x in reading.result.data.get("lines") or []]


def _about(world: World, reading: Reading, line: str, service: Seen) -> bool:
    """A line of a pod behind the Service, or one of a caller that names it."""
    pod = next((p for p in world.of("Pod") if p.name == reading.result.data.get("pod")), None)
    if (
        pod is not None
        and pod.namespace == service.namespace
        and world.workload_of(pod).name in world.behind.get((service.namespace, service.name), ())
    ):
        return True
    address = str(service.at("spec", "clusterIP") or "None")
    return bool(re.search(rf"\b{re.escape(service.name)}\b", line)) or (address != "None" and address in line)


def _told(world: World, service: Seen, port: JsonObject, told: list[tuple[Reading, str]]) -> Found:
    if not told:
        return
    said = str(port.get("appProtocol") or port.get("name") or "no protocol")
    where = ObjectRef(kind="Service", namespace=service.namespace, name=service.name)
    facts = {
        "service": service.name,
        "protocol": f"{said} ({'HTTP/2' if _SECOND.fullmatch(said) else 'HTTP/1.1'})",
        "target": port.get("targetPort") or port.get("port"),
        "listens": f"{'HTTP/1.1' if _SECOND.fullmatch(said) else 'HTTP/2'} only",
    }
    claim = f"Service {service.name} says {said}, and the process behind does not speak it"
    promised = cite(service.reading, (service.name, said), (service.name,))
    yield signal("protocol_unmet", where, claim, promised, moment_of(told[0][1], world.now), facts)
    for reading, line in told[-1:]:
        yield signal("protocol_complaint", where, line.strip()[:160], cite(reading, (line,)), moment_of(line, world.now), facts)
