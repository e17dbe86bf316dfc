"""The latency case (LOOP-25): a deploy at 01:32 switches a cache off, P99 rises to 847 ms three minutes later."""

from datetime import UTC, datetime, timedelta

from app.lab.building.samples import flat, gauge, stepped
from app.lab.building.scene import Container, PodState, Revision, Scene
from app.lab.building.telling import MIB, event, former_pod_series, latency_series, lines, pod_series, replica_series, request_series, state_series

NOW = datetime(2026, 3, 12, 1, 41, tzinfo=UTC)
DEPLOY, SPIKE = NOW.replace(minute=32), NOW.replace(minute=35)
APP, SPACE, CODE = "quote-api", "pricing", "5f8d7c6b94"
OLD = Container(APP, f"registry.example.com/pricing/{APP}:v5.8.3", 8080, {"RATE_CACHE": "redis", "RATE_STORE": "rates-db.pricing:5432"})
NEW = OLD.tagged("v5.9.0", RATE_CACHE="off")
PODS = (("c6w2n", "node-a"), ("g8r5j", "node-b"), ("s3t9k", "node-c"), ("z7d4m", "node-a"))
# cumulative shares per bucket: P99 is 0.24 s before, 0.847 s after
BEFORE = (0.92, 0.9946, 0.9991, 0.9997, 0.9999, 1.0, 1.0)
AFTER = (0.31, 0.66, 0.93, 0.985, 0.997887, 0.9999, 1.0)
STARTED = "2026-03-12T01:33:02Z INFO  QuoteApi - starting v5.9.0, RATE_CACHE=off"
SLOW = "WARN  QuoteController - GET /quotes took {} ms: 790 ms in rate lookup (cache off, 14 queries)"


def build() -> Scene:
    scene = Scene("slow-release", SPACE, NOW, "Deploy v5.9.0 at 01:32 switched the rate cache off; P99 rose to 847 ms from 01:35 on")
    scene.deployment(
        APP,
        [
            Revision(18, "84c9b6f7d5", NOW - timedelta(days=9), OLD, "v5.8.3: dependency updates"),
            Revision(19, CODE, DEPLOY, NEW, "v5.9.0: fresh rates without cache"),
        ],
        [PodState(suffix, node, DEPLOY + timedelta(seconds=30 + 20 * n)) for n, (suffix, node) in enumerate(PODS)],
    )
    store = Container("rates-db", "registry.example.com/pricing/rates-db:16.4", 5432, memory="1Gi", memory_limit="2Gi")
    scene.deployment("rates-db", [Revision(2, "6d9f8b7c5", NOW - timedelta(days=80), store)], [PodState("v5x8q", "node-c", NOW - timedelta(days=33))])
    scene.service(APP, 80, 8080)
    scene.service("rates-db", 5432, 5432)
    scene.edges = [{"caller": APP, "callee": "rates-db"}]
    _evidence(scene)
    words = {"summary": "P99 latency of quote-api is above 500ms", "description": "P99 of quote-api has been above 500ms for 1 minute; it is 847ms."}
    scene.alert("HighLatencyP99", "critical", SPIKE + timedelta(minutes=1), words, namespace=SPACE, service=APP, threshold="500ms")
    scene.expected = {
        "state": "fault",
        "causes": [{"object": f"Deployment/{SPACE}/{APP}", "class": "rollout_regression"}],
        "accept": [{"object": f"Deployment/{SPACE}/{APP}", "class": c} for c in ("feature_flag_or_config_change", "slow_database_query")],
        "symptoms": [f"Service/{SPACE}/{APP}"],
        "key_evidence": ["v5.9.0: fresh rates without cache", SLOW.format(852)],
    }
    return scene


def _evidence(scene: Scene) -> None:
    up = f"Scaled up replica set {APP}-{CODE} from 0 to 1"
    event(scene, f"Deployment/{APP}", "ScalingReplicaSet", up, DEPLOY + timedelta(seconds=1), component="deployment-controller")
    for suffix, _ in PODS:
        name = f"{APP}-{CODE}-{suffix}"
        texts = [f"INFO  QuoteController - GET /quotes {31 + n % 7} ms" for n in range(6)]
        texts += [SLOW.format(804 + n * 12) for n in range(1, 6)] + ["INFO  QuoteController - GET /quotes 94 ms"]
        scene.log(
            name,
            APP,
            [STARTED, *lines(SPIKE - timedelta(minutes=1), timedelta(seconds=35), texts)],
        )
        pod_series(scene, name, APP, flat(260 * MIB, name), stepped(0.06, 0.21, SPIKE, name), 512 * MIB)
        state_series(scene, name, APP, flat(0), stepped(0, 1, DEPLOY + timedelta(minutes=1)))
    for suffix in ("b3f6h", "d9k2m", "p5s8w", "x2z4c"):
        former_pod_series(scene, f"{APP}-84c9b6f7d5-{suffix}", APP, flat(255 * MIB, suffix), DEPLOY + timedelta(minutes=1))
    store = "rates-db-6d9f8b7c5-v5x8q"
    scene.log(store, "rates-db", lines(NOW - timedelta(minutes=6), timedelta(minutes=1), ["LOG:  checkpoint complete: wrote 212 buffers (1.3%)"] * 6))
    pod_series(scene, store, "rates-db", flat(900 * MIB, store), stepped(0.3, 0.42, SPIKE, store), 2048 * MIB)
    state_series(scene, store, "rates-db", flat(0), flat(1))
    replica_series(scene, APP, 4, flat(4))
    replica_series(scene, "rates-db", 1, flat(1))
    request_series(scene, APP, flat(150, APP), flat(0.0005))
    latency_series(scene, APP, flat(150, APP), BEFORE, AFTER, SPIKE)
    store_labels = {"namespace": SPACE, "service": "rates-db", "job": "rates-db"}
    scene.series.append(gauge("rates_db_queries_per_second", store_labels, stepped(90, 2050, SPIKE, "queries"), scene.moments))
