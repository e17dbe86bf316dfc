"""check_pods of a node in all namespaces: one narrowed list, owners without reading every ReplicaSet, caps with totals."""

from typing import Any

import pytest
from pydantic import ValidationError

from app.agent.seen import seen
from app.domain.tool import ToolContext, ToolResult, ToolStatus
from app.lab.servers import LabServers
from app.lab.snapshot import World
from app.tools.catalogue import ToolsConfig, build_registry
from app.tools.check_pods import CheckPods
from app.tools.kubernetes_client import KubernetesConfig
from tests.tools.objects import Object, pod
from tests.tools.servers import kubernetes, serving


def placed(namespace: str, name: str, node: str = "worker-1", kind: str = "ReplicaSet", owner: str = "", **more: Any) -> Object:
    made = pod(name, **more, node=node)
    made["metadata"] |= {"namespace": namespace}
    made["metadata"]["ownerReferences"] = [{"kind": kind, "name": owner, "controller": True}] if owner else []
    if kind == "ReplicaSet" and owner:
        made["metadata"]["labels"]["pod-template-hash"] = owner.rsplit("-", 1)[1]
    return made


def cluster() -> dict[str, list[Object]]:
    waits = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
    pods = [
        placed("shop", "cart-7d9-a", owner="cart-7d9"),
        placed("shop", "cart-7d9-b", owner="cart-7d9", ready=False, state=waits),
        placed("shop", "redis-0", kind="StatefulSet", owner="redis"),
        placed("stage", "redis-0", kind="StatefulSet", owner="redis"),
        placed("kube-system", "proxy-x", kind="DaemonSet", owner="proxy"),
        placed("shop", "debug"),
        placed("shop", "web-5c-z", node="worker-2", owner="web-5c"),
    ]
    address = {"addresses": [{"type": "InternalIP", "address": "10.0.0.7"}, {"type": "Hostname", "address": "worker-1"}]}
    nodes = [{"kind": "Node", "metadata": {"name": "worker-1"}, "status": address}, {"kind": "Node", "metadata": {"name": "worker-3"}, "status": {}}]
    return {"Pod": pods, "Node": nodes, "ReplicaSet": []}


async def ask(
    context: ToolContext, world: dict[str, list[Object]], node: str = "worker-1", page: int = 0, **config: Any
) -> tuple[ToolResult, list[str]]:
    async with serving(kubernetes(world, page=page)) as server:
        registry, sources = build_registry(ToolsConfig(kubernetes=KubernetesConfig(url=server.url, **config)))
        tool = registry.get("check_pods")
        assert tool is not None
        try:
            got = await tool.run(tool.arguments(node=node), context)
            return got, [a.path for a in server.asked]
        finally:
            await sources.aclose()


async def test_all_pods_of_a_node_come_with_one_list_and_their_workloads(context: ToolContext) -> None:
    got, asked = await ask(context, cluster())
    assert asked == ["/api/v1/pods"]
    assert "fieldSelector=spec.nodeName=worker-1" in got.invocation
    assert got.summary == "Found 6 pods: 5 healthy, 1 crash loop (cart-7d9-b); 5 workloads on worker-1"
    assert got.text.splitlines()[0] == "node worker-1: 6 pods of 5 workloads"
    assert got.data["on_node"] == {
        "node": "worker-1",
        "pods": 6,
        "workloads": {
            "DaemonSet/kube-system/proxy": 1,
            "Deployment/shop/cart": 2,
            "Pod/shop/debug": 1,
            "StatefulSet/shop/redis": 1,
            "StatefulSet/stage/redis": 1,
        },
    }
    assert got.data["owners"]["shop/cart-7d9-a"] == ["ReplicaSet/cart-7d9", "Deployment/cart"]
    refs = {str(r) for r in seen(got.data).refs}
    assert {"ReplicaSet/shop/cart-7d9", "StatefulSet/stage/redis", "Pod/kube-system/proxy-x"} <= refs


async def test_an_address_is_read_by_the_name_of_its_node(context: ToolContext) -> None:
    got, asked = await ask(context, cluster(), "10.0.0.7")
    assert asked == ["/api/v1/pods", "/api/v1/nodes", "/api/v1/pods"]
    assert got.data["on_node"]["node"] == "worker-1"


async def test_an_empty_node_is_told_from_one_that_is_not_there_and_from_a_missing_right(context: ToolContext) -> None:
    assert ((await ask(context, cluster(), "worker-3"))[0].status, (await ask(context, cluster(), "gone"))[0].status) == (
        ToolStatus.NO_DATA,
        ToolStatus.NOT_FOUND,
    )
    denied, _ = await ask(context, {"Node": []})
    assert denied.status is ToolStatus.DENIED
    assert "pods" in denied.note
    blind, _ = await ask(context, {k: v for k, v in cluster().items() if k != "Node"}, "gone")
    assert blind.status is ToolStatus.NO_DATA


async def test_pods_of_a_node_are_paged_and_capped_and_what_is_left_out_is_told(context: ToolContext) -> None:
    many = {"Pod": [placed("shop", f"cart-7d9-{n:03}", owner="cart-7d9") for n in range(130)]}
    whole, asked = await ask(context, many, page=50)
    assert len(asked) == 3
    assert whole.data["on_node"] == {"node": "worker-1", "pods": 130, "workloads": {"Deployment/shop/cart": 130}}
    assert whole.truncated == "130 pods, 60 of them in full, those in trouble first"
    cut, _ = await ask(context, many, page=50, max_items=100, page_size=50)
    assert cut.data["on_node"]["pods"] == 100
    assert "100 pods read, 30 left out" in cut.truncated


async def test_the_lab_narrows_by_node_as_an_api_server_does(context: ToolContext) -> None:
    async with LabServers(World(context.now, objects_of=cluster)) as lab:
        registry, sources = build_registry(ToolsConfig(kubernetes=KubernetesConfig(url=lab.addresses.kubernetes)))
        tool = registry.get("check_pods")
        assert tool is not None
        got = await tool.run(tool.arguments(node="worker-1"), context)
        await sources.aclose()
    assert got.data["on_node"]["pods"] == 6


@pytest.mark.parametrize("arguments", [{}, {"node": "n1", "service": "cart"}, {"workload": "cart"}])
def test_without_a_namespace_only_a_node_may_be_named(arguments: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="name a namespace, or a node alone"):
        CheckPods.arguments(**arguments)
