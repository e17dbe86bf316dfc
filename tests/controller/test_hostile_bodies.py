"""What nobody should send: a named 4xx and a place in quarantine, or a plain 2xx; never a 5xx."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest

from app.controller.parts import Limits
from tests.controller.conftest import Open
from tests.controller.hostile import CASES, FINE, LIMIT, Hostile
from tests.controller.twin import Twin, parts_with

DOORS = ("/alerts", "/webhooks/alertmanager")
SMALL = Limits(max_body_bytes=LIMIT, body_timeout_s=5, queue_check_s=0)


@pytest.fixture
async def client(twin: Twin, open_client: Open) -> AsyncIterator[httpx2.AsyncClient]:
    async with open_client(parts_with(twin, SMALL)) as opened:
        yield opened


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_a_hostile_body_gets_a_named_refusal_and_is_kept(case: Hostile, door: str, client: httpx2.AsyncClient, twin: Twin) -> None:
    headers = [("Content-Type", case.content_type)] if case.content_type is not None else []
    sent = [*headers, *case.headers.items()]
    response = await client.post(door, content=case.body, headers=[(k.encode(), v.encode("latin-1")) for k, v in sent])
    if case.reason is None:
        assert response.status_code == (200 if door == "/alerts" else 202), response.text
        assert twin.kept == []
        return
    assert response.status_code == case.status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (problem["status"], problem["reason"]) == (case.status, case.reason.value)
    assert problem["detail"] and problem["title"] and problem["instance"] == door
    assert problem["type"] == f"urn:sre-agent:problem:{case.reason.value}"
    (kept,) = twin.kept
    assert problem["quarantine_id"] == kept.id
    assert kept.reason is case.reason
    assert kept.body == case.body[:LIMIT], "the bytes as sent, up to the limit"
    assert kept.content_type == (case.content_type or "")
    assert twin.intakes == []


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("door", DOORS)
async def test_a_body_that_never_ends_is_given_up_after_the_deadline(door: str, twin: Twin, open_client: Open) -> None:
    gate = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield FINE[:10]
        await gate.wait()

    async with open_client(parts_with(twin, Limits(body_timeout_s=0.02))) as client:
        response = await client.post(door, content=slow(), headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["reason"]) == (408, "body_timeout")
    assert twin.kept[0].body == FINE[:10]


async def test_a_fault_names_its_place_and_never_repeats_the_value(client: httpx2.AsyncClient) -> None:
    response = await client.post("/alerts", json={"type": {"password": "hunter2"}, "service": "a"})
    assert "type" in response.json()["detail"]
    assert "hunter2" not in response.text


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", "/nothing/here", 404, "not_found"),
        ("POST", "/nothing/here", 404, "not_found"),
        ("DELETE", "/alerts", 405, "method_not_allowed"),
        ("GET", "/webhooks/alertmanager", 405, "method_not_allowed"),
        ("GET", "/investigations?limit=0", 400, "invalid_parameter"),
        ("GET", "/investigations?limit=many", 400, "invalid_parameter"),
        ("GET", "/investigations?status=lost", 400, "invalid_parameter"),
        ("GET", "/investigations?cursor=%00", 400, "invalid_parameter"),
        ("GET", "/investigations?cursor=abc", 400, "invalid_parameter"),
        ("GET", f"/investigations?cursor={'9' * 40}", 400, "invalid_parameter"),
        ("GET", "/alerts/ledger?cursor=x%27--", 400, "invalid_parameter"),
        ("GET", "/alerts/ledger?fingerprint=%00", 400, "invalid_parameter"),
        ("GET", "/investigations/%00", 404, "not_found"),
        ("GET", "/investigations/..%2f..%2fetc%2fpasswd", 404, "not_found"),
        ("GET", f"/investigations/{'a' * 5000}", 404, "not_found"),
        ("GET", "/investigations/none/trail", 404, "not_found"),
        ("GET", f"/investigations/none/trail?after={10**30}", 400, "invalid_parameter"),
        ("GET", "/investigations/none?format=pdf", 400, "invalid_parameter"),
    ],
)
async def test_whatever_is_asked_wrongly_is_answered_as_a_problem(
    client: httpx2.AsyncClient, method: str, path: str, status: int, reason: str
) -> None:
    response = await client.request(method, path)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json"), response.text
    assert response.json()["reason"] == reason


@pytest.mark.parametrize("wait", ["-1", "soon", "nan", "inf", ""])
async def test_a_wait_that_is_no_number_is_refused_and_the_body_kept(client: httpx2.AsyncClient, twin: Twin, wait: str) -> None:
    response = await client.post("/alerts", params={"wait": wait}, json={"type": "a", "service": "b"})
    assert (response.status_code, response.json()["reason"]) == (400, "invalid_parameter")
    assert len(twin.kept) == 1 and twin.intakes == []
