"""An alert about a node: what runs there, in whatever namespace, is read once and told as the impact."""

import asyncio
from pathlib import Path

from tests.diagnosis.breakages import node
from tests.diagnosis.offline import Offline
from tests.diagnosis.scenes import NS, ago, shop


def test_the_impact_of_a_lost_node_counts_pods_and_workloads_of_all_namespaces(tmp_path: Path) -> None:
    scene = shop()
    node("worker-b", "Ready", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")(scene)
    scene.one("Lease", "worker-b")["spec"]["renewTime"] = ago(9)
    for name in ("cart", "store"):
        scene.not_ready(name)
    scene.pod("store")["metadata"]["namespace"] = "data"
    scene.labels = {"alertname": "KubeNodeNotReady", "node": "worker-b", "namespace": NS}
    verdict, case, _ = asyncio.run(Offline(scene.write(tmp_path)).investigate())
    assert str(verdict.hypotheses[0].object) == "Node//worker-b", verdict.line
    assert "2 pods of 2 workloads on this node" in verdict.impact
    asked = [u.step.args for u in case.updates if u.step.tool == "check_pods"]
    assert asked.count({"node": "worker-b"}) == 1
