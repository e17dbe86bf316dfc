"""Nothing is wrong any more: a node was drained for maintenance and came back; warnings are old, an alert on moved pods is
still firing because its window is an hour."""

from datetime import UTC, datetime, timedelta

from app.lab.building.samples import flat, stepped
from app.lab.building.scene import Container, PodState, Revision, Scene
from app.lab.building.telling import KSM, calm, event, not_scheduled, replica_series, request_series

NOW = datetime(2026, 3, 24, 5, 30, tzinfo=UTC)
DRAINED = NOW - timedelta(minutes=47)
SPACE, APP, CODE = "timetable", "stop-lookup", "7f9d6c8b55"
STAYED, MOVED = (("a3d6g", "node-a"), ("j9m2p", "node-b")), ("w5y8c", "node-a")


def build() -> Scene:
    scene = Scene("drained-node", SPACE, NOW, "node-c was drained at 04:43 and was back at 05:01; one pod moved; all has been well since")
    born = NOW - timedelta(days=13)
    container = Container(APP, f"registry.example.com/timetable/{APP}:3.8.0", 8080)
    pods = [PodState(s, n, born) for s, n in STAYED] + [PodState(MOVED[0], MOVED[1], DRAINED + timedelta(minutes=1))]
    scene.deployment(APP, [Revision(17, CODE, born, container, "3.8.0")], pods)
    scene.service(APP, 80, 8080)
    calm(scene, APP, CODE, [*(s for s, _ in STAYED), MOVED[0]], 205, "INFO  lookup 14 ms")
    pod = f"{APP}-{CODE}-{MOVED[0]}"
    nowhere = "0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient memory. preemption: 0/3 nodes are available."
    not_scheduled(scene, pod, nowhere, DRAINED + timedelta(seconds=2))
    told = {"type": "Warning", "host": MOVED[1], "field": APP}
    refused = "Readiness probe failed: HTTP probe failed with statuscode: 503"
    event(scene, f"Pod/{pod}", "Unhealthy", refused, DRAINED + timedelta(minutes=1, seconds=9), count=2, **told)
    for minutes, reason in ((0, "NodeNotSchedulable"), (18, "NodeSchedulable")):
        event(scene, "Node/node-c", reason, f"Node node-c status is now: {reason}", DRAINED + timedelta(minutes=minutes), host="node-c")
    replica_series(scene, APP, 3, lambda at: 2 if DRAINED <= at < DRAINED + timedelta(minutes=2) else 3)
    request_series(scene, APP, stepped(52, 52, DRAINED, APP), flat(0.0003))
    words = {"summary": "Pods of a deployment were replaced.", "description": f"A pod of {SPACE}/{APP} was replaced within the last hour."}
    scene.alert("DeploymentPodsReplaced", "info", DRAINED + timedelta(minutes=5), words, namespace=SPACE, deployment=APP, **KSM)
    scene.expected = {"state": "healthy", "causes": [], "accept": [], "symptoms": [], "key_evidence": []}
    return scene
