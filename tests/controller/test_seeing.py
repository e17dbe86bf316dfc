"""Request ids, log lines, health, metrics, and what can be read."""

import asyncio
import sys

import httpx2
import pytest
import structlog
from structlog.testing import capture_logs

from app.controller import examples
from app.controller.parts import Limits
from app.controller.ports import Check, LlmStatus
from app.domain.reason import Reason
from app.domain.trail import EventType
from tests.controller.conftest import Open
from tests.controller.twin import Twin, parts_with


async def test_a_sane_request_id_is_kept_and_echoed(client: httpx2.AsyncClient) -> None:
    response = await client.get("/health/live", headers={"X-Request-ID": "trace-1:a.b_c"})
    assert response.headers["x-request-id"] == "trace-1:a.b_c"


@pytest.mark.parametrize("bad", ["", "a b", "x" * 129, "a\tb", "{}", "<script>"])
async def test_any_other_is_replaced_by_ours(client: httpx2.AsyncClient, bad: str) -> None:
    response = await client.get("/health/live", headers={"X-Request-ID": bad})
    assert response.headers["x-request-id"].startswith("00000000-0000-4000-8000-")


async def test_problems_carry_the_request_id(client: httpx2.AsyncClient) -> None:
    response = await client.get("/nowhere", headers={"X-Request-ID": "r1"})
    assert response.json()["request_id"] == response.headers["x-request-id"] == "r1"


async def test_one_line_per_request_with_all_ids(client: httpx2.AsyncClient) -> None:
    # covers LOG-05, LOG-13
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        body = (await client.post("/alerts", json={"type": "a", "service": "b"}, headers={"X-Request-ID": "r1"})).json()
    (access,) = [line for line in lines if line["event"] == "http_request"]
    ids = {"request_id": "r1", "alert_id": body["alert"]["id"], "investigation_id": body["investigation_id"]}
    assert {name: access[name] for name in ids} == ids
    assert (access["method"], access["path"], access["status"], access["log_level"]) == ("POST", "/alerts", 200, "info")
    assert access["duration_ms"] >= 0
    (accepted,) = [line for line in lines if line["event"] == "alert_accepted"]
    assert {name: accepted[name] for name in ids} == ids
    assert structlog.contextvars.get_contextvars() == {}, "nothing leaks into the next request"


async def test_probes_do_not_fill_the_log(client: httpx2.AsyncClient) -> None:
    with capture_logs() as lines:
        await client.get("/health/live")
        await client.get("/metrics")
    assert [line["log_level"] for line in lines] == ["debug", "debug"]


async def test_health_says_whether_a_model_speaks_and_why_not(client: httpx2.AsyncClient, twin: Twin, open_client: Open) -> None:
    # covers API-11
    await client.post("/alerts", json={"type": "a", "service": "b"})
    body = (await client.get("/health")).json()
    assert (body["llm_available"], body["using_fallback"], body["last_fallback_reason"]) == (False, True, "no_key")
    assert (body["status"], body["queued"], body["investigations"], body["versions"]) == ("ok", 0, {"completed": 1}, {"sre-agent": "0.1.0"})
    llm = LlmStatus(llm_available=True, using_fallback=False)
    async with open_client(parts_with(twin, llm=llm)) as other:
        assert (await other.get("/health")).json()["last_fallback_reason"] is None


async def test_health_and_metrics_answer_when_the_database_does_not(client: httpx2.AsyncClient, twin: Twin) -> None:
    twin.down = True
    response = await client.get("/health")
    assert (response.status_code, response.json()["status"], response.json()["queued"]) == (200, "degraded", None)
    assert (await client.get("/metrics")).status_code == 200


async def test_alive_means_able_to_answer(client: httpx2.AsyncClient, twin: Twin) -> None:
    # covers API-12
    twin.down = True
    assert (await client.get("/health/live")).json() == {"status": "ok"}


async def disk_space() -> Check:
    return Check("disk_space", False, "12 MB free, 100 MB needed")


async def hanging() -> Check:
    await asyncio.Event().wait()
    return Check("hanging", True)


async def raising() -> Check:
    raise PermissionError("secret path")


async def test_ready_when_every_check_is(client: httpx2.AsyncClient) -> None:
    # covers API-13, DEP-06
    response = await client.get("/health/ready")
    assert (response.status_code, response.json()["failing"]) == (200, [])


@pytest.mark.parametrize("check", [disk_space, hanging, raising])
async def test_not_ready_is_503_and_names_the_failing_check(twin: Twin, open_client: Open, check: object) -> None:
    # covers API-15
    async with open_client(parts_with(twin, Limits(check_timeout_s=0.02), checks=(check, check))) as client:
        response = await client.get("/health/ready")
    name = check.__name__  # type: ignore[attr-defined]
    assert response.status_code == 503
    body = response.json()
    assert (body["status"], body["failing"]) == ("not_ready", [name, name])
    assert body["checks"][0]["detail"] and "secret" not in response.text


async def test_metrics_show_what_was_refused_and_what_waits(client: httpx2.AsyncClient, twin: Twin) -> None:
    # covers MET-10
    twin.extra_queued = 7
    await client.post("/alerts", content=b"{", headers={"Content-Type": "application/json"})
    response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert 'agent_bodies_refused_total{agent_name="sre-agent",reason="malformed_json"}' in response.text
    assert 'agent_queue_depth{agent_name="sre-agent",priority="all"} 7.0' in response.text


async def test_a_bug_of_ours_is_a_problem_too_and_tells_no_secrets(client: httpx2.AsyncClient, twin: Twin) -> None:
    twin.down = True
    response = await client.post("/alerts", json={"type": "a", "service": "b"}, headers={"X-Request-ID": "r9"})
    assert (response.status_code, response.headers["content-type"]) == (500, "application/problem+json")
    assert (response.json()["reason"], response.json()["request_id"], response.headers["x-request-id"]) == ("internal_error", "r9", "r9")
    assert "database is gone" not in response.text


async def test_investigations_come_in_pages_newest_first(client: httpx2.AsyncClient) -> None:
    # covers API-18
    answers = await asyncio.gather(*(client.post("/alerts", json={"type": "a", "service": f"s{n}"}) for n in range(5)))
    sent = {answer.json()["investigation_id"] for answer in answers}
    seen, cursor = [], ""
    for _ in range(3):
        page = (await client.get("/investigations", params={"limit": 2, "cursor": cursor, "status": "completed"})).json()
        seen += [i["id"] for i in page["investigations"]]
        assert all("report" not in i and i["links"]["trail"] for i in page["investigations"])
        cursor = page["next_cursor"]
    assert (len(seen), set(seen), cursor) == (5, sent, "")
    assert (await client.get("/investigations?status=failed")).json()["investigations"] == []


@pytest.mark.parametrize(
    ("query", "accept", "kind"),
    [
        ("", "*/*", "application/json"),
        ("", "text/markdown", "text/markdown"),
        ("", "text/plain;q=0.9, text/html", "text/plain"),
        ("?format=md", "application/json", "text/markdown"),
        ("?format=text", "*/*", "text/plain"),
        ("?format=json", "text/plain", "application/json"),
    ],
)
async def test_a_report_reads_as_json_markdown_or_text(client: httpx2.AsyncClient, twin: Twin, query: str, accept: str, kind: str) -> None:
    twin.add_example()
    response = await client.get(f"/investigations/{examples.ID}{query}", headers={"Accept": accept})
    assert response.headers["content-type"].partition(";")[0] == kind
    assert response.headers["vary"] == "Accept"
    if kind != "application/json":
        assert "LIKELY CAUSE" in response.text


async def test_a_report_that_is_not_there_yet_says_so(client: httpx2.AsyncClient, twin: Twin) -> None:
    twin.found[examples.ID] = examples.INVESTIGATION.model_copy(update={"report": None})
    assert "No report yet" in (await client.get(f"/investigations/{examples.ID}?format=text")).text
    twin.found[examples.ID] = examples.INVESTIGATION.model_copy(update={"report": {"schema_version": "0"}})
    assert (await client.get(f"/investigations/{examples.ID}")).json()["report"] == {"schema_version": "0"}
    assert (await client.get(f"/investigations/{examples.ID}?format=md")).status_code == 406


async def test_a_trail_is_read_in_parts(client: httpx2.AsyncClient, twin: Twin) -> None:
    for n in range(5):
        twin.add_event(examples.ID, EventType.REASONING, {"n": n})
    twin.found[examples.ID] = examples.INVESTIGATION
    first = (await client.get(f"/investigations/{examples.ID}/trail?limit=3")).json()
    rest = (await client.get(f"/investigations/{examples.ID}/trail?limit=3&after={first['next_after']}")).json()
    assert [e["sequence"] for e in (*first["events"], *rest["events"])] == [1, 2, 3, 4, 5]
    assert rest["next_after"] is None


async def test_the_ledger_shows_every_alert_without_secrets(client: httpx2.AsyncClient) -> None:
    secret = {"type": "a", "service": "b", "fingerprint": "f", "annotations": {"password": "hunter2-secret"}, "labels": {"pod": "p"}}
    for body in (secret, secret, {"type": "c", "service": "d"}):
        await client.post("/alerts", json=body)
    everything = await client.get("/alerts/ledger")
    assert [e["disposition"]["reason"] for e in everything.json()["entries"]] == ["new_episode", "repeat", "new_episode"]
    assert "hunter2" not in everything.text
    assert len((await client.get("/alerts/ledger?fingerprint=f&limit=1")).json()["entries"]) == 1


async def test_the_door_opens_without_the_libraries_of_other_floors() -> None:
    """Start-up pays for what it uses: the routes need no database, model or vector library."""
    heavy = {"sqlalchemy", "dbos", "chromadb", "anthropic", "pydantic_ai", "onnxruntime"}
    code = f"import app.controller.app_factory, sys; print(sorted({heavy!r} & set(sys.modules)))"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert (await process.communicate())[0].strip() == b"[]"


def test_last_fallback_reason_is_a_closed_word() -> None:
    assert LlmStatus(llm_available=True, using_fallback=True, last_fallback_reason=Reason.MODEL_RATE_LIMIT).last_fallback_reason == "model_rate_limit"
