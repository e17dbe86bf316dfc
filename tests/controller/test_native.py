"""`POST /alerts`: one native alert in, the whole report out, or links to it."""

import httpx2
import pytest

from app.controller import examples
from app.controller.parts import Limits
from app.domain.alert import Mark, Severity
from app.domain.investigation import InvestigationStatus
from app.domain.report import Report
from tests.controller.conftest import Open
from tests.controller.twin import NOW, Twin, parts_with


async def test_type_and_service_are_answered_with_the_full_report(client: httpx2.AsyncClient, twin: Twin) -> None:
    # covers API-01, API-02, API-03, API-04, API-06, API-07, API-08, API-09, API-10, LOOP-12
    response = await client.post("/alerts", json={"type": "high_memory", "service": "web-app"})
    assert response.status_code == 200
    body = response.json()
    assert {k: body["alert"][k] for k in ("type", "service", "timestamp")} == {
        "type": "high_memory",
        "service": "web-app",
        "timestamp": "2026-11-20T10:00:00Z",
    }
    assert body["plan"]["reasoning"] and body["plan"]["steps"] == [{"tool": "check_pods", "reason": "see whether the pods run"}]
    step = body["execution"]["steps"][0]
    assert step == {"step": 1, "tool": "check_pods", "status": "success", "result": step["result"], "duration_ms": 45}
    assert "\n" not in step["result"] and "OOMKilled" in step["result"]
    assert body["execution"]["total_duration_ms"] == 45
    assert body["memory_snapshot"] == {
        "working_memory": {"current_alert": {"type": "high_memory", "service": "web-app"}, "recent_tools_used": ["check_pods"]},
        "episodic_memory": {"total_investigations": 1, "similar_past_cases": 0, "learned_patterns": []},
    }
    assert body["learned_patterns"] == []
    assert "web-app" in body["recommendations"][0] and body["recommendations"][0].endswith(".")
    assert body["episodic_id"] == body["episode_id"] == body["investigation_id"] in twin.found
    Report.model_validate(body["report"])
    assert "LIKELY CAUSE:" in body["answer"]
    assert (body["iterations"], body["cost"], body["duration"], body["past_cases_used"]) == (1, 0.0, 1.0, 0)


async def test_name_service_severity_and_timestamp_are_another_way_to_say_it(client: httpx2.AsyncClient, twin: Twin) -> None:
    # covers API-16
    sent = {
        "name": "HighCPU",
        "service": "payment-api",
        "severity": "critical",
        "timestamp": "2026-11-20T09:58:00Z",
        "value": 0.93,
        "who": {"a": [1]},
    }
    assert (await client.post("/alerts", json=sent)).status_code == 200
    (alert,) = twin.intakes[0].alerts
    assert (alert.name, alert.type, alert.service, alert.severity) == ("HighCPU", "HighCPU", "payment-api", Severity.P1)
    assert alert.starts_at.isoformat() == "2026-11-20T09:58:00+00:00"
    assert alert.extra == {"value": 0.93, "who": {"a": [1]}}, "fields we do not know are kept"
    assert alert.marks == ()


@pytest.mark.parametrize(
    ("timestamp", "marks"),
    [
        ("2026-11-20T11:58:00.123456789+02:00", ()),
        ("2026-11-20T09:58:00", ()),
        (1795168680, ()),
        (1795168680000, ()),
        (None, ()),
        ("yesterday", (Mark.START_UNKNOWN,)),
        ("", (Mark.START_UNKNOWN,)),
        (True, (Mark.START_UNKNOWN,)),
        ([], (Mark.START_UNKNOWN,)),
        (1e308, (Mark.START_UNKNOWN,)),
        ("0001-01-01T00:00:00Z", (Mark.START_UNKNOWN,)),
        ("0001-01-01T00:00:00+14:00", (Mark.START_UNKNOWN,)),
        ("9999-12-31T23:59:59-14:00", (Mark.STARTS_IN_FUTURE,)),
        ("2027-11-20T10:00:00Z", (Mark.STARTS_IN_FUTURE,)),
        ("2025-11-20T10:00:00Z", (Mark.STARTS_LONG_AGO,)),
    ],
)
async def test_odd_times_are_kept_and_marked(client: httpx2.AsyncClient, twin: Twin, timestamp: object, marks: tuple[Mark, ...]) -> None:
    response = await client.post("/alerts", json={"type": "a", "service": "b", "timestamp": timestamp})
    assert response.status_code == 200
    (alert,) = twin.intakes[0].alerts
    assert alert.marks == marks
    if marks:
        assert alert.extra["sent_times"] == {"timestamp": timestamp}
    if Mark.START_UNKNOWN in marks:
        assert alert.starts_at == NOW


async def test_each_post_is_a_new_episode_unless_its_fingerprint_repeats(client: httpx2.AsyncClient) -> None:
    plain = [(await client.post("/alerts", json={"type": "a", "service": "b"})).json()["investigation_id"] for _ in range(2)]
    named = [(await client.post("/alerts", json={"type": "a", "service": "b", "fingerprint": "f"})).json()["investigation_id"] for _ in range(2)]
    assert plain[0] != plain[1]
    assert named[0] == named[1]


async def test_a_repeated_idempotency_key_gives_the_first_answer(client: httpx2.AsyncClient, twin: Twin) -> None:
    headers = {"Idempotency-Key": "deploy-7"}
    first, second = [(await client.post("/alerts", json={"type": "a", "service": "b"}, headers=headers)).json() for _ in range(2)]
    assert first == second
    assert len(twin.intakes) == 1
    other = await client.post("/alerts", json={"type": "c", "service": "b"}, headers=headers)
    assert (other.status_code, other.json()["reason"]) == (409, "idempotency_conflict")
    assert twin.kept[0].id == other.json()["quarantine_id"]


@pytest.mark.parametrize(
    ("params", "prefer", "waited"),
    [
        ({}, "", [110.0]),
        ({"wait": "0"}, "", []),
        ({"wait": "2.5"}, "", [2.5]),
        ({"wait": "900"}, "", [110.0]),
        ({}, "respond-async", []),
        ({}, "return=representation, Respond-Async; foo=bar, respond-async", []),
        ({}, "wait=20", [20.0]),
        ({}, "wait=soon", [110.0]),
        ({"wait": "3"}, "respond-async", [3.0]),
    ],
)
async def test_the_line_is_held_as_long_as_was_asked(
    client: httpx2.AsyncClient, twin: Twin, params: dict[str, str], prefer: str, waited: list[float]
) -> None:
    response = await client.post("/alerts", json={"type": "a", "service": "b"}, params=params, headers={"Prefer": prefer} if prefer else {})
    assert twin.waited == waited
    assert response.status_code == (200 if waited else 202)


async def test_who_does_not_wait_gets_links(client: httpx2.AsyncClient, twin: Twin) -> None:
    response = await client.post("/alerts", json={"type": "a", "service": "b"}, headers={"Prefer": "respond-async"})
    body = response.json()
    assert response.status_code == 202
    assert response.headers["preference-applied"] == "respond-async"
    assert response.headers["location"] == body["links"]["investigation"] == f"/investigations/{body['investigation_id']}"
    assert (await client.get(response.headers["location"])).json()["id"] == body["investigation_id"]
    assert (await client.get(body["links"]["trail"])).json()["events"]
    assert (await client.get(body["links"]["report"])).headers["content-type"].startswith("text/markdown")


async def test_an_investigation_that_takes_too_long_is_answered_with_links(twin: Twin, open_client: Open) -> None:
    twin.hold = True
    async with open_client(parts_with(twin, Limits(wait_s=7))) as client:
        response = await client.post("/alerts", json={"type": "a", "service": "b"})
    assert response.status_code == 202
    assert twin.waited == [7.0]
    assert twin.found[response.json()["investigation_id"]].status is InvestigationStatus.QUEUED


async def test_a_failed_investigation_is_shown_as_far_as_it_got(client: httpx2.AsyncClient, twin: Twin) -> None:
    first = (await client.post("/alerts", json={"type": "a", "service": "b", "fingerprint": "f"})).json()
    failed = {"status": InvestigationStatus.FAILED, "report": None, "failure": "the disk is full"}
    twin.found[first["investigation_id"]] = twin.found[first["investigation_id"]].model_copy(update=failed)
    twin.events[first["investigation_id"]] = examples.EVENTS[:2]
    body = (await client.post("/alerts", json={"type": "a", "service": "b", "fingerprint": "f"})).json()
    assert (body["status"], body["failure"], body["report"], body["recommendations"]) == ("failed", "the disk is full", None, [])
    assert body["execution"]["steps"] == [{"step": 1, "tool": "check_pods", "status": "skipped", "result": "not run", "duration_ms": 0}]


async def test_a_resolved_alert_starts_nothing(client: httpx2.AsyncClient) -> None:
    response = await client.post("/alerts", json={"type": "a", "service": "b", "status": "resolved"})
    body = response.json()
    assert (response.status_code, body["alerts"][0]["reason"], body["investigation_id"]) == (202, "resolved", "")
    assert "location" not in response.headers


async def test_a_full_queue_is_said_with_503_and_the_sender_told_when_to_come_back(twin: Twin, open_client: Open) -> None:
    twin.extra_queued = 3
    async with open_client(parts_with(twin, Limits(max_queued=3, retry_after_s=30, queue_check_s=0))) as client:
        full = await client.post("/alerts", json={"type": "a", "service": "b"})
        bad = await client.post("/alerts", content=b"{")
        twin.extra_queued = 2
        taken = await client.post("/alerts", json={"type": "a", "service": "b"})
    assert (full.status_code, full.json()["reason"], full.headers["retry-after"]) == (503, "queue_full", "30")
    assert full.headers["content-type"] == "application/problem+json"
    assert bad.status_code == 415
    assert taken.status_code == 200


async def test_a_native_alert_may_bring_labels_and_a_namespace(client: httpx2.AsyncClient, twin: Twin) -> None:
    sent = {"type": "pod_crash", "namespace": "shop", "labels": {"pod": "web-1", "replicas": 3, "canary": True}, "annotations": None}
    assert (await client.post("/alerts", json=sent)).status_code == 200
    (alert,) = twin.intakes[0].alerts
    assert alert.labels == {"pod": "web-1", "replicas": "3", "canary": "true", "namespace": "shop"}
    assert alert.annotations == {}
