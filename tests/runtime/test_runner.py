"""The body of the workflow, on a real SQLite store: what becomes of an investigation whose agent crashes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from app.domain.errors import StoreAway, WriteInDoubt
from app.domain.frozen import JsonObject
from app.domain.investigation import Investigation, InvestigationStatus
from app.domain.ports import Journal
from app.domain.reason import Reason
from app.domain.report import Report
from app.domain.trail import EventType
from app.runtime.workflows import Runner, Tries
from app.store.investigations import Begun
from app.telemetry import metrics
from tests.contract.parts import NOW, Parts, report

Investigate = Callable[[Investigation, Journal], Awaitable[Report]]


class Agent:
    def __init__(self, think: Investigate) -> None:
        self.think = think

    async def investigate(self, investigation: Investigation, journal: Journal) -> Report:
        return await self.think(investigation, journal)


class Runs:
    """A runner over an agent that may crash; pauses are kept, not waited for."""

    def __init__(self, parts: Parts, investigate: Investigate) -> None:
        self.pauses: list[float] = []
        self.runner = Runner(Agent(investigate), parts.investigations, parts.journal, self.notices, Tries(most=3), self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def notices(self, investigation: Investigation, report: Report) -> tuple[JsonObject, ...]:
        return ({"channel": "log", "verdict": report.verdict},)


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    opened = Parts(f"sqlite:///{tmp_path / 'a.db'}").open()
    yield opened
    await opened.close()


def total(name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, {"agent_name": metrics.AGENT_NAME, **labels}) or 0.0


# covers MET-01
async def test_a_run_ends_with_a_report_and_its_notices(parts: Parts) -> None:
    async def investigate(investigation: Investigation, journal: Journal) -> Report:
        assert total("agent_active_sessions") == 1
        return report(investigation.id)

    before = total("agent_requests_total", status="completed")
    investigation_id = await parts.investigation()
    await Runs(parts, investigate).runner(investigation_id)
    found = await parts.investigations.get(investigation_id)
    assert found is not None
    assert (found.status, found.report) == (InvestigationStatus.COMPLETED, report(investigation_id).model_dump(mode="json"))
    assert [n.payload["verdict"] for n in await parts.outbox.claim(NOW, 5, "me")] == ["web is out of memory"]
    assert (total("agent_requests_total", status="completed"), total("agent_active_sessions")) == (before + 1, 0)


async def test_a_report_that_ran_out_of_budget_is_incomplete(parts: Parts) -> None:
    async def investigate(investigation: Investigation, journal: Journal) -> Report:
        whole = report(investigation.id)
        return whole.model_copy(update={"meta": whole.meta.model_copy(update={"incomplete": Reason.SESSION_TIMEOUT})})

    investigation_id = await parts.investigation()
    await Runs(parts, investigate).runner(investigation_id)
    assert await parts.investigations.status(investigation_id) is InvestigationStatus.INCOMPLETE


async def test_a_crash_is_tried_again_and_reads_what_was_done(parts: Parts) -> None:
    ran: list[str] = []

    async def investigate(investigation: Investigation, journal: Journal) -> Report:
        async def look() -> JsonObject:
            ran.append("look")
            return {}

        await journal.call(EventType.TOOL_CALL, "look", {}, look)
        if investigation.attempts == 1:
            raise KeyError("a slip of ours")
        return report(investigation.id)

    recoveries = total("agent_recoveries_total")
    investigation_id = await parts.investigation()
    runs = Runs(parts, investigate)
    await runs.runner(investigation_id)
    assert await parts.investigations.status(investigation_id) is InvestigationStatus.COMPLETED
    assert (ran, runs.pauses) == (["look"], [0.2])
    assert total("agent_recoveries_total") == recoveries


async def test_a_bug_of_ours_becomes_failed_with_its_text(parts: Parts) -> None:
    async def investigate(investigation: Investigation, journal: Journal) -> Report:
        raise KeyError("a slip of ours")

    investigation_id = await parts.investigation()
    runs = Runs(parts, investigate)
    await runs.runner(investigation_id)
    found = await parts.investigations.get(investigation_id)
    assert found is not None
    assert (found.status, found.failure, found.attempts) == (InvestigationStatus.FAILED, "KeyError: 'a slip of ours'", 3)
    assert runs.pauses == [0.2, 1.0]


async def test_a_run_after_a_crash_of_the_process_is_a_recovery(parts: Parts) -> None:
    async def investigate(investigation: Investigation, journal: Journal) -> Report:
        return report(investigation.id)

    recoveries = total("agent_recoveries_total")
    investigation_id = await parts.running()
    await Runs(parts, investigate).runner(investigation_id)
    assert total("agent_recoveries_total") == recoveries + 1
    assert EventType.RESUMED in {event.type for event in await parts.trail.read(investigation_id)}


async def test_an_alert_that_ends_the_process_each_time_is_given_up(parts: Parts) -> None:
    async def investigate(investigation: Investigation, journal: Journal) -> Report:
        raise AssertionError("not again")

    investigation_id = await parts.running()
    for _ in range(3):
        await parts.investigations.start(investigation_id)
    await Runs(parts, investigate).runner(investigation_id)
    found = await parts.investigations.get(investigation_id)
    assert found is not None
    assert (found.status, "3 tries" in found.failure) == (InvestigationStatus.FAILED, True)


async def test_a_run_that_got_further_before_the_process_ended_does_not_count(parts: Parts) -> None:
    async def investigate(investigation: Investigation, journal: Journal) -> Report:
        return report(investigation.id)

    async def answer() -> JsonObject:
        return {}

    investigation_id = await parts.running()
    for number in range(10):
        await parts.journal(investigation_id).call(EventType.TOOL_CALL, f"k{number}", {}, answer)
        await parts.investigations.start(investigation_id)
    await Runs(parts, investigate).runner(investigation_id)
    assert await parts.investigations.status(investigation_id) is InvestigationStatus.COMPLETED


async def test_a_write_in_doubt_fails_at_once_and_says_so(parts: Parts) -> None:
    async def investigate(investigation: Investigation, journal: Journal) -> Report:
        raise WriteInDoubt("restart_pod was begun and has no result")

    investigation_id = await parts.investigation()
    runs = Runs(parts, investigate)
    await runs.runner(investigation_id)
    found = await parts.investigations.get(investigation_id)
    assert found is not None
    assert (found.status, found.failure, runs.pauses) == (InvestigationStatus.FAILED, "restart_pod was begun and has no result", [])


async def test_what_was_cancelled_before_or_meanwhile_is_left_alone(parts: Parts) -> None:
    async def investigate(investigation: Investigation, journal: Journal) -> Report:
        await parts.investigations.cancel(investigation.id)
        return report(investigation.id)

    for cancelled_before in (True, False):
        investigation_id = await parts.investigation()
        if cancelled_before:
            await parts.investigations.cancel(investigation_id)
        await Runs(parts, investigate).runner(investigation_id)
        assert await parts.investigations.status(investigation_id) is InvestigationStatus.CANCELLED


async def test_a_store_that_is_away_is_waited_for_and_is_not_the_investigations_fault(parts: Parts) -> None:
    async def investigate(investigation: Investigation, journal: Journal) -> Report:
        if investigation.attempts <= 10:  # three tries are all a crash of ours would get
            raise StoreAway("the disk is full")
        return report(investigation.id)

    investigation_id = await parts.investigation()
    runs = Runs(parts, investigate)
    await runs.runner(investigation_id)
    assert await parts.investigations.status(investigation_id) is InvestigationStatus.COMPLETED
    assert set(runs.pauses) == {Tries().away}


async def test_a_store_that_is_away_at_the_very_beginning_is_waited_for(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    async def investigate(investigation: Investigation, journal: Journal) -> Report:
        return report(investigation.id)

    investigation_id = await parts.investigation()
    runs, start, away = Runs(parts, investigate), parts.investigations.start, [True, True]

    async def refusing(investigation_id: str, excused: bool = False) -> Begun:
        if away:
            away.pop()
            raise StoreAway("no answer")
        return await start(investigation_id, excused)

    monkeypatch.setattr(parts.investigations, "start", refusing)
    await runs.runner(investigation_id)
    assert await parts.investigations.status(investigation_id) is InvestigationStatus.COMPLETED
