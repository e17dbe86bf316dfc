"""What check_network_policies says about policies: who is selected, what passes, what is dropped, what depends."""

from typing import Any

import pytest

from app.domain.tool import ToolContext, ToolResult, ToolStatus
from app.tools.catalogue import ToolsConfig, build_registry
from app.tools.kubernetes_client import KubernetesConfig
from tests.tools.objects import Object, pod, service
from tests.tools.servers import kubernetes, serving

CART = {"matchLabels": {"app": "cart"}}


def policy(name: str, **spec: Any) -> Object:
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"podSelector": CART} | spec}


def named(name: str, **labels: str) -> Object:
    made = pod(f"{name}-1", owner=name)
    made["metadata"]["labels"] = {"app": name, **labels}
    made["metadata"]["ownerReferences"][0]["kind"] = "StatefulSet"
    made["status"]["podIP"] = {"cart": "10.1.0.1", "web": "10.1.0.2"}.get(name, "10.1.0.9")
    return made


def shop(*policies: Object, **kinds: list[Object]) -> dict[str, list[Object]]:
    space = {"metadata": {"name": "shop", "labels": {"kubernetes.io/metadata.name": "shop", "team": "retail"}}}
    system = {"metadata": {"name": "kube-system", "labels": {"kubernetes.io/metadata.name": "kube-system"}}}
    pods = [named("cart"), named("web", tier="front"), named("load")]
    return {"Pod": pods, "ReplicaSet": [], "Service": [service()], "Namespace": [space, system], "NetworkPolicy": [*policies], **kinds}


async def ask(
    context: ToolContext, world: dict[str, list[Object]], callees: dict[str, tuple[str, ...]] | None = None, **arguments: str
) -> ToolResult:
    async with serving(kubernetes(world)) as server:
        registry, sources = build_registry(ToolsConfig(kubernetes=KubernetesConfig(url=server.url), service_map=callees or {}))
        tool = registry.get("check_network_policies")
        assert tool is not None
        try:
            given = {"namespace": "shop", "service": "cart"} | arguments
            return await tool.run(tool.arguments(**{k: v for k, v in given.items() if v}), context)
        finally:
            await sources.aclose()


def verdicts(got: ToolResult, direction: str = "ingress") -> dict[str, str]:
    """peer -> verdict, for the own port or the peer's."""
    return {r["peer"].rsplit("/", 1)[-1]: r["verdict"] for r in got.data["traffic"] if r["direction"] == direction}


EVERYONE = {"web": "allowed", "load": "allowed", "pods of other namespaces": "allowed", "addresses outside the cluster": "allowed"}
NOBODY = dict.fromkeys(EVERYONE, "dropped")
FRONT = {"podSelector": {"matchLabels": {"tier": "front"}}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"ingress": []}, NOBODY),
        ({"policyTypes": ["Ingress"]}, NOBODY),
        ({"ingress": [{}]}, EVERYONE),
        ({"ingress": [{"ports": [{"port": 8080}]}]}, EVERYONE),
        ({"ingress": [{"ports": [{"port": "http"}]}]}, EVERYONE),
        ({"ingress": [{"ports": [{"port": "admin"}]}]}, NOBODY),
        ({"ingress": [{"ports": [{"port": 8080, "protocol": "UDP"}]}]}, NOBODY),
        ({"ingress": [{"ports": [{"port": 8000, "endPort": 8100}]}]}, EVERYONE),
        ({"ingress": [{"from": [FRONT]}]}, NOBODY | {"web": "allowed"}),
        ({"ingress": [{"from": [{"podSelector": {}}]}]}, NOBODY | {"web": "allowed", "load": "allowed"}),
        ({"ingress": [{"from": [{"namespaceSelector": {}}]}]}, EVERYONE | {"addresses outside the cluster": "dropped"}),
        (
            {"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "retail"}}}]}]},
            NOBODY | {"web": "allowed", "load": "allowed", "pods of other namespaces": "depends"},
        ),
        (
            {"ingress": [{"from": [FRONT | {"namespaceSelector": {"matchLabels": {"team": "other"}}}]}]},
            NOBODY | {"pods of other namespaces": "depends"},
        ),
        (
            {"ingress": [{"from": [{"podSelector": {"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}}]}]},
            NOBODY | {"load": "allowed"},
        ),
        (
            {"ingress": [{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]},
            dict.fromkeys(EVERYONE, "depends") | {"addresses outside the cluster": "allowed"},
        ),
        (
            {"ingress": [{"from": [{"ipBlock": {"cidr": "10.1.0.0/24", "except": ["10.1.0.2/32"]}}]}]},
            dict.fromkeys(EVERYONE, "depends") | {"web": "dropped"},
        ),
    ],
)
async def test_a_rule_lets_through_what_the_reference_says(context: ToolContext, spec: dict[str, Any], expected: dict[str, str]) -> None:
    assert verdicts(await ask(context, shop(policy("p", **spec)))) == expected


async def test_what_is_dropped_is_said_with_the_policy_that_selects(context: ToolContext) -> None:
    got = await ask(context, shop(policy("front-only", ingress=[{"from": [FRONT], "ports": [{"port": 8080}]}])), {"load": ("cart",)})
    assert got.text.splitlines() == [
        "networkpolicy shop/front-only: podSelector app=cart selects StatefulSet/shop/cart",
        "networkpolicy shop/front-only: allows ingress 8080/TCP from pods tier=front",
        "networkpolicy shop/front-only: drops all other ingress of what it selects, unless another policy allows it",
        "ingress to StatefulSet/shop/cart port 8080/TCP from StatefulSet/shop/load, which the service map knows as its caller: "
        "dropped by networkpolicy front-only: no rule allows it",
        "ingress to StatefulSet/shop/cart port 8080/TCP from pods of other namespaces: dropped by networkpolicy front-only: no rule allows it",
        "ingress to StatefulSet/shop/cart port 8080/TCP from addresses outside the cluster: dropped by networkpolicy front-only: no rule allows it",
        "ingress of StatefulSet/shop/cart: allowed by front-only: from StatefulSet/shop/web port 8080/TCP",
    ]
    assert got.summary.endswith("e.g. ingress to StatefulSet/shop/cart port 8080/TCP from StatefulSet/shop/load")
    assert got.data["selected"] == {"front-only": ["StatefulSet/shop/cart"]}


async def test_callers_that_have_no_pods_here_are_named_as_not_judged(context: ToolContext) -> None:
    got = await ask(context, shop(policy("p", ingress=[])), {"web": ("cart",), "billing": ("cart",), "cart": ("ledger", "load")})
    assert got.note.split("; ") == [
        "billing, which calls cart, has no pods in this namespace: its traffic was not judged",
        "ledger, which cart calls, has no pods in this namespace: its traffic was not judged",
    ]


async def test_policies_add_up(context: ToolContext) -> None:
    deny = policy("deny", podSelector={}, ingress=[], policyTypes=["Ingress"])
    got = await ask(context, shop(deny, policy("allow", ingress=[{"from": [FRONT]}])))
    assert verdicts(got)["web"] == "allowed"
    assert verdicts(got)["load"] == "dropped"
    row = next(r for r in got.data["traffic"] if r["verdict"] == "allowed")
    assert (row["by"], row["selecting"]) == (["allow"], ["allow", "deny"])


async def test_closed_egress_drops_name_resolution_too(context: ToolContext) -> None:
    shut = policy("shut", policyTypes=["Egress"], egress=[{"to": [FRONT]}])
    got = await ask(context, shop(shut))
    assert verdicts(got, "egress") == {
        "web": "allowed", "load": "dropped", "cluster DNS": "dropped", "addresses outside the cluster": "dropped"
    }  # fmt: skip
    assert "egress from StatefulSet/shop/cart to cluster DNS port 53/UDP: dropped by networkpolicy shut: no rule allows it" in got.text
    system = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    opened = policy("dns", policyTypes=["Egress"], egress=[{"to": [system], "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53}]}])
    for world in (shop(shut, opened), {k: v for k, v in shop(shut, opened).items() if k != "Namespace"}):
        assert verdicts(await ask(context, world), "egress")["cluster DNS"] == "allowed"


async def test_the_callers_own_egress_can_drop_what_the_callee_would_let_in(context: ToolContext) -> None:
    shut = policy("web-shut", podSelector={"matchLabels": {"app": "web"}}, policyTypes=["Egress"])
    got = await ask(context, shop(shut))
    assert verdicts(got) == {"web": "dropped"}
    assert "from StatefulSet/shop/web: dropped by networkpolicy web-shut: egress of StatefulSet/shop/web: no rule allows it" in got.text


async def test_pods_that_no_policy_selects_are_said_to_be_open(context: ToolContext) -> None:
    got = await ask(context, shop(policy("p", podSelector={"matchLabels": {"app": "other"}}, ingress=[])))
    assert got.text.splitlines()[-1] == "StatefulSet/shop/cart: no networkpolicy selects it"
    assert got.data["traffic"] == []
    assert got.summary == "1 network policies, 1 workloads: none of the traffic asked about is dropped"


async def test_a_whole_namespace_is_told_once_per_pair(context: ToolContext) -> None:
    got = await ask(context, shop(policy("deny", podSelector={}, ingress=[])), service="")
    pairs = [(r["direction"], r["own"], r["peer"], r["port"], r["protocol"]) for r in got.data["traffic"]]
    assert len(pairs) == len(set(pairs)) == 3 * 2 + 3 * 2


async def test_kinds_of_traffic_are_capped_with_totals_and_dropped_ones_come_first(context: ToolContext) -> None:
    pods = [named(f"w{n:02}") for n in range(30)]
    some = policy("some", podSelector={"matchLabels": {"app": "w00"}}, ingress=[])
    got = await ask(context, shop(some, Pod=pods), service="")
    # 30 workloads of one port each: 29 peers, other namespaces, outside; name resolution twice, outside once
    assert got.truncated == f"{30 * (29 + 2 + 2 + 1)} kinds of traffic, 400 shown, dropped ones first"
    assert {t["own"] for t in got.data["traffic"] if t["verdict"] == "dropped"} == {"StatefulSet/shop/w00"}
    assert len(got.data["traffic"]) <= 400


@pytest.mark.parametrize(
    ("world", "arguments", "status"),
    [
        (shop(), {}, ToolStatus.NO_DATA),
        (shop(policy("p")), {"service": "nothing"}, ToolStatus.NOT_FOUND),
        (shop(policy("p")), {"service": "", "pod": "cart-1"}, ToolStatus.OK),
        (shop(policy("p")), {"service": "", "pod": "cart-2"}, ToolStatus.NOT_FOUND),
        ({k: v for k, v in shop().items() if k != "NetworkPolicy"}, {}, ToolStatus.DENIED),
        ({k: v for k, v in shop(policy("p")).items() if k != "Pod"}, {}, ToolStatus.DENIED),
    ],
)
async def test_absence_and_refusal_are_told_apart(context: ToolContext, world: Any, arguments: dict[str, Any], status: ToolStatus) -> None:
    got = await ask(context, world, **arguments)
    assert got.status is status
    assert (status is not ToolStatus.DENIED) or "missing permission: list" in got.note
