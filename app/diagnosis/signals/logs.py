"""Log lines -> what a process says went wrong. Reads `get_logs`; everything here is untrusted and says so.

The classes are in `log_templates`. A line counts as said; how often it was said is a fact of the signal."""

import re

from app.diagnosis.kube import statuses
from app.diagnosis.reading import Reading, Seen, dig
from app.diagnosis.signals.addresses import in_cluster
from app.diagnosis.signals.log_templates import TEMPLATES, classify
from app.diagnosis.world import RECENT, Found, World, cite, signal
from app.domain.case import Signal
from app.domain.frozen import JsonObject
from app.domain.log_times import moment_of
from app.domain.target import ObjectRef

PEERS = 3
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
_FRAME = re.compile(r"\s*(--- End of |at [\w.$<>`]+\(|\.\.\. \d+ more)")  # lines of a trace that only say where
PEERED = ("log_connection_refused", "log_timeout", "log_rate_limited")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^@/\s\"]*@)?([\w-]+(?:\.[\w-]+)*)", re.I)
_ADDRESS = re.compile(r"[\d.]+")
Line = tuple[str, re.Match[str]]
_ERROR_NAMED = re.compile(r"(Error|Exception|FATAL|panic)\b.{0,60}?[:)] \S")  # the line of a trace that says what went wrong


def find(world: World) -> Found:
    for reading in world.readings:
        if reading.tool == "get_logs":
            yield from _of_container(world, reading)


def _of_container(world: World, reading: Reading) -> Found:
    pod, namespace = str(reading.result.data.get("pod") or ""), str(reading.call.args.get("namespace") or "")
    seen = world.get("Pod", namespace, pod)
    where = world.workload_of(seen) if seen else ObjectRef(kind="Pod", namespace=namespace, name=pod)
    yield _last_words(world, reading, seen, where)
    said, quotable = _said(reading), set(reading.lines)  # of a long log the text has a choice
    for template in TEMPLATES:
        lines = said.get(template.kind, [])
        if not lines:
            continue
        if seen is not None and not world.in_trouble(seen) and not _lasting(world, lines[-1][0], len(lines)):
            yield _once(world, reading, lines[-1], where)
            continue
        for line, match in _telling(world, lines, quotable):
            about = _account(seen, match) if template.kind == "log_forbidden" else where
            facts = {
                **_groups(match),
                **_peer(template.kind, line, match),
                "says": template.says,
                "count": len(lines),
                "pod": pod,
                "line": line[:200],
            }
            yield signal(
                template.kind, about, f"{pod} logs that {template.says} ({len(lines)} x)", cite(reading, (line,)), moment_of(line, world.now), facts
            )


def _said(reading: Reading) -> dict[str, list[Line]]:
    """Classed lines by kind, oldest first."""
    said: dict[str, list[Line]] = {}
    for line in (str(x) for x in reading.result.data.get("lines") or []):
        if not _FRAME.match(line) and (classed := classify(line)) is not None:
            said.setdefault(classed[0].kind, []).append((line, classed[1]))
    return said


def _telling(world: World, lines: list[Line], quotable: set[str]) -> list[Line]:
    """Of one kind the first line since shortly before the onset, of each peer that lines name: when it began, and with whom."""
    shown = [x for x in lines if x[0] in quotable] or lines[:1]
    first: dict[str, Line] = {}
    for line, match in shown:
        host = _groups(match).get("host", "")
        if host not in first and ((at := moment_of(line, world.now)) is None or at >= world.onset - RECENT):
            first[host] = (line, match)
        if len(first) == PEERS:
            break
    return list(first.values()) or shown[-1:]


def _once(world: World, reading: Reading, said: Line, where: ObjectRef) -> Signal | None:
    """A pod that is well failed once, lately, to reach a workload of its namespace: no trouble of its own, and nothing to go
    by; but where that workload is at fault, it shows what others feel."""
    line, match = said
    host, at = in_cluster(_groups(match).get("host", ""), where.namespace)[0], moment_of(line, world.now)
    peer = next((ref for kind in WORKLOADS if str(ref := ObjectRef(kind=kind, namespace=where.namespace, name=host)) in world.objects), None)
    if not host or peer is None or peer == where or at is None or at < world.onset - RECENT:
        return None
    return signal("reached_in_vain", peer, f"{where.name} could not reach {host}", cite(reading, (line,)), at, {"line": line[:200]})


def _last_words(world: World, reading: Reading, pod: Seen | None, where: ObjectRef) -> Signal | None:
    """The last line that tells of trouble, else the last line, of a container that ended with an error."""
    name = str(reading.result.data.get("container") or reading.call.args.get("container") or "")
    if pod is None or not world.in_trouble(pod):
        return None
    ends = [e for s, _ in statuses(pod.item) if not name or s.get("name") == name for e in _ends(s)]
    lines = [x for x in reading.lines if x.strip()]
    if not lines or not any(e.get("exitCode") for e in ends):
        return None
    line = next((x for x in reversed(lines) if _ERROR_NAMED.search(x)), next((x for x in reversed(lines) if classify(x)), lines[-1]))
    return signal("last_words", where, f"The last that {pod.name} logged of it", cite(reading, (line,)), None, {"pod": pod.name})


def _ends(status: JsonObject) -> list[JsonObject]:
    return [e for key in ("state", "lastState") if (e := dig(status, key, "terminated"))]


def _account(pod: Seen | None, match: re.Match[str]) -> ObjectRef:
    """The pod's own account where the pod was read, else the one the line names."""
    namespace, name = match["account"].split(":")[2:4]
    own = pod.at("spec", "serviceAccountName") if pod else None
    return ObjectRef(kind="ServiceAccount", namespace=pod.namespace if pod else namespace, name=str(own or name))


def _lasting(world: World, line: str, count: int) -> bool:
    """Of a pod that runs well, only what was said more than once and since shortly before the onset counts."""
    when = moment_of(line, world.now)
    return count > 1 and (when is None or when >= min(world.onset, world.now) - RECENT)


def _peer(kind: str, line: str, match: re.Match[str]) -> dict[str, str]:
    """The host that was called, by the URL in the line, where the words of the failure name none or only its address."""
    said = _groups(match).get("host", "")
    url = _URL.search(line) if kind in PEERED and (not said or _ADDRESS.fullmatch(said)) else None
    return {"host": url[1]} if url else {}


def _groups(match: re.Match[str]) -> dict[str, str]:
    """Named groups without their running numbers, the first one that matched."""
    found: dict[str, str] = {}
    for name, value in match.groupdict().items():
        found.setdefault(name.rstrip("0123456789"), value or "")
        if value:
            found[name.rstrip("0123456789")] = value
    return found
