"""Ways in that lead to the wrong backend or to none, and names and policies between namespaces."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.diagnosis.edges import ADDRESS
from tests.diagnosis.offline import Offline
from tests.diagnosis.scenes import NOW, Scene, add_workload, ago, shop

NGINX = '%s [error] 29#29: *7 open() "/usr/share/nginx/html/api/items" failed (2: No such file or directory), request: "GET /api/items HTTP/1.1"'
EXPRESS = "%s Error: Cannot GET /api/items"
RAILS = '%s ActionController::RoutingError (No route matches [GET] "/api/items"):'
SPRING = "%s WARN o.s.w.s.r.ResourceHttpRequestHandler : No static resource api/items."
PORTS = {"web": 8000, "cart": 8080}
SERVED = '%s "GET /api/items HTTP/1.1" 200 OK'


def first(folder: Path, scene: Scene) -> tuple[str, str]:
    verdict = asyncio.run(Offline(scene.write(folder)).investigate())[0]
    return next(((h.cause, str(h.object)) for h in verdict.hypotheses), ("", ""))


def entrance(scene: Scene, api: str, name: str = "nginx", space: str = "shop") -> None:
    """Paths / and /api of one host; /api leads to the named Service."""
    paths = [
        {"path": p, "pathType": "Prefix", "backend": {"service": {"name": s, "port": {"number": PORTS[s]}}}} for p, s in (("/", "web"), ("/api", api))
    ]
    rule = {"host": "www.shop.example", "http": {"paths": paths}}
    scene.add("Ingress", {"metadata": {"name": "site", "namespace": space}, "spec": {"ingressClassName": name, "rules": [rule]}, "status": {}})
    scene.add("IngressClass", {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}})


@pytest.mark.parametrize("line", [NGINX, EXPRESS, RAILS, SPRING])
def test_a_backend_that_does_not_know_the_path_that_leads_to_it_is_the_wrong_one(line: str, tmp_path: Path) -> None:
    scene = shop()
    entrance(scene, "web")
    scene.says("\n".join(line % ago(m) for m in (9, 8, 7, 6, 5, 4)), "web")
    scene.labels = {"alertname": "IngressHigh4xxRate", "namespace": "shop", "ingress": "site"}
    assert first(tmp_path, scene) == ("ingress_misrouted", "Ingress/shop/site")


@pytest.mark.parametrize("lines", [[SERVED] * 6, [SERVED] * 5 + [NGINX], [NGINX, NGINX]])
def test_a_stray_request_is_no_wrong_path(lines: list[str], tmp_path: Path) -> None:
    scene = shop()
    entrance(scene, "cart")
    scene.says("\n".join(line % ago(9 - n) for n, line in enumerate(lines)), "cart")
    scene.labels = {"alertname": "IngressHigh4xxRate", "namespace": "shop", "ingress": "site"}
    assert first(tmp_path, scene)[0] != "ingress_misrouted"


def counted(scene: Scene, service: str, status: str, since: int, until: int) -> None:
    start = int((NOW - timedelta(minutes=40)).timestamp())
    labels = {
        "namespace": "ingress-nginx",
        "exported_namespace": "shop",
        "ingress": "site",
        "path": "/api",
        "exported_service": service,
        "status": status,
    }
    values = [[start + 30 * i, str(300 * (i - since))] for i in range(since, until)]
    scene.metrics.append({"metric": {"__name__": "nginx_ingress_controller_requests", **labels}, "values": values})


@pytest.mark.parametrize(("status", "cause"), [("404", "ingress_misrouted"), ("200", "")])
def test_a_path_that_another_service_serves_than_before_is_wrong_when_it_answers_404(status: str, cause: str, tmp_path: Path) -> None:
    scene = shop()
    entrance(scene, "web")
    counted(scene, "cart", "200", 0, 60)
    counted(scene, "web", status, 60, 81)
    scene.labels = {"alertname": "IngressHigh4xxRate", "namespace": "shop", "ingress": "site"}
    assert first(tmp_path, scene)[0] == cause


@pytest.mark.parametrize(("kind", "cause"), [("nginx", ""), ("nginx-public", "ingress_class_or_tls_missing")])
@pytest.mark.parametrize("label", ["instance", "target"])
def test_a_probe_of_an_address_finds_the_way_in_of_its_host(kind: str, cause: str, label: str, tmp_path: Path) -> None:
    scene = shop()
    entrance(scene, "cart", kind)
    scene.labels = {"alertname": "ProbeFailed", "namespace": "monitoring", "job": "blackbox", label: "https://www.shop.example/"}
    assert first(tmp_path, scene)[0] == cause


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("%s Error: getaddrinfo ENOTFOUND basket", "client_address_wrong"),
        ('%s Get "http://basket/x": dial tcp: lookup basket on 10.96.0.10:53: no such host', "client_address_wrong"),
        ("%s java.net.UnknownHostException: basket: Name or service not known", "client_address_wrong"),
        (
            "%s urllib3: HTTPConnectionPool(host='basket', port=80): Failed to resolve 'basket' ([Errno -2] Name or service not known)",
            "client_address_wrong",
        ),
        ("%s System.Net.Http.HttpRequestException: Name or service not known (basket:80)", "client_address_wrong"),
        ("%s Error: getaddrinfo EAI_AGAIN basket", "dns_resolution_failure"),
        ("%s Error: getaddrinfo ENOTFOUND cart", "dns_resolution_failure"),
    ],
)
def test_a_name_that_is_nobodys_speaks_of_the_address_and_a_silent_resolver_of_dns(line: str, cause: str, tmp_path: Path) -> None:
    scene = shop()
    scene.says("\n".join(line % ago(m) for m in (9, 7, 5, 3, 1)), "web")
    scene.labels = {"alertname": "HighErrorRate", "namespace": "shop", "deployment": "web"}
    assert first(tmp_path, scene) == (cause, "Deployment/shop/web")


def test_a_pod_that_asks_a_resolver_of_its_own_is_told_so(tmp_path: Path) -> None:
    scene = shop()
    scene.pod("web")["spec"] |= {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.9.9.9"]}}
    scene.says("\n".join(f"{ago(m)} Error: getaddrinfo EAI_AGAIN cart.shop.svc.cluster.local" for m in (9, 7, 5, 3, 1)), "web")
    scene.labels = {"alertname": "HighErrorRate", "namespace": "shop", "deployment": "web"}
    verdict = asyncio.run(Offline(scene.write(tmp_path)).investigate())[0]
    assert verdict.hypotheses[0].cause == "dns_resolution_failure"
    assert any("10.9.9.9" in e.quote for e in verdict.evidence)


def far_store(scene: Scene, peer: dict[str, Any]) -> None:
    """The database of another namespace behind a policy; cart waits for it in vain."""
    add_workload(scene, "vault", 6379, [], "worker-a")
    for kind in ("Pod", "Deployment", "ReplicaSet", "Service"):
        scene.one(kind, "vault")["metadata"]["namespace"] = "data"
    for name in ("shop", "data"):
        scene.add("Namespace", {"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}})
    ingress = [{"from": [peer], "ports": [{"port": 6379, "protocol": "TCP"}]}]
    spec = {"podSelector": {"matchLabels": {"app": "vault"}}, "policyTypes": ["Ingress"], "ingress": ingress}
    scene.add("NetworkPolicy", {"metadata": {"name": "vault-access", "namespace": "data"}, "spec": spec})
    scene.box()["env"].append({"name": "CACHE_URL", "value": "redis://vault.data.svc.cluster.local:6379/0"})
    scene.says("\n".join(f"{ago(m)} redis.exceptions.TimeoutError: Timeout reading from vault.data:6379" for m in (9, 7, 5, 3, 1)))
    scene.labels = {"alertname": "HighErrorRate", "namespace": "shop", "deployment": "cart"}


@pytest.mark.parametrize(
    ("peer", "blocked"),
    [
        ({"podSelector": {"matchLabels": {"app": "cart"}}}, True),
        ({"podSelector": {}, "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}, False),
        ({"podSelector": {"matchLabels": {"role": "worker"}}, "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}, True),
        ({"podSelector": {"matchLabels": {"app": "cart"}}, "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}, False),
    ],
)
def test_a_policy_where_the_callee_lives_keeps_callers_of_other_namespaces_out(peer: dict[str, Any], blocked: bool, tmp_path: Path) -> None:
    scene = shop()
    far_store(scene, peer)
    assert (first(tmp_path, scene) == ("network_policy_blocks", "NetworkPolicy/data/vault-access")) is blocked


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("store:5432", [("store", "")]),
        ("redis://store.data:6379/0", [("store", "data")]),
        ("http://store.data.svc.cluster.local/x", [("store", "data")]),
        ("https://api.bank.example/v1", []),
        ("shop.example.com:443", []),
    ],
)
def test_an_address_with_a_third_label_that_is_not_svc_names_no_namespace(value: str, found: list[tuple[str, str]]) -> None:
    assert [pair for pair in ADDRESS.findall(value) if pair[0] not in ("http", "https", "redis")] == found
