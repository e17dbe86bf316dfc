"""Leads into logs: whose lines would say why, or show what a cause does. Called by `adaptive`, which drops what was asked.

A pod's log comes from the kubelet of its node: where that is away the request hangs, so it is not made."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.diagnosis.kube import condition, is_control_plane
from app.diagnosis.ranking import Candidate
from app.diagnosis.reading import Seen, dig
from app.diagnosis.world import World
from app.domain.case import Signal
from app.domain.frozen import JsonObject
from app.domain.target import ObjectRef

MASTERS = 3  # of a control plane, as many as there usually are
LINES = 100
DAY = 1_440  # minutes: a unit may have stopped long before the alert
RUNTIMES = {"containerd": "containerd", "docker": "docker", "cri-o": "crio"}  # scheme of containerRuntimeVersion -> unit
AWAY = ("node_not_ready", "lease_stale")


@dataclass(frozen=True, slots=True)
class Ask:
    tool: str
    args: JsonObject
    reason: str


def unit_logs(world: World, found: Iterable[Signal]) -> Iterator[Ask]:
    """The log of each unit that is down; of the kubelet or the runtime of a node that does not report; of the scheduler
    where pods wait without a word."""
    signals = list(found)
    asked = dict.fromkeys((str(s.facts["node"]), _bare(str(s.facts["unit"]))) for s in signals if s.facts.get("unit") and s.facts.get("node"))
    known = {node for node, _ in asked}
    for s in signals:
        if s.object.kind != "Node" or s.object.name in known:
            continue
        if s.kind in ("runtime_reported_down", "runtime_socket_down"):
            asked.setdefault((s.object.name, _runtime(world, s.object.name)))
        elif s.kind in AWAY:
            asked.setdefault((s.object.name, "kubelet"))
    if not known and any(s.kind == "pending_unnoticed" for s in signals):
        masters = [n.name for n in world.of("Node") if is_control_plane(n.item)]
        asked |= dict.fromkeys((name, "kube-scheduler") for name in masters[:MASTERS])
    for node, unit in asked:
        args: JsonObject = {"node": node, "unit": unit, "minutes": DAY, "limit": LINES, "newest": True}
        yield Ask("search_logs", args, f"read what is logged of {unit} on the node")


def _bare(unit: str) -> str:
    return unit.removesuffix(".service")


def _runtime(world: World, name: str) -> str:
    node = world.get("Node", "", name)
    version = str(node.at("status", "nodeInfo", "containerRuntimeVersion") or "") if node else ""
    return RUNTIMES.get(version.split(":")[0], "containerd")


def log_hangs(world: World, pod: Seen) -> bool:
    """Is the kubelet of the pod's node known to be away?"""
    if pod.at("status", "reason") == "NodeLost" or (condition(pod.item, "Ready") or {}).get("reason") == "NodeLost":
        return True
    node = world.get("Node", "", str(pod.at("spec", "nodeName") or ""))
    ready = condition(node.item, "Ready") if node else None
    return ready is not None and ready.get("status") == "Unknown"


def effect_logs(world: World, ranked: tuple[Candidate, ...]) -> Iterator[Ask]:
    """A leader that was read off a configuration, and explains nothing that was seen to go wrong: the logs of its own
    pods and of those that call it, those where users enter first, show whether it matters."""
    if not ranked or ranked[0].explains or ranked[0].beaten_by:
        return
    leader = ranked[0]
    own = world.pods_of(leader.object)[:1]
    callers = [p for w in _callers(world, leader) for p in world.pods_of(w)[:1]]
    for pod in [*callers[:2], *own]:
        if not world.has_log(pod) and not log_hangs(world, pod):
            yield log_of(pod, "see what the cause does to those who feel it")


def _callers(world: World, leader: Candidate) -> list[ObjectRef]:
    """Workloads that the leader reaches, those that nobody calls first."""
    found = {str(w): w for p in world.of("Pod") if (w := world.workload_of(p)) != leader.object and str(w) in leader.reaches}
    return sorted(found.values(), key=lambda w: (bool(world.callers_of(w.name)), str(w)))


def log_of(pod: Seen, reason: str) -> Ask:
    """The log of the first container, named only where there are several."""
    args: JsonObject = {"namespace": pod.namespace, "pod": pod.name}
    spec = pod.at("spec", "containers") or []
    if len(spec) > 1:
        args["container"] = str(dig(spec[0], "name"))
    return Ask("get_logs", args, reason)
