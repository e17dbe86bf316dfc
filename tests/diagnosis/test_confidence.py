"""Confidence is a share of verdicts that hold: it follows the kind of evidence, and says so."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from app.diagnosis.confidence import SEEN_TWICE, all_clear
from app.diagnosis.ranking import UNTRUSTED_CEILING
from app.diagnosis.world import World
from app.domain.verdict import Verdict, VerdictState
from tests.diagnosis.breakages import Break, pull, running_log
from tests.diagnosis.cases import CASES
from tests.diagnosis.offline import Offline
from tests.diagnosis.scenes import shop


def verdict_of(folder: Path, *breaks: Break, change: Callable[[Offline], None] = lambda offline: None) -> Verdict:
    scene = shop()
    for broken in breaks:
        broken(scene)
    offline = Offline(scene.write(folder))
    change(offline)
    verdict, _, _ = asyncio.run(offline.investigate())
    return verdict


def test_what_the_cluster_states_and_a_second_source_bears_out_is_as_good_as_sure(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, pull("manifest unknown"))
    assert verdict.state is VerdictState.CONFIRMED and verdict.confidence == SEEN_TWICE
    assert verdict.confidence_reason.startswith("stated outright, borne out by check_")


def test_what_only_a_log_says_is_likely_at_most(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, running_log("could not connect to ledger:9000: connection refused"))
    assert verdict.state is VerdictState.LIKELY and verdict.confidence <= UNTRUSTED_CEILING


def test_sources_that_gave_no_answer_lower_an_all_clear_and_are_told(tmp_path: Path) -> None:
    offline = Offline(shop().write(tmp_path))
    verdict, case, _ = asyncio.run(offline.investigate())
    assert verdict.state is VerdictState.NOT_A_PROBLEM and verdict.confidence >= 0.9
    lower, why = all_clear(World(case), 2)
    assert lower < verdict.confidence and why.endswith("2 sources gave no answer")


@pytest.mark.parametrize("case", CASES[::9], ids=lambda c: c.cause)
def test_no_alternative_is_surer_than_what_leads_and_each_says_why(case: object, tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, case.positive)  # type: ignore[attr-defined]
    told = [h.confidence for h in verdict.hypotheses]
    assert told == sorted(told, reverse=True) and told[0] == verdict.confidence
    assert all(h.why for h in verdict.hypotheses)
