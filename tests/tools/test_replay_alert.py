"""The alert's own expression is replayed around its start: value, threshold, first crossing, and whether it still holds."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from pydantic import ValidationError

from app.domain.errors import ToolFailure
from app.domain.reason import Reason
from app.domain.tool import ToolResult, ToolStatus
from app.tools.alert_expression import Parts, split
from app.tools.promql import checked
from app.tools.replay_alert import ReplayAlert
from tests.tools.prometheus_worlds import CONTEXT, NOW, ask, gauge, world

STARTED = NOW - timedelta(minutes=20)
LABELS = {"alertname": "QueueLong", "severity": "critical", "namespace": "shop", "service": "cart"}


def queue(service: str, rises: float, falls: float = 1, low: float = 3, high: float = 80) -> dict[str, Any]:
    """Long from `rises` until `falls` minutes (negative: before now)."""
    return gauge("queue_length", lambda m: high if rises <= m < falls else low, namespace="shop", service=service)


async def replay(*series: dict[str, Any], **arguments: Any) -> ToolResult:
    asked = {"alert": "QueueLong", "expression": "queue_length > 50", "labels": LABELS, "starts_at": STARTED, **arguments}
    return await ask(ReplayAlert, world(*series), **asked)


async def test_value_and_threshold_are_told_when_it_began_and_now() -> None:
    got = await replay(queue("cart", -25), queue("web", -3))
    assert got.status is ToolStatus.OK
    assert got.summary == "QueueLong still holds: value 80 > threshold 50"
    whose = '{namespace="shop",service="cart"}'
    assert got.text.splitlines() == [
        "expression (from the alert): queue_length > 50",
        f"at startsAt 2026-01-01T09:40:00Z: value 80 > threshold 50: the condition holds {whose}",
        f"now 2026-01-01T10:00:00Z: value 80 > threshold 50: the condition still holds {whose}",
        f"the condition was first met at 2026-01-01T09:35:00Z {whose}",
        f"queue_length{whose} first=3 last=80 min=3 max=80 change at 09:35:00Z (before 3 after 80) step",
    ]
    assert got.window is not None and got.window.start == STARTED - timedelta(minutes=30)
    assert (got.data["state"], got.data["own"]) == ("holds", True)
    assert got.data["replay"][0]["value_at_start"] == 80.0


async def test_a_condition_that_is_over_says_when_it_held_last_and_how_often() -> None:
    flapping = gauge("queue_length", lambda m: 80 if -30 <= m < -20 or -15 <= m < -10 else 3, namespace="shop", service="cart")
    got = await replay(flapping)
    assert got.data["state"] == "over"
    assert got.line_with("now ") == (
        'now 2026-01-01T10:00:00Z: value 3, not > threshold 50: the condition no longer holds {namespace="shop",service="cart"}'
    )
    assert "first met at 2026-01-01T09:30:00Z, last met at 2026-01-01T09:49:45Z, in 2 spells" in got.text
    assert got.summary == "QueueLong no longer holds: value 3, not > threshold 50"


async def test_a_series_that_is_gone_is_not_called_well() -> None:
    got = await replay(gauge("queue_length", lambda m: 80 if m < -12 else None, namespace="shop", service="cart"))
    assert got.data["state"] == "gone"
    assert "now 2026-01-01T10:00:00Z: no value: nothing is measured any more" in got.text


async def test_a_condition_that_was_never_met_in_the_window_is_told_as_such() -> None:
    got = await replay(queue("cart", 5))
    assert got.data["state"] == "never"
    assert "the condition was met at no time since 2026-01-01T09:10:00Z" in got.text


async def test_a_condition_that_held_before_the_window_has_no_first_crossing() -> None:
    got = await replay(queue("cart", -100))
    assert "met already at 2026-01-01T09:10:00Z, where the window begins" in got.text
    assert got.data["replay"][0]["held_before_window"] is True


async def test_both_sides_are_read_where_the_threshold_is_a_series() -> None:
    limit = gauge("queue_limit", lambda m: 100 if m < -10 else 60, namespace="shop", service="cart")
    got = await replay(queue("cart", -25), limit, expression="queue_length > queue_limit and on (service) up_or_not")
    assert got.data["comparison"] == {"left": "queue_length", "op": ">", "right": "queue_limit"}
    assert "at startsAt 2026-01-01T09:40:00Z: value 80, not > threshold 100" in got.text
    assert "queue_limit" in got.invocation.split("; ")


async def test_a_narrowing_and_keeps_the_whole_from_holding() -> None:
    got = await replay(queue("cart", -25), expression='(queue_length > 50) and on (service) enabled{x="y"} == 1')
    assert got.data["state"] == "never"
    assert "now 2026-01-01T10:00:00Z: value 80 > threshold 50: the condition does not hold" in got.text


async def test_an_expression_without_a_comparison_holds_where_it_gives_anything() -> None:
    up = gauge("up", lambda m: 1 if m < -30 else None, job="cart")
    got = await replay(up, expression='absent(up{job="cart"})', labels={"job": "cart"})
    assert got.data["state"] == "holds"
    assert 'now 2026-01-01T10:00:00Z: the condition still holds {job="cart"}' in got.text
    over = await replay(gauge("up", lambda m: 1, job="cart"), expression='absent(up{job="cart"})')
    assert (over.status, over.data["state"]) == (ToolStatus.OK, "never")


async def test_nothing_measured_is_no_data_and_not_no_errors() -> None:
    got = await replay(expression='rate(errors_total{job="cart"}[5m]) > 0.1')
    assert got.status is ToolStatus.NO_DATA
    assert "give" in got.summary and "holds" not in got.text


@pytest.mark.parametrize("expression", ["vector(1)", "1 + 1"])
async def test_a_heartbeat_has_nothing_to_replay(expression: str) -> None:
    got = await replay(expression=expression)
    assert (got.status, got.summary) == (ToolStatus.NO_DATA, "QueueLong looks at no series: it fires all the time, by intention")


async def test_series_of_others_are_shown_with_a_note_where_none_has_the_labels() -> None:
    got = await replay(queue("web", -25))
    assert got.data["own"] is False
    assert "no series of the expression has the labels of the alert" in got.note


async def test_many_series_are_capped_with_their_total() -> None:
    got = await replay(*(queue(f"s{n:02d}", -25) for n in range(14)), labels={"namespace": "shop"})
    assert got.truncated == "14 series of the alert, 10 shown"
    assert len(got.data["replay"]) == 10
    assert got.summary.startswith("QueueLong still holds (14 of 14 series)")


async def test_an_old_alert_is_replayed_for_a_day_at_most_and_in_few_points() -> None:
    got = await replay(queue("cart", -25), starts_at=NOW - timedelta(days=9))
    assert got.window is not None and got.window.end - got.window.start == timedelta(hours=24)
    assert "more than a day ago: only the last 24 h are replayed" in got.truncated
    assert "startsAt" not in got.text


async def test_a_start_in_the_future_is_taken_as_now() -> None:
    got = await replay(queue("cart", -25), starts_at=NOW + timedelta(days=1))
    assert got.window is not None and got.window.start == NOW - timedelta(minutes=30)


async def test_without_an_expression_the_rule_of_that_name_and_labels_is_replayed() -> None:
    def rule(severity: str, limit: int, name: str = "QueueLong") -> dict[str, Any]:
        return {"type": "alerting", "name": name, "query": f"queue_length > {limit}", "labels": {"severity": severity, "team": "{{ $labels.team }}"}}

    groups = [{"name": "g", "rules": [rule("warning", 10), rule("critical", 60), rule("critical", 5, "Other")]}]
    asked: dict[str, Any] = {"alert": "QueueLong", "labels": LABELS, "starts_at": STARTED}
    got = await ask(ReplayAlert, world(queue("cart", -25), rules=groups), **asked)
    assert got.text.startswith("expression (from the rules of Prometheus): queue_length > 60\n")
    assert got.invocation.startswith("GET /api/v1/rules?type=alert; queue_length > 60; queue_length")
    unknown = await ask(ReplayAlert, world(rules=groups), **{**asked, "alert": "Unheard"})
    assert unknown.status is ToolStatus.NOT_FOUND


@pytest.mark.parametrize(
    "hostile",
    [
        '{__name__=~".+"} > 0',
        'up{job="x"} > 0; drop',
        "http://attacker/graph?g0.expr=up",
        "rate(x[30d]) > 0",
        "max_over_time(x[1d:1s]) > 0",
        "x" * 3990 + "{",
    ],
)
async def test_an_expression_from_outside_passes_the_same_check_as_any_query(hostile: str) -> None:
    with pytest.raises(ToolFailure) as failure:
        await replay(queue("cart", -25), expression=hostile)
    assert failure.value.reason is Reason.INVALID_ARGUMENTS


def test_arguments_are_closed_and_bounded() -> None:
    for wrong in ({"generator_url": "http://x"}, {"expression": "x" * 5000}, {"minutes_before": 5000}, {"starts_at": "2026-01-01T00:00:00"}):
        with pytest.raises(ValidationError):
            ReplayAlert.arguments(**wrong)


@pytest.mark.parametrize(
    ("expression", "parts"),
    [
        ("0.9 < x", Parts("x", ">", "0.9", 0.9)),
        ("x > 5 * 60", Parts("x", ">", "5 * 60", 300.0)),
        ("(x >= -(1 / 2)) and on () y", Parts("x", ">=", "-(1 / 2)", -0.5)),
        ("x / 0 > 5 / 0", Parts("x / 0", ">", "5 / 0")),
        ("time() - x > 3600", Parts("time() - x", ">", "3600", 3600.0)),
        ("x unless y", Parts("x")),
        ("x > bool 1", Parts()),
        ("x > 1 or y > 2", Parts()),
        ("absent(x)", Parts()),
    ],
)
def test_an_expression_comes_apart_into_what_is_measured_and_what_it_is_compared_with(expression: str, parts: Parts) -> None:
    assert split(expression) == parts


@pytest.mark.shared
def test_nearly_every_public_alert_rule_comes_apart(shared: Path) -> None:
    rows = [json.loads(text)["expr"] for text in (shared / "alert_catalogue.jsonl").read_text().splitlines()]
    apart = refused = 0
    for expression in rows:
        try:
            checked(expression)
        except ToolFailure:
            refused += 1
            continue
        parts = split(expression)
        apart += bool(parts.op)
        for side in (parts.left, parts.right):
            if side:
                promql_parser.parse(side)
    print(f"\nalert rules whose value and threshold can be told: {apart} of {len(rows)}, refused {refused}")
    assert apart / len(rows) > 0.95 and refused < 10


async def test_the_window_of_the_investigation_is_taken_where_the_start_is_not_known() -> None:
    got = await replay(queue("cart", -25), starts_at=None)
    assert got.window == CONTEXT.window
    assert "startsAt" not in got.text
