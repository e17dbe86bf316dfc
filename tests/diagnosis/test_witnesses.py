"""Beside what carries a verdict stand the words of the log: new since the onset, marked as trouble, one line of each form."""

import asyncio
from pathlib import Path

from app.domain.verdict import Verdict
from tests.diagnosis.offline import Offline
from tests.diagnosis.scenes import Scene, ago, shop


def verdict_of(folder: Path, scene: Scene) -> Verdict:
    return asyncio.run(Offline(scene.write(folder)).investigate())[0]


def killed(log: str) -> Scene:
    scene = shop()
    scene.crashes(137, "OOMKilled", log=log)
    return scene


def test_what_the_log_says_since_the_onset_is_quoted_once_for_each_form(tmp_path: Path) -> None:
    lines = [f"{ago(9 - i)} WARN loading table {i} of prices whole" for i in range(5)]
    quotes = [e.quote for e in verdict_of(tmp_path, killed("\n".join(lines))).evidence]
    assert sum("of prices whole" in q for q in quotes) == 1


def test_what_was_said_long_before_and_routine_are_not_quoted(tmp_path: Path) -> None:
    lines = [f"{ago(300 - i)} WARN cache is small" for i in range(3)] + [f"{ago(5)} WARN cache is small", f"{ago(4)} INFO price list read again"]
    quotes = " ".join(e.quote for e in verdict_of(tmp_path, killed("\n".join(lines))).evidence)
    assert "cache is small" not in quotes
    assert "read again" not in quotes


def test_a_node_short_of_memory_is_told_by_its_kubelet_too(tmp_path: Path) -> None:
    scene = shop()
    scene.labels = {"alertname": "KubeNodePressure", "node": "worker-b", "condition": "MemoryPressure"}
    node = scene.one("Node", "worker-b")
    node["status"]["conditions"].append({"type": "MemoryPressure", "status": "True", "reason": "KubeletHasInsufficientMemory", "message": "short"})
    scene.event("Node", "worker-b", "NodeHasInsufficientMemory", "Node worker-b status is now: NodeHasInsufficientMemory")
    scene.objects["Event"][-1]["metadata"]["namespace"] = "default"
    verdict = verdict_of(tmp_path, scene)
    assert verdict.hypotheses[0].cause == "node_memory_pressure"
    assert any("NodeHasInsufficientMemory" in e.quote for e in verdict.evidence)
