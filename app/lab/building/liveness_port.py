"""A change of the manifest lets the liveness probe ask a port that nothing listens on; a healthy process is restarted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.lab.building.samples import flat, stepped
from app.lab.building.scene import Container, PodState, Revision, Scene
from app.lab.building.telling import KSM, MIB, event, lines, pod_series, replica_series, request_series, state_series
from app.lab.building.workload import terminated, waiting

NOW = datetime(2026, 3, 16, 10, 42, tzinfo=UTC)
CHANGE = NOW - timedelta(minutes=26)
SPACE, APP, CODE = "letters", "letter-renderer", "6d5c9f7b88"
OLD = Container(APP, f"registry.example.com/letters/{APP}:4.7.2", 8080)
NEW = replace(OLD, live_port=8081)
PODS = (("b7k4q", "node-a", 9), ("h2v9t", "node-b", 8))


def build() -> Scene:
    scene = Scene("liveness-port", SPACE, NOW, "The liveness probe was moved to port 8081; the process listens on 8080 only")
    ended = terminated(143, "Error", NOW - timedelta(minutes=3), NOW - timedelta(minutes=2, seconds=20))
    held = waiting("CrashLoopBackOff", f"back-off 2m40s restarting failed container={APP}")
    first = PodState("b7k4q", "node-a", CHANGE, False, 9, held, ended, NOW - timedelta(minutes=2, seconds=20))
    since = {"running": {"startedAt": (NOW - timedelta(seconds=31)).strftime("%Y-%m-%dT%H:%M:%SZ")}}
    second = PodState("h2v9t", "node-b", CHANGE, True, 8, since, ended)
    scene.deployment(APP, [Revision(14, "7c8b6d5f94", NOW - timedelta(days=8), OLD), Revision(15, CODE, CHANGE, NEW)], [first, second])
    scene.service(APP, 80, 8080)
    for suffix, host, restarts in PODS:
        _pod(scene, f"{APP}-{CODE}-{suffix}", host, restarts)
    replica_series(scene, APP, 2, stepped(2, 1, CHANGE + timedelta(minutes=4)))
    request_series(scene, APP, flat(24, APP), stepped(0.0002, 0.08, CHANGE + timedelta(minutes=2)))
    pod = f"{APP}-{CODE}-b7k4q"
    words = {"summary": "Pod is crash looping.", "description": f"Pod {SPACE}/{pod} ({APP}) is in waiting state (reason: CrashLoopBackOff)."}
    scene.alert("KubePodCrashLooping", "warning", NOW - timedelta(minutes=9), words, namespace=SPACE, pod=pod, container=APP, **KSM)
    scene.expected = {
        "state": "fault",
        "causes": [{"object": f"Deployment/{SPACE}/{APP}", "class": "liveness_probe_wrong_port"}],
        "accept": [],
        "symptoms": [f"Pod/{SPACE}/{APP}-{CODE}-*"],
        "key_evidence": ["failed liveness probe, will be restarted", ":8081: connect: connection refused"],
    }
    return scene


def _pod(scene: Scene, name: str, host: str, restarts: int) -> None:
    address = next(p["status"]["podIP"] for p in scene.objects["Pod"] if p["metadata"]["name"] == name)
    told = {"host": host, "field": APP, "first": CHANGE + timedelta(seconds=22)}
    probe = f'Liveness probe failed: Get "http://{address}:8081/healthz": dial tcp {address}:8081: connect: connection refused'
    last = NOW - timedelta(minutes=2, seconds=20)
    event(scene, f"Pod/{name}", "Unhealthy", probe, last, type="Warning", count=3 * restarts, **told)
    event(scene, f"Pod/{name}", "Killing", f"Container {APP} failed liveness probe, will be restarted", last, count=restarts, **told)
    backing = f"Back-off restarting failed container {APP} in pod {name}_{SPACE}"
    event(scene, f"Pod/{name}", "BackOff", backing, NOW - timedelta(seconds=40), type="Warning", count=37, **told)
    run = ["INFO  listening on 0.0.0.0:8080", "INFO  fonts loaded: 41", "INFO  rendered 12 letters in 1.9 s", "INFO  SIGTERM received, draining"]
    scene.log(name, APP, lines(NOW - timedelta(minutes=3), timedelta(seconds=12), run))
    scene.log(name, APP, lines(NOW - timedelta(minutes=6), timedelta(seconds=12), run), previous=True)
    pod_series(scene, name, APP, flat(190 * MIB, name), limit=512 * MIB)
    state_series(scene, name, APP, lambda at: restarts * (at - CHANGE) / (NOW - CHANGE), stepped(1, 0, CHANGE + timedelta(minutes=4)))
