"""Probes as specified, and how they fail -> wrong port, wrong protocol, too strict, or a process that really says no.
Reads `check_pods` / `describe_pod` for the specs and `check_events` / `describe_pod` for the failures."""

import re
from typing import Any

from app.diagnosis.kube import is_ready, moment, restarted_within, statuses
from app.diagnosis.reading import Seen, dig, rows
from app.diagnosis.world import RECENT, Found, World, cite, signal
from app.domain.frozen import JsonObject

# What a client says when the peer speaks another protocol than it (Go net/http, crypto/tls, grpc-health-probe).
_OTHER_PROTOCOL = re.compile(
    r"malformed HTTP|transport connection broken|gave HTTP response to HTTPS|first record does not look like a TLS|error reading server preface|"
    r"does not implement the grpc health|unknown service grpc.health|Unimplemented|http2: frame too large",
    re.I,
)
_NO_ANSWER = re.compile(r"connection refused|failed to connect|no route to host", re.I)
_SLOW = re.compile(r"deadline exceeded|timeout|did not complete within|timed out", re.I)
# A probe that gives a starting process less than this (delay + period x threshold) is stricter than the defaults.
STRICT_SECONDS = 10


def find(world: World) -> Found:
    for pod in world.of("Pod"):
        for container in rows(pod.at("spec", "containers")):
            for which in ("liveness", "readiness", "startup"):
                probe = container.get(f"{which}Probe")
                if isinstance(probe, dict):
                    yield from _judge(world, pod, container, which)


def _judge(world: World, pod: Seen, container: JsonObject, which: str) -> Found:
    event = _failing(world, pod, str(container.get("name")), which)
    if event is None:
        return
    probe: JsonObject = container[f"{which}Probe"]
    message = str(event.item.get("message"))
    fault = classify(container, which, message)
    port = asked_port(probe)
    listens = ", ".join(str(p.get("containerPort")) for p in rows(container.get("ports"))) or "none declared"
    facts = {"pod": pod.name, "container": container.get("name"), "port": port, "listens": listens, "message": message, "protocol": protocol(probe)}
    said = {
        "wrong_port": f"the {which} probe asks port {port}, the container declares {listens}",
        "wrong_protocol": f"the {which} probe speaks {protocol(probe)} to a port that speaks something else",
        "too_strict": f"the {which} probe gives up after {patience(probe)} s",
        "failing": f"the {which} probe is answered with a failure",
    }[fault]
    when = moment(event.item.get("first"))
    yield signal(f"{which}_{fault}", world.workload_of(pod), said[0].upper() + said[1:], cite(event.reading, (message,)), when, facts)
    spec = (pod.name, str(container.get("name")), which, str(port))
    shown = cite(pod.reading, spec, (which, str(port)), (f"{which}Probe",))
    yield signal(
        f"{which}_probe_spec", world.workload_of(pod), f"{which} probe of {container.get('name')}: {protocol(probe)} on {port}", shown, None, facts
    )


def _failing(world: World, pod: Seen, container: str, which: str) -> Seen | None:
    """The newest event of a probe that still does harm: liveness and startup kill, readiness keeps the pod out."""
    events = [e for e in world.events_on("Pod", pod.namespace, pod.name) if world.age(e) <= 2 * RECENT]
    failed = [e for e in events if str(e.item.get("message")).lower().startswith(f"{which} probe")]
    if not failed:
        return None
    if which == "readiness":
        running = any(s.get("name") == container and dig(s, "state", "running") for s, _ in statuses(pod.item))
        return failed[-1] if not is_ready(pod.item) and running else None
    killed = any(f"failed {which} probe" in str(e.item.get("message")) for e in events)
    harmed = restarted_within(pod.item, world.now, 2 * RECENT.total_seconds()) or not is_ready(pod.item)
    return failed[-1] if harmed and (killed or not is_ready(pod.item)) else None


def classify(container: JsonObject, which: str, message: str) -> str:
    """-> wrong_port, wrong_protocol, too_strict (not for readiness) or failing."""
    probe: JsonObject = container[f"{which}Probe"]
    port, declared = asked_port(probe), rows(container.get("ports"))
    numbers = {p.get("containerPort") for p in declared}
    if _OTHER_PROTOCOL.search(message):
        return "wrong_protocol"
    if isinstance(port, str) or (declared and port not in numbers):
        return "wrong_port" if _NO_ANSWER.search(message) or _SLOW.search(message) or isinstance(port, str) else "failing"
    if _speaks_otherwise(container, which) and (_NO_ANSWER.search(message) or _SLOW.search(message)):
        return "wrong_protocol"
    if which != "readiness" and patience(probe) < STRICT_SECONDS and (_NO_ANSWER.search(message) or _SLOW.search(message)):
        return "too_strict"
    return "failing"


def _speaks_otherwise(container: JsonObject, which: str) -> bool:
    """Does another probe of this container ask the same port in another protocol (plain tcp says nothing)?"""
    mine: JsonObject = container[f"{which}Probe"]
    others = [container[f"{w}Probe"] for w in ("liveness", "readiness", "startup") if w != which and isinstance(container.get(f"{w}Probe"), dict)]
    known = [protocol(o) for o in others if asked_port(o) == asked_port(mine)]
    return protocol(mine) != "tcp" and any(k not in ("tcp", protocol(mine)) for k in known)


def protocol(probe: JsonObject) -> str:
    table = {"httpGet": "http", "grpc": "grpc", "tcpSocket": "tcp", "exec": "exec"}
    return next((name for key, name in table.items() if key in probe), "exec")


def asked_port(probe: JsonObject) -> Any:
    """The port a probe asks: a number, or a name that must be among the container's ports; None for exec."""
    return next((dig(probe, key, "port") for key in ("httpGet", "grpc", "tcpSocket") if key in probe), None)


def patience(probe: JsonObject) -> int:
    """Seconds from the start of the process until the probe gives up on it, as the API server's defaults fill it."""
    delay, period, threshold = (
        int(default if probe.get(name) is None else probe[name])
        for name, default in (("initialDelaySeconds", 0), ("periodSeconds", 10), ("failureThreshold", 3))
    )
    return delay + period * threshold
