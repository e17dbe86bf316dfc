"""What a verdict promises: quotes that occur, honest states, two faults named, old warnings set aside, same bytes."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.diagnosis.diagnosis import RulesDiagnosis, cause_ids
from app.domain.case import CaseFile
from app.domain.reason import Reason
from app.domain.tool import Provenance, StepStatus
from app.domain.verdict import Verdict, VerdictState
from tests.diagnosis.breakages import Break, at_start, golden, node, pull, running_log, scaled_down, service, stale_refusal
from tests.diagnosis.cases import ACCOUNT, CASES
from tests.diagnosis.offline import Offline
from tests.diagnosis.scenes import NS, shop


def investigate(folder: Path, *breaks: Break) -> tuple[Verdict, CaseFile]:
    scene = shop()
    for broken in breaks:
        broken(scene)
    verdict, case, _ = asyncio.run(Offline(scene.write(folder)).investigate())
    return verdict, case


def texts(case: CaseFile) -> dict[str, str]:
    return {u.outcome.call.id: u.outcome.result.text for u in case.updates if u.outcome.result}


@pytest.mark.parametrize("case", CASES[::6], ids=lambda c: c.cause)
def test_every_quote_is_a_line_of_the_result_it_names_and_long_enough_to_prove_something(case: object, tmp_path: Path) -> None:
    verdict, read = investigate(tmp_path, case.positive)  # type: ignore[attr-defined]
    assert verdict.evidence
    for evidence in verdict.evidence:
        assert evidence.quote in texts(read)[evidence.call_id]
        assert len(evidence.quote) >= 12 and evidence.query
    known = {e.id for e in verdict.evidence}
    assert all(set(h.evidence) <= known for h in verdict.hypotheses)
    assert len(verdict.line) <= 140


def test_two_independent_faults_are_both_named(tmp_path: Path) -> None:
    def other(scene: object) -> None:
        scene.crashes(137, "OOMKilled", "web")  # type: ignore[attr-defined]

    def gone(scene: object) -> None:
        scene.edges = []  # type: ignore[attr-defined]
        scene.box("web")["env"] = []  # type: ignore[attr-defined]

    verdict, _ = investigate(tmp_path, gone, pull("manifest unknown"), other)
    assert {(h.cause, h.object.name) for h in verdict.hypotheses if h.confidence >= 0.75} == {("oom_killed", "web"), ("image_not_found", "cart")}


def test_a_caller_that_suffers_from_its_callee_is_not_named_as_a_cause(tmp_path: Path) -> None:
    def suffers(scene: object) -> None:
        scene.not_ready("cart")  # type: ignore[attr-defined]
        pod = scene.pod("cart")["metadata"]["name"]  # type: ignore[attr-defined]
        scene.event("Pod", pod, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")  # type: ignore[attr-defined]
        scene.says("could not connect to store:5432: connection refused", "cart")  # type: ignore[attr-defined]

    verdict, _ = investigate(tmp_path, scaled_down, suffers)
    assert [(h.cause, h.object.name) for h in verdict.hypotheses] == [("zero_replicas", "store")]
    assert any("dependency_unavailable" in r.hypothesis or "readiness_probe_failing" in r.hypothesis for r in verdict.ruled_out)


def test_old_warnings_are_set_aside_with_the_reason(tmp_path: Path) -> None:
    verdict, _ = investigate(tmp_path, at_start("Liveness"), stale_refusal(ACCOUNT))
    assert verdict.state is VerdictState.NOT_A_PROBLEM
    assert any("the pod is ready now" in text for text in verdict.set_aside)
    assert any("FailedCreate" in text for text in verdict.set_aside)


def test_log_text_alone_is_never_more_than_likely_and_says_so(tmp_path: Path) -> None:
    verdict, _ = investigate(tmp_path, running_log("FATAL: password authentication failed"))
    assert verdict.state is VerdictState.LIKELY and verdict.confidence < 0.7
    assert all(e.provenance is Provenance.UNTRUSTED for e in verdict.evidence)
    assert "log text alone" in verdict.confidence_reason


def test_below_confirmed_nothing_is_called_a_root_cause(tmp_path: Path) -> None:
    verdict, _ = investigate(tmp_path, running_log("x509: certificate has expired"))
    assert verdict.state is not VerdictState.CONFIRMED
    assert "root cause" not in verdict.model_dump_json().lower()


def test_trouble_without_a_cause_is_inconclusive_not_healthy(tmp_path: Path) -> None:
    verdict, _ = investigate(tmp_path, lambda s: s.not_ready())
    assert verdict.state is VerdictState.INCONCLUSIVE and verdict.hypotheses == ()


def test_a_latency_alert_without_series_is_no_all_clear(tmp_path: Path) -> None:
    def without_series(scene: object) -> None:
        scene.labels = {"alertname": "HighLatency", "namespace": NS, "service": "cart"}  # type: ignore[attr-defined]

    verdict, _ = investigate(tmp_path, without_series)
    assert verdict.state is VerdictState.INCONCLUSIVE


def test_actions_are_commands_built_from_names_with_checks_first(tmp_path: Path) -> None:
    verdict, _ = investigate(tmp_path, pull("manifest unknown"))
    assert [a.changes for a in verdict.actions] == sorted(a.changes for a in verdict.actions)
    change = next(a for a in verdict.actions if a.changes)
    assert change.argv == ("kubectl", "rollout", "undo", "deployment/cart", "-n", NS) and change.effect and change.undo


def test_the_alert_and_the_onset_are_on_the_timeline_in_order(tmp_path: Path) -> None:
    verdict, _ = investigate(tmp_path, lambda s: s.crashes(137, "OOMKilled"))
    assert [m.at for m in verdict.timeline] == sorted(m.at for m in verdict.timeline)
    assert any(m.what.startswith("Alert") for m in verdict.timeline) and any("OOMKilled" in m.what for m in verdict.timeline)


def test_a_step_that_was_not_answered_is_listed_as_not_checked(tmp_path: Path) -> None:
    _, case = investigate(tmp_path, pull("manifest unknown"))
    first = case.updates[0]
    outcome = first.outcome.model_copy(update={"status": StepStatus.SKIPPED, "result": None, "reason": Reason.NOT_CONFIGURED})
    case = case.model_copy(update={"updates": (first.model_copy(update={"outcome": outcome}), *case.updates[1:])})
    diagnosis = RulesDiagnosis()
    verdict = diagnosis.conclude(case, diagnosis.assess(case))
    assert [(n.what, n.reason) for n in verdict.not_checked if n.what == first.step.tool] == [(first.step.tool, "not_configured")]


def test_nothing_read_is_inconclusive_and_asks_for_the_whole_namespace_first(tmp_path: Path) -> None:
    _, case = investigate(tmp_path)
    empty = case.model_copy(update={"updates": ()})
    assessment = RulesDiagnosis().assess(empty)
    assert [s.tool for s in assessment.next_steps][:2] == ["check_pods", "check_events"]
    assert RulesDiagnosis().conclude(empty, assessment).state is VerdictState.INCONCLUSIVE


def test_reads_stay_within_the_budget_and_no_call_is_made_twice(tmp_path: Path) -> None:
    for broken in (
        node("worker-a", "Ready", "Unknown", "NodeStatusUnknown", "gone"),
        service(targetPort=80),
        golden("service_latency_seconds", 0.01, 0.4),
    ):
        _, case = investigate(tmp_path, broken)
        made = [(u.step.tool, json.dumps(u.outcome.call.args, sort_keys=True)) for u in case.updates]
        assert len(made) == len(set(made)) and sum(1 for u in case.updates if u.outcome.result) <= 15
        assert len({u.step.id for u in case.updates}) == len(case.updates)


def test_the_vocabulary_is_what_a_model_may_name() -> None:
    assert "oom_killed" in cause_ids() and len(cause_ids()) == len(set(cause_ids()))


SCRIPT = """
import asyncio, hashlib, sys
from pathlib import Path
from tests.diagnosis.offline import Offline
verdict, case, _ = asyncio.run(Offline(Path(sys.argv[1])).investigate())
print(hashlib.sha256((verdict.model_dump_json() + case.model_dump_json(exclude={"sources"})).encode()).hexdigest())
"""


@pytest.mark.slow
def test_the_same_world_gives_the_same_bytes_whatever_the_hash_seed(tmp_path: Path) -> None:
    scene = shop()
    scaled_down(scene)
    golden("service_latency_seconds", 0.01, 0.4)(scene)
    scene.write(tmp_path)
    digests = set()
    for seed in ("0", "1", "4242"):
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path)], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        )
        digests.add(run.stdout)
    assert len(digests) == 1
