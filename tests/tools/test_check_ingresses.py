"""What check_ingresses says about ways in: class, backends, TLS, addresses, and the Gateway API beside them."""

from typing import Any

import pytest

from app.domain.tool import ToolContext, ToolStatus
from tests.tools.objects import Object, service, world
from tests.tools.test_kubernetes_tools import shop


def ingress(name: str = "web", port: Any = 80, backend: str = "cart", **spec: Any) -> Object:
    aim = {"number": port} if isinstance(port, int) else {"name": port}
    path = {"path": "/", "backend": {"service": {"name": backend, "port": aim}}}
    rules = [{"host": "shop.example", "http": {"paths": [path]}}]
    addresses = {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"ingressClassName": "edge", "rules": rules} | spec, "status": addresses}


EDGE = {"metadata": {"name": "edge"}, "spec": {"controller": "example/edge"}}


def with_ingress(*items: Object, **kinds: list[Object]) -> dict[str, list[Object]]:
    return world() | {"Ingress": [*items], "IngressClass": [EDGE], "Gateway": [], "HTTPRoute": []} | kinds


async def test_a_way_in_that_is_whole_says_so(context: ToolContext) -> None:
    got = await shop(context, "check_ingresses", with_ingress(ingress(tls=[{"hosts": ["shop.example"], "secretName": "shop-tls"}])))
    assert got.text.splitlines() == [
        "ingress shop/web: host shop.example path / -> service cart:80: 1 ready endpoints, 1 not ready",
        "ingress shop/web: class edge exists, controller example/edge",
        "ingress shop/web: tls hosts shop.example, secret shop-tls (Secrets are not read)",
        "ingress shop/web: addresses 192.0.2.7",
    ]
    assert got.data["problems"] == []
    assert got.summary == "Found 1 ingresses and routes, 0 gateways: every backend that is known has ready endpoints"


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"Ingress": [ingress(backend="basket")]}, "service basket does not exist"),
        ({"Ingress": [ingress(port=8080)]}, "service cart has no port 8080; it has 80 (http)"),
        ({"Ingress": [ingress(port="admin")]}, "service cart has no port admin; it has 80 (http)"),
        ({"EndpointSlice": []}, "service cart has no ready endpoints (0 not ready)"),
        ({"IngressClass": []}, "class edge does not exist; there are none"),
        ({"Ingress": [ingress(ingressClassName=None)]}, "no class given and no ingressclass is the default; there are edge"),
    ],
)
async def test_what_breaks_a_way_in_is_named(context: ToolContext, changed: dict[str, list[Object]], problem: str) -> None:
    got = await shop(context, "check_ingresses", with_ingress(ingress()) | changed)
    assert [p.split(": ", 1)[1] for p in got.data["problems"]] == [problem]
    assert got.line_with(problem)


async def test_a_port_may_be_named_and_a_default_backend_is_followed(context: ToolContext) -> None:
    default = {"service": {"name": "cart", "port": {"name": "http"}}}
    got = await shop(context, "check_ingresses", with_ingress(ingress(rules=[], defaultBackend=default)))
    assert got.line_with("path (default) -> service cart:http: 1 ready endpoints")


async def test_a_host_without_certificate_and_a_way_in_nobody_took_up_are_told(context: ToolContext) -> None:
    made = ingress(tls=[{"hosts": ["other.example"], "secretName": "t"}])
    made["status"] = {"loadBalancer": {}}
    got = await shop(context, "check_ingresses", with_ingress(made))
    assert got.line_with("no tls entry for host shop.example")
    assert got.line_with("addresses none: no controller has taken it up")
    wild = ingress(tls=[{"hosts": ["*.example"], "secretName": "t"}])
    assert not (await shop(context, "check_ingresses", with_ingress(wild))).line_with("no tls entry")


async def test_the_class_may_stand_in_the_old_annotation_or_be_the_default(context: ToolContext) -> None:
    old = ingress(ingressClassName=None)
    old["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "elder"}
    assert (await shop(context, "check_ingresses", with_ingress(old))).data["problems"] == []
    default = EDGE | {"metadata": {"name": "edge", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}}
    got = await shop(context, "check_ingresses", with_ingress(ingress(ingressClassName=None), IngressClass=[default]))
    assert got.line_with("no class given, default is edge")


async def test_routes_are_followed_like_ingresses_and_gateways_tell_their_conditions(context: ToolContext) -> None:
    route: Object = {
        "metadata": {"name": "cart", "namespace": "shop"},
        "spec": {
            "hostnames": ["shop.example"],
            "parentRefs": [{"name": "edge"}],
            "rules": [
                {"backendRefs": [{"name": "cart", "port": 80}, {"name": "basket", "port": 80}, {"name": "far", "namespace": "infra", "port": 1}]},
            ],
        },
        "status": {
            "parents": [
                {
                    "parentRef": {"name": "edge"},
                    "conditions": [{"type": "ResolvedRefs", "status": "False", "reason": "BackendNotFound", "message": "x"}],
                }
            ]
        },
    }
    listener = {"name": "https", "protocol": "HTTPS", "port": 443, "tls": {"certificateRefs": [{"name": "edge-tls"}]}}
    gateway: Object = {
        "metadata": {"name": "edge", "namespace": "shop"},
        "spec": {"gatewayClassName": "g", "listeners": [listener]},
        "status": {"conditions": [{"type": "Programmed", "status": "False", "reason": "AddressNotAssigned"}]},
    }
    got = await shop(context, "check_ingresses", with_ingress(HTTPRoute=[route], Gateway=[gateway]))
    assert got.line_with("httproute shop/cart: host shop.example path / -> service cart:80: 1 ready endpoints")
    assert got.line_with("service basket:80: service basket does not exist")
    assert got.line_with("service infra/far:1: not followed")
    assert got.line_with("httproute shop/cart at Gateway edge: condition ResolvedRefs=False BackendNotFound: x")
    assert got.line_with("gateway shop/edge: listener https HTTPS 443 host *, certificates edge-tls (Secrets are not read)")
    assert len(got.data["problems"]) == 3


@pytest.mark.parametrize(
    ("objects", "arguments", "status"),
    [
        (with_ingress(), {}, ToolStatus.NO_DATA),
        (with_ingress(ingress()), {"service": "cart"}, ToolStatus.OK),
        (with_ingress(ingress()), {"service": "other"}, ToolStatus.NOT_FOUND),
        ({"Service": [service()]}, {}, ToolStatus.DENIED),
    ],
)
async def test_absence_and_refusal_are_told_apart(context: ToolContext, objects: Any, arguments: dict[str, str], status: ToolStatus) -> None:
    assert (await shop(context, "check_ingresses", objects, **arguments)).status is status


async def test_what_may_not_be_read_is_not_called_missing(context: ToolContext) -> None:
    got = await shop(context, "check_ingresses", {"Ingress": [ingress()]})
    assert got.data["problems"] == []
    assert got.line_with("service cart:80: not followed")
    assert got.line_with("class edge, classes could not be read")
    assert "list services in namespace shop" in got.note
