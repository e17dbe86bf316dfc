"""A Deployment is scaled up and the namespace's quota refuses the new pods: nothing is Pending, pods are just missing."""

from datetime import UTC, datetime, timedelta

from app.domain.frozen import iso
from app.lab.building.samples import flat, gauge, stepped
from app.lab.building.scene import Container, PodState, Revision, Scene
from app.lab.building.telling import KSM, calm, event, replica_series, request_series
from app.lab.building.workload import Object

NOW = datetime(2026, 3, 19, 17, 8, tzinfo=UTC)
SCALED = NOW - timedelta(minutes=19)
SPACE, APP, CODE, QUOTA = "tickets", "seat-finder", "59c8f7d6b4", "tickets-quota"
PODS = (("d2g5j", "node-a"), ("m8p3s", "node-b"), ("v6x9b", "node-c"))
REFUSED = f"is forbidden: exceeded quota: {QUOTA}, requested: requests.memory=512Mi, used: requests.memory=1792Mi, limited: requests.memory=2Gi"


def build() -> Scene:
    scene = Scene("full-quota", SPACE, NOW, "seat-finder was scaled from 3 to 6; the quota on memory has room for none of the new pods")
    born = NOW - timedelta(days=15)
    container = Container(APP, f"registry.example.com/tickets/{APP}:6.0.3", 8080, memory="512Mi", memory_limit="512Mi")
    deployment = scene.deployment(APP, [Revision(22, CODE, born, container, "6.0.3")], [PodState(s, n, born) for s, n in PODS])
    _short_of_pods(scene, deployment)
    hall = Container("hall-plan", "registry.example.com/tickets/hall-plan:2.4.0", 8080)
    scene.deployment("hall-plan", [Revision(3, "7d6f5c9b84", born, hall)], [PodState("f4h7k", "node-a", born)])
    for app in (APP, "hall-plan"):
        scene.service(app, 80, 8080)
    calm(scene, APP, CODE, (s for s, _ in PODS), 410, "INFO  seats found for 4 persons in 212 ms")
    calm(scene, "hall-plan", "7d6f5c9b84", ["f4h7k"], 140, "INFO  plan served")
    replica_series(scene, APP, 6, flat(3))
    scene.series.append(_quota(scene))
    request_series(scene, APP, stepped(60, 140, SCALED - timedelta(minutes=6), APP), flat(0.001))
    words = {"summary": "Deployment has not matched the expected number of replicas.", "description": f"Deployment {SPACE}/{APP} has 3 of 6."}
    scene.alert("KubeDeploymentReplicasMismatch", "warning", SCALED + timedelta(minutes=15), words, namespace=SPACE, deployment=APP, **KSM)
    scene.expected = {
        "state": "fault",
        "causes": [{"object": f"Namespace//{SPACE}", "class": "quota_exceeded_memory"}],
        "accept": [{"object": o, "class": "quota_exceeded_memory"} for o in (f"ResourceQuota/{SPACE}/{QUOTA}", f"Deployment/{SPACE}/{APP}")],
        "symptoms": [f"Deployment/{SPACE}/{APP}"],
        "key_evidence": [REFUSED],
    }
    return scene


def _short_of_pods(scene: Scene, deployment: Object) -> None:
    name = f"{APP}-{CODE}"
    first = f'pods "{name}-7bq2d" {REFUSED}'
    for item in (deployment, next(r for r in scene.objects["ReplicaSet"] if r["metadata"]["name"] == name)):
        item["spec"] |= {"replicas": 6}
        times = {"lastUpdateTime": iso(SCALED), "lastTransitionTime": iso(SCALED)} if item is deployment else {"lastTransitionTime": iso(SCALED)}
        failed = {"type": "ReplicaFailure", "status": "True", **times, "reason": "FailedCreate", "message": first}
        item["status"].setdefault("conditions", []).append(failed)
    deployment["status"] |= {"unavailableReplicas": 3}
    up = f"Scaled up replica set {name} from 3 to 6"
    event(scene, f"Deployment/{APP}", "ScalingReplicaSet", up, SCALED, component="deployment-controller")
    for number, suffix in enumerate(("7bq2d", "kw9zn", "p4t6r", "x2c8v")):
        told = {"type": "Warning", "component": "replicaset-controller"}
        text = f'Error creating: pods "{name}-{suffix}" {REFUSED}'
        event(scene, f"ReplicaSet/{name}", "FailedCreate", text, SCALED + timedelta(seconds=number), **told)
    text = f'(combined from similar events): Error creating: pods "{name}-zz5lm" {REFUSED}'
    more: Object = {"type": "Warning", "component": "replicaset-controller", "count": 12, "first": SCALED + timedelta(seconds=4)}
    event(scene, f"ReplicaSet/{name}", "FailedCreate", text, NOW - timedelta(minutes=2), **more)


def _quota(scene: Scene) -> Object:
    hard, used = {"requests.memory": "2Gi", "requests.cpu": "4", "pods": "20"}, {"requests.memory": "1792Mi", "requests.cpu": "400m", "pods": "4"}
    scene.add("ResourceQuota", "v1", QUOTA, SPACE, {"spec": {"hard": hard}, "status": {"hard": hard, "used": used}})
    labels = {**KSM, "namespace": SPACE, "resourcequota": QUOTA, "resource": "requests.memory", "type": "used"}
    return gauge("kube_resourcequota", labels, flat(1792 * 1024.0 * 1024.0), scene.moments)
