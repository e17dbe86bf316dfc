"""Nodes, their leases and the units on them -> which part of a node is gone. Reads `check_nodes`, `check_events`, and
series of `node_systemd_unit_state` (`query_prometheus`, `get_metrics`)."""

import re
from datetime import datetime, timedelta

from app.diagnosis.kube import condition, moment
from app.diagnosis.reading import Reading, Seen, rows
from app.diagnosis.series import Series, when
from app.diagnosis.world import Found, World, cite, signal
from app.domain.target import ObjectRef

PRESSURES = {"MemoryPressure": "node_memory_pressure", "DiskPressure": "node_disk_pressure", "PIDPressure": "node_pid_pressure"}
# systemd units by the part they are, as kubeadm, kubespray, k3s and kubeasz name them.
UNITS = {
    "kubelet": "unit_kubelet_down",
    "k3s-agent": "unit_kubelet_down",
    "containerd": "unit_runtime_down",
    "docker": "unit_runtime_down",
    "cri-docker": "unit_runtime_down",
    "crio": "unit_runtime_down",
    "kube-proxy": "unit_proxy_down",
    "kube-scheduler": "unit_scheduler_down",
    "kube-controller-manager": "unit_controllers_down",
    "etcd": "unit_etcd_down",
    "kube-apiserver": "unit_api_down",
}
UNIT_QUERY = (
    'node_systemd_unit_state{state="active",name=~"(kubelet|containerd|docker|crio|cri-docker|kube-proxy|'
    'kube-scheduler|kube-controller-manager|kube-apiserver|etcd|k3s-agent).*"}'
)
# Reasons of events by which kubelet and node controller say why a node is in trouble (their source code has the list).
TELLING = ("NodeNotReady", "EvictionThresholdMet", "SystemOOM", "FreeDiskSpaceFailed", "ImageGCFailed", "ContainerGCFailed", "Rebooted")
MINORS_APART = 3  # the version skew policy of Kubernetes 1.28 and later
_BROKEN = re.compile(
    r"ReadonlyFilesystem|Hardware|\bEDAC\b|Machine check|\bMCE\b|uncorrect(ed|able)|I/O error|Ext4Error|medium error|CorruptDocker|KernelDeadlock",
    re.I,
)
LEASE_LIMIT = timedelta(seconds=60)  # kubelets renew every 10 s; the node controller gives up after 40-50 s


def find(world: World) -> Found:
    for node in world.of("Node"):
        yield from _node(world, node)
        yield from _hardware(world, node)
    yield from _versions(world)
    for reading in world.readings:
        renewals = {str(lease.get("node")): str(lease.get("renewTime")) for lease in reading.items("leases")}
        newest = max((m for m in map(moment, renewals.values()) if m), default=world.now)
        for name, renewed in renewals.items():
            yield from _lease(world, reading, name, renewed, newest)
    for reading, one in world.series:
        yield from _unit(one, reading)


def _node(world: World, node: Seen) -> Found:
    where = ObjectRef(kind="Node", name=node.name)
    ready = condition(node.item, "Ready") or {}
    if ready and ready.get("status") != "True":
        reason, message = str(ready.get("reason") or ""), str(ready.get("message") or "")
        source = cite(node.reading, (node.name, message), (message,), (node.name, reason), (node.name, "NotReady"), (node.name,))
        facts = {"reason": reason, "message": message, "status": ready.get("status")}
        claim = f"Node {node.name} is not ready: {reason} {message}".strip()
        yield signal("node_not_ready", where, claim, source, moment(ready.get("lastTransitionTime")), facts)
        if "untime" in message:
            yield signal("runtime_reported_down", where, f"Node {node.name}: {message}", source, moment(ready.get("lastTransitionTime")), facts)
    for name, kind in PRESSURES.items():
        pressure = condition(node.item, name) or {}
        if pressure.get("status") == "True":
            source = cite(node.reading, (node.name, str(pressure.get("message") or name)), (node.name, name), (name,))
            yield signal(kind, where, f"Node {node.name} reports {name}", source, moment(pressure.get("lastTransitionTime")), {"condition": name})
    yield from _told(world, node, where)
    for event in world.events_on("Node", "", node.name) + world.events_on("Node", "default", node.name):
        message = str(event.item.get("message"))
        if ".sock" in message and world.age(event) <= timedelta(minutes=15):
            yield signal(
                "runtime_socket_down", where, f"Node {node.name}: {message[:160]}", cite(event.reading, (message,)), moment(event.item.get("first"))
            )


def _told(world: World, node: Seen, where: ObjectRef) -> Found:
    """What the kubelet or the node controller said of a node that is in trouble now: the newest word of each kind."""
    ready = (condition(node.item, "Ready") or {}).get("status") == "True"
    if ready and not any((condition(node.item, name) or {}).get("status") == "True" for name in PRESSURES):
        return
    events = world.events_on("Node", "", node.name) + world.events_on("Node", "default", node.name)
    newest = {str(e.item.get("reason")): e for e in events if world.age(e) <= timedelta(hours=1)}
    for reason in (r for r in TELLING if r in newest):
        event = newest[reason]
        message = str(event.item.get("message"))
        source = cite(event.reading, (reason, node.name, message), (reason, message))
        facts = {"node": node.name, "reason": reason}
        yield signal("node_told", where, f"Node {node.name}: {reason}: {message[:160]}", source, moment(event.item.get("last")), facts)


def _hardware(world: World, node: Seen) -> Found:
    """Conditions and events that node-problem-detector or the kernel's log reader set for broken disks and memory."""
    where = ObjectRef(kind="Node", name=node.name)
    for told in rows(node.at("status", "conditions")):
        kind, message = str(told.get("type")), str(told.get("message") or "")
        if told.get("status") == "True" and _BROKEN.search(f"{kind} {told.get('reason')} {message}"):
            source = cite(node.reading, (node.name, message), (node.name, kind), (kind,))
            facts = {"node": node.name, "reason": str(told.get("reason") or kind)}
            yield signal(
                "hardware_reported", where, f"Node {node.name} reports {kind}: {message}", source, moment(told.get("lastTransitionTime")), facts
            )
    for event in world.events_on("Node", "", node.name) + world.events_on("Node", "default", node.name):
        message = str(event.item.get("message"))
        if event.item.get("type") == "Warning" and _BROKEN.search(message) and world.age(event) <= timedelta(hours=1):
            facts = {"node": node.name, "reason": str(event.item.get("reason"))}
            yield signal(
                "hardware_reported",
                where,
                f"Node {node.name}: {message[:160]}",
                cite(event.reading, (message,)),
                moment(event.item.get("first")),
                facts,
            )


def _versions(world: World) -> Found:
    """Kubelets more than the supported three minor versions apart, or any apart when the alert is about versions."""
    told = {n.name: str(n.at("status", "nodeInfo", "kubeletVersion") or "") for n in world.of("Node")}
    minors = {m: n for n, v in sorted(told.items()) if (m := _minor(v)) is not None}
    asked = any(re.search(r"version", a.name, re.I) for a in world.case.alerts)
    if len(minors) > 1 and (asked or max(minors) - min(minors) > MINORS_APART):
        oldest, newest = (told[minors[pick(minors)]] for pick in (min, max))
        source = world.get("Node", "", minors[min(minors)])
        if source is not None:
            claim = f"Kubelets of {oldest} and {newest} run in one cluster"
            facts = {"oldest": oldest, "newest": newest, "state": claim}
            yield signal(
                "versions_apart",
                ObjectRef(kind="Cluster", name="cluster"),
                claim,
                cite(source.reading, (source.name, oldest), (oldest,)),
                None,
                facts,
            )


def _minor(version: str) -> int | None:
    match = re.match(r"v?1\.(\d+)", version)
    return int(match[1]) if match else None


def _lease(world: World, reading: Reading, node: str, renewed: str, newest: datetime) -> Found:
    """Stale beside the newest lease of the same reading: clocks and the time of reading may be off, nodes agree."""
    when = moment(renewed)
    if when is not None and newest - when > LEASE_LIMIT and world.get("Node", "", node):
        minutes = int((newest - when).total_seconds() // 60)
        source = cite(reading, (node, renewed), (renewed,), ("lease", node))
        yield signal(
            "lease_stale", ObjectRef(kind="Node", name=node), f"The lease of node {node} is {minutes} min old", source, when, {"minutes": minutes}
        )


def _unit(one: Series, reading: Reading) -> Found:
    unit, node = one.labels.get("name", ""), one.labels.get("node") or one.labels.get("instance", "")
    kind = UNITS.get(unit.removesuffix(".service"))
    if kind is None or one.labels.get("state") != "active" or not one.values:
        return
    if one.values[-1][1] == 0:
        fell = when(next((one.values[i + 1][0] for i in reversed(range(len(one.values) - 1)) if one.values[i][1] > 0), one.values[0][0]))
        source = cite(reading, (unit, node, "active"), (unit, node))
        facts = {"unit": unit, "node": node, "reason": f"unit {unit} is not active on {node}"}
        where = place(kind, unit.removesuffix(".service"), node)
        yield signal(kind, where, f"Unit {unit} is not active on node {node}", source, fell, facts)


def place(kind: str, unit: str, node: str) -> ObjectRef:
    """What a unit that is down is a fault of: the control plane's own parts are not faults of their node."""
    plane = kind in ("unit_controllers_down", "unit_etcd_down", "unit_api_down")
    return ObjectRef(kind="ControlPlane", name=unit) if plane else ObjectRef(kind="Node", name=node)
