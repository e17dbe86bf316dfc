"""The story of the requirements (TOOL-13): a release adds a batch job that loads everything into memory, two of five pods
are killed for it again and again, and one request in twenty fails."""

from datetime import UTC, datetime, timedelta

from app.lab.building.samples import Curve, flat, stepped
from app.lab.building.scene import Container, PodState, Revision, Scene
from app.lab.building.telling import MIB, event, former_pod_series, lines, pod_series, replica_series, request_series, state_series
from app.lab.building.workload import terminated, waiting

NOW = datetime(2026, 3, 10, 14, 46, tzinfo=UTC)
DEPLOY = NOW.replace(minute=0)
APP, SPACE = "payment-gateway", "payments"
OLD = Container(APP, f"registry.example.com/payments/{APP}:v2.3.0", 8080, {"HTTP_WORKERS": "16", "LEDGER_URL": "http://ledger.payments"})
NEW = OLD.tagged("v2.3.1", BATCH_RECONCILIATION="enabled")
CRASHING = {"k7x2m": (47, 24), "q9z4t": (32, 41)}
LOADING = "INFO  BatchReconciliation - loading all open transactions of partition {} into memory"


def build() -> Scene:
    scene = Scene("payment-gateway", SPACE, NOW, "Deploy v2.3.1 at 14:00 added BatchReconciliation; two of five pods are OOMKilled in a loop")
    scene.deployment(
        APP,
        [
            Revision(6, "6b8f7d5c94", DEPLOY - timedelta(days=12), OLD, "v2.3.0: Support for 3DS2 fallback"),
            Revision(7, "7c9d8f6b5d", DEPLOY, NEW, "v2.3.1: Added BatchReconciliation"),
        ],
        [_crashing("k7x2m", "node-a"), _crashing("q9z4t", "node-b")]
        + [_fine(s, n) for s, n in (("m4n8p", "node-c"), ("t2v6w", "node-a"), ("x8c3r", "node-b"))],
    )
    _neighbours(scene)
    for app in (APP, "auth-service", "fraud-detection"):
        scene.service(app, 80, 8080)
    _events(scene)
    _logs(scene)
    _metrics(scene)
    _alerts(scene)
    scene.edges = [{"caller": APP, "callee": "auth-service"}, {"caller": APP, "callee": "fraud-detection"}]
    scene.expected = {
        "state": "fault",
        "causes": [{"object": f"Deployment/{SPACE}/{APP}", "class": "oom_killed"}],
        "accept": [{"object": f"Deployment/{SPACE}/{APP}", "class": c} for c in ("rollout_regression", "memory_leak")],
        "symptoms": [f"Service/{SPACE}/{APP}"],
        "key_evidence": ["OOMKilled", "v2.3.1: Added BatchReconciliation", LOADING.format(3)],
    }
    return scene


def _name(suffix: str) -> str:
    return f"{APP}-7c9d8f6b5d-{suffix}"


def _crashing(suffix: str, node: str) -> PodState:
    restarts, ran = CRASHING[suffix]
    ended = NOW - timedelta(seconds=12)
    held = waiting("CrashLoopBackOff", f"back-off 30s restarting failed container={APP} pod={_name(suffix)}_{SPACE}")
    last = terminated(137, "OOMKilled", ended - timedelta(seconds=ran), ended)
    return PodState(suffix, node, DEPLOY + timedelta(seconds=20), False, restarts, held, last, DEPLOY + timedelta(minutes=3))


def _fine(suffix: str, node: str) -> PodState:
    return PodState(suffix, node, DEPLOY + timedelta(seconds=45))


def _neighbours(scene: Scene) -> None:
    born = NOW - timedelta(days=21)
    for app, code, tag in (("auth-service", "5d7c9b8f64", "v4.1.2"), ("fraud-detection", "84f6b7c5d9", "v1.19.0")):
        container = Container(app, f"registry.example.com/payments/{app}:{tag}", 8080)
        pods = [PodState(s, n, born) for s, n in (("b5k9d", "node-b"), ("h7j2s", "node-c"))]
        scene.deployment(app, [Revision(3, code, born, container, tag)], pods)
        replica_series(scene, app, 2, flat(2))
        request_series(scene, app, flat(120, app), flat(0.0002))
        for pod in pods:
            name = f"{app}-{code}-{pod.suffix}"
            pod_series(scene, name, app, flat(210 * MIB, name), limit=512 * MIB)
            state_series(scene, name, app, flat(0), flat(1))
            scene.log(
                name,
                app,
                lines(NOW - timedelta(minutes=5), timedelta(seconds=30), [f"INFO  health ok, {n} requests in 30s" for n in range(3590, 3600)]),
            )


def _events(scene: Scene) -> None:
    start = DEPLOY + timedelta(seconds=1)
    event(
        scene,
        f"Deployment/{APP}",
        "ScalingReplicaSet",
        f"Scaled up replica set {APP}-7c9d8f6b5d from 0 to 2",
        start,
        component="deployment-controller",
    )
    event(
        scene,
        f"Deployment/{APP}",
        "ScalingReplicaSet",
        f"Scaled down replica set {APP}-6b8f7d5c94 from 1 to 0",
        start + timedelta(seconds=70),
        component="deployment-controller",
    )
    for suffix, (restarts, _) in CRASHING.items():
        about, host = f"Pod/{_name(suffix)}", _node(scene, suffix)
        told = {"type": "Warning", "host": host, "field": APP, "first": DEPLOY + timedelta(minutes=4)}
        event(
            scene,
            about,
            "BackOff",
            f"Back-off restarting failed container {APP} in pod {_name(suffix)}_{SPACE}",
            NOW - timedelta(seconds=8),
            count=restarts * 2,
            **told,
        )
        event(
            scene,
            about,
            "Unhealthy",
            'Readiness probe failed: Get "http://10.42.7.10:8080/ready": dial tcp 10.42.7.10:8080: connect: connection refused',
            NOW - timedelta(seconds=40),
            count=restarts,
            **told,
        )
        image = f'Container image "{NEW.image}" already present on machine'
        event(scene, about, "Pulled", image, NOW - timedelta(seconds=55), count=restarts, host=host, field=APP, first=DEPLOY + timedelta(seconds=20))


def _node(scene: Scene, suffix: str) -> str:
    return next(str(p["spec"]["nodeName"]) for p in scene.objects["Pod"] if p["metadata"]["name"] == _name(suffix))


def _logs(scene: Scene) -> None:
    for number, (suffix, (_, ran)) in enumerate(CRASHING.items(), 3):
        texts = [
            "INFO  PaymentGateway - starting v2.3.1, memory limit 512Mi",
            "INFO  HttpServer - listening on 8080 with 16 workers",
            f"INFO  BatchReconciliation - partition {number} assigned, 184200 open transactions",
            LOADING.format(number),
            "WARN  BatchReconciliation - 60000 of 184200 transactions loaded, heap 298 MiB",
            "WARN  BatchReconciliation - 120000 of 184200 transactions loaded, heap 471 MiB",
        ]
        started = NOW - timedelta(seconds=12 + ran)
        scene.log(_name(suffix), APP, lines(started, timedelta(seconds=ran / 6), texts), previous=True)
    for suffix in ("m4n8p", "t2v6w", "x8c3r"):
        texts = [f"INFO  PaymentController - POST /v1/charges 201 {80 + n * 7 % 31} ms" for n in range(16)]
        texts[11] = "ERROR PaymentController - POST /v1/charges 500: peer payment-gateway closed the connection during hand-over of idempotency key"
        scene.log(_name(suffix), APP, lines(NOW - timedelta(minutes=4), timedelta(seconds=15), texts))


def _metrics(scene: Scene) -> None:
    for suffix, (restarts, ran) in CRASHING.items():
        count = stepped(0, restarts, DEPLOY + timedelta(minutes=2), over=NOW - DEPLOY - timedelta(minutes=2))
        pod_series(scene, _name(suffix), APP, _saw(ran), limit=512 * MIB)
        state_series(scene, _name(suffix), APP, count, stepped(1, 0, DEPLOY + timedelta(minutes=3)))
    for suffix in ("m4n8p", "t2v6w", "x8c3r"):
        pod_series(scene, _name(suffix), APP, flat(247 * MIB, suffix), limit=512 * MIB)
        state_series(scene, _name(suffix), APP, flat(0), stepped(0, 1, DEPLOY + timedelta(minutes=1)))
    for suffix in ("c2j8h", "f5l3d", "n9s6b", "r4w7k", "v8y2q"):
        former_pod_series(scene, f"{APP}-6b8f7d5c94-{suffix}", APP, flat(242 * MIB, suffix), DEPLOY + timedelta(minutes=1))
    replica_series(scene, APP, 5, stepped(5, 3, DEPLOY + timedelta(minutes=3)))
    request_series(scene, APP, flat(200, APP), stepped(0.001, 0.047, DEPLOY + timedelta(minutes=3)))


def _saw(period: float) -> Curve:
    """Memory of a container that starts again every `period` + 30 seconds and grows towards its limit."""

    def value(at: datetime) -> float:
        if at < DEPLOY + timedelta(minutes=2):
            return 190 * MIB
        return (180 + 325 * ((at.timestamp() * 7 % (period + 30)) / (period + 30))) * MIB

    return value


def _alerts(scene: Scene) -> None:
    told = {"namespace": SPACE, "service": APP}
    words = {
        "summary": "payment-gateway: error rate 4.7%",
        "description": "More than 1% of the requests to payment-gateway have failed for 2 minutes.",
    }
    scene.alert("ErrorRateHigh", "critical", DEPLOY + timedelta(minutes=6), words, **told)
    failed, every = (f"sum by (namespace, service) (rate(http_requests_total{sel}[2m]))" for sel in ('{code=~"5.."}', ""))
    scene.rule(f"{failed} / {every} > 0.01", 120)
    words = {
        "summary": f"Container {APP} of {_name('k7x2m')} was OOMKilled",
        "description": "A container was killed because it passed its memory limit.",
    }
    scene.alert("OOMKilled", "warning", DEPLOY + timedelta(minutes=5), words, **told, pod=_name("k7x2m"), container=APP)
    scene.group_by = ("namespace", "service")
