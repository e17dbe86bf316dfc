"""`POST /webhooks/alertmanager`: every usable alert goes on, every other is set aside with its reason."""

import copy
import json
from typing import Any

import httpx2
import pytest

from app.controller import examples
from app.controller.shapes import fingerprint_of
from app.domain.alert import AlertStatus, Mark, Severity, Source
from app.domain.reason import Reason
from tests.controller.twin import NOW, Twin

HOOK = "/webhooks/alertmanager"


def hook(*alerts: Any, **envelope: Any) -> dict[str, Any]:
    return copy.deepcopy(examples.WEBHOOK_REQUESTS["alertmanager"]) | {"alerts": list(alerts)} | envelope


def one(**changes: Any) -> dict[str, Any]:
    made = {"status": "firing", "labels": {"alertname": "PodDown", "pod": "p1"}, "startsAt": "2026-11-20T09:59:00Z", "endsAt": "0001-01-01T00:00:00Z"}
    return {k: v for k, v in (made | changes).items() if v is not ...}


async def test_a_webhook_is_answered_after_the_commit_with_what_was_done(client: httpx2.AsyncClient, twin: Twin) -> None:
    # covers API-17
    response = await client.post(HOOK, json=hook(one(fingerprint="a"), one(fingerprint="b", status="resolved"), one(fingerprint="a")))
    assert response.status_code == 202
    body = response.json()
    assert [a["reason"] for a in body["alerts"]] == ["new_episode", "resolved", "repeat"]
    assert [a["started"] for a in body["alerts"]] == [True, False, False]
    assert body["alerts"][0]["investigation_id"] == body["alerts"][2]["investigation_id"]
    assert body["alerts"][0]["links"]["investigation"] == f"/investigations/{body['alerts'][0]['investigation_id']}"
    (intake,) = twin.intakes
    assert intake.source is Source.ALERTMANAGER
    assert [a.status for a in intake.alerts] == [AlertStatus.FIRING, AlertStatus.RESOLVED, AlertStatus.FIRING]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (None, Reason.WRONG_SHAPE),
        ("an alert", Reason.WRONG_SHAPE),
        ([], Reason.WRONG_SHAPE),
        (one(status="strange"), Reason.WRONG_SHAPE),
        (one(status=...), Reason.WRONG_SHAPE),
        (one(labels=...), Reason.WRONG_SHAPE),
        (one(labels={}), Reason.WRONG_SHAPE),
        (one(labels={"a": 1}), Reason.WRONG_SHAPE),
        (one(labels={"a": None}), Reason.WRONG_SHAPE),
        (one(annotations={"a": {"b": "c"}}), Reason.WRONG_SHAPE),
        (one(fingerprint=["a"]), Reason.WRONG_SHAPE),
        (one(labels={"a": "b\0c"}), Reason.NUL_CHARACTER),
        (one(extra={"\0": 1}), Reason.NUL_CHARACTER),
        (one(annotations={"summary": "\ud83d"}), Reason.LONE_SURROGATE),
    ],
)
async def test_an_unusable_alert_is_set_aside_and_the_others_go_on(client: httpx2.AsyncClient, twin: Twin, broken: Any, reason: Reason) -> None:
    sent = json.dumps(hook(one(fingerprint="a"), broken, one(fingerprint="b")))
    response = await client.post(HOOK, content=sent, headers={"Content-Type": "application/json"})
    assert response.status_code == 202
    assert [a["fingerprint"] for a in response.json()["alerts"]] == ["a", "b"]
    (refused,) = response.json()["quarantined"]
    assert (refused["index"], refused["reason"]) == (1, reason.value)
    (kept,) = twin.intakes[0].quarantined
    assert kept.raw and kept.reason is reason
    assert twin.kept == []


async def test_a_webhook_of_which_nothing_can_be_used_is_refused_whole(client: httpx2.AsyncClient, twin: Twin) -> None:
    response = await client.post(HOOK, json=hook(one(labels={}), one(labels={"a": "\0"})))
    assert (response.status_code, response.json()["reason"]) == (422, "wrong_shape")
    assert response.json()["detail"].startswith("alerts.0:")
    assert len(twin.kept) == 1


async def test_a_webhook_without_alerts_is_taken(client: httpx2.AsyncClient) -> None:
    response = await client.post(HOOK, json=hook())
    assert (response.status_code, response.json()["alerts"]) == (202, [])


@pytest.mark.parametrize(
    ("changes", "marks"),
    [
        ({}, (Mark.ENDS_AT_UNSET,)),
        ({"endsAt": ...}, ()),
        ({"endsAt": "2026-11-20T10:05:00Z"}, ()),
        ({"startsAt": "2025-11-20T09:59:00Z"}, (Mark.STARTS_LONG_AGO, Mark.ENDS_AT_UNSET)),
        ({"startsAt": "2027-11-20T09:59:00Z"}, (Mark.STARTS_IN_FUTURE, Mark.ENDS_AT_UNSET)),
        ({"startsAt": "2026-11-20T10:04:00Z"}, (Mark.ENDS_AT_UNSET,)),
        ({"startsAt": ...}, (Mark.START_UNKNOWN, Mark.ENDS_AT_UNSET)),
        ({"startsAt": "0001-01-01T00:00:00Z"}, (Mark.START_UNKNOWN, Mark.ENDS_AT_UNSET)),
        ({"startsAt": {"a": 1}}, (Mark.START_UNKNOWN, Mark.ENDS_AT_UNSET)),
        ({"endsAt": "2026-11-20T09:00:00Z"}, (Mark.ENDS_BEFORE_START,)),
        ({"endsAt": "never"}, (Mark.ENDS_AT_UNSET,)),
    ],
)
async def test_odd_times_are_kept_and_marked(client: httpx2.AsyncClient, twin: Twin, changes: dict[str, Any], marks: tuple[Mark, ...]) -> None:
    response = await client.post(HOOK, json=hook(one(**changes)))
    assert response.status_code == 202
    assert response.json()["alerts"][0]["marks"] == [m.value for m in marks]
    (alert,) = twin.intakes[0].alerts
    assert alert.marks == marks
    if Mark.START_UNKNOWN in marks:
        assert alert.starts_at == NOW


async def test_a_missing_fingerprint_is_made_of_the_labels_in_any_order(client: httpx2.AsyncClient, twin: Twin) -> None:
    await client.post(
        HOOK, json=hook(one(labels={"alertname": "A", "pod": "p"}), one(labels={"pod": "p", "alertname": "A"}), one(labels={"pod": "q"}))
    )
    prints = [a.fingerprint for a in twin.intakes[0].alerts]
    assert prints[0] == prints[1] == fingerprint_of({"pod": "p", "alertname": "A"}) != prints[2]
    assert fingerprint_of({"a": "b,c"}) != fingerprint_of({"a": "b", "c": ""})


@pytest.mark.parametrize("sign", ["orgId", "values", "valueString", "silenceURL"])
async def test_grafana_is_known_by_what_it_adds_and_that_is_kept(client: httpx2.AsyncClient, twin: Twin, sign: str) -> None:
    body = hook(one(), orgId=1) if sign == "orgId" else hook(one(**{sign: {"B": 1}}))
    assert (await client.post(HOOK, json=body)).status_code == 202
    (intake,) = twin.intakes
    assert intake.source is Source.GRAFANA and intake.alerts[0].source is Source.GRAFANA
    if sign != "orgId":
        assert intake.alerts[0].extra[sign] == {"B": 1}


async def test_what_labels_say_becomes_the_alert(client: httpx2.AsyncClient, twin: Twin) -> None:
    labels = {"alertname": "High", "service": "web", "severity": "critical", "namespace": "shop"}
    await client.post(HOOK, json=hook(one(labels=labels, generatorURL="http://p/graph"), one(labels={"pod": "x"}), groupLabels={}, commonLabels={}))
    first, second = twin.intakes[0].alerts
    assert (first.name, first.type, first.service, first.severity, first.generator_url) == ("High", "High", "web", Severity.P1, "http://p/graph")
    assert (second.name, second.severity) == ("unnamed", Severity.P3)
    assert first.extra["webhook"]["externalURL"] == "http://alertmanager.example"


async def test_the_body_is_kept_byte_for_byte(client: httpx2.AsyncClient, twin: Twin) -> None:
    raw = b' {"alerts" :[{"labels":{"a":"\xc3\xa4"},"status":"firing"}],  "x":1.50}\n'
    assert (await client.post(HOOK, content=raw, headers={"Content-Type": "application/json"})).status_code == 202
    assert twin.intakes[0].body == raw


async def test_more_alerts_than_anybody_sends_are_refused_whole(client: httpx2.AsyncClient, twin: Twin) -> None:
    response = await client.post(HOOK, content=b'{"alerts": [' + b"{}," * 10_000 + b"{}]}", headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["reason"]) == (413, "too_large")
    assert "10001" in response.json()["detail"]
    assert len(twin.kept) == 1
