"""Probes as specified, and how they fail -> wrong port, wrong protocol, too strict, or a process that really says no.
Reads `check_pods` / `describe_pod` for the specs and `check_events` / `describe_pod` for the failures."""

import re
from datetime import datetime
from typing import Any

from app.diagnosis.kube import is_ready, moment, restarted_within, statuses
from app.diagnosis.reading import Seen, dig, rows
from app.diagnosis.signals.log_templates import classify as classify_line
from app.diagnosis.world import RECENT, Found, World, cite, signal
from app.domain.frozen import JsonObject
from app.domain.log_times import moment_of

# What a client says when the peer speaks another protocol than it (Go net/http, crypto/tls, grpc-health-probe).
_OTHER_PROTOCOL = re.compile(
    r"malformed HTTP|transport connection broken|gave HTTP response to HTTPS|first record does not look like a TLS|error reading server preface|"
    r"does not implement the grpc health|unknown service grpc.health|Unimplemented|http2: frame too large",
    re.I,
)
_REFUSING = re.compile(r":(?P<port>\d{2,5})\b[^:]*: connect: connection refused", re.I)
# What servers print when they are up: Go, Rust, Node, Python, Tomcat and Spring, Kestrel, Puma, nginx, Vert.x and Quarkus.
_LISTENS = re.compile(r"\blisten(s|ing)?\b|started on port|\bbound to\b|\brunning (on|at)\b|serving on|initialized with port|server started", re.I)
_PORT = re.compile(r"(?:[:\s]|port\(?s?\)?[ :=]*)(\d{2,5})\b(?![.:\d])")
_NO_ANSWER = re.compile(r"connection refused|failed to connect|no route to host", re.I)
_BAD_REQUEST = re.compile(r"status ?code: 400")  # what TLS servers answer to plain HTTP
_SLOW = re.compile(r"deadline exceeded|timeout|did not complete within|timed out", re.I)
# A probe that gives a starting process less than this (delay + period x threshold) is stricter than the defaults.
STRICT_SECONDS = 10
TOLD, KILLED = (143,), 137  # exit codes of a process that ended on SIGTERM, and of one that had to be killed
GRACE = 45  # seconds that a killed container may go on: the default grace of a pod is 30
MOST_PATIENT = 120  # a process that needs longer than this to listen is not expected
SHORT_ANSWER = 3  # seconds of timeout that a busy process may pass
QUIET = 90  # seconds of silence after which a log does not show that a process was at work
HARMLESS = ("log_clean_shutdown", "log_error", "log_timeout", "log_slow_query")


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
    if fault == "failing" and which != "readiness" and impatient(world, pod, container, which, message):
        fault = "too_strict"
    if fault in ("failing", "too_strict") and _elsewhere(world, pod, message):
        fault = "wrong_port"
    port = asked_port(probe, container)
    listens = ", ".join(str(p.get("containerPort")) for p in rows(container.get("ports"))) or "none declared"
    facts = {"pod": pod.name, "container": container.get("name"), "port": port, "listens": listens, "message": message, "protocol": protocol(probe)}
    said = {
        "wrong_port": f"the {which} probe asks port {port}, the container declares {listens}",
        "wrong_protocol": f"the {which} probe speaks {protocol(probe)} to a port that speaks something else",
        "too_strict": f"the {which} probe gives up after {patience(probe)} s, and waits {probe.get('timeoutSeconds') or 1} s for each answer",
        "failing": f"the {which} probe is answered with a failure",
    }[fault]
    when = moment(event.item.get("first"))
    yield signal(f"{which}_{fault}", world.workload_of(pod), said[0].upper() + said[1:], cite(event.reading, (message,)), when, facts)
    killing = _killed(world, pod, which)
    if killing is not None:
        told = str(killing.item.get("message"))
        yield signal(f"{which}_killed", world.workload_of(pod), told, cite(killing.reading, (pod.name, told), (told,)), None, {"pod": pod.name})
    spec = (pod.name, str(container.get("name")), which, str(port))
    shown = cite(pod.reading, spec, (pod.name, str(container.get("name")), f"{which}Probe"), (which, str(port)), (f"{which}Probe",))
    yield signal(
        f"{which}_probe_spec", world.workload_of(pod), f"{which} probe of {container.get('name')}: {protocol(probe)} on {port}", shown, None, facts
    )


def _elsewhere(world: World, pod: Seen, message: str) -> bool:
    """A port that refuses while the process says that it listens, and never on this one: it is declared, and nobody is there."""
    refused = _REFUSING.search(message)
    told = [str(x) for r in world.readings if r.tool == "get_logs" and r.call.args.get("pod") == pod.name for x in r.result.data.get("lines") or []]
    ports = {port for line in told if _LISTENS.search(line) for port in _PORT.findall(line)}
    return refused is not None and bool(ports) and refused["port"] not in ports


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


def _killed(world: World, pod: Seen, which: str) -> Seen | None:
    """The newest event of the kubelet that it restarts a container for this probe."""
    events = reversed(world.events_on("Pod", pod.namespace, pod.name))
    return next((e for e in events if f"failed {which} probe" in str(e.item.get("message"))), None)


def classify(container: JsonObject, which: str, message: str) -> str:
    """-> wrong_port, wrong_protocol, too_strict (not for readiness) or failing."""
    probe: JsonObject = container[f"{which}Probe"]
    port, declared = asked_port(probe, container), rows(container.get("ports"))
    numbers = {p.get("containerPort") for p in declared}
    if _OTHER_PROTOCOL.search(message):
        return "wrong_protocol"
    if isinstance(port, str) or (declared and port not in numbers):
        return "wrong_port" if _NO_ANSWER.search(message) or _SLOW.search(message) or isinstance(port, str) else "failing"
    if _speaks_otherwise(container, which) and any(words.search(message) for words in (_NO_ANSWER, _SLOW, _BAD_REQUEST)):
        return "wrong_protocol"
    if which != "readiness" and patience(probe) < STRICT_SECONDS and (_NO_ANSWER.search(message) or _SLOW.search(message)):
        return "too_strict"
    return "failing"


def impatient(world: World, pod: Seen, container: JsonObject, which: str, message: str) -> bool:
    """Is a process killed that was on its way or at work? It ends in order when it is told to (a process that hangs has to be
    killed: 137), and what it logged until then complains of nothing.
    While it starts: it refuses connections, and no run outlasts what the probe allows. At work: it answers, only later than
    the probe waits."""
    probe: JsonObject = container[f"{which}Probe"]
    runs = [e for s, _ in statuses(pod.item) if s.get("name") == container.get("name") for e in _ends(s)]
    run = next(iter(runs), None)
    first, last = (moment(run.get("startedAt")), moment(run.get("finishedAt"))) if run else (None, None)
    if run is None or first is None or last is None or run.get("reason") == "OOMKilled" or run.get("exitCode") not in (0, *TOLD, KILLED):
        return False
    logged = _log_of_run(world, pod, last)
    if logged is None or any((said := classify_line(x)) and said[0].kind not in HARMLESS for x in logged):
        return False
    lasted = (last - first).total_seconds()
    if _NO_ANSWER.search(message):
        return lasted <= patience(probe) + GRACE and patience(probe) <= MOST_PATIENT
    at_work = run["exitCode"] in (0, *TOLD) and int(probe.get("timeoutSeconds") or 1) <= SHORT_ANSWER
    return bool(_SLOW.search(message)) and at_work and lasted > patience(probe)


def _ends(status: JsonObject) -> list[JsonObject]:
    return [e for key in ("state", "lastState") if (e := dig(status, key, "terminated"))]


def _log_of_run(world: World, pod: Seen, ended: datetime) -> list[str] | None:
    """What the run that ended had logged; None if that was not read, or if it had been silent for long when it was killed."""
    for reading in world.readings:
        if reading.tool == "get_logs" and reading.call.args.get("pod") == pod.name and reading.call.args.get("previous"):
            lines = [str(x) for x in reading.result.data.get("lines") or []]
            times = [t for x in lines if (t := moment_of(x, world.now))]
            ordered = any((said := classify_line(x)) and said[0].kind == "log_clean_shutdown" for x in lines)
            return lines if ordered or (times and (ended - times[-1]).total_seconds() <= QUIET) else None
    return None


def _speaks_otherwise(container: JsonObject, which: str) -> bool:
    """Does another probe of this container ask the same port in another protocol (plain tcp says nothing)?"""
    mine: JsonObject = container[f"{which}Probe"]
    others = [container[f"{w}Probe"] for w in ("liveness", "readiness", "startup") if w != which and isinstance(container.get(f"{w}Probe"), dict)]
    known = [protocol(o) for o in others if asked_port(o, container) == asked_port(mine, container)]
    return protocol(mine) != "tcp" and any(k not in ("tcp", protocol(mine)) for k in known)


def protocol(probe: JsonObject) -> str:
    if str(dig(probe, "httpGet", "scheme")).upper() == "HTTPS":
        return "https"
    table = {"httpGet": "http", "grpc": "grpc", "tcpSocket": "tcp", "exec": "exec"}
    return next((name for key, name in table.items() if key in probe), "exec")


def asked_port(probe: JsonObject, container: JsonObject) -> Any:
    """The number of the port a probe asks; the name that it asks by where no port of the container has it; None for exec."""
    port = next((dig(probe, key, "port") for key in ("httpGet", "grpc", "tcpSocket") if key in probe), None)
    return next((p.get("containerPort") for p in rows(container.get("ports")) if p.get("name") == port), port)


def patience(probe: JsonObject) -> int:
    """Seconds from the start of the process until the probe gives up on it, as the API server's defaults fill it."""
    delay, period, threshold = (
        int(default if probe.get(name) is None else probe[name])
        for name, default in (("initialDelaySeconds", 0), ("periodSeconds", 10), ("failureThreshold", 3))
    )
    return delay + period * threshold
