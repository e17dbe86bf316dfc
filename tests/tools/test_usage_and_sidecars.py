"""Pods and nodes beyond the plain case: sidecars, debug containers, slow starts, what is used against what is allowed."""

from typing import Any

from app.domain.tool import ToolContext
from app.tools.check_nodes import requested
from app.tools.kubernetes_trim import trim
from app.tools.pod_text import readiness, restarts, trouble
from tests.tools.objects import Object, pod
from tests.tools.servers import Reply, kubernetes
from tests.tools.test_kubernetes_tools import ask, shop


def with_sidecar(ready: bool) -> Object:
    made = pod("cart-7d-a")
    made["spec"]["initContainers"] = [{"name": "migrate", "image": "m:1"}, {"name": "mesh", "image": "mesh:2", "restartPolicy": "Always"}]
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}
    done = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    made["status"]["initContainerStatuses"] = [
        {"name": "migrate", "ready": True, "restartCount": 2, "state": done},
        {"name": "mesh", "ready": ready, "restartCount": 3, "state": {"running": {}} if ready else waiting},
    ]
    made["spec"]["ephemeralContainers"] = [{"name": "debug-x", "image": "busybox:1", "targetContainerName": "server"}]
    made["status"]["ephemeralContainerStatuses"] = [{"name": "debug-x", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}]
    made["spec"]["containers"][0]["startupProbe"] = {"httpGet": {"path": "/up", "port": 8080}, "failureThreshold": 30, "periodSeconds": 5}
    return made


def pod_metrics(name: str, **usage: str) -> Object:
    meta = {"name": name, "namespace": "shop"}
    return {"metadata": meta, "timestamp": "2026-01-01T09:59:35Z", "window": "15s", "containers": [{"name": "server", "usage": usage}]}


def test_a_sidecar_counts_among_the_containers_and_an_init_container_does_not() -> None:
    fine, broken = (trim("Pod", with_sidecar(ready)) for ready in (True, False))
    assert (readiness(fine), restarts(fine), trouble(fine)) == ((2, 2), 3, "")
    assert (readiness(broken), trouble(broken)) == ((1, 2), "crash loop")


async def test_sidecars_debug_containers_and_slow_starts_are_told(context: ToolContext) -> None:
    got = await shop(context, "check_pods", {"Pod": [with_sidecar(True)], "ReplicaSet": []})
    assert got.line_with("init container mesh: sidecar") == (
        "pod shop/cart-7d-a init container mesh: sidecar, restartPolicy Always: starts in order and keeps running"
    )
    assert not got.line_with("init container migrate: sidecar")
    assert got.line_with("ephemeral container debug-x", "terminated") == "pod shop/cart-7d-a ephemeral container debug-x: terminated Error exit 1"
    assert "startupProbe httpGet :8080/up delay=0s timeout=1s period=5s success=1 failure=30 (gives up after 150 s)" in got.text


async def test_usage_is_set_against_limits_where_the_metrics_server_answers(context: ToolContext) -> None:
    metrics = [pod_metrics("cart-7d-a", cpu="50m", memory="230Mi"), pod_metrics("gone", cpu="1")]
    got = await shop(context, "check_pods", {"Pod": [pod("cart-7d-a")], "ReplicaSet": [], "PodMetrics": metrics})
    assert got.line_with("uses") == (
        "pod shop/cart-7d-a container server: uses cpu=50m (10% of limit 500m) memory=230Mi (90% of limit 256Mi) at 2026-01-01T09:59:35Z"
    )
    assert got.data["usage"]["status"] == "ok"
    assert got.data["usage"]["values"]["cart-7d-a"]["server"]["memory"] == "230Mi"
    assert "gone" not in got.data["usage"]["values"]


async def test_one_pod_in_full_tells_its_use_too(context: ToolContext) -> None:
    world = {"Pod": [pod("cart-7d-a")], "ReplicaSet": [], "Event": [], "PodMetrics": [pod_metrics("cart-7d-a", cpu="50m")]}
    got = await shop(context, "describe_pod", world, pod="cart-7d-a")
    assert got.line_with("container server: uses cpu=50m (10% of limit 500m)")
    assert got.data["usage"]["status"] == "ok"
    failing = kubernetes(world)
    broken = await ask(context, lambda a: Reply(500, b"{}") if "metrics" in a.path else failing(a), "describe_pod", namespace="shop", pod="cart-7d-a")
    assert (broken.data["usage"]["status"], "PodMetrics could not be read" in broken.note) == ("no_data", True)


async def test_a_cluster_without_metrics_server_is_no_data_and_no_gap(context: ToolContext) -> None:
    serve = kubernetes({"Pod": [pod("cart-7d-a")], "ReplicaSet": []})

    def handle(asked: Any) -> Reply:
        return Reply(404, b"404 page not found\n", {"Content-Type": "text/plain"}) if "metrics.k8s.io" in asked.path else serve(asked)

    got = await ask(context, handle, "check_pods", namespace="shop")
    assert (got.data["usage"], got.note) == ({"status": "no_data", "values": {}}, "")
    denied = await shop(context, "check_pods", {"Pod": [pod("cart-7d-a")], "ReplicaSet": []})
    assert denied.data["usage"]["status"] == "denied"
    assert "list pods.metrics.k8s.io in namespace shop" in denied.note


async def test_a_metrics_server_that_fails_leaves_a_note_and_the_pods(context: ToolContext) -> None:
    serve = kubernetes({"Pod": [pod("cart-7d-a")], "ReplicaSet": []})
    got = await ask(context, lambda a: Reply(503, b"{}") if "metrics.k8s.io" in a.path else serve(a), "check_pods", namespace="shop")
    assert "PodMetrics could not be read" in got.note
    assert len(got.data["pods"]) == 1


def node(pods: str) -> Object:
    return {"metadata": {"name": "worker-1"}, "spec": {}, "status": {"allocatable": {"cpu": "2", "memory": "1Gi", "pods": pods}, "conditions": []}}


async def test_a_node_tells_how_many_of_its_places_are_taken_and_what_is_used(context: ToolContext) -> None:
    done = pod("old", phase="Succeeded")
    metrics = {"metadata": {"name": "worker-1"}, "timestamp": "2026-01-01T09:59:00Z", "usage": {"cpu": "1500m", "memory": "512Mi"}}
    world = {"Node": [node("2")], "Lease": [], "Pod": [pod("a"), pod("b"), done], "NodeMetrics": [metrics]}
    got = await ask(context, kubernetes(world), "check_nodes")
    assert got.line_with("pods of") == "node worker-1: 2 pods of 2 (full), requests cpu 0m of 2 (0%), memory 256Mi of 1Gi (25%)"
    assert (
        got.line_with("uses") == "node worker-1: uses cpu 1.5 (75% of allocatable 2), memory 512Mi (50% of allocatable 1Gi) at 2026-01-01T09:59:00Z"
    )
    assert got.data["pods_per_node"] == {"worker-1": 2}


def test_requests_are_added_up_as_the_scheduler_does() -> None:
    def container(cpu: str, **more: str) -> Object:
        return {"resources": {"requests": {"cpu": cpu}}, **more}

    def cpu(**spec: Any) -> float:
        return round(requested([{"spec": spec, "status": {}}])["cpu"], 3)

    plain = [container("100m"), container("200m")]
    sidecar = container("50m", restartPolicy="Always")
    assert cpu(containers=plain) == 0.3
    assert cpu(containers=plain, initContainers=[container("400m")]) == 0.4
    assert cpu(containers=plain, initContainers=[sidecar]) == 0.35
    assert cpu(containers=plain, initContainers=[sidecar, container("400m")]) == 0.45
    assert cpu(containers=plain, initContainers=[container("400m"), sidecar]) == 0.4
    assert cpu(containers=plain, overhead={"cpu": "10m"}) == 0.31
    assert requested([{"spec": {"containers": plain}, "status": {"phase": "Failed"}}])["cpu"] == 0
