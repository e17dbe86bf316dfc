"""FailedScheduling messages, pod specs and nodes -> why a pod has no node. Reads `check_events`, `check_pods`,
`describe_pod` and, where they were read, `check_nodes`.

The scheduler counts each node under one reason only, in the order of its filters; a cordoned node is counted there
even if the pod's selector excludes it. So the reasons are weighed with the pod's own demands and the nodes at hand."""

import re
from datetime import timedelta

from app.diagnosis.kube import affinity_holds, condition, is_control_plane, matches, moment, node_labels, quantity
from app.diagnosis.reading import Reading, Seen, dig, rows
from app.diagnosis.world import Found, World, cite, signal
from app.domain.target import ObjectRef

_HEAD = re.compile(r"^\d+/(?P<total>\d+) nodes are available: (?P<rest>.*?)(?:\.\s*(?:preemption|no new claims).*)?$", re.S)
_REASONS = (
    ("insufficient_cpu", re.compile(r"Insufficient cpu")),
    ("insufficient_memory", re.compile(r"Insufficient memory")),
    ("insufficient_extended", re.compile(r"Insufficient (?P<what>\S+)|cannot allocate all claims")),
    ("too_many_pods", re.compile(r"Too many pods")),
    ("anti_affinity", re.compile(r"anti-affinity|didn't match pod affinity|pod affinity rules")),
    ("topology", re.compile(r"topology spread")),
    ("selector", re.compile(r"didn't match Pod's node (affinity/)?selector|node affinity/selector|didn't match node selector")),
    ("volume_node", re.compile(r"volume node affinity|max volume count")),
    ("reserved", re.compile(r"taint \{node-role\.kubernetes\.io/(control-plane|master|etcd|controlplane)")),
    ("cordoned", re.compile(r"were unschedulable|taint \{node\.kubernetes\.io/unschedulable")),
    ("ill", re.compile(r"taint \{node\.(kubernetes\.io|cloudprovider\.kubernetes\.io)/")),
    ("unnamed_taint", re.compile(r"untolerated taint\(s\)|had taints that the pod")),  # the first from 1.34 on, the second until 1.17
    ("taint", re.compile(r"untolerated taint|had taint")),
    (
        "claim_unbound",
        re.compile(
            r"unbound immediate PersistentVolumeClaims|didn't find available persistent volumes"
            r"|not have enough free storage|non-existent (pv|persistentvolume)"
        ),
    ),
    ("claim_missing", re.compile(r'persistentvolumeclaim "(?P<what>[^"]+)" not found')),
)
_ROOM = re.compile(r"pods|capacity|schedul|pending", re.I)
NEARLY = 0.95  # the bound of the upstream rule KubeletTooManyPods
SILENCE = timedelta(seconds=45)  # a healthy scheduler answers within seconds


def parse(message: str) -> tuple[int, dict[str, int]]:
    """-> (number of nodes, reason -> nodes it excludes). A reason without a number concerns all nodes."""
    head = _HEAD.match(message.strip())
    if head is None:
        return 0, {}
    total, reasons = int(head["total"]), dict[str, int]()
    for part in re.split(r",\s+(?=\d+ |pod |persistentvolumeclaim )", head["rest"]):
        count = re.match(r"\d+", part)
        kind = next((k for k, pattern in _REASONS if pattern.search(part)), "")
        if kind:
            reasons[kind] = reasons.get(kind, 0) + (int(count[0]) if count else total)
    return total, reasons


def find(world: World) -> Found:
    yield from _full(world)
    for pod in world.of("Pod"):
        if pod.at("status", "phase") != "Pending" or pod.at("spec", "nodeName") or pod.at("metadata", "deletionTimestamp"):
            continue
        event = next((e for e in reversed(world.events_on("Pod", pod.namespace, pod.name)) if e.item.get("reason") == "FailedScheduling"), None)
        told = (condition(pod.item, "PodScheduled") or {}).get("message") or ""
        message, reading = (str(event.item.get("message")), event.reading) if event else (str(told), pod.reading)
        if (condition(pod.item, "PodScheduled") or {}).get("reason") == "SchedulingGated":
            continue  # the scheduler leaves it alone on purpose: `held_back`
        if message:
            yield from _verdict(world, pod, message, reading)
        else:
            yield from _silence(world, pod)


def _verdict(world: World, pod: Seen, message: str, reading: Reading) -> Found:
    total, reasons = parse(message)
    kind = decide(world, pod, total, reasons)
    if not kind:
        return
    facts = {"pod": pod.name, "demand": demand(pod, kind), "message": message, **reasons}
    what = re.search(r"untolerated taint (\{[^}]*\})|Insufficient (\S+?)[,.]|claim \"([^\"]+)\"", message)
    facts["what"] = next((g for g in what.groups() if g), "") if what else ""
    claim = f"{pod.name} cannot be scheduled: {message.split(' preemption:')[0]}"
    where = fullest(world) if kind == "too_many_pods" else None
    created = moment(pod.at("metadata", "creationTimestamp"))
    yield signal(f"unschedulable_{kind}", where or world.workload_of(pod), claim, cite(reading, (message,)), created, facts)
    for detail in _details(pod, kind):
        yield signal(f"demands_{kind}", world.workload_of(pod), f"{pod.name} demands {facts['demand']}", cite(pod.reading, (detail,)), None, facts)


def _full(world: World) -> Found:
    """Nodes with as many pods as they may have, where an alert asks for that: a full node harms nobody until a pod has no place."""
    if not any(_ROOM.search(a.name) for a in world.case.alerts):
        return
    for reading in world.readings:
        for name, count in sorted((reading.result.data.get("pods_per_node") or {}).items()):
            node = world.get("Node", "", name)
            room = quantity(node.at("status", "allocatable", "pods")) if node else None
            if node is not None and room and count >= NEARLY * room:
                facts = {"node": name, "pods": count, "room": int(room)}
                claim = f"Node {name} has {count} of {int(room)} pods"
                yield signal("node_full_of_pods", ObjectRef(kind="Node", name=name), claim, cite(reading, (name, f"{count} pods of")), None, facts)


def fullest(world: World) -> ObjectRef | None:
    """The worker node with the most pods for its room; None where the nodes were not read."""
    counts = {n: c for r in world.readings for n, c in (r.result.data.get("pods_per_node") or {}).items()}
    workers = [n for n in world.of("Node") if not is_control_plane(n.item)]
    room = {n.name: quantity(n.at("status", "allocatable", "pods")) or 1 for n in workers}
    best = min(workers, key=lambda n: (-counts.get(n.name, 0) / room[n.name], n.name), default=None)
    return ObjectRef(kind="Node", name=best.name) if best else None


def decide(world: World, pod: Seen, total: int, reasons: dict[str, int]) -> str:
    """The reason that keeps the pod from the nodes it could otherwise use. Nodes kept for the control plane are no reason where
    there are others; nodes that are ill are the nodes' own trouble."""
    reasons = _without_reserved(world, reasons)
    for sure in ("claim_missing", "claim_unbound"):
        if reasons.get(sure):
            return sure
    nodes = world.of("Node")
    wanted = pod.at("spec", "nodeSelector") or {}
    if reasons.get("selector") and nodes:
        # a control-plane node is kept for the control plane: it is no candidate, whatever its labels
        fitting = [
            n
            for n in nodes
            if not is_control_plane(n.item) and (not wanted or matches(wanted, node_labels(n.item))) and affinity_holds(pod.item, n.item)
        ]
        if fitting and all(n.at("spec", "unschedulable") for n in fitting):
            return "cordoned"
        if fitting:
            return _largest({k: v for k, v in reasons.items() if k not in ("selector", "cordoned")}) or "selector_" + _demanded(world, pod)
    rest = {k: v for k, v in reasons.items() if k != "cordoned"}
    if (rest and set(rest) == {"selector"}) or _largest(rest) == "selector":
        return "selector_" + _demanded(world, pod)
    rest.pop("ill", None)
    return _largest(rest) or ("cordoned" if reasons.get("cordoned") else "")


def _without_reserved(world: World, reasons: dict[str, int]) -> dict[str, int]:
    rest = {k: v for k, v in reasons.items() if k != "reserved"}
    if not rest:
        return {"taint": reasons["reserved"]} if reasons.get("reserved") else {}
    kept = sum(1 for n in world.of("Node") if is_control_plane(n.item) and n.at("spec", "taints"))
    unnamed = rest.pop("unnamed_taint", 0)
    if unnamed:
        rest["taint"] = rest.get("taint", 0) + (unnamed - min(kept, unnamed) if rest else unnamed)
    return {k: v for k, v in rest.items() if v}


def _largest(reasons: dict[str, int]) -> str:
    """Most nodes first; on a tie the more telling reason, which is the order of `_REASONS`."""
    order = [k for k, _ in _REASONS]
    return min(reasons, key=lambda k: (-reasons[k], order.index(k)), default="")


def _demanded(world: World, pod: Seen) -> str:
    """Which of the pod's two demands no node meets; the selector where it cannot be told."""
    affinity = dig(pod.item, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    wanted = pod.at("spec", "nodeSelector") or {}
    met = any(matches(wanted, node_labels(n.item)) for n in world.of("Node"))
    return "affinity" if affinity and (not wanted or met) else "labels"


def demand(pod: Seen, kind: str) -> str:
    """What the pod asks for, in words, as far as the reason concerns it."""
    if kind == "selector_labels":
        return ", ".join(f"{k}={v}" for k, v in sorted((pod.at("spec", "nodeSelector") or {}).items()))
    if kind in ("insufficient_cpu", "insufficient_memory"):
        resource = kind.removeprefix("insufficient_")
        asked = [
            str(dig(c, "resources", "requests", resource)) for c in pod.at("spec", "containers") or [] if dig(c, "resources", "requests", resource)
        ]
        return f"{resource} request " + " + ".join(asked) if asked else ""
    return ""


def _details(pod: Seen, kind: str) -> list[str]:
    """Texts of the pod's own spec that show the demand."""
    if kind == "selector_labels":
        return [str(v) for _, v in sorted((pod.at("spec", "nodeSelector") or {}).items())]
    if kind == "selector_affinity":
        terms = rows(dig(pod.item, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"))
        return [str(e.get("key")) for t in terms for e in rows(t.get("matchExpressions"))][:2]
    return []


def _silence(world: World, pod: Seen) -> Found:
    created = moment(pod.at("metadata", "creationTimestamp"))
    if (created is not None and world.now - created < SILENCE) or not world.has_read("check_events", pod.namespace):
        return
    claim = f"{pod.name} is Pending without a node and the scheduler has said nothing about it"
    yield signal(
        "pending_unnoticed", world.workload_of(pod), claim, cite(pod.reading, (pod.name, "Pending"), (pod.name,)), created, {"pod": pod.name}
    )
