"""Every node got a taint for another team; what runs stays, what is new finds no place."""

from datetime import UTC, datetime, timedelta

from app.lab.building.samples import flat
from app.lab.building.scene import Container, PodState, Revision, Scene
from app.lab.building.telling import KSM, calm, event, not_scheduled, replica_series

NOW = datetime(2026, 3, 17, 13, 15, tzinfo=UTC)
TAINTED, SCALED = NOW - timedelta(hours=3), NOW - timedelta(minutes=21)
SPACE, APP, CODE = "features", "feature-builder", "5d7f9b8c66"
RUNNING, NEW = (("a4d7g", "node-a"), ("k9m2p", "node-b")), ("r3t6w", "x8z5c")
NOWHERE = (
    "0/3 nodes are available: 3 node(s) had untolerated taint(s). no new claims to deallocate,"
    " preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
)


def build() -> Scene:
    scene = Scene("tainted-pool", SPACE, NOW, "All nodes were tainted pool=training:NoSchedule; new pods of feature-builder stay Pending")
    for node in scene.objects["Node"]:
        node["spec"]["taints"] = [{"key": "pool", "value": "training", "effect": "NoSchedule"}]
    born = NOW - timedelta(days=6)
    container = Container(APP, f"registry.example.com/features/{APP}:2.11.0", 8080)
    pods = [PodState(s, n, born) for s, n in RUNNING]
    pods += [PodState(s, "", SCALED, False, unschedulable=NOWHERE) for s in NEW]
    scene.deployment(APP, [Revision(7, CODE, born, container, "2.11.0")], pods)
    scene.service(APP, 80, 8080)
    calm(scene, APP, CODE, (s for s, _ in RUNNING), 240, "INFO  built features for 1200 rows in 840 ms")
    up = f"Scaled up replica set {APP}-{CODE} from 2 to 4"
    event(scene, f"Deployment/{APP}", "ScalingReplicaSet", up, SCALED, component="deployment-controller")
    for suffix in NEW:
        for after in (0, 5, 10, 15, 20):
            not_scheduled(scene, f"{APP}-{CODE}-{suffix}", NOWHERE, SCALED + timedelta(minutes=after, seconds=1))
    replica_series(scene, APP, 4, flat(2))
    pod = f"{APP}-{CODE}-{NEW[0]}"
    words = {"summary": "Pod has been in a non-ready state for more than 15 minutes.", "description": f"Pod {SPACE}/{pod} has been non-ready."}
    scene.alert("KubePodNotReady", "warning", SCALED + timedelta(minutes=15), words, namespace=SPACE, pod=pod, job=KSM["job"])
    scene.expected = {
        "state": "fault",
        "causes": [{"object": f"Deployment/{SPACE}/{APP}", "class": "taint_not_tolerated"}],
        "accept": [],
        "symptoms": [f"Pod/{SPACE}/{APP}-{CODE}-*"],
        "key_evidence": ["had untolerated taint"],
    }
    return scene
