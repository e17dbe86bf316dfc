"""Somebody gave a Service a selector that no pod has: healthy pods, no endpoints, and a caller that fails."""

from datetime import UTC, datetime, timedelta

from app.lab.building.samples import flat, stepped
from app.lab.building.scene import Container, PodState, Revision, Scene
from app.lab.building.telling import MIB, lines, pod_series, replica_series, request_series, state_series

NOW = datetime(2026, 3, 13, 16, 30, tzinfo=UTC)
SINCE = NOW - timedelta(minutes=9)
SPACE, APP, CALLER = "catalogue", "product-search", "shop-window"
REFUSED = "ERROR SearchClient - GET http://product-search.catalogue/search: dial tcp 10.96.7.10:80: connect: connection refused"


def build() -> Scene:
    scene = Scene("lost-endpoints", SPACE, NOW, "The Service product-search selects track=stable, a label that no pod has")
    born = NOW - timedelta(days=12)
    search = Container(APP, f"registry.example.com/catalogue/{APP}:8.2.0", 8080)
    window = Container(CALLER, f"registry.example.com/catalogue/{CALLER}:1.44.0", 8080, {"SEARCH_URL": f"http://{APP}.{SPACE}"})
    for app, container, code in ((APP, search, "64d8c9f7b5"), (CALLER, window, "7f5c6d8b9d")):
        pods = [PodState(s, n, born) for s, n in (("j4m6r", "node-a"), ("w8t3z", "node-b"))]
        scene.deployment(app, [Revision(5, code, born, container)], pods)
        replica_series(scene, app, 2, flat(2))
        for pod in pods:
            name = f"{app}-{code}-{pod.suffix}"
            pod_series(scene, name, app, flat(200 * MIB, name), limit=512 * MIB)
            state_series(scene, name, app, flat(0), flat(1))
            calm = [f"INFO  {app}: ready, {n} connections" for n in range(8)]
            scene.log(name, app, lines(NOW - timedelta(minutes=8), timedelta(minutes=1), calm if app == APP else [REFUSED] * 8))
    scene.service(APP, 80, 8080, {"app": APP, "track": "stable"})
    scene.service(CALLER, 80, 8080)
    scene.edges = [{"caller": CALLER, "callee": APP}]
    request_series(scene, CALLER, flat(90, CALLER), stepped(0.0002, 0.63, SINCE))
    request_series(scene, APP, stepped(80, 0, SINCE, APP), flat(0))
    words = {"summary": "Service has no endpoints.", "description": f"Service {SPACE}/{APP} has had no ready endpoint for 5 minutes."}
    scene.alert("ServiceHasNoEndpoints", "critical", SINCE + timedelta(minutes=5), words, namespace=SPACE, service=APP)
    scene.expected = {
        "state": "fault",
        "causes": [{"object": f"Deployment/{SPACE}/{APP}", "class": "service_selector_mismatch"}],
        "accept": [{"object": f"Service/{SPACE}/{APP}", "class": "service_selector_mismatch"}],
        "symptoms": [f"Deployment/{SPACE}/{CALLER}"],
        "key_evidence": ["track"],
    }
    return scene
