"""Each cause is named when it is there, and not when something only looks like it; the whole shop is no problem."""

import asyncio
from pathlib import Path

import pytest

from app.diagnosis.actions import CATALOGUE
from app.diagnosis.causes import CAUSES, LEFT_OUT, RULES
from app.diagnosis.signals.operators import KINDS
from app.domain.verdict import Verdict, VerdictState
from tests.diagnosis.breakages import Break, Case
from tests.diagnosis.cases import CASES
from tests.diagnosis.offline import Offline
from tests.diagnosis.scenes import Scene, shop


def verdict_of(folder: Path, *breaks: Break) -> Verdict:
    scene = shop()
    for broken in breaks:
        broken(scene)
    verdict, _, _ = asyncio.run(Offline(scene.write(folder)).investigate())
    return verdict


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.cause)
def test_the_cause_is_named_first_on_its_object(case: Case, tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, case.positive)
    assert [(h.cause, str(h.object)) for h in verdict.hypotheses][:1] == [(case.cause, case.object)], verdict.line
    assert verdict.state in (VerdictState.CONFIRMED, VerdictState.LIKELY)
    first = verdict.hypotheses[0]
    assert first.evidence and first.mechanism and "unknown" not in first.mechanism and first.why
    assert len(verdict.actions) <= 3


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.cause)
def test_what_only_looks_like_the_cause_is_not_called_by_its_name(case: Case, tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, case.near)
    assert case.cause not in [h.cause for h in verdict.hypotheses], verdict.line


def test_a_shop_where_all_is_well_is_not_a_problem_and_names_no_cause(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path)
    assert verdict.state is VerdictState.NOT_A_PROBLEM and verdict.hypotheses == () and verdict.evidence


@pytest.mark.slow
@pytest.mark.parametrize("target", sorted({c.object for c in CASES}))
def test_an_alert_about_an_object_that_is_well_names_no_cause(target: str, tmp_path: Path) -> None:
    kind, _, name = target.split("/", 2)

    def about(scene: Scene) -> None:
        scene.labels = {"alertname": "Trouble", "namespace": "shop", kind.lower(): name}

    verdict = verdict_of(tmp_path, about)
    assert verdict.hypotheses == ()
    assert verdict.state in (VerdictState.NOT_A_PROBLEM, VerdictState.INCONCLUSIVE)


def test_every_cause_the_rules_can_name_has_a_case_and_a_place_in_the_vocabulary() -> None:
    assert {c.cause for c in CASES} == {r.id for r in RULES}
    assert {r.id for r in RULES} | set(LEFT_OUT) == set(CAUSES)
    assert not {r.id for r in RULES} & set(LEFT_OUT) and len(LEFT_OUT) <= 10
    assert len({r.id for r in RULES}) == len(RULES)


WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet", "Pod"}
WIDER = {"Workload": WORKLOADS, "Operator": set(KINDS), "Ingress": {"Ingress", "Gateway"}}


def test_the_object_of_a_cause_is_of_the_kind_the_vocabulary_says() -> None:
    wrong = [c.cause for c in CASES if c.object.split("/")[0] not in WIDER.get(CAUSES[c.cause].object, {CAUSES[c.cause].object})]
    assert wrong == []


def test_every_action_of_a_cause_is_in_the_catalogue_and_every_change_says_its_effect_and_undo() -> None:
    assert {a for r in RULES for a in r.actions} <= set(CATALOGUE)
    assert all(r.actions for r in RULES)
    assert [name for name, entry in CATALOGUE.items() if entry.changes and not (entry.effect and entry.undo)] == []


def test_what_a_cause_beats_is_a_cause() -> None:
    assert [(r.id, b) for r in RULES for b in r.beats if b not in CAUSES or b == r.id] == []
