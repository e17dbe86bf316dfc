"""What has ended does not count, and what has not ended is not taken for over."""

import asyncio
from pathlib import Path

import pytest

from app.domain.verdict import Verdict, VerdictState
from tests.diagnosis.offline import Offline
from tests.diagnosis.scenes import NS, Scene, ago, shop

WATCHED = {"alertname": "HighErrorRate", "namespace": NS, "service": "cart"}


def verdict_of(scene: Scene, folder: Path) -> Verdict:
    verdict, _, _ = asyncio.run(Offline(scene.write(folder)).investigate())
    return verdict


def restarted(scene: Scene, minutes: float, ran: float) -> None:
    """The cart was OOM-killed after `ran` minutes and has run for `minutes` since."""
    ended = {"exitCode": 137, "reason": "OOMKilled", "startedAt": ago(minutes + ran), "finishedAt": ago(minutes)}
    running = {"running": {"startedAt": ago(minutes)}}
    scene.status().update(state=running, lastState={"terminated": ended}, restartCount=3, ready=True)


def refused(minutes: range) -> str:
    return "".join(f"{ago(m)} ERROR could not connect to ledger:9000: connection refused\n" for m in minutes)


def test_a_container_that_runs_much_longer_than_before_its_last_end_is_well(tmp_path: Path) -> None:
    scene = shop()
    restarted(scene, minutes=15, ran=2)
    verdict = verdict_of(scene, tmp_path)
    assert verdict.state is VerdictState.NOT_A_PROBLEM and not verdict.hypotheses
    assert any("OOMKilled" in text and "longer since" in text for text in verdict.set_aside)


def test_a_container_that_has_not_outlived_its_last_run_is_still_in_trouble(tmp_path: Path) -> None:
    scene = shop()
    restarted(scene, minutes=15, ran=20)
    assert verdict_of(scene, tmp_path).hypotheses[0].cause == "oom_killed"


def test_a_complaint_after_which_the_log_goes_on_without_it_is_over(tmp_path: Path) -> None:
    scene = shop()
    scene.labels = WATCHED
    scene.says(refused(range(25, 15, -1)) + "".join(f"{ago(m)} INFO served\n" for m in range(14, 0, -1)))
    verdict = verdict_of(scene, tmp_path)
    assert not verdict.hypotheses
    assert any("the log goes on without it" in text for text in verdict.set_aside)


def test_a_complaint_of_the_last_minutes_counts_although_other_lines_follow(tmp_path: Path) -> None:
    scene = shop()
    scene.labels = WATCHED
    scene.says(refused(range(14, 1, -1)) + f"{ago(1)} INFO served\n")
    verdict = verdict_of(scene, tmp_path)
    assert "dependency_unavailable" in {h.cause for h in verdict.hypotheses}


def test_old_complaints_of_a_pod_that_is_not_ready_still_count(tmp_path: Path) -> None:
    scene = shop()
    scene.not_ready()
    scene.labels = WATCHED
    scene.says(refused(range(25, 15, -1)) + "".join(f"{ago(m)} INFO waiting\n" for m in range(14, 0, -1)))
    assert "dependency_unavailable" in {h.cause for h in verdict_of(scene, tmp_path).hypotheses}


@pytest.mark.parametrize(("restarts", "minutes", "well"), [(1, 40, True), (1, 12, False), (4, 40, False)])
def test_one_exit_after_days_of_service_is_over_when_half_an_hour_has_passed(restarts: int, minutes: float, well: bool, tmp_path: Path) -> None:
    scene = shop()
    restarted(scene, minutes, ran=5000)
    scene.status()["lastState"]["terminated"] |= {"reason": "Error", "exitCode": 1}
    scene.status()["restartCount"] = restarts
    assert (verdict_of(scene, tmp_path).state is VerdictState.NOT_A_PROBLEM) is well
