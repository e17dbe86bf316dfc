"""What the alert itself measured stands in the verdict: value against threshold, when first met, whether it still holds."""

import asyncio
import json
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from app.domain.case import CaseFile
from app.domain.verdict import Verdict, VerdictState
from tests.diagnosis.breakages import scraped
from tests.diagnosis.offline import Offline
from tests.diagnosis.scenes import NS, Scene, ago, shop

EXPRESSION = f'queue_length{{namespace="{NS}"}} > 50'


def investigate(scene: Scene, folder: Path, expression: str = EXPRESSION) -> tuple[Verdict, CaseFile]:
    scene.write(folder)
    body = json.loads((folder / "alert.json").read_text())
    body["alerts"][0]["generatorURL"] = f"http://prometheus/graph?g0.expr={quote_plus(expression)}&g0.tab=1"
    (folder / "alert.json").write_text(json.dumps(body))
    verdict, case, _ = asyncio.run(Offline(folder).investigate())
    return verdict, case


def queue(before: float, after: float, **labels: str) -> Scene:
    """A healthy shop and a queue; the alert is about the queue of `cart`."""
    scene = shop()
    scene.labels = {"alertname": "QueueFillingUp", "namespace": NS, "service": "cart"} | labels
    scene.series("queue_length", {"namespace": NS, "service": "cart"}, before, after)
    return scene


def evidence_of(verdict: Verdict) -> list[str]:
    return [e.quote for e in verdict.evidence if e.source == "replay_alert"]


def test_a_condition_that_is_over_supports_that_nothing_is_wrong(tmp_path: Path) -> None:
    verdict, case = investigate(queue(80, 3), tmp_path)
    assert case.updates[0].step.tool == "replay_alert"
    assert verdict.state is VerdictState.NOT_A_PROBLEM
    assert verdict.confidence_reason.startswith("QueueFillingUp: the condition no longer holds (3, not > 50)")
    assert evidence_of(verdict) == [
        'now 2027-03-04T10:00:00Z: value 3, not > threshold 50: the condition no longer holds {namespace="shop",service="cart"}'
    ]


def test_while_its_own_condition_holds_an_alert_about_what_only_series_show_is_not_called_no_problem(tmp_path: Path) -> None:
    verdict, _ = investigate(queue(3, 80, alertname="QueueErrors"), tmp_path)
    assert verdict.state is VerdictState.INCONCLUSIVE
    assert verdict.impact == "QueueErrors: the condition still holds (80 > 50)"
    assert "value 80 > threshold 50: the condition still holds" in evidence_of(verdict)[0]


def test_a_condition_may_hold_while_nothing_suffers_from_it_and_the_verdict_says_so(tmp_path: Path) -> None:
    verdict, _ = investigate(queue(3, 80), tmp_path)
    assert verdict.state is VerdictState.NOT_A_PROBLEM
    assert verdict.impact == "QueueFillingUp: the condition still holds (80 > 50); nothing that was read suffers from it"
    assert "value 80 > threshold 50: the condition still holds" in evidence_of(verdict)[0]
    assert any(m.what.startswith("The condition of QueueFillingUp was first met") for m in verdict.timeline)


def test_value_and_threshold_stand_beside_a_cause_that_was_found(tmp_path: Path) -> None:
    scene = queue(3, 80)
    scene.crashes(137, "OOMKilled")
    verdict, _ = investigate(scene, tmp_path)
    assert (verdict.state, verdict.hypotheses[0].cause) == (VerdictState.CONFIRMED, "oom_killed")
    assert verdict.impact.startswith("QueueFillingUp: the condition still holds (80 > 50)")
    assert len({e.id for e in verdict.evidence}) == len(verdict.evidence)
    assert "still holds" in evidence_of(verdict)[0]


def test_an_alert_that_is_meant_to_fire_is_not_held_against_the_cluster(tmp_path: Path) -> None:
    verdict, _ = investigate(queue(80, 80, severity="none"), tmp_path)
    assert verdict.state is VerdictState.NOT_A_PROBLEM and evidence_of(verdict) == []


def test_series_of_others_and_series_that_are_gone_say_nothing_of_the_alert(tmp_path: Path) -> None:
    others, gone = queue(3, 80, service="web"), queue(80, 80)
    gone.metrics[-1]["values"] = gone.metrics[-1]["values"][:50]
    for number, scene in enumerate((others, gone)):
        folder = tmp_path / str(number)
        folder.mkdir()
        verdict, _ = investigate(scene, folder)
        assert verdict.state is VerdictState.NOT_A_PROBLEM
        assert evidence_of(verdict) == []


def test_a_hostile_expression_costs_one_refused_read_and_nothing_else(tmp_path: Path) -> None:
    scene = queue(3, 80)
    with pytest.raises(Exception, match="query refused"):  # offline, nothing stands between the tool and the test
        investigate(scene, tmp_path, '{__name__=~".+"} > 0')


def test_a_target_that_is_down_is_told_with_the_error_of_its_scrape(tmp_path: Path) -> None:
    scene = shop()
    scraped(0)(scene)
    error = 'Get "http://10.0.0.7:9100/metrics": dial tcp 10.0.0.7:9100: connect: connection refused'
    targets = [{"labels": {"job": "billing", "instance": "10.0.0.7:9100"}, "scrapePool": "billing", "health": "down", "lastError": error}]
    (tmp_path / "targets.json").write_text(json.dumps({"activeTargets": [t | {"lastScrape": ago(1)} for t in targets]}))
    verdict, _ = investigate(scene, tmp_path, 'up{job="billing"} == 0')
    assert (verdict.hypotheses[0].cause, str(verdict.hypotheses[0].object)) == ("scrape_target_down", "Target//billing/10.0.0.7:9100")
    assert any(error in e.quote and e.source == "check_targets" for e in verdict.evidence)
