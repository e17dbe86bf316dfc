"""Pods that something other than a fault of theirs holds back -> who holds them: a scheduling gate, an eviction, the network of
their node, a hook of the kubelet. Reads `check_pods`, `describe_pod`, `check_events` and, for networks of nodes, `check_nodes`."""

import re
from datetime import datetime, timedelta

from app.diagnosis.kube import condition, is_done, is_unhealthy, moment, statuses
from app.diagnosis.reading import Seen, dig, rows
from app.diagnosis.signals.containers import CANNOT_RUN_REASONS, NOT_THE_COMMAND
from app.diagnosis.signals.nodes import PRESSURES
from app.diagnosis.world import RECENT, Found, World, cite, signal
from app.domain.target import ObjectRef

GATED = "SchedulingGated"
RELIEF = timedelta(minutes=10)
# What the kubelet names as short when it evicts (pkg/kubelet/eviction: signals and resource names).
_LOW = re.compile(r"low on resource: (?P<what>[\w-]+)", re.I)
SHORT_OF = {"memory": "evicted_for_memory", "pids": "evicted_for_pids", "ephemeral-storage": "evicted_for_disk", "inodes": "evicted_for_disk"}
# Sandboxes without a network, as containerd, CRI-O, dockershim and the network plugins of the field say it.
_NO_NETWORK = re.compile(
    r"failed to set ?up network for sandbox|networkPlugin cni failed|NetworkPluginNotReady|cni plugin not initialized|network is not ready:"
    r"|failed to assign an IP address|no (free |available )?IP addresses available|failed \(add\)|unable to allocate IP|IPAM .*(exhausted|failed)",
    re.I,
)
_SANDBOX = ("FailedCreatePodSandBox", "NetworkNotReady")
# Reasons to wait that are usual, or that another family reads (pkg/kubelet/kuberuntime, pkg/kubelet/images).
_KNOWN = re.compile(
    r"ContainerCreating|PodInitializing|CrashLoopBackOff|CreateContainer(Config)?Error|RunContainerError|StartError|Image|Registry|Signature"
)
_NO_SECRET = re.compile(r"Unable to retrieve some image pull secrets \((?P<names>[^)]*)\)")


def find(world: World) -> Found:
    for pod in world.of("Pod"):
        if not is_done(pod.item):
            yield from _gated(world, pod)
            yield from _evicted(world, pod)
            yield from _waits(world, pod)
            yield from _told(world, pod)
    for node in world.of("Node"):
        network = condition(node.item, "NetworkUnavailable") or {}
        if network.get("status") == "True":
            facts = {"node": node.name, "reason": str(network.get("message") or network.get("reason") or "NetworkUnavailable")}
            source = cite(node.reading, (node.name, "NetworkUnavailable"), ("NetworkUnavailable",))
            where = ObjectRef(kind="Node", name=node.name)
            yield signal("node_network_missing", where, f"Node {node.name} has no network", source, moment(network.get("lastTransitionTime")), facts)


def _gated(world: World, pod: Seen) -> Found:
    """The scheduler leaves such a pod alone until its gates are taken off (KEP-3521): queues and quota controllers set them."""
    told = condition(pod.item, "PodScheduled") or {}
    if told.get("reason") != GATED or pod.at("metadata", "deletionTimestamp"):
        return
    gates = ", ".join(str(g.get("name")) for g in rows(pod.at("spec", "schedulingGates"))) or "not named"
    facts = {"pod": pod.name, "gates": gates, "message": str(told.get("message") or "")}
    source = cite(pod.reading, (pod.name, GATED), (GATED,))
    since = moment(told.get("lastTransitionTime")) or moment(pod.at("metadata", "creationTimestamp"))
    yield signal("scheduling_gate", world.workload_of(pod), f"{pod.name} is held back by scheduling gates: {gates}", source, since, facts)


def _evicted(world: World, pod: Seen) -> Found:
    """The pod stays behind as Failed; the shortage is its node's, and may be over by now."""
    if pod.at("status", "reason") != "Evicted":
        return
    message, node = str(pod.at("status", "message") or ""), str(pod.at("spec", "nodeName") or "")
    said = condition(pod.item, "DisruptionTarget") or condition(pod.item, "Ready") or {}
    events = [e for e in world.events_on("Pod", pod.namespace, pod.name) if e.item.get("reason") == "Evicted"]
    since = moment(said.get("lastTransitionTime")) or (moment(events[-1].item.get("last")) if events else None)
    facts = {"pod": pod.name, "node": node, "message": message}
    source = cite(pod.reading, (pod.name, message), (pod.name, "Evicted"), ("Evicted",))
    yield signal("pod_evicted", world.workload_of(pod), f"{pod.name} was evicted: {message.strip()[:160] or 'without a word'}", source, since, facts)
    low = _LOW.search(message)
    kind = SHORT_OF.get(low["what"].lower(), "") if low else ""
    if kind and node and since is not None and since >= min(world.onset, world.now) - RECENT and not _relieved(world, node, since):
        claim = f"The kubelet of {node} evicted {pod.name}: {message.strip()[:160]}"
        yield signal(kind, ObjectRef(kind="Node", name=node), claim, cite(pod.reading, (message,)), since, facts)


def _relieved(world: World, node: str, since: datetime) -> bool:
    """The node was read, reports no pressure, and has had time to (eviction-pressure-transition-period, 5 min, and its checks)."""
    seen = world.get("Node", "", node)
    told = [condition(seen.item, name) for name in PRESSURES] if seen else []
    return bool(told) and world.now - since > RELIEF and not any(c and c.get("status") == "True" for c in told)


def _waits(world: World, pod: Seen) -> Found:
    for status, _ in statuses(pod.item):
        waiting = dig(status, "state", "waiting") or {}
        reason, message = str(waiting.get("reason") or ""), str(waiting.get("message") or "")
        if reason and (not _KNOWN.search(reason) or (reason in CANNOT_RUN_REASONS and NOT_THE_COMMAND.search(message))):
            facts = {"pod": pod.name, "container": str(status.get("name")), "reason": reason, "message": message}
            source = cite(pod.reading, (pod.name, message), (message,), (pod.name, reason), (reason,))
            claim = f"Container {status.get('name')} of {pod.name} waits: {reason} {message[:140]}".strip()
            yield signal("container_held_up", world.workload_of(pod), claim, source, None, facts)


def _told(world: World, pod: Seen) -> Found:
    """Warnings of the kubelet about a pod that does not run: no network for its sandbox, no such pull secret."""
    if not is_unhealthy(pod.item):
        return
    node = str(pod.at("spec", "nodeName") or "")
    for event in world.events_on("Pod", pod.namespace, pod.name):
        message, when = str(event.item.get("message")), moment(event.item.get("first"))
        if world.age(event) > RECENT or event.item.get("type") != "Warning":
            continue
        if node and event.item.get("reason") in _SANDBOX and _NO_NETWORK.search(message):
            where = ObjectRef(kind="Node", name=node)
            facts = {"node": node, "pod": pod.name, "reason": message[-160:]}
            yield signal("sandbox_network_failed", where, f"No network for {pod.name} on {node}", cite(event.reading, (message,)), when, facts)
        if secret := _NO_SECRET.search(message):
            claim = f"Pull secrets of {pod.name} cannot be retrieved: {secret['names']}"
            yield signal("pull_secret_missing", world.workload_of(pod), claim, cite(event.reading, (message,)), when, {"pod": pod.name})
