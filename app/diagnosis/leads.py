"""Leads into logs: whose lines would say why, or show what a cause does. Called by `adaptive`, which drops what was asked.

A pod's log comes from the kubelet of its node: where that is away the request hangs, so it is not made."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.diagnosis.kube import condition, is_control_plane, moment, statuses
from app.diagnosis.ranking import Candidate
from app.diagnosis.reading import Seen, dig
from app.diagnosis.world import World
from app.domain.case import Signal
from app.domain.frozen import JsonObject
from app.domain.resolver import resolve
from app.domain.target import ObjectRef

MASTERS = 3  # of a control plane, as many as there usually are
LINES = 100
DAY = 1_440  # minutes: a unit may have stopped long before the alert
RUNTIMES = {"containerd": "containerd", "docker": "docker", "cri-o": "crio"}  # scheme of containerRuntimeVersion -> unit
RUNS = 2
WORKING_SET, RESTARTS = "container_memory_working_set_bytes", "kube_pod_container_status_restarts_total"
_MEMORY = re.compile(r"memory|oom", re.I)
NODES = 2
PRESSED = ("node_memory_pressure", "node_disk_pressure", "node_pid_pressure")
NAMED = 2
_WORD = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
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
    units = [s.facts for s in signals if s.facts.get("unit") and s.facts.get("node") and not s.facts.get("pod")]
    asked = dict.fromkeys((str(f["node"]), _bare(str(f["unit"]))) for f in units)
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
        if unit == "kubelet" and node not in known:  # the manager's own lines are of another unit in most stores (init.scope)
            said: JsonObject = {"node": node, "contains": "kubelet.service", "minutes": DAY, "limit": LINES, "newest": True}
            yield Ask("search_logs", said, "read what systemd says of it")


def node_events(found: Iterable[Signal]) -> Iterator[Ask]:
    """Events about nodes are kept in namespace default (client-go, makeEvent)."""
    for name in list(dict.fromkeys(s.object.name for s in found if s.kind in (*AWAY, *PRESSED)))[:NODES]:
        yield Ask("check_events", {"namespace": "default", "kind": "Node", "name": name}, "read what the cluster says of the node")


def _bare(unit: str) -> str:
    return unit.removesuffix(".service")


def _runtime(world: World, name: str) -> str:
    node = world.get("Node", "", name)
    version = str(node.at("status", "nodeInfo", "containerRuntimeVersion") or "") if node else ""
    return RUNTIMES.get(version.split(":")[0], "containerd")


def memory_history(world: World) -> Iterator[Ask]:
    """Of a container of the target that was ended before and started again: its memory over the last runs, where the alert
    is about memory or the end was for want of it. An hour shows no leak that takes a morning."""
    if any(s.name == WORKING_SET for _, s in world.series):
        return
    told = any(_MEMORY.search(a.name) for a in world.case.alerts)
    for pod in world.pods_of(world.case.target.workload) or (world.of("Pod") if told else []):
        for status, _ in statuses(pod.item):
            ended = dig(status, "lastState", "terminated") or {}
            first, last = moment(ended.get("startedAt")), moment(ended.get("finishedAt"))
            if (
                (told or ended.get("reason") == "OOMKilled")
                and ended.get("exitCode")
                and int(status.get("restartCount") or 0) >= RUNS
                and first
                and last
            ):
                labels = f'namespace="{pod.namespace}",pod="{pod.name}",container="{status.get("name")}"'
                query = f'{{__name__=~"{WORKING_SET}|{RESTARTS}",{labels}}}'
                minutes = int(min(max(3 * (last - first).total_seconds() / 60, 60), DAY))
                yield Ask("query_prometheus", {"query": query, "minutes": minutes}, "see its memory over several runs: does each climb to the end?")
                return


def log_hangs(world: World, pod: Seen) -> bool:
    """Is the kubelet of the pod's node known to be away?"""
    if pod.at("status", "reason") == "NodeLost" or (condition(pod.item, "Ready") or {}).get("reason") == "NodeLost":
        return True
    node = world.get("Node", "", str(pod.at("spec", "nodeName") or ""))
    ready = condition(node.item, "Ready") if node else None
    return ready is not None and ready.get("status") == "Unknown"


def full_nodes(world: World, found: Iterable[Signal]) -> Iterator[Ask]:
    """Of a node that is full: whose pods fill it, and whether a pod of theirs waits for a place."""
    full = [s.object.name for s in found if s.kind == "node_full_of_pods"]
    for name in full[:1]:
        yield Ask("check_pods", {"node": name}, "see whose pods fill the node")
        spaces = Counter(p.namespace for p in world.of("Pod") if p.at("spec", "nodeName") == name)
        for space, _ in sorted(spaces.items(), key=lambda x: (x[0] == "kube-system", -x[1], x[0]))[:1]:
            yield Ask("check_pods", {"namespace": space}, "see whether a pod waits for a place")
            yield Ask("check_events", {"namespace": space}, "read what the scheduler says")


def failing_logs(world: World, found: Iterable[Signal]) -> Iterator[Ask]:
    """Of those whose own requests began to fail: what they say. The last in the chain of calls first: it has nobody else to
    blame."""
    failing = list(dict.fromkeys(s.object for s in found if s.kind == "errors_rose"))
    names = {w.name for w in failing}
    last = sorted(failing, key=lambda w: bool(names & set(world.callees.get(w.name, ()))))
    for pods in (world.pods_of(w) for w in last):
        if pods and not any(world.has_log(p) for p in pods) and not log_hangs(world, pods[-1]):
            yield log_of(pods[-1], "read what the one that answers with errors says")


def told_with(world: World) -> Iterator[Ask]:
    """What alerts of the same group name in other namespaces: its pods, and what the one that is named says."""
    refs = [resolve(a).ref for a in world.case.alerts[1:]]
    for ref in [r for r in refs if r.namespace not in ("", world.case.target.namespace)][:NAMED]:
        yield Ask("check_pods", {"namespace": ref.namespace}, "see the pods that another alert of the group is about")
        pods = [p for p in world.of("Pod") if p.namespace == ref.namespace and ref.name in (p.name, world.workload_of(p).name)]
        if pods and not any(world.has_log(p) for p in pods) and not log_hangs(world, pods[0]):
            yield log_of(pods[0], "read what the one says that another alert of the group is about")


def named_in_errors(world: World, found: Iterable[Signal]) -> Iterator[Ask]:
    """A proxy or a caller that logs errors and names another workload in the very line (`cluster=cart`, `upstream: "http://cart:80"`,
    `backend cart/1`): what that one says."""
    for one in (s for s in found if s.kind == "log_error" and s.object == world.case.target.workload):
        words = set(_WORD.findall(str(one.facts.get("line") or "")))
        named = {w.name: w for p in world.of("Pod") if (w := world.workload_of(p)) != one.object and w.name in words}
        for pods in (world.pods_of(named[n]) for n in sorted(named)[:NAMED]):
            if pods and not any(world.has_log(p) for p in pods) and not log_hangs(world, pods[0]):
                yield log_of(pods[0], "read what the one that is named in the errors says")


def effect_logs(world: World, ranked: tuple[Candidate, ...]) -> Iterator[Ask]:
    """A leader that was read off a configuration, and explains nothing that was seen to go wrong: the logs of its own
    pods and of those that call it, those where users enter first, show whether it matters. Of one whose memory grows the
    log says what grows."""
    if not ranked or ranked[0].beaten_by:
        return
    leader = ranked[0]
    if leader.decisive.kind.startswith("memory_"):
        pod = world.get("Pod", leader.object.namespace, str(leader.decisive.facts.get("pod") or ""))
        if pod is not None and not log_hangs(world, pod):
            yield log_of(pod, "see what the container says that piles up")
    if leader.explains:
        return
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
