"""Memory climbs for hours without a change of anything, until the limit ends the process; then it begins again."""

from datetime import UTC, datetime, timedelta

from app.lab.building.samples import Curve, flat, wobble
from app.lab.building.scene import Container, PodState, Revision, Scene
from app.lab.building.telling import MIB, event, lines, pod_series, replica_series, request_series, state_series
from app.lab.building.workload import terminated

NOW = datetime(2026, 3, 21, 22, 5, tzinfo=UTC)
SPACE, APP, CODE = "lounge", "presence-hub", "5c9b8d7f64"
PODS = (("e4h7k", "node-a", NOW - timedelta(minutes=196)), ("p2s5v", "node-c", NOW - timedelta(minutes=171)))
LIFE, FLOOR, LIMIT = timedelta(minutes=212), 150.0, 512.0
LIMITS = 'kube_pod_container_resource_limits{resource="memory"}'
HELD = "WARN  SubscriptionTable - {} subscriptions held, 0 released"


def build() -> Scene:
    notes = "presence-hub keeps every subscription; each of its pods grows to 512 MiB in three and a half hours and is killed"
    scene = Scene("slow-leak", SPACE, NOW, notes, minutes=360)
    born = NOW - timedelta(days=9)
    container = Container(APP, f"registry.example.com/lounge/{APP}:1.31.4", 8080)
    pods = []
    for suffix, node, killed in PODS:
        last = terminated(137, "OOMKilled", killed - LIFE, killed)
        running = {"running": {"startedAt": (killed + timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%SZ")}}
        pods.append(PodState(suffix, node, born, True, 58, running, last))
    scene.deployment(APP, [Revision(9, CODE, born, container, "1.31.4")], pods)
    scene.service(APP, 80, 8080)
    for suffix, node, killed in PODS:
        _pod(scene, f"{APP}-{CODE}-{suffix}", node, killed)
    replica_series(scene, APP, 2, flat(2))
    request_series(scene, APP, flat(45, APP), flat(0.0004))
    pod = f"{APP}-{CODE}-e4h7k"
    words = {"summary": "Container memory is above 90% of its limit.", "description": f"{SPACE}/{pod} uses more than 90% of 512Mi."}
    scene.alert("ContainerMemoryNearLimit", "warning", NOW - timedelta(minutes=5), words, namespace=SPACE, pod=pod, container=APP)
    used, limit = (f"max by (namespace, pod, container) ({m})" for m in ("container_memory_working_set_bytes", LIMITS))
    scene.rule(f"{used} / {limit} > 0.9", 300)
    scene.expected = {
        "state": "fault",
        "causes": [{"object": f"Deployment/{SPACE}/{APP}", "class": "memory_leak"}],
        "accept": [{"object": f"Deployment/{SPACE}/{APP}", "class": "oom_killed"}],
        "symptoms": [f"Pod/{SPACE}/{APP}-{CODE}-*"],
        "key_evidence": [HELD.format(388_000)],
    }
    return scene


def _climb(name: str, killed: datetime) -> Curve:
    def value(at: datetime) -> float:
        age = (at - killed) % LIFE
        return (FLOOR + (LIMIT - FLOOR) * (age / LIFE)) * MIB * wobble(name, at, 0.006)

    return value


def _pod(scene: Scene, name: str, node: str, killed: datetime) -> None:
    pod_series(scene, name, APP, _climb(name, killed), limit=LIMIT * MIB)
    state_series(scene, name, APP, lambda at: 58 if at >= killed else 57, flat(1))
    grown = [HELD.format(312_000 + 4_000 * n) for n in range(20)]
    scene.log(name, APP, lines(NOW - timedelta(minutes=40), timedelta(minutes=2), grown))
    scene.log(name, APP, lines(killed - timedelta(minutes=20), timedelta(minutes=4), [HELD.format(n) for n in (398_000, 406_000, 414_000)]), True)
    told = {"host": node, "field": APP, "count": 58, "first": NOW - timedelta(days=9)}
    image = f'Container image "registry.example.com/lounge/{APP}:1.31.4" already present on machine and can be accessed by the pod'
    event(scene, f"Pod/{name}", "Pulled", image, max(killed, NOW - timedelta(minutes=58)), **told)
