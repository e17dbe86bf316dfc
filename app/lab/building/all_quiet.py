"""Nothing is wrong: a threshold that is too low, and old warnings of a start that went well."""

from datetime import UTC, datetime, timedelta

from app.lab.building.samples import flat
from app.lab.building.scene import Container, PodState, Revision, Scene
from app.lab.building.telling import MIB, event, lines, pod_series, replica_series, request_series, state_series

NOW = datetime(2026, 3, 14, 8, 0, tzinfo=UTC)
APP, SPACE, CODE = "profile-api", "accounts", "5b7d9c8f6d"
LIMITS = f'kube_pod_container_resource_limits{{container="{APP}",resource="memory"}}'
PODS = (("e3g6k", "node-a"), ("l9p2s", "node-b"), ("y4b7n", "node-c"))


def build() -> Scene:
    scene = Scene("all-quiet", SPACE, NOW, "A healthy service; its alert fires at 40% of the memory limit")
    born = NOW - timedelta(days=3)
    container = Container(APP, f"registry.example.com/accounts/{APP}:12.0.4", 8080)
    scene.deployment(APP, [Revision(31, CODE, born, container, "12.0.4")], [PodState(s, n, born) for s, n in PODS])
    scene.service(APP, 80, 8080)
    for suffix, node in PODS:
        name = f"{APP}-{CODE}-{suffix}"
        pod_series(scene, name, APP, flat(215 * MIB, name, 0.01), limit=512 * MIB)
        state_series(scene, name, APP, flat(0), flat(1))
        scene.log(
            name, APP, lines(NOW - timedelta(minutes=10), timedelta(minutes=1), [f"INFO  GET /profiles 200 {20 + n % 5} ms" for n in range(10)])
        )
        told = {"type": "Warning", "host": node, "field": APP}
        event(
            scene,
            f"Pod/{name}",
            "Unhealthy",
            "Readiness probe failed: HTTP probe failed with statuscode: 503",
            NOW - timedelta(minutes=52),
            count=1,
            **told,
        )
    replica_series(scene, APP, 3, flat(3))
    request_series(scene, APP, flat(70, APP), flat(0.0002))
    words = {"summary": "Memory of profile-api is above 40% of its limit.", "description": "The working set is 215 MiB of 512 MiB."}
    scene.alert("HighMemoryUsage", "warning", NOW - timedelta(minutes=5), words, namespace=SPACE, service=APP, deployment=APP)
    used, limit = (f"sum by (namespace) ({m})" for m in (f'container_memory_working_set_bytes{{container="{APP}"}}', LIMITS))
    scene.rule(f"{used} / {limit} > 0.4", 120)
    scene.expected = {"state": "healthy", "causes": [], "accept": [], "symptoms": [], "key_evidence": []}
    return scene
