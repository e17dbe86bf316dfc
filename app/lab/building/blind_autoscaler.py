"""The metrics API is gone: the autoscaler cannot read cpu and leaves two replicas under a load that needs more."""

from datetime import UTC, datetime, timedelta
from typing import Any

from app.domain.frozen import iso
from app.lab.building.samples import flat, gauge, stepped
from app.lab.building.scene import Container, PodState, Revision, Scene
from app.lab.building.telling import KSM, MIB, event, lines, pod_series, replica_series, request_series, state_series

NOW = datetime(2026, 3, 23, 12, 20, tzinfo=UTC)
SINCE = NOW - timedelta(minutes=33)
SPACE, APP, CODE = "media", "thumbnailer", "6f8b5d9c77"
PODS = (("h5k8n", "node-a"), ("s3v6y", "node-b"))
UNREAD = (
    "failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API:"
    " the server could not find the requested resource (get pods.metrics.k8s.io)"
)


def build() -> Scene:
    scene = Scene("blind-autoscaler", SPACE, NOW, "metrics-server was removed; the autoscaler of thumbnailer reads nothing and does not scale")
    born = NOW - timedelta(days=20)
    container = Container(APP, f"registry.example.com/media/{APP}:7.1.0", 8080, cpu="500m")
    scene.deployment(APP, [Revision(12, CODE, born, container)], [PodState(s, n, born) for s, n in PODS])
    scene.service(APP, 80, 8080)
    _autoscaler(scene)
    for suffix, _ in PODS:
        name = f"{APP}-{CODE}-{suffix}"
        pod_series(scene, name, APP, flat(300 * MIB, name), stepped(0.22, 0.61, SINCE, name, timedelta(minutes=10)), 512 * MIB)
        state_series(scene, name, APP, flat(0), flat(1))
        scene.log(name, APP, lines(NOW - timedelta(minutes=8), timedelta(minutes=1), ["INFO  resized 240 pictures, queue 0"] * 8))
    replica_series(scene, APP, 2, flat(2))
    request_series(scene, APP, stepped(30, 85, SINCE, APP, timedelta(minutes=10)), flat(0.0008))
    active = {**KSM, "namespace": SPACE, "horizontalpodautoscaler": APP, "condition": "ScalingActive", "status": "false"}
    scene.series.append(gauge("kube_horizontalpodautoscaler_status_condition", active, stepped(0, 1, SINCE), scene.moments, 0))
    words = {"summary": "HPA cannot scale.", "description": f"HPA {SPACE}/{APP} has had ScalingActive=False for more than 15 minutes."}
    since = SINCE + timedelta(minutes=15)
    scene.alert("KubeHpaScalingInactive", "warning", since, words, namespace=SPACE, horizontalpodautoscaler=APP, **KSM)
    scene.expected = {
        "state": "fault",
        "causes": [{"object": f"HorizontalPodAutoscaler/{SPACE}/{APP}", "class": "autoscaler_cannot_read_metrics"}],
        "accept": [{"object": f"Deployment/{SPACE}/{APP}", "class": "autoscaler_cannot_read_metrics"}],
        "symptoms": [f"Deployment/{SPACE}/{APP}"],
        "key_evidence": [UNREAD],
    }
    return scene


def _autoscaler(scene: Scene) -> None:
    target = {"type": "Utilization", "averageUtilization": 60}
    spec: dict[str, Any] = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": APP},
        "minReplicas": 2,
        "maxReplicas": 10,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }
    texts = (
        ("AbleToScale", "True", "SucceededGetScale", "the HPA controller was able to get the target's current scale"),
        ("ScalingActive", "False", "FailedGetResourceMetric", f"the HPA was unable to compute the replica count: {UNREAD}"),
    )
    conditions = [{"type": t, "status": s, "lastTransitionTime": iso(SINCE), "reason": r, "message": m} for t, s, r, m in texts]
    status = {"currentReplicas": 2, "desiredReplicas": 0, "currentMetrics": None, "conditions": conditions}
    scene.add("HorizontalPodAutoscaler", "autoscaling/v2", APP, SPACE, {"spec": spec, "status": status})
    told = {"type": "Warning", "component": "horizontal-pod-autoscaler", "count": 131, "first": SINCE}
    event(scene, f"HorizontalPodAutoscaler/{APP}", "FailedGetResourceMetric", UNREAD, NOW - timedelta(seconds=9), **told)
    text = f"invalid metrics (1 invalid out of 1), first error is: {UNREAD}"
    event(scene, f"HorizontalPodAutoscaler/{APP}", "FailedComputeMetricsReplicas", text, NOW - timedelta(seconds=9), **told)
