"""A release held against what was measured: when and where the trouble began decides what it is called, and how sure."""

import asyncio
import copy
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from app.domain.case import CaseFile
from app.domain.verdict import Hypothesis, Verdict, VerdictState
from tests.diagnosis.breakages import Break, released
from tests.diagnosis.offline import Offline
from tests.diagnosis.scenes import NOW, NS, Json, Scene, ago, shop

RELEASE = 10.0  # minutes before now
MIB = 2**20
TOO_LITTLE = "\n".join(f"{ago(m)} ERROR MemoryError: cannot allocate {m} more" for m in (4, 3, 2, 1))


def verdict_of(folder: Path, *breaks: Break) -> tuple[Verdict, CaseFile]:
    scene = shop()
    scene.labels = {"alertname": "HighErrorRate", "namespace": NS, "service": "cart"}
    for broken in breaks:
        broken(scene)
    verdict, case, _ = asyncio.run(Offline(scene.write(folder)).investigate())
    return verdict, case


def curve(scene: Scene, metric: str, labels: Json, value: Callable[[float], float]) -> None:
    """Forty minutes at 15 s; `value` is given the minutes before now."""
    times = [NOW - timedelta(seconds=15 * i) for i in range(160, -1, -1)]
    values = [[t.timestamp(), str(value((NOW - t).total_seconds() / 60))] for t in times]
    scene.metrics.append({"metric": {"__name__": metric, "namespace": NS, **labels}, "values": values})


def fails(since: float, pod: str = "") -> Break:
    """Every second request from `since` minutes before now on."""

    def change(scene: Scene) -> None:
        labels = {"service": "cart", "job": "cart", "pod": pod or scene.pod()["metadata"]["name"]}
        curve(scene, "http_requests_total", {**labels, "code": "200"}, lambda m: 300 * (40 - m) - 150 * max(0.0, since - m))
        curve(scene, "http_requests_total", {**labels, "code": "500"}, lambda m: 150 * max(0.0, since - m))

    return change


def grows(since: float, to: float = 400 * MIB) -> Break:
    def change(scene: Scene) -> None:
        labels = {"service": "cart", "job": "cart", "pod": scene.pod()["metadata"]["name"]}
        curve(scene, "process_resident_memory_bytes", labels, lambda m: 60 * MIB + max(0.0, since - m) / since * (to - 60 * MIB))

    return change


def rolled_out(scene: Scene) -> None:
    """A release ten minutes ago, and the one pod is of it."""
    released(scene, RELEASE)
    scene.pod()["metadata"]["creationTimestamp"] = ago(RELEASE)


def half_rolled_out(scene: Scene) -> None:
    """As well, and one pod from before is left."""
    old = copy.deepcopy(scene.pod())
    rolled_out(scene)
    old["metadata"]["name"] = "cart-5c9f7d8b6-older"
    scene.objects["Pod"].append(old)


def cause(verdict: Verdict, name: str) -> Hypothesis:
    return next(h for h in verdict.hypotheses if h.cause == name)


def quotes(verdict: Verdict, hypothesis: Hypothesis) -> list[str]:
    return [e.quote for e in verdict.evidence if e.id in hypothesis.evidence]


def test_memory_that_grows_from_a_release_on_until_allocations_fail_is_a_leak_and_the_release_is_cited(tmp_path: Path) -> None:
    verdict, _ = verdict_of(tmp_path, rolled_out, grows(RELEASE), fails(4), lambda s: s.says(TOO_LITTLE))
    first = verdict.hypotheses[0]
    assert (first.cause, str(first.object), verdict.state) == ("memory_leak", "Deployment/shop/cart", VerdictState.CONFIRMED)
    assert first.onset is not None
    assert abs(first.onset - (NOW - timedelta(minutes=RELEASE))) <= timedelta(seconds=30)
    assert any("1.4.2" in q and "1.5.0" in q for q in quotes(verdict, first))
    assert "Revision 2 of cart was released" in verdict.confidence_reason
    assert "60 MiB" in verdict.confidence_reason
    told = [m.what for m in verdict.timeline]
    assert told.index(next(t for t in told if "was released" in t)) < told.index(next(t for t in told if t.startswith("error_rate")))


def test_a_citation_of_a_series_carries_its_exact_query_and_names_its_metric(tmp_path: Path) -> None:
    verdict, case = verdict_of(tmp_path, rolled_out, grows(RELEASE), fails(4), lambda s: s.says(TOO_LITTLE))
    asked = {s["query"] for u in case.updates if u.outcome.result for s in u.outcome.result.data.get("series", [])}
    cited = [e for e in verdict.evidence if e.source == "get_metrics"]
    assert cited
    assert {e.query for e in cited} <= asked
    assert any("http_requests_total" in e.query and e.quote.endswith("[http_requests_total]") for e in cited)


def test_a_log_that_says_so_is_no_measured_leak(tmp_path: Path) -> None:
    verdict, _ = verdict_of(tmp_path, fails(4), lambda s: s.says(TOO_LITTLE))
    assert (verdict.hypotheses[0].cause, verdict.state) == ("memory_leak", VerdictState.LIKELY)


def test_memory_that_only_grows_is_no_leak(tmp_path: Path) -> None:
    verdict, _ = verdict_of(tmp_path, grows(RELEASE), fails(4))
    assert "memory_leak" not in [h.cause for h in verdict.hypotheses]


def test_memory_that_came_back_did_not_leak(tmp_path: Path) -> None:
    def rises_and_falls(scene: Scene) -> None:
        labels = {"service": "cart", "job": "cart", "pod": scene.pod()["metadata"]["name"]}
        curve(scene, "process_resident_memory_bytes", labels, lambda m: 60 * MIB + (300 * MIB * (20 - m) / 10 if 10 <= m <= 20 else 0))

    verdict, _ = verdict_of(tmp_path, rises_and_falls, fails(4), lambda s: s.says(TOO_LITTLE))
    assert not any("grows from" in e.claim for e in verdict.evidence)
    assert verdict.state is VerdictState.LIKELY


def test_errors_from_a_release_on_are_likely_its_regression(tmp_path: Path) -> None:
    verdict, _ = verdict_of(tmp_path, rolled_out, fails(RELEASE - 0.5))
    first = verdict.hypotheses[0]
    assert (first.cause, verdict.state) == ("rollout_regression", VerdictState.LIKELY)
    assert "the release of revision 2: image 1.4.2 -> 1.5.0" in verdict.line
    assert first.onset is not None
    assert abs(first.onset - (NOW - timedelta(minutes=RELEASE - 0.5))) <= timedelta(seconds=30)
    assert "after revision 2 was released" in " ".join(e.claim for e in verdict.evidence) + verdict.confidence_reason


def test_errors_that_only_the_new_pods_have_confirm_the_regression(tmp_path: Path) -> None:
    verdict, _ = verdict_of(tmp_path, half_rolled_out, fails(RELEASE - 0.5), fails(0, "cart-5c9f7d8b6-older"))
    assert (verdict.hypotheses[0].cause, verdict.state) == ("rollout_regression", VerdictState.CONFIRMED)
    assert "1 of 1 pods of revision 2 have it, and 0 of 1 older ones" in verdict.confidence_reason


def test_errors_that_the_old_pods_have_too_speak_against_the_release(tmp_path: Path) -> None:
    verdict, _ = verdict_of(tmp_path, half_rolled_out, fails(RELEASE - 0.5), fails(RELEASE - 0.5, "cart-5c9f7d8b6-older"))
    regression = cause(verdict, "rollout_regression")
    assert regression.confidence < 0.7
    assert any("1 of 1 older ones" in against for against in regression.against)


def test_a_release_after_the_trouble_began_did_not_start_it(tmp_path: Path) -> None:
    verdict, _ = verdict_of(tmp_path, rolled_out, fails(20))
    regression = cause(verdict, "rollout_regression")
    assert regression.confidence < 0.6
    assert any("did not start it" in against for against in regression.against)
