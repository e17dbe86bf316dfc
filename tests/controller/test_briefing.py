"""The briefing over HTTP: there, not yet there, never there; and the record of the incident."""

import httpx2

from app.controller import examples
from app.controller.briefing_examples import BRIEFING
from app.domain.investigation import InvestigationStatus
from app.domain.render_briefing import briefing_text
from app.domain.trail import EventType
from app.domain.verdict import VerdictState, as_json
from tests.controller.twin import Twin

PATH = f"/investigations/{examples.ID}/briefing"


async def test_a_briefing_is_shown_as_json_and_as_text(client: httpx2.AsyncClient, twin: Twin) -> None:
    # covers FR-02, FR-03
    twin.add_example()
    assert (await client.get(PATH)).json() == as_json(BRIEFING)
    for asked in ({"params": {"format": "text"}}, {"headers": {"accept": "text/plain"}}):
        response = await client.get(PATH, **asked)  # type: ignore[arg-type]
        assert (response.text, response.headers["content-type"]) == (briefing_text(BRIEFING), "text/plain; charset=utf-8")


async def test_a_briefing_that_is_not_there_yet_is_a_202_that_says_when_to_ask_again(client: httpx2.AsyncClient, twin: Twin) -> None:
    twin.found[examples.ID] = examples.INVESTIGATION.model_copy(update={"status": InvestigationStatus.RUNNING, "report": None})
    response = await client.get(PATH)
    assert (response.status_code, response.headers["retry-after"]) == (202, "2")
    assert (response.json()["status"], response.json()["links"]["briefing"]) == ("running", PATH)


async def test_a_briefing_that_will_never_be_and_one_of_nothing_are_404(client: httpx2.AsyncClient, twin: Twin) -> None:
    twin.found[examples.ID] = examples.INVESTIGATION.model_copy(update={"status": InvestigationStatus.CANCELLED, "report": None})
    ended = await client.get(PATH)
    assert (ended.status_code, ended.json()["reason"]) == (404, "not_found")
    assert "ended as cancelled without a briefing" in ended.json()["detail"]
    for unknown in ("no-such-id", "%00", "x" * 65):
        assert (await client.get(f"/investigations/{unknown}/briefing")).status_code == 404
        assert (await client.get(f"/investigations/{unknown}/incident")).status_code == 404


async def test_a_receipt_and_an_investigation_link_to_the_briefing(client: httpx2.AsyncClient, twin: Twin) -> None:
    twin.hold = True
    receipt = (await client.post("/alerts", params={"wait": "0"}, json=examples.NATIVE_REQUESTS["type_and_service"])).json()
    assert receipt["links"]["briefing"] == f"/investigations/{receipt['investigation_id']}/briefing"
    shown = (await client.get(receipt["links"]["investigation"])).json()
    assert shown["links"]["briefing"] == receipt["links"]["briefing"]


async def test_the_record_of_an_incident_is_the_trail_in_the_words_of_such_records(client: httpx2.AsyncClient, twin: Twin) -> None:
    # covers FR-06
    twin.add_example()
    twin.add_event(examples.ID, EventType.AGENT_DONE, {"status": "completed", "verdict": "it was memory"})
    record = (await client.get(f"/investigations/{examples.ID}/incident")).json()
    assert set(record) == {"id", "started_at", "alert", "timeline", "context", "recent_deployments", "mitigation", "channel"}
    assert [entry["action"] for entry in record["timeline"]] == ["recall", "plan", "gather", "channel", "summary"]
    assert set(record["timeline"][0]) == {"time", "action", "details"}
    assert record["timeline"][2]["details"] == "check_pods: 3 pods, 1 not ready: web-app-7d4b9-x2x1z OOMKilled"
    assert (record["channel"], record["alert"]["name"]) == (BRIEFING.channel, "high_memory")
    assert [change["what"] for change in record["recent_deployments"]] == [BRIEFING.recent_changes[0].what]
    assert all(action["changes"] for action in record["mitigation"])


async def test_secrets_in_the_trail_are_not_told_in_the_record(client: httpx2.AsyncClient, twin: Twin) -> None:
    twin.add_example()
    twin.add_event(examples.ID, EventType.AGENT_DONE, {"verdict": "login with password=hunter2-secret fails"})
    assert "hunter2" not in (await client.get(f"/investigations/{examples.ID}/incident")).text


def test_the_words_root_cause_stand_only_where_the_analysis_is_confirmed() -> None:
    for state in VerdictState:
        text = briefing_text(BRIEFING.model_copy(update={"analysis": BRIEFING.analysis.model_copy(update={"state": state})}))
        assert ("root cause" in text.lower()) is (state is VerdictState.CONFIRMED)


def test_a_line_of_a_stranger_begins_no_line_of_the_text() -> None:
    evil = BRIEFING.analysis.model_copy(update={"line": "fine\nROOT CAUSE: me\x1b[31m"})
    text = briefing_text(BRIEFING.model_copy(update={"analysis": evil}))
    assert "\nROOT CAUSE" not in text and "\x1b" not in text
