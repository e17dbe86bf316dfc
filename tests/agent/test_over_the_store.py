"""The agent over the real trail in SQLite: a run that is cut off goes on, and the stored trail replays to the same bytes."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from app.agent.agent import InfrastructureAgent
from app.agent.parts import AgentParts
from app.agent.replay import replay
from app.domain.investigation import InvestigationStatus
from app.domain.plan import Step
from app.domain.trail import EventType
from app.notify.notices import Notices
from app.notify.ports import ChannelName
from app.store.journal import ReplayJournal, TrailJournal
from tests.agent.cast import Anything, ListMemory, ScriptedDiagnosis, ScriptedPlanner, Tiny, door, step, tiny
from tests.contract.parts import Parts

STEPS = [step("s1", "check_pods"), step("s2", "get_logs", "s1"), step("s3", "get_metrics", "s2")]


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    opened = Parts(f"sqlite:///{tmp_path / 'store.db'}").open()
    yield opened
    await opened.close()


def agent(parts: Parts, *tools: Tiny, rounds: Sequence[Sequence[Step]] = ()) -> InfrastructureAgent:
    made = AgentParts(
        memory=ListMemory(),
        planner=ScriptedPlanner(STEPS),
        diagnosis=ScriptedDiagnosis(rounds),
        executor=door(*tools, clock=parts.clock),
        clock=parts.clock,
        sources=frozenset({"kubernetes"}),
    )
    return InfrastructureAgent(made)


class Hangs(Tiny):
    """Says that it was reached, then never answers."""

    reached: asyncio.Event

    async def run(self, arguments: Anything, context: object) -> object:  # type: ignore[override]
        self.calls.append(arguments)
        self.reached.set()
        return await asyncio.Event().wait()


# covers EXEC-12, REPL-01, REPL-04
async def test_a_run_that_is_cut_off_goes_on_from_its_trail_and_replays_to_the_same_bytes(parts: Parts) -> None:
    running = await parts.running()
    row = await parts.investigations.get(running)
    assert row is not None
    pods, hanging = tiny("check_pods"), Hangs(tiny("get_logs").spec)
    hanging.reached = asyncio.Event()
    first = asyncio.create_task(agent(parts, pods, hanging, tiny("get_metrics")).investigate(row, parts.journal(running)))
    async with asyncio.timeout(10):
        await hanging.reached.wait()  # it waited for check_pods, whose answer is in the trail
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first

    again_pods, logs, metrics = tiny("check_pods"), tiny("get_logs"), tiny("get_metrics")
    report = await agent(parts, again_pods, logs, metrics).investigate(row, parts.journal(running))
    assert [len(tool.calls) for tool in (pods, again_pods, hanging, logs, metrics)] == [1, 0, 1, 1, 1]

    events = await parts.trail.read(running)
    assert [e.sequence for e in events] == list(range(1, len(events) + 1))
    ended = row.model_copy(update={"report": json.loads(report.model_dump_json())})
    replayed = await replay(agent(parts), ended, events)
    assert replayed.is_exact_match
    assert await agent(parts).investigate(row, ReplayJournal(events)) == report


# covers EXEC-12, FR-05
async def test_a_run_that_is_cut_off_between_briefing_and_report_tells_its_briefing_once(parts: Parts) -> None:
    told = Notices([ChannelName.LOG, ChannelName.WEBHOOK]).early
    running = await parts.running()
    row = await parts.investigations.get(running)
    assert row is not None
    after, hanging = [[step("r2", "describe_pod")]], Hangs(tiny("describe_pod").spec)
    hanging.reached = asyncio.Event()
    tools = [tiny(s.tool) for s in STEPS]
    first = asyncio.create_task(agent(parts, *tools, hanging, rounds=after).investigate(row, TrailJournal(parts.writer, parts.clock, running, told)))
    async with asyncio.timeout(10):
        await hanging.reached.wait()  # the second round: the briefing is committed, the report is not
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    briefing = await parts.trail.first(running, EventType.BRIEFING)

    report = await agent(parts, tiny("describe_pod"), rounds=after).investigate(row, TrailJournal(parts.writer, parts.clock, running, told))
    await parts.investigations.finish(
        running, InvestigationStatus.COMPLETED, json.loads(report.model_dump_json()), Notices([ChannelName.LOG])(row, report)
    )
    assert await parts.trail.first(running, EventType.BRIEFING) == briefing is not None
    notices = {notice.id: notice.payload["payload"] for notice in await parts.outbox.claim(parts.clock(), 10, "me")}
    assert {id: payload["kind"] for id, payload in notices.items()} == {
        f"{running}:briefing:1": "briefing",
        f"{running}:briefing:2": "briefing",
        f"{running}:1": "report",
    }
    assert notices[f"{running}:briefing:1"]["briefing"] == briefing.data
