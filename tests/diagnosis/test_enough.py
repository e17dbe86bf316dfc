"""When "nothing is wrong" may be said, by what the alert names and what was read."""

from pathlib import Path

import pytest

from app.domain.verdict import VerdictState
from tests.diagnosis.breakages import Break, golden
from tests.diagnosis.scenes import NOW, NS, Scene
from tests.diagnosis.test_verdict import investigate


def named(alertname: str) -> Break:
    def told(s: Scene) -> None:
        s.labels = {"alertname": alertname, "namespace": NS, "deployment": "cart"}

    return told


@pytest.mark.parametrize("alertname", ["ServiceUnavailable", "KubePodCrashLooping", "PodCountDropped", "KubeDeploymentReplicasMismatch"])
def test_pods_and_a_second_view_are_enough_for_alerts_about_pods(alertname: str, tmp_path: Path) -> None:
    verdict, _ = investigate(tmp_path, named(alertname))
    assert verdict.state is VerdictState.NOT_A_PROBLEM


@pytest.mark.parametrize(
    "alertname", ["ConsumerGroupLagHigh", "PostgresReplicationLag", "RoyaltyReportStale", "HubTlsCertExpires", "ArgoAppOutOfSync"]
)
def test_what_nobody_measured_is_not_known_to_be_well(alertname: str, tmp_path: Path) -> None:
    verdict, _ = investigate(tmp_path, named(alertname))
    assert (verdict.state, verdict.hypotheses) == (VerdictState.INCONCLUSIVE, ())


def test_a_memory_that_was_measured_and_is_even_is_no_problem(tmp_path: Path) -> None:
    even = golden("container_memory_working_set_bytes", 2e8, 2e8, pod="cart-5c9f7d8b6-x2x4q", container="cart")
    verdict, _ = investigate(tmp_path, even, named("ContainerMemoryHigh"))
    assert verdict.state is VerdictState.NOT_A_PROBLEM
    (tmp_path / "unmeasured").mkdir()
    verdict, _ = investigate(tmp_path / "unmeasured", named("ContainerMemoryHigh"))
    assert verdict.state is VerdictState.INCONCLUSIVE


def dated(days: float, name: str) -> Break:
    def told(s: Scene) -> None:
        s.labels = {"alertname": "CertificateExpiresSoon", "namespace": NS, "deployment": "cart", "name": "cart-tls"}
        ends = NOW.timestamp() + days * 86_400
        s.series("certmanager_certificate_expiration_timestamp_seconds", {"name": name, "exported_namespace": NS}, ends - 1, ends)

    return told


@pytest.mark.parametrize(
    ("days", "name", "state", "cause"),
    [
        (80, "cart-tls", VerdictState.NOT_A_PROBLEM, ""),
        (3, "cart-tls", VerdictState.LIKELY, "certificate_expiring"),
        (-1, "cart-tls", VerdictState.LIKELY, "certificate_expired"),
        (80, "web-tls", VerdictState.INCONCLUSIVE, ""),
    ],
)
def test_a_certificate_is_well_when_its_own_date_was_measured_and_is_far(
    days: float, name: str, state: VerdictState, cause: str, tmp_path: Path
) -> None:
    verdict, _ = investigate(tmp_path, dated(days, name))
    assert (verdict.state, next((h.cause for h in verdict.hypotheses), "")) == (state, cause)


@pytest.mark.parametrize(
    ("version", "state"),
    [("v1.32.7", VerdictState.NOT_A_PROBLEM), ("v1.34.0", VerdictState.LIKELY)],
)
def test_mixed_kubelets_of_a_rolling_upgrade_are_no_problem(version: str, state: VerdictState, tmp_path: Path) -> None:
    def mixed(s: Scene) -> None:
        s.labels = {"alertname": "KubeVersionMismatch", "cluster": "one"}
        for number, node in enumerate(s.objects["Node"]):
            node["status"].setdefault("nodeInfo", {})["kubeletVersion"] = version if number == 0 else "v1.32.6"

    verdict, _ = investigate(tmp_path, mixed)
    assert verdict.state is state
