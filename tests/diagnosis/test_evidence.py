"""What a verdict quotes, and which logs are asked for it: the words of the source for cause and effect, few and each once."""

import asyncio
from pathlib import Path

import pytest

from app.domain.case import CaseFile
from app.domain.verdict import Verdict, VerdictState
from tests.diagnosis.breakages import Break
from tests.diagnosis.offline import Offline
from tests.diagnosis.scenes import NS, Scene, ago, shop

DEAD = "     Active: inactive (dead) since Thu 2027-03-04 17:55:29 CST; 4min 31s ago"
ALIVE = "     Active: active (running) since Thu 2027-03-04 11:52:39 CST; 6h ago"
STOPPED = "systemd[1]: kubelet.service: Main process exited, code=exited, status=255/EXCEPTION"
STARTED = "systemd[1]: Started kubelet: The Kubernetes Node Agent."
WORKER = "Node//worker-a"


def lost(scene: Scene) -> None:
    """The kubelet of a worker is away: its lease is old, its pod not ready."""
    ready = scene.one("Node", "worker-a")["status"]["conditions"][0]
    ready.update(status="Unknown", reason="NodeStatusUnknown", message="Kubelet stopped posting node status.", lastTransitionTime=ago(4))
    scene.one("Lease", "worker-a")["spec"]["renewTime"] = ago(5)
    scene.not_ready("web")
    scene.metrics = []


def says(unit: str, *lines: str, node: str = "worker-a") -> Break:
    def broken(scene: Scene) -> None:
        scene.logs[f"kube-system/{node}/{unit}"] = "\n".join(lines)

    return broken


def investigate(folder: Path, *breaks: Break) -> tuple[Verdict, CaseFile]:
    scene = shop()
    for broken in breaks:
        broken(scene)
    verdict, case, _ = asyncio.run(Offline(scene.write(folder)).investigate())
    return verdict, case


def first(verdict: Verdict) -> tuple[str, str]:
    return (verdict.hypotheses[0].cause, str(verdict.hypotheses[0].object)) if verdict.hypotheses else ("", "")


@pytest.mark.parametrize("lines", [(DEAD,), (STARTED, STOPPED)], ids=["status", "journal"])
@pytest.mark.parametrize("name", ["kubelet", "kubelet.service"])
def test_where_no_series_tell_the_log_of_the_unit_says_that_the_kubelet_is_down(tmp_path: Path, lines: tuple[str, ...], name: str) -> None:
    verdict, _ = investigate(tmp_path, lost, says(name, *lines))
    assert first(verdict) == ("kubelet_unavailable", WORKER), verdict.line
    assert lines[-1].strip() in [e.quote for e in verdict.evidence]


@pytest.mark.parametrize("lines", [(DEAD, ALIVE), (STOPPED, STARTED)], ids=["status", "journal"])
def test_a_unit_that_runs_again_is_not_down(tmp_path: Path, lines: tuple[str, ...]) -> None:
    verdict, _ = investigate(tmp_path, lost, says("kubelet", *lines))
    assert first(verdict) == ("node_not_ready", WORKER), verdict.line


def test_a_unit_that_series_show_as_down_is_quoted_in_its_own_words_too(tmp_path: Path) -> None:
    def down(scene: Scene) -> None:
        scene.unit("worker-b", "kube-proxy", 0)

    verdict, _ = investigate(tmp_path, down, says("kube-proxy", DEAD, node="worker-b"))
    assert first(verdict) == ("kube_proxy_unavailable", "Node//worker-b")
    assert {e.source for e in verdict.evidence} >= {"query_prometheus", "search_logs"}


def test_the_scheduler_is_asked_for_where_pods_wait_without_a_word(tmp_path: Path) -> None:
    def silent(scene: Scene) -> None:
        scene.pending("")
        scene.metrics = []

    verdict, _ = investigate(tmp_path, silent, says("kube-scheduler", DEAD, node="control"))
    assert first(verdict) == ("scheduler_unavailable", "Node//control"), verdict.line


def evicts(scene: Scene) -> None:
    scene.event("Node", "worker-a", "EvictionThresholdMet", "Attempting to reclaim memory")
    scene.objects["Event"][-1]["metadata"]["namespace"] = "default"


def short_of_memory(scene: Scene) -> None:
    scene.one("Node", "worker-a")["status"]["conditions"].append(
        {"type": "MemoryPressure", "status": "True", "reason": "KubeletHasInsufficientMemory"}
    )


def test_a_node_under_pressure_is_quoted_with_what_its_kubelet_said(tmp_path: Path) -> None:
    verdict, _ = investigate(tmp_path, short_of_memory, evicts)
    assert first(verdict) == ("node_memory_pressure", WORKER)
    assert any("Attempting to reclaim memory" in e.quote for e in verdict.evidence)


def test_what_a_kubelet_said_of_a_node_that_is_well_again_is_no_evidence(tmp_path: Path) -> None:
    verdict, _ = investigate(tmp_path, evicts)
    assert verdict.hypotheses == ()


def test_where_all_is_well_no_unit_is_asked_for(tmp_path: Path) -> None:
    verdict, case = investigate(tmp_path, says("kubelet", ALIVE))
    assert verdict.state is VerdictState.NOT_A_PROBLEM
    assert "search_logs" not in [u.step.tool for u in case.updates]


def test_no_log_is_asked_of_a_pod_whose_kubelet_is_away(tmp_path: Path) -> None:
    def crashed(scene: Scene) -> None:
        scene.crashes(1, name="web")
        scene.crashes(1, name="cart")

    _, case = investigate(tmp_path, lost, crashed)
    adapted = [u.step.args.get("pod", "") for u in case.updates if u.step.tool == "get_logs" and u.step.id.startswith("r")]
    assert not any(str(pod).startswith("web-") for pod in adapted), adapted


def test_a_wrong_address_is_shown_by_what_its_caller_logs(tmp_path: Path) -> None:
    said = f'{ago(3)} {{"error":"could not read the cart: dial tcp: lookup storage on 10.0.0.2:53: no such host"}}'

    def wrong(scene: Scene) -> None:
        scene.box()["env"][0]["value"] = "storage:5432"
        scene.says(f"{said}\n{said.replace(ago(3), ago(2))}", "web")

    verdict, _ = investigate(tmp_path, wrong)
    assert first(verdict) == ("client_address_wrong", f"Deployment/{NS}/cart"), verdict.line
    assert said in [e.quote for e in verdict.evidence]


def test_of_lines_that_name_several_peers_each_is_quoted_once_from_when_it_began(tmp_path: Path) -> None:
    lines = [f"{ago(9 - n)} error: lookup {peer} on 10.0.0.2:53: no such host" for n, peer in enumerate(["alpha", "beta", "alpha", "beta"])]

    def crashed(scene: Scene) -> None:
        scene.crashes(1, log="\n".join(["boot", *lines]))

    verdict, _ = investigate(tmp_path, crashed)
    assert [e.quote for e in verdict.evidence if "no such host" in e.quote] == lines[:2]


def test_no_verdict_has_more_than_twelve_quotes_and_none_twice(tmp_path: Path) -> None:
    def many(scene: Scene) -> None:
        for name in ("web", "cart", "store"):
            scene.crashes(137, "OOMKilled", name, log="panic: out of memory\nERROR dial tcp 10.0.0.1:80: connection refused")
            scene.event("Pod", scene.pod(name)["metadata"]["name"], "BackOff", "Back-off restarting failed container")

    verdict, _ = investigate(tmp_path, lost, many)
    quotes = [(e.call_id, e.quote) for e in verdict.evidence]
    assert 0 < len(quotes) <= 12 and len(set(quotes)) == len(quotes)
    assert all(h.evidence for h in verdict.hypotheses)


def test_the_effect_on_what_the_alert_is_about_is_quoted_beside_the_cause(tmp_path: Path) -> None:
    def alert_on_the_caller(scene: Scene) -> None:
        scene.crashes(137, "OOMKilled")
        scene.not_ready("web")
        scene.labels = {"alertname": "ServiceDown", "namespace": NS, "service": "web"}

    verdict, _ = investigate(tmp_path, alert_on_the_caller)
    assert first(verdict) == ("oom_killed", f"Deployment/{NS}/cart"), verdict.line
    quotes = [e.quote for e in verdict.evidence]
    assert any("OOMKilled" in q for q in quotes) and any("web" in q.split("condition")[0] for q in quotes)


def failed_once(host: str) -> Break:
    line = f"{ago(3)} error: dial tcp: lookup {host} on 10.0.0.2:53: no such host"
    return lambda scene: scene.says(line, "web")


def wrong_port(scene: Scene) -> None:
    scene.box()["env"][0]["value"] = "store:5431"


@pytest.mark.parametrize(("host", "quoted"), [("cart", True), ("store", False), ("elsewhere", False)])
def test_one_failure_of_a_caller_is_quoted_only_where_it_names_what_is_at_fault(tmp_path: Path, host: str, quoted: bool) -> None:
    verdict, _ = investigate(tmp_path, wrong_port, failed_once(host))
    assert first(verdict) == ("client_address_wrong", f"Deployment/{NS}/cart"), verdict.line
    assert any(f"lookup {host}" in e.quote for e in verdict.evidence) is quoted


def test_one_failure_of_a_pod_that_is_well_is_no_problem(tmp_path: Path) -> None:
    verdict, _ = investigate(tmp_path, failed_once("cart"))
    assert verdict.state is VerdictState.NOT_A_PROBLEM
