"""What each Kubernetes tool says about a hand-written world, over a real HTTP server."""

from typing import Any

import pytest

from app.domain.errors import ToolFailure
from app.domain.tool import ToolContext, ToolResult, ToolStatus
from app.tools.catalogue import ToolsConfig, build_registry
from app.tools.kubernetes_client import KubernetesConfig
from tests.tools.objects import Object, deployment, event, pod, replica_set, service, world
from tests.tools.servers import Handler, Reply, kubernetes, serving, status_of

LOGS = {"shop/cart-7d-b/": "starting\nout of memory\n", "shop/cart-7d-b/#previous": "old\n"}


async def ask(context: ToolContext, handler: Handler, tool_name: str, /, **arguments: Any) -> ToolResult:
    async with serving(handler) as server:
        registry, sources = build_registry(ToolsConfig(kubernetes=KubernetesConfig(url=server.url, timeout=1.0)))
        tool = registry.get(tool_name)
        assert tool is not None
        try:
            return await tool.run(tool.arguments(**arguments), context)
        finally:
            await sources.aclose()


async def shop(context: ToolContext, tool_name: str, objects: dict[str, list[Object]] | None = None, /, **arguments: Any) -> ToolResult:
    return await ask(context, kubernetes(objects or world(), LOGS), tool_name, **({"namespace": "shop"} | arguments))


async def test_check_pods_sums_up_and_names_who_is_in_trouble(context: ToolContext) -> None:  # covers TOOL-08
    got = await shop(context, "check_pods", service="cart")
    assert got.summary == "Found 2 pods: 1 healthy, 1 high memory (cart-7d-b)"
    assert got.data["owners"]["cart-7d-b"] == ["ReplicaSet/cart-7d", "Deployment/cart"]
    assert got.line_with("cart-7d-b", "waiting") == (
        "pod shop/cart-7d-b container server: waiting CrashLoopBackOff: back-off 5m0s restarting failed container"
    )
    assert got.line_with("cart-7d-b", "last state") == (
        "pod shop/cart-7d-b container server: last state terminated OOMKilled exit 137 at 2026-01-01T09:55:00Z"
    )
    assert got.line_with("cart-7d-b", "limits") == "pod shop/cart-7d-b container server: limits cpu=500m memory=256Mi; requests memory=128Mi"
    assert "livenessProbe httpGet :8080/healthz delay=0s timeout=1s period=5s success=1 failure=3" in got.text
    assert "env KEY from secretKeyRef keys/k" in got.text
    assert "hunter2" not in got.model_dump_json()


async def test_equal_worlds_give_equal_bytes_whatever_order_the_server_answers_in(context: ToolContext) -> None:
    turned = {kind: items[::-1] for kind, items in world().items()}
    for name in ("check_pods", "check_events", "check_workloads", "check_services", "get_recent_deploys"):
        assert (await shop(context, name)).text == (await shop(context, name, turned)).text


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ({"service": "cart"}, ToolStatus.OK),
        ({"workload": "cart"}, ToolStatus.OK),
        ({"workload": "cart-7d"}, ToolStatus.OK),
        ({"node": "worker-1"}, ToolStatus.OK),
        ({"service": "idle"}, ToolStatus.NO_DATA),
        ({"service": "car"}, ToolStatus.OK),
        ({"workload": "car"}, ToolStatus.NOT_FOUND),
        ({"service": "nothing"}, ToolStatus.NOT_FOUND),
        ({"node": "worker-9"}, ToolStatus.NO_DATA),
        ({"namespace": "nowhere"}, ToolStatus.NO_DATA),
    ],
)
async def test_pods_are_narrowed_and_nothing_is_guessed(
    context: ToolContext, arguments: dict[str, str], status: ToolStatus
) -> None:  # covers TOOL-02
    got = await shop(context, "check_pods", **arguments)
    assert got.status is status
    assert bool(got.data.get("pods")) == (status is ToolStatus.OK)


async def test_a_service_is_found_by_its_selector_when_no_workload_has_its_name(context: ToolContext) -> None:
    objects = world() | {"Service": [service("basket", selector={"app": "cart"})]}
    assert len((await shop(context, "check_pods", objects, service="basket")).data["pods"]) == 2


async def test_a_pod_that_recovered_long_ago_is_healthy(context: ToolContext) -> None:
    last = {"terminated": {"reason": "OOMKilled", "exitCode": 137, "finishedAt": "2025-12-01T00:00:00Z"}}
    got = await shop(context, "check_pods", {"Pod": [pod("a", last=last)], "ReplicaSet": []})
    assert got.summary == "Found 1 pod: 1 healthy"


async def test_a_pod_of_a_silent_node_is_not_ready_although_its_containers_say_so(context: ToolContext) -> None:
    silent = pod("a", conditions=[{"type": "Ready", "status": "False"}])
    assert "0 healthy, 1 not ready (a)" in (await shop(context, "check_pods", {"Pod": [silent], "ReplicaSet": []})).summary


async def test_pods_that_may_not_be_read_are_denied_and_a_gap_is_noted(context: ToolContext) -> None:  # covers ERR-03, ERR-04
    denied = await shop(context, "check_pods", {"ReplicaSet": []})
    assert denied.status is ToolStatus.DENIED
    assert "list pods in namespace shop" in denied.note
    partial = await shop(context, "check_pods", {"Pod": world()["Pod"]})
    assert partial.status is ToolStatus.OK
    assert "list replicasets.apps in namespace shop" in partial.note


async def test_one_list_that_fails_leaves_a_note_and_a_needed_one_fails_the_tool(context: ToolContext) -> None:  # covers ERR-04
    serve = kubernetes(world())
    got = await ask(
        context, lambda a: status_of(500, "InternalError", "x") if "replicasets" in a.path else serve(a), "check_workloads", namespace="shop"
    )
    assert got.status is ToolStatus.OK
    assert "ReplicaSet could not be read" in got.note
    with pytest.raises(ToolFailure):
        await ask(context, lambda a: Reply(fault="drop") if a.path.endswith("/pods") else serve(a), "check_pods", namespace="shop")


async def test_describe_pod_answers_the_four_short_facts(context: ToolContext) -> None:  # covers TOOL-04
    got = await shop(context, "describe_pod", pod="cart-7d-b")
    assert {k: got.data[k] for k in ("status", "last_state", "memory_limit", "restarts")} == {
        "status": "high memory",
        "last_state": "OOMKilled",
        "memory_limit": "256Mi",
        "restarts": 6,
    }
    assert "Back-off restarting failed container" in got.text
    gone = await shop(context, "describe_pod", pod_name="nobody")
    assert (gone.status, gone.summary, gone.data["error"]) == (ToolStatus.NOT_FOUND, "Not found", "Not found")


async def test_logs_are_lines_and_their_absence_is_said(context: ToolContext) -> None:  # covers TOOL-09, TOOL-03
    got = await shop(context, "get_logs", pod="cart-7d-b")
    assert got.data["lines"] == ["starting", "out of memory"]
    assert got.provenance.value == "untrusted"
    assert (await shop(context, "get_logs", pod="cart-7d-b", previous=True)).text == "old"
    none = await shop(context, "get_pod_logs", pod_name="cart-7d-a")
    assert (none.status, none.data["logs"]) == (ToolStatus.NO_DATA, ["No logs"])


async def test_events_are_told_newest_last_whatever_their_shape(context: ToolContext) -> None:  # covers TOOL-11
    got = await shop(context, "check_events")
    assert got.summary == "Warning: BackOff cart-7d-b 5 minutes ago"
    assert [e["reason"] for e in got.data["events"]] == ["Scheduled", "BackOff"]
    assert got.text.splitlines()[-1] == "2026-01-01T09:55:00Z Warning BackOff Pod/shop/cart-7d-b x14: Back-off restarting failed container"
    assert (await shop(context, "check_events", kind="Pod", name="cart-7d-a")).data["events"][0]["reason"] == "Scheduled"
    assert (await shop(context, "check_events", {"Event": []})).status is ToolStatus.NO_DATA


async def test_an_event_of_several_lines_stays_one_line(context: ToolContext) -> None:
    got = await shop(context, "check_events", {"Event": [event("Failed", "first\nsecond\u2028third", last="2026-01-01T09:00:00Z")]})
    assert got.text.endswith("x1: first second third")


async def test_a_deploy_says_what_it_changed(context: ToolContext) -> None:  # covers TOOL-05, TOOL-17
    got = await shop(context, "get_recent_deploys", service_name="cart")
    assert got.text.splitlines()[0] == (
        "Deployment/shop/cart revision 2 at 2026-01-01T09:30:00Z image reg.example/cart:1.3 -> reg.example/cart:1.4; env BATCH added: on; "
        "change-cause: batching"
    )
    assert [d["version"] for d in got.data["deploys"]] == ["1.4"]
    assert [d["revision"] for d in got.data["older"]] == [1]


async def test_a_roll_back_is_dated_by_the_rollout_and_not_by_the_old_replica_set(context: ToolContext) -> None:
    again = replica_set("cart-5c", 3, "reg.example/cart:1.3", "2025-12-20T10:00:00Z", annotations={"deployment.kubernetes.io/revision-history": "1"})
    moved = [{"type": "Progressing", "status": "True", "lastTransitionTime": "2026-01-01T09:58:00Z"}]
    objects = world() | {"ReplicaSet": [again, world()["ReplicaSet"][1]], "Deployment": [deployment(conditions=moved)]}
    newest = (await shop(context, "get_recent_deploys", objects, service="cart")).data["deploys"][0]
    assert (newest["revision"], newest["time"]) == (3, "2026-01-01T09:58:00Z")
    assert "roll-back to an earlier revision (1)" in newest["changes"]


async def test_workloads_say_what_is_wanted_and_what_is_there(context: ToolContext) -> None:
    got = await shop(context, "check_workloads")
    assert got.summary == "Found 2 workloads: not as wanted: cart 1/2"
    assert got.line_with("Deployment shop/cart:", "replicas 2 desired, ready 1")
    assert got.line_with("ReplicaSet shop/cart-7d:", "revision 2")
    assert got.line_with("ReplicaSet shop/cart-5c:") == ""
    assert (await shop(context, "check_workloads", workload="nothing")).status is ToolStatus.NOT_FOUND


@pytest.mark.parametrize(
    ("target", "selector", "said"),
    [
        (8080, None, "targetPort 8080/TCP meets container port 8080/TCP of container server"),
        ("http", None, "targetPort http/TCP meets container port 8080/TCP of container server"),
        (9090, None, "targetPort 9090/TCP meets no container port of the selected pods; they have 8080/TCP of container server"),
        (8080, {"app": "cart", "v": "2"}, "not selected: pod cart-7d-a has labels app=cart"),
    ],
)
async def test_a_service_is_followed_to_its_container_port(context: ToolContext, target: Any, selector: dict[str, str] | None, said: str) -> None:
    got = await shop(context, "check_services", world() | {"Service": [service(target=target, selector=selector)]}, service="cart")
    assert said in got.text
    assert "endpoints ready 1, not ready 1" in got.text


async def test_service_health_in_one_look(context: ToolContext) -> None:  # covers TOOL-01
    got = await shop(context, "check_service_health", service_name="cart")
    assert (got.data["status"], got.data["pods"], got.data["error_rate"], got.data["alerts"]) == ("degraded", "1/2", None, [])
    assert "prometheus is not configured" in got.note
    everywhere = await ask(context, kubernetes(world()), "check_service_health", service_name="cart")
    assert everywhere.data["pods"] == "1/2"
    unknown = await shop(context, "check_service_health", service_name="nothing")
    assert (unknown.status, unknown.data, unknown.text) == (ToolStatus.NOT_FOUND, {"error": "Unknown service"}, "Unknown service")


async def test_nodes_tell_conditions_room_and_heartbeat(context: ToolContext) -> None:
    node = {
        "metadata": {"name": "worker-1", "labels": {"disk": "ssd"}},
        "spec": {"unschedulable": True, "taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]},
        "status": {
            "conditions": [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}],
            "allocatable": {"cpu": "4", "memory": "1Gi", "pods": "110"},
        },
    }
    lease = {"metadata": {"name": "worker-1", "namespace": "kube-node-lease"}, "spec": {"renewTime": "2026-01-01T09:50:00.000000Z"}}
    got = await ask(context, kubernetes({"Node": [node], "Lease": [lease], "Pod": world()["Pod"]}), "check_nodes", node="worker-1")
    assert (
        got.line_with("condition Ready=Unknown") == "node worker-1: condition Ready=Unknown NodeStatusUnknown: Kubelet stopped posting node status."
    )
    assert "node worker-1: taint k=v:NoSchedule" in got.text
    assert "node worker-1: unschedulable true (cordoned)" in got.text
    assert "lease renewed at 2026-01-01T09:50:00.000000Z (600 s before now)" in got.text
    assert "2 pods of 110, requests cpu 0m of 4 (0%), memory 256Mi of 1Gi (25%)" in got.text
    assert got.data["pods_per_node"] == {"worker-1": 2}
    assert (await ask(context, kubernetes({"Node": [node]}), "check_nodes", node="worker-2")).status is ToolStatus.NOT_FOUND


async def test_quotas_tell_what_is_used_up(context: ToolContext) -> None:
    quota = {
        "metadata": {"name": "team", "namespace": "shop"},
        "spec": {},
        "status": {"hard": {"pods": "2", "cpu": "4"}, "used": {"pods": "2", "cpu": "500m"}},
    }
    got = await shop(context, "check_quotas", {"ResourceQuota": [quota]})
    assert got.text.splitlines() == ["resourcequota shop/team: cpu used 500m of 4", "resourcequota shop/team: pods used 2 of 2 (used up)"]
    assert "list limitranges" in got.note


async def test_storage_tells_what_is_not_bound(context: ToolContext) -> None:
    claim = {
        "metadata": {"name": "data-0", "namespace": "shop"},
        "spec": {"storageClassName": "fast", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        "status": {"phase": "Pending"},
    }
    got = await shop(context, "check_storage", {"PersistentVolumeClaim": [claim], "PersistentVolume": [], "StorageClass": []})
    assert got.summary == "Found 1 volume claims: not bound: data-0"
    assert got.line_with("data-0", "storageClassName fast", "requests storage=1Gi")
    assert "no storageclass exists" in got.text


async def test_at_most_four_lists_run_at_the_same_time(context: ToolContext) -> None:
    serve, open_now, most = kubernetes(world()), 0, 0

    registry, _ = build_registry(ToolsConfig(kubernetes=KubernetesConfig(url="http://127.0.0.1:9")))
    tool = registry.get("check_workloads")
    assert tool is not None
    client = tool._client  # type: ignore[attr-defined]
    plain = client.list

    async with serving(serve) as server:
        client._config = KubernetesConfig(url=server.url)

        async def watched(*args: Any) -> Any:
            nonlocal open_now, most
            open_now += 1
            most = max(most, open_now)
            try:
                return await plain(*args)
            finally:
                open_now -= 1

        client.list = watched
        await tool.run(tool.arguments(namespace="shop"), context)
        await client.aclose()
    assert 1 < most <= 4
