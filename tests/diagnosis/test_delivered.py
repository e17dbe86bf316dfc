"""Certificates that a probe sees and what delivery tools say of themselves, through the real tools, into the verdict."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from app.domain.case import CaseFile
from app.domain.verdict import Verdict, VerdictState
from app.tools.argocd_client import ArgoClient, ArgoConfig
from app.tools.check_argocd import CheckArgocd
from app.tools.check_github_deployments import CheckGithubDeployments
from app.tools.check_http import CheckHttp, ProbeConfig
from app.tools.github_client import GithubClient, GithubConfig
from tests.diagnosis.breakages import Break, both, released, stuck, unhealthy
from tests.diagnosis.offline import Offline, SnapshotCluster
from tests.diagnosis.scenes import NS, Scene, ago, meta, shop
from tests.diagnosis.wider_breakages import reconfigured
from tests.tools.delivery_servers import FAILED, TOKEN, Json, application, argocd, deployment, github
from tests.tools.servers import serving
from tests.tools.tls_servers import AUTHORITY, talking, tunnel

pytestmark = pytest.mark.slow
REGRESSION = both(released, unhealthy("Readiness", "HTTP probe failed with statuscode: 500"), stuck)
CHANGED = both(reconfigured, unhealthy("Readiness", "HTTP probe failed with statuscode: 500"), stuck)


def fine(_: Scene) -> None:
    """Nothing is broken."""


def offline(folder: Path, broken: Break, alert: str = "ServiceUnavailable", **labels: str) -> Offline:
    scene = shop()
    broken(scene)
    scene.labels = {"alertname": alert, "namespace": NS, **labels}
    return Offline(scene.write(folder))


async def with_argocd(made: Offline, *applications: Json) -> tuple[Verdict, CaseFile]:
    async with serving(argocd(*applications)) as server:
        client = ArgoClient(ArgoConfig(f"{server.url}/argo", TOKEN))
        made.tools["check_argocd"], made.more = CheckArgocd(client), ("argocd",)
        verdict, case, _ = await made.investigate()
        await client.aclose()
    return verdict, case


def delivered(minutes: float, **more: Any) -> Json:
    """An Application whose last revision was applied so many minutes ago."""
    made = application(**more)
    made["status"]["history"][-1]["deployedAt"] = ago(minutes)
    return made


def failed(minutes: float) -> Json:
    return {"operationState": FAILED["operationState"] | {"startedAt": ago(minutes), "finishedAt": ago(minutes - 1)}}


CANNOT_COMPARE = {
    "operationState": {},
    "conditions": [{"type": "ComparisonError", "message": "failed to generate manifest: exit status 1", "lastTransitionTime": ago(20)}],
}


@pytest.mark.parametrize(
    ("sync", "status", "message"),
    [("OutOfSync", failed(15), "field is immutable"), ("Unknown", CANNOT_COMPARE, "failed to generate manifest: exit status 1")],
)
async def test_an_application_that_is_refused_is_the_cause(tmp_path: Path, sync: str, status: Json, message: str) -> None:
    verdict, _ = await with_argocd(offline(tmp_path, fine), application(sync=sync, **status))
    first = verdict.hypotheses[0]
    assert (first.cause, str(first.object), verdict.state) == ("gitops_out_of_sync", "Application/argocd/shop", VerdictState.CONFIRMED)
    assert message in first.mechanism and any(message in e.quote for e in verdict.evidence)


@pytest.mark.parametrize(
    ("application_", "alert"),
    [
        (application(), "ServiceUnavailable"),
        (application(sync="OutOfSync", operationState={"phase": "Succeeded", "message": "successfully synced"}), "ServiceUnavailable"),
        (application(sync="Synced", **failed(15)), "ServiceUnavailable"),
        (application(sync="OutOfSync", operationState={"phase": "Running", "message": "waiting for hooks"}), "ServiceUnavailable"),
        (application(sync="OutOfSync", **failed(60 * 24 * 9)), "ServiceUnavailable"),
    ],
    ids=["healthy", "only out of sync", "failed and mended", "at work", "failed for days"],
)
async def test_an_application_that_only_looks_like_it_is_no_cause(tmp_path: Path, application_: Json, alert: str) -> None:
    verdict, case = await with_argocd(offline(tmp_path, fine, alert), application_)
    assert any(u.step.tool == "check_argocd" and u.outcome.result for u in case.updates)
    assert verdict.hypotheses == () and verdict.state is VerdictState.NOT_A_PROBLEM


async def test_a_sync_that_failed_for_days_is_the_cause_of_an_alert_about_delivery(tmp_path: Path) -> None:
    verdict, _ = await with_argocd(offline(tmp_path, fine, "ArgoCdAppOutOfSync"), application(sync="OutOfSync", **failed(60 * 24 * 9)))
    assert [h.cause for h in verdict.hypotheses] == ["gitops_out_of_sync"]


@pytest.mark.parametrize(("broken", "cause"), [(REGRESSION, "rollout_regression"), (CHANGED, "feature_flag_or_config_change")])
@pytest.mark.parametrize(("minutes", "cited"), [(18, True), (600, False)])
async def test_a_release_cites_what_argo_cd_applied_just_before(tmp_path: Path, broken: Break, cause: str, minutes: float, cited: bool) -> None:
    verdict, _ = await with_argocd(offline(tmp_path, broken), delivered(minutes))
    assert verdict.hypotheses[0].cause == cause
    assert any("deployed revision 3f2a1bc0de11" in e.quote for e in verdict.evidence) is cited


@pytest.mark.parametrize(("service", "minutes", "cited"), [("cart", 18, True), ("cart", 600, False), ("web", 18, False)])
async def test_a_release_cites_the_deployment_that_github_records_of_its_service(tmp_path: Path, service: str, minutes: float, cited: bool) -> None:
    made = offline(tmp_path, REGRESSION)
    async with serving(github([deployment(1, ago(minutes))])) as server:
        client = GithubClient(GithubConfig(server.url, TOKEN, {service: "acme/cart"}))
        made.tools["check_github_deployments"], made.more = CheckGithubDeployments(client), ("github",)
        verdict, _, _ = await made.investigate()
        await client.aclose()
    lead = verdict.hypotheses[0]
    quotes = {e.id: e.quote for e in verdict.evidence}
    assert lead.cause == "rollout_regression"
    assert any(quotes[i].startswith("deployment 1 of acme/cart v1.4") for i in lead.evidence) is cited


def way_in(s: Scene) -> None:
    paths = [{"path": "/", "backend": {"service": {"name": "cart", "port": {"number": 8080}}}}]
    spec = {"tls": [{"hosts": ["shop.example"]}], "rules": [{"host": "shop.example", "http": {"paths": paths}}]}
    s.add("Ingress", {"metadata": meta("front"), "spec": spec})


def https_port(s: Scene) -> None:
    s.one("Service", "cart")["spec"]["ports"] = [{"port": 443, "protocol": "TCP", "targetPort": 8080}]


async def with_probe(made: Offline, certificate: str) -> tuple[Verdict, CaseFile]:
    cluster: Any = SnapshotCluster(made.folder)
    async with talking(b"", certificate) as port, tunnel(port) as proxy:
        made.tools["check_http"] = CheckHttp(ProbeConfig(proxy_url=proxy, authorities=AUTHORITY), cluster)
        made.more = ("http",)
        verdict, case, _ = await made.investigate()
    return verdict, case


ALERTS = [("SslCertificateExpired", {"service": "cart"}), ("IngressCertificateExpiry", {"ingress": "front"}), ("CertificateTrouble", {})]


@pytest.mark.parametrize(("alert", "labels"), ALERTS)
@pytest.mark.parametrize(
    ("certificate", "cause", "said"),
    [
        ("expired", "certificate_expired", "A TLS certificate that the endpoint shop.example:443 uses is past its date"),
        ("untrusted", "certificate_untrusted", "A client of shop.example:443 does not trust the certificate of its peer"),
        ("self_signed", "certificate_untrusted", "A client of shop.example:443 does not trust the certificate of its peer"),
    ],
)
async def test_a_certificate_that_a_way_in_shows_is_the_cause(
    tmp_path: Path, alert: str, labels: dict[str, str], certificate: str, cause: str, said: str
) -> None:
    verdict, _ = await with_probe(offline(tmp_path, way_in, alert, **labels), certificate)
    first = verdict.hypotheses[0]
    assert (first.cause, str(first.object), first.mechanism) == (cause, "Deployment/shop/cart", said)
    assert verdict.state is VerdictState.LIKELY  # what a peer sends is not to be trusted alone
    assert any("shop.example:443" in e.quote for e in verdict.evidence)


@pytest.mark.parametrize(("alert", "labels"), ALERTS[:2])
@pytest.mark.parametrize(("day", "left", "causes"), [("12-12", 20, []), ("12-28", 4, ["certificate_expiring"])])
async def test_a_certificate_that_ends_soon_is_not_called_expired(
    tmp_path: Path, alert: str, labels: dict[str, str], day: str, left: int, causes: list[str]
) -> None:
    made = offline(tmp_path, way_in, alert, **labels)
    made.now = datetime.fromisoformat(f"2119-{day}T00:00:00Z")
    verdict, case = await with_probe(made, "valid")
    rows = [row for u in case.updates if u.outcome.result and u.step.tool == "check_http" for row in u.outcome.result.data["probes"]]
    assert [row["certificate"]["daysLeft"] for row in rows if "certificate" in row] == [left]
    assert [h.cause for h in verdict.hypotheses if h.cause.startswith("certificate")] == causes


async def test_a_certificate_that_ends_soon_is_no_cause_of_other_troubles(tmp_path: Path) -> None:
    made = offline(tmp_path, way_in, "ServiceUnavailable", service="cart")
    made.now = datetime.fromisoformat("2119-12-28T00:00:00Z")
    verdict, _ = await with_probe(made, "valid")
    assert "certificate_expiring" not in [h.cause for h in verdict.hypotheses]


@pytest.mark.parametrize(("certificate", "causes"), [("untrusted", []), ("other_name", []), ("expired", ["certificate_expired"])])
async def test_of_a_services_own_address_only_the_dates_count(tmp_path: Path, certificate: str, causes: list[str]) -> None:
    """Inside the cluster it is called by other names, and other authorities are trusted."""
    verdict, _ = await with_probe(offline(tmp_path, https_port, "SslCertificateExpired", service="cart"), certificate)
    assert [h.cause for h in verdict.hypotheses if h.cause.startswith("certificate")] == causes
