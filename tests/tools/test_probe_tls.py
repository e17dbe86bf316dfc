"""Certificates as TLS servers on loopback really send them: every fault told apart, dates read also where nothing verifies."""

import contextlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.domain.frozen import JsonObject
from app.domain.tool import ToolContext, ToolResult, ToolStatus, Window
from app.tools.catalogue import ToolsConfig, build_registry
from app.tools.certificate import certificate_of
from app.tools.check_http import ProbeConfig, addresses_of
from app.tools.kubernetes_client import KubernetesConfig
from app.tools.probe import Endpoint, Way, knock
from app.tools.tls_probe import Trust, check_authorities
from tests.tools.objects import service
from tests.tools.servers import kubernetes, serving
from tests.tools.tls_servers import AUTHORITY, CERTIFICATES, silent, talking, tunnel

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ENDS = datetime(2120, 1, 1, tzinfo=UTC)


def context(now: datetime = NOW) -> ToolContext:
    return ToolContext(now=now, window=Window(start=now - timedelta(hours=1), end=now))


async def ask(target: str, now: datetime = NOW, authorities: str = AUTHORITY) -> ToolResult:
    registry, sources = build_registry(ToolsConfig(probe=ProbeConfig((target,), authorities=authorities)))
    tool = registry.get("check_http")
    assert tool is not None
    try:
        return await tool.run(tool.arguments(service=target), context(now))
    finally:
        await sources.aclose()


def only(found: ToolResult) -> JsonObject:
    (row,) = found.data["probes"]
    return dict(row)


async def test_a_certificate_that_holds_is_told_with_its_dates_and_names() -> None:
    async with talking(b"HTTP/1.1 200 OK\r\n\r\n", "valid") as port:
        found = await ask(f"https://localhost:{port}/", ENDS - timedelta(days=20))
    row = only(found)
    assert (row["result"], row["stage"], row["http_status"], row["faults"]) == ("open", "http", 200, [])
    assert row["certificate"] == {
        "subject": "O=Shop, CN=valid.example",
        "issuer": "O=Shop, CN=authority.example",
        "notBefore": "2020-01-01T00:00:00Z",
        "notAfter": "2120-01-01T00:00:00Z",
        "daysLeft": 20,
        "subjectAltName": ["localhost", "shop.example", "127.0.0.1"],
        "selfIssued": False,
        "verified": True,
    }
    first, second = found.text.splitlines()
    assert first == f"probe https://localhost:{port}/: open, TLSv1.3, HTTP 200"
    assert "until 2120-01-01T00:00:00Z, 20 days left, subject O=Shop, CN=valid.example" in second and "without" not in second


@pytest.mark.parametrize(
    ("certificate", "authorities", "faults", "left"),
    [
        ("expired", AUTHORITY, ["expired"], -1946),
        ("future", AUTHORITY, ["not_yet_valid"], 34212),
        ("other_name", AUTHORITY, ["wrong_name"], 34212),
        ("untrusted", AUTHORITY, ["untrusted_chain"], 34212),
        ("valid", "", ["untrusted_chain"], 34212),
        ("self_signed", AUTHORITY, ["self_signed"], 34212),
        ("self_signed_expired", AUTHORITY, ["self_signed", "expired"], -1946),
        ("expired", "", ["untrusted_chain", "expired"], -1946),
    ],
)
async def test_what_is_wrong_with_a_certificate_is_told_apart_and_its_dates_are_read_all_the_same(
    certificate: str, authorities: str, faults: list[str], left: int
) -> None:
    async with talking(b"HTTP/1.1 200 OK\r\n\r\n", certificate) as port:
        found = await ask(f"https://localhost:{port}/", authorities=authorities)
    row = only(found)
    assert (row["result"], row["stage"], row["faults"], row["http_status"]) == ("tls_failure", "tls", faults, 0)
    assert (row["certificate"]["daysLeft"], row["certificate"]["verified"]) == (left, False)
    assert found.text.splitlines()[0].startswith(f"probe https://localhost:{port}/: tls_failure, {', '.join(faults)}, ")
    assert found.text.splitlines()[1].endswith(", read without verification")
    assert f"localhost:{port} {faults[0]}" in found.summary


async def test_a_handshake_alone_sends_no_request() -> None:
    async with talking(b"", "valid") as port:
        row = only(await ask(f"tls://127.0.0.1:{port}"))
    assert (row["result"], row["stage"], row["http_status"]) == ("open", "tls", 0)


@pytest.mark.parametrize(
    ("scheme", "certificate", "answer", "result", "said"),
    [
        ("tls", "", b"220 mail ready\r\n", "tls_failure", "wrong version number"),
        ("tls", "", b"", "tls_failure", ""),
        ("https", "valid", b"", "http_failure", "closed without an HTTP answer"),
        ("https", "valid", b"SSH-2.0-x\r\n\r\n", "http_failure", "an answer that is no HTTP"),
        ("http", "", b"SSH-2.0-x\r\n\r\n", "http_failure", "an answer that is no HTTP"),
    ],
)
async def test_each_stage_has_a_failure_of_its_own(scheme: str, certificate: str, answer: bytes, result: str, said: str) -> None:
    async with talking(answer, certificate) as port:
        row = only(await ask(f"{scheme}://127.0.0.1:{port}"))
    assert row["result"] == result and said in row["detail"] and row["detail"]
    assert ("certificate" in row) is bool(certificate)


async def test_a_name_that_does_not_resolve_and_a_silent_server_are_told_apart() -> None:
    way = Way(Trust(NOW), 0.2)
    lost = await knock(Endpoint("no..where", 443, "tls"), way)
    assert (lost.result, lost.stage) == ("dns_failure", "dns")
    async with silent() as port:
        for scheme in ("http", "tls"):
            got = await knock(Endpoint("127.0.0.1", port, scheme), way)
            assert (got.result, got.stage, got.detail) == ("timeout", scheme, f"no {scheme.upper()} answer within 0.2 s")
    async with talking(b"") as port:
        held = await knock(Endpoint("127.0.0.1", port, "tcp"), way)
        assert (held.result, held.stage) == ("open", "tcp")


@pytest.mark.parametrize(("certificate", "faults"), [("valid", ()), ("expired", ("expired",))])
async def test_certificates_are_read_through_a_proxy_too(certificate: str, faults: tuple[str, ...]) -> None:
    async with talking(b"", certificate) as port, tunnel(port) as proxy:
        got = await knock(Endpoint("shop.example", 443, "tls", origin="ingress"), Way(Trust(NOW, AUTHORITY), 2.0, proxy))
    assert got.faults == faults and got.certificate is not None and got.certificate.names[1] == "shop.example"


def ingress(host: str, tls: bool) -> dict[str, Any]:
    paths = [{"path": "/", "backend": {"service": {"name": "cart", "port": {"number": 80}}}}]
    spec: dict[str, Any] = {"rules": [{"host": host, "http": {"paths": paths}}, {"host": "*.example"}]}
    return {"kind": "Ingress", "metadata": {"name": "front", "namespace": "shop"}, "spec": spec | ({"tls": [{"hosts": [host]}]} if tls else {})}


@pytest.mark.parametrize("asked", ["cart", "front", "localhost", "https://localhost/"])
async def test_an_ingress_host_that_leads_to_this_machine_is_not_tried(asked: str) -> None:
    """The name is one that anyone who may write an Ingress can choose."""
    outside = service("cart")
    outside["spec"] |= {"type": "ExternalName", "externalName": "evil.example"}
    async with serving(kubernetes({"Service": [outside], "Ingress": [ingress("localhost", True)]})) as api:
        registry, sources = build_registry(ToolsConfig(kubernetes=KubernetesConfig(url=api.url), probe=ProbeConfig()))
        tool = registry.get("check_http")
        assert tool is not None
        found = await tool.run(tool.arguments(service=asked, namespace="shop"), context())
        none = await tool.run(tool.arguments(service="https://elsewhere.example/", namespace="shop"), context())
        await sources.aclose()
    row = only(found)
    assert (row["host"], row["port"], row["scheme"], row["origin"], row["result"]) == ("localhost", 443, "tls", "ingress", "out_of_scope")
    assert none.status is ToolStatus.NOT_FOUND


def test_a_service_port_for_tls_is_greeted_by_name_and_only_knocked_at_by_address() -> None:
    one = service("cart")
    one["spec"]["ports"] = [
        {"port": 443},
        {"port": 9000, "name": "https-admin"},
        {"port": 8080, "name": "http"},
        {"port": 8443, "appProtocol": "http"},
    ]
    tried = [str(e) for e in addresses_of(one, "cluster.local")]
    name, ip = "cart.shop.svc.cluster.local", one["spec"]["clusterIP"]
    assert tried == [
        *(f"tls://{name}:443", f"{ip}:443", f"tls://{name}:9000", f"{ip}:9000"),
        *(f"{name}:8080", f"{ip}:8080", f"{name}:8443", f"{ip}:8443"),
    ]


@pytest.mark.parametrize("asked", ["https://127.0.0.1:{}/x/", "127.0.0.1:{}", "127.0.0.1", "http://127.0.0.1"])
async def test_what_a_prober_asked_names_a_configured_target(asked: str) -> None:
    async with talking(b"", "valid") as port:
        registry, _ = build_registry(ToolsConfig(probe=ProbeConfig((f"tls://127.0.0.1:{port}",), authorities=AUTHORITY)))
        tool = registry.get("check_http")
        assert tool is not None
        row = only(await tool.run(tool.arguments(target=asked.format(port)), context()))
        other = await tool.run(tool.arguments(target="https://127.0.0.1:9/"), context())
    assert (row["port"], row["result"], other.status) == (port, "open", ToolStatus.NOT_FOUND)


def der(name: str) -> bytes:
    text = (CERTIFICATES / f"{name}.pem").read_text()
    end = "-----END CERTIFICATE-----"
    return ssl.PEM_cert_to_DER_cert(text[: text.index(end) + len(end)])


def test_a_certificate_is_read_as_openssl_wrote_it_and_nothing_else_is_one() -> None:
    whole = der("valid")
    assert certificate_of(whole).names == ("localhost", "shop.example", "127.0.0.1")
    for cut in range(0, len(whole), 7):
        with pytest.raises(ValueError, match=r".+"):
            certificate_of(whole[:cut])
    for at in range(0, 200, 3):  # any byte may be another: read or refused, never anything else
        with contextlib.suppress(ValueError):
            certificate_of(whole[:at] + bytes([whole[at] ^ 0x5A]) + whole[at + 1 :])


def test_a_file_without_authorities_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "none.pem"
    empty.write_text("nothing")
    with pytest.raises(ValueError, match=r"none.pem holds no certificate"):
        check_authorities(str(empty))
    check_authorities(AUTHORITY)
