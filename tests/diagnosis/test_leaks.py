"""A leak is told from what only uses much memory: by the shape of the series between restarts, and by what starts them."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from app.domain.case import CaseFile
from app.domain.verdict import Verdict, VerdictState
from tests.diagnosis.offline import Offline
from tests.diagnosis.scenes import NOW, NS, Scene, ago, shop

RUN = 120  # minutes
MIB = 2**20
Level = Callable[[int], float]  # minutes since the container began -> MiB


def leak(minute: int) -> float:
    return 60 + 190 * minute / RUN


def warm_cache(minute: int) -> float:
    return 60 + 150 * min(minute, 20) / 20 + minute % 3


def one_large_request(minute: int) -> float:
    return 60 + minute % 3 + (190 if minute == RUN - 1 else 0)


def scene_of(level: Level, restarts: int = 9, restarted: bool = True, reason: str = "OOMKilled") -> Scene:
    """Six hours of a pod's memory: runs of two hours, the current one an hour and a half old."""
    scene = shop()
    labels = {"namespace": NS, "pod": scene.pod()["metadata"]["name"], "container": "cart"}
    start = int((NOW - timedelta(minutes=3 * RUN + 90)).timestamp())
    values = [[start + 60 * i, str(round(level(i % RUN) * MIB))] for i in range(3 * RUN + 91)]
    scene.metrics.append({"metric": {"__name__": "container_memory_working_set_bytes", **labels}, "values": values})
    begun = [[start + 60 * i, str(restarts - 3 + i // RUN if restarted else restarts)] for i in range(3 * RUN + 91)]
    scene.metrics.append({"metric": {"__name__": "kube_pod_container_status_restarts_total", **labels}, "values": begun})
    ended = {"exitCode": 137, "reason": reason, "startedAt": ago(90 + RUN), "finishedAt": ago(90)}
    running = {"running": {"startedAt": ago(90)}}
    scene.status().update(restartCount=restarts, state=running, lastState={"terminated": ended} if restarted else {})
    scene.labels = {"alertname": "ContainerMemoryNearLimit", "namespace": NS, "pod": labels["pod"], "container": "cart"}
    return scene


def investigate(folder: Path, scene: Scene) -> tuple[Verdict, CaseFile]:
    verdict, case, _ = asyncio.run(Offline(scene.write(folder)).investigate())
    return verdict, case


def named(verdict: Verdict) -> list[str]:
    return [h.cause for h in verdict.hypotheses if h.confidence >= 0.4]


def test_memory_that_climbs_in_every_run_and_falls_only_by_a_restart_is_a_leak(tmp_path: Path) -> None:
    scene = scene_of(leak)
    scene.says("\n".join(f"{ago(60 - 2 * n)} WARN  Listeners - {40_000 + 4_000 * n} listeners held" for n in range(20)))
    verdict, _ = investigate(tmp_path, scene)
    assert [(h.cause, str(h.object)) for h in verdict.hypotheses][:1] == [("memory_leak", f"Deployment/{NS}/cart")], verdict.line
    quotes = [e.quote for e in verdict.evidence]
    assert any("container_memory_working_set_bytes" in q for q in quotes)
    assert any("OOMKilled" in q for q in quotes) and any("116000 listeners held" in q for q in quotes)


def test_an_alert_on_the_memory_of_a_namespace_finds_the_leak_in_it(tmp_path: Path) -> None:
    scene = scene_of(leak)
    scene.labels = {"alertname": "NamespaceMemoryHigh", "namespace": NS}
    verdict, _ = investigate(tmp_path, scene)
    assert named(verdict)[:1] == ["memory_leak"], verdict.line


def test_without_series_a_container_killed_for_memory_hours_ago_and_again_and_again_is_still_at_fault(tmp_path: Path) -> None:
    scene = scene_of(leak)
    scene.metrics = []
    verdict, _ = investigate(tmp_path, scene)
    assert named(verdict)[:1] == ["oom_killed"], verdict.line


@pytest.mark.parametrize(
    ("level", "restarted", "restarts"), [(warm_cache, False, 0), (leak, False, 0), (leak, False, 4)], ids=["cache", "batch", "old restarts"]
)
def test_memory_that_levels_off_or_comes_back_by_itself_is_no_leak(tmp_path: Path, level: Level, restarted: bool, restarts: int) -> None:
    verdict, _ = investigate(tmp_path, scene_of(level, restarts, restarted))
    assert "memory_leak" not in [h.cause for h in verdict.hypotheses], verdict.line
    assert verdict.state is VerdictState.NOT_A_PROBLEM


@pytest.mark.parametrize("level", [warm_cache, one_large_request], ids=["cache", "request"])
def test_restarts_alone_make_no_leak_of_memory_that_does_not_climb(tmp_path: Path, level: Level) -> None:
    verdict, _ = investigate(tmp_path, scene_of(level))
    assert "memory_leak" not in [h.cause for h in verdict.hypotheses], verdict.line


def test_one_kill_by_a_large_request_hours_ago_is_over(tmp_path: Path) -> None:
    scene = scene_of(one_large_request, restarts=1)
    verdict, _ = investigate(tmp_path, scene)
    assert named(verdict) == []


def test_a_number_that_counts_lines_is_not_quoted_as_something_that_piles_up(tmp_path: Path) -> None:
    scene = scene_of(leak)
    scene.says("\n".join(f"{ago(60 - 2 * n)} WARN  Worker - retry {100 + n} of the queue" for n in range(20)))
    verdict, _ = investigate(tmp_path, scene)
    assert named(verdict)[:1] == ["memory_leak"] and not any("retry" in e.quote for e in verdict.evidence)
