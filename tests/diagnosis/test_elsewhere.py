"""Trouble of a shared cluster that the alert has nothing to do with."""

import copy
from pathlib import Path

from app.domain.verdict import VerdictState
from tests.diagnosis.breakages import Break, node
from tests.diagnosis.scenes import NS, Scene
from tests.diagnosis.test_verdict import investigate


def about(service: str) -> Break:
    def told(s: Scene) -> None:
        s.labels = {"alertname": "KubeDeploymentReplicasMismatch", "namespace": NS, "deployment": service}

    return told


def spare(s: Scene) -> None:
    """A third worker on which nothing of the shop runs."""
    other = copy.deepcopy(s.one("Node", "worker-a"))
    other["metadata"]["name"] = "worker-z"
    s.objects["Node"].append(other)


def test_a_dead_node_on_which_nothing_of_the_namespace_runs_is_set_aside(tmp_path: Path) -> None:
    away = node("worker-z", "Ready", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
    verdict, _ = investigate(tmp_path, about("cart"), spare, away)
    assert verdict.state is VerdictState.NOT_A_PROBLEM
    assert any("worker-z" in line and "does not touch" in line for line in verdict.set_aside)


def test_a_dead_node_that_runs_a_pod_of_the_namespace_is_named(tmp_path: Path) -> None:
    away = node("worker-a", "Ready", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
    verdict, _ = investigate(tmp_path, about("cart"), spare, away)
    assert verdict.hypotheses[0].object.name == "worker-a"
