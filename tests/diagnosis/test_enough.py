"""When "nothing is wrong" may be said, by what the alert names and what was read."""

from pathlib import Path

import pytest

from app.domain.verdict import VerdictState
from tests.diagnosis.breakages import Break, golden
from tests.diagnosis.scenes import NS, Scene
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
