"""A small storm: one node stops reporting, and alerts of three workloads and of the node itself arrive in one webhook."""

from datetime import UTC, datetime, timedelta

from app.domain.frozen import iso
from app.lab.building.samples import flat, gauge, stepped
from app.lab.building.scene import Container, Node, PodState, Revision, Scene
from app.lab.building.telling import KSM, MIB, event, lines, pod_series, replica_series, request_series, state_series

NOW = datetime(2026, 3, 11, 9, 20, tzinfo=UTC)
DOWN = NOW - timedelta(minutes=4, seconds=30)
SPACE = "fulfilment"
ILL = Node("node-d", "10.30.0.14", "eu-1a")
WORKLOADS = {"pick-list": "6f9c8d7b54", "label-printer": "7b8d9f6c45", "stock-sync": "58c7d9b6f4"}


def build() -> Scene:
    scene = Scene("node-storm", SPACE, NOW, "node-d stopped reporting at 09:15:30; every workload with a pod on it alerts")
    _ill_node(scene)
    born = NOW - timedelta(days=16)
    for app, code in WORKLOADS.items():
        container = Container(app, f"registry.example.com/fulfilment/{app}:3.{len(app)}.1", 8080)
        lost = PodState("d4f7h", ILL.name, born, ready=False, state={"running": {"startedAt": iso(born)}}, unready_since=DOWN)
        scene.deployment(app, [Revision(4, code, born, container)], [PodState("a2b5c", "node-a", born), lost])
        scene.service(app, 80, 8080)
        _told_by(scene, app, code)
    _alerts(scene)
    scene.expected = {
        "state": "fault",
        "causes": [{"object": f"Node//{ILL.name}", "class": "node_not_ready"}],
        "accept": [{"object": f"Node//{ILL.name}", "class": c} for c in ("kubelet_unavailable", "node_hardware_fault")],
        "symptoms": [f"Deployment/{SPACE}/{app}" for app in WORKLOADS],
        "key_evidence": ["NodeStatusUnknown", "Kubelet stopped posting node status."],
    }
    return scene


def _ill_node(scene: Scene) -> None:
    node = scene.node(ILL)
    for condition in node["status"]["conditions"]:
        condition |= {"status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
        condition |= {"lastHeartbeatTime": iso(DOWN - timedelta(seconds=50)), "lastTransitionTime": iso(DOWN)}
    taint = {"key": "node.kubernetes.io/unreachable", "timeAdded": iso(DOWN)}
    node["spec"]["taints"] = [taint | {"effect": "NoSchedule"}, taint | {"effect": "NoExecute", "timeAdded": iso(DOWN + timedelta(seconds=5))}]
    lease = next(item for item in scene.objects["Lease"] if item["metadata"]["name"] == ILL.name)
    lease["spec"]["renewTime"] = iso(DOWN - timedelta(seconds=41))
    event(scene, f"Node/{ILL.name}", "NodeNotReady", f"Node {ILL.name} status is now: NodeNotReady", DOWN, component="node-controller")
    for name, address in (*((n.name, n.address) for n in scene.nodes.values()),):
        alive = stepped(1, 0, DOWN) if name == ILL.name else flat(1)
        ready = {**KSM, "node": name, "condition": "Ready", "status": "true"}
        scene.series.append(gauge("kube_node_status_condition", ready, alive, scene.moments, 0))
        scene.series.append(gauge("up", {"job": "node-exporter", "instance": f"{address}:9100", "node": name}, alive, scene.moments, 0))
        until = [at for at in scene.moments if name != ILL.name or at < DOWN]
        scene.series.append(gauge("node_load1", {"job": "node-exporter", "instance": f"{address}:9100", "node": name}, flat(1.1, name), until))


def _told_by(scene: Scene, app: str, code: str) -> None:
    lost, fine = f"{app}-{code}-d4f7h", f"{app}-{code}-a2b5c"
    event(scene, f"Pod/{lost}", "NodeNotReady", "Node is not ready", DOWN, type="Warning", component="node-controller")
    scene.log(fine, app, lines(NOW - timedelta(minutes=6), timedelta(seconds=40), [f"INFO  {app}: batch {n} done" for n in range(410, 418)]))
    for name, ready in ((lost, stepped(1, 0, DOWN)), (fine, flat(1))):
        pod_series(scene, name, app, flat(180 * MIB, name), limit=512 * MIB)
        state_series(scene, name, app, flat(0), ready)
    replica_series(scene, app, 2, stepped(2, 1, DOWN))
    request_series(scene, app, flat(60, app), stepped(0.0003, 0.012, DOWN, over=timedelta(minutes=2)))


def _alerts(scene: Scene) -> None:
    since = DOWN + timedelta(minutes=2)
    ksm = {**KSM, "container": "kube-state-metrics", "endpoint": "http", "service": "kube-state-metrics", "pod": "kube-state-metrics-5c8d9f7b6-w2x4z"}
    scene.group_by = ("cluster",)
    words = {"summary": "Node is not ready.", "description": f"{ILL.name} has been unready for more than 2 minutes."}
    scene.alert("KubeNodeNotReady", "critical", since, words, node=ILL.name, condition="Ready", status="true", **(ksm | {"namespace": "monitoring"}))
    for app, code in WORKLOADS.items():
        words = {"summary": "Pod has been in a non-ready state.", "description": f"Pod {SPACE}/{app}-{code}-d4f7h has been non-ready for 2 minutes."}
        scene.alert("KubePodNotReady", "warning", since, words, namespace=SPACE, pod=f"{app}-{code}-d4f7h", job="kube-state-metrics")
        words = {"summary": "Deployment has not matched the expected number of replicas.", "description": f"Deployment {SPACE}/{app} has 1 of 2."}
        scene.alert("KubeDeploymentReplicasMismatch", "warning", since, words, **(ksm | {"namespace": SPACE, "deployment": app}))
    words = {"summary": "One or more targets are unreachable.", "description": "25% of the node-exporter targets are down."}
    scene.alert("TargetDown", "warning", since, words, namespace="monitoring", job="node-exporter", service="node-exporter")
