"""A node runs out of disk: it evicts pods, takes no new ones, and an innocent workload loses a replica again and again."""

from datetime import UTC, datetime, timedelta

from app.domain.frozen import iso
from app.lab.building.samples import flat, gauge, stepped
from app.lab.building.scene import Container, PodState, Revision, Scene
from app.lab.building.telling import KSM, calm, event, replica_series

NOW = datetime(2026, 3, 25, 15, 10, tzinfo=UTC)
SINCE = NOW - timedelta(minutes=23)
SPACE, APP, CODE, ILL = "thesaurus", "word-index", "6c7f9d8b45", "node-b"
GONE = (("c4f7j", SINCE), ("l8n2q", SINCE + timedelta(minutes=1)))
LOW = (
    "The node was low on resource: ephemeral-storage. Threshold quantity: 8387377Ki, available: 6120448Ki."
    f" Container {APP} was using 92Ki, request is 0, has larger consumption of ephemeral-storage. "
)
GIB = 1024.0**3


def build() -> Scene:
    scene = Scene("full-disk", SPACE, NOW, "The disk of node-b is filled by images; the kubelet evicts what is there")
    born = NOW - timedelta(days=10)
    container = Container(APP, f"registry.example.com/thesaurus/{APP}:2.2.5", 8080)
    revision = Revision(6, CODE, born, container, "2.2.5")
    scene.deployment(APP, [revision], [PodState("r5t8w", "node-a", born), PodState("z3b6d", "node-c", SINCE + timedelta(minutes=2))])
    for suffix, at in GONE:
        _evicted(scene, revision, suffix, at)
    scene.service(APP, 80, 8080)
    scene.objects["EndpointSlice"][0]["endpoints"] = [
        e for e in scene.objects["EndpointSlice"][0]["endpoints"] if not e["targetRef"]["name"].endswith(tuple(s for s, _ in GONE))
    ]
    calm(scene, APP, CODE, ("r5t8w", "z3b6d"), 180, "INFO  looked up 64 words")
    _ill_node(scene)
    replica_series(scene, APP, 2, lambda at: 1 if SINCE <= at < SINCE + timedelta(minutes=3) else 2)
    words = {"summary": "Node has disk pressure.", "description": f"{ILL} has had the condition DiskPressure for more than 10 minutes."}
    said = {"node": ILL, "condition": "DiskPressure", "status": "true", "namespace": "monitoring", "service": "kube-state-metrics"}
    scene.alert("KubeNodePressure", "info", SINCE + timedelta(minutes=10), words, **said, **KSM)
    scene.expected = {
        "state": "fault",
        "causes": [{"object": f"Node//{ILL}", "class": "node_disk_pressure"}],
        "accept": [],
        "symptoms": [f"Pod/{SPACE}/{APP}-{CODE}-c4f7j", f"Deployment/{SPACE}/{APP}"],
        "key_evidence": [LOW, "KubeletHasDiskPressure"],
    }
    return scene


def _evicted(scene: Scene, revision: Revision, suffix: str, at: datetime) -> None:
    """The pod object that an eviction leaves: failed, with the reason, without containers."""
    pod = scene.pod(APP, revision, PodState(suffix, ILL, at - timedelta(hours=3), False))
    target = {"type": "DisruptionTarget", "status": "True", "lastProbeTime": None, "lastTransitionTime": iso(at)}
    target |= {"reason": "TerminationByKubelet", "message": LOW}
    ready = {"type": "Ready", "status": "False", "lastProbeTime": None, "lastTransitionTime": iso(at), "reason": "PodFailed"}
    started = pod["status"]["startTime"]
    pod["status"] = {"phase": "Failed", "reason": "Evicted", "message": LOW, "startTime": started, "conditions": [target, ready]}
    told = {"type": "Warning", "host": ILL}
    event(scene, f"Pod/{pod['metadata']['name']}", "Evicted", LOW, at, **told)


def _ill_node(scene: Scene) -> None:
    node = next(n for n in scene.objects["Node"] if n["metadata"]["name"] == ILL)
    pressed = next(c for c in node["status"]["conditions"] if c["type"] == "DiskPressure")
    pressed |= {"status": "True", "reason": "KubeletHasDiskPressure", "message": "kubelet has disk pressure", "lastTransitionTime": iso(SINCE)}
    node["spec"]["taints"] = [{"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule", "timeAdded": iso(SINCE)}]
    told = {"type": "Warning", "host": ILL, "first": SINCE}
    over = "Attempting to reclaim ephemeral-storage"
    event(scene, f"Node/{ILL}", "EvictionThresholdMet", over, NOW - timedelta(minutes=1), count=130, **told)
    event(scene, f"Node/{ILL}", "NodeHasDiskPressure", f"Node {ILL} status is now: NodeHasDiskPressure", SINCE, host=ILL)
    freed = "Failed to garbage collect required amount of images. Attempted to free 2147483648 bytes, but only found 0 bytes eligible to free."
    event(scene, f"Node/{ILL}", "FreeDiskSpaceFailed", freed, NOW - timedelta(minutes=3), count=5, **told)
    for name, place in scene.nodes.items():
        labels = {
            "job": "node-exporter",
            "instance": f"{place.address}:9100",
            "node": name,
            "mountpoint": "/",
            "fstype": "ext4",
            "device": "/dev/sda1",
        }
        left = stepped(31 * GIB, 6 * GIB, SINCE - timedelta(minutes=30), name, timedelta(minutes=30)) if name == ILL else flat(38 * GIB, name)
        scene.series.append(gauge("node_filesystem_avail_bytes", labels, left, scene.moments, 0))
        scene.series.append(gauge("node_filesystem_size_bytes", labels, flat(80 * GIB), scene.moments, 0))
        condition = {**KSM, "node": name, "condition": "DiskPressure", "status": "true"}
        scene.series.append(gauge("kube_node_status_condition", condition, stepped(0, 1, SINCE) if name == ILL else flat(0), scene.moments, 0))
