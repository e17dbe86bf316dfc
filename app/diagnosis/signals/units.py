"""Logs of node units -> units that do not run, as systemd says it. Reads `search_logs` calls that name a node and a unit:
the text of `systemctl status`, or the journal's lines about starts and stops. Twin: `nodes`, which reads the series."""

import re

from app.diagnosis.reading import Reading
from app.diagnosis.signals.nodes import UNITS, place
from app.diagnosis.world import Found, World, cite, signal

# `systemctl status`: the states of systemd.unit(5). "activating (auto-restart)" is a unit that does not stay up.
_STATUS = re.compile(r"^\s*Active: (?P<state>active|reloading|inactive|failed|activating|deactivating)\b(?P<more>[^\n]*)")
_DOWN = re.compile(r"inactive|failed|deactivating")
# What the manager writes into a unit's journal (systemd's catalogue of messages); other lines are the unit's own.
_MANAGER = r"(^|systemd\[\d+\]: )"
_STOPPED = re.compile(
    _MANAGER
    + r"(Stopped |[\w@.-]+\.service: (Main process exited|Deactivated successfully|Succeeded|Failed with result|Start request repeated too quickly))"
)
_STARTED = re.compile(_MANAGER + r"Started ")
# Last words of a unit that cannot start: what k8s.io/component-base prints, containerd, dockerd, CRI-O, etcd, k3s and rke2.
_FAILED = re.compile(
    r'"command failed" err=|failed to run Kubelet|failed to start (daemon|containerd)|^containerd: |level=fatal|"level":"fatal"'
    r"|\]? F\d{4} \d\d:|^F\d{4} ",
    re.I,
)


def find(world: World) -> Found:
    """What others say of a unit, found by its name, counts only where its own log says nothing of starts and stops: a start does
    not always bear the name."""
    asked = [r for r in world.readings if r.tool == "search_logs" and r.call.args.get("node")]
    own = {(r.call.args["node"], _name(r.call.args["unit"])) for r in asked if r.call.args.get("unit") and _told(_lines(r))}
    for reading in asked:
        args = reading.call.args
        if args.get("unit"):
            yield from _unit(reading, _name(args["unit"]))
        elif args.get("contains") and (args["node"], _name(args["contains"])) not in own:
            yield from _unit(reading, _name(args["contains"]))


def _name(unit: object) -> str:
    return str(unit).removesuffix(".service")


def _lines(reading: Reading) -> list[str]:
    return [str(x) for x in reading.result.data.get("lines") or []]


def _told(lines: list[str]) -> list[str]:
    """Those about states, starts and stops."""
    return [line for line in lines if _STATUS.match(line) or _STOPPED.search(line) or _STARTED.search(line)]


def _unit(reading: Reading, unit: str) -> Found:
    node = str(reading.call.args["node"])
    line = _down(_lines(reading))
    kind = UNITS.get(unit)
    if kind is not None and line:
        claim = f"systemd says of {unit} on node {node}: {line.strip()[:120]}"
        yield signal(kind, place(kind, unit, node), claim, cite(reading, (line,)), None, {"unit": unit, "node": node, "reason": line.strip()[:120]})


def _down(lines: list[str]) -> str:
    """The line that says that the unit does not run now, "" if it runs or nobody says. The last status decides; without one
    the last start or stop."""
    said = [(line, match) for line in lines if (match := _STATUS.match(line))]
    if said:
        line, match = said[-1]
        return line if _DOWN.match(match["state"]) or "auto-restart" in match["more"] else ""
    told = [line for line in lines if _STOPPED.search(line) or _STARTED.search(line)]
    if lines and not told and _FAILED.search(lines[-1]):
        return lines[-1]
    return told[-1] if told and not _STARTED.search(told[-1]) else ""
