"""Investigations, the trail and the journal, on every database we support."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from app.domain.errors import IllegalMove, ReplayDiverged, WriteInDoubt
from app.domain.frozen import JsonObject
from app.domain.investigation import LEGAL_MOVES, InvestigationStatus
from app.domain.trail import EventType
from app.store import tables
from app.store.journal import ReplayJournal
from app.store.trail import append
from tests.contract.parts import NOW, Parts, report

S = InvestigationStatus


class World:
    """Answers each call with its number, and counts."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self) -> JsonObject:
        self.calls += 1
        return {"answer": self.calls}


async def move(parts: Parts, investigation_id: str, to: InvestigationStatus) -> None:
    moves: dict[InvestigationStatus, Any] = {
        S.RUNNING: lambda: parts.investigations.start(investigation_id),
        S.AWAITING_APPROVAL: lambda: parts.investigations.await_approval(investigation_id, {"question": "may I?"}),
        S.COMPLETED: lambda: parts.investigations.finish(investigation_id, S.COMPLETED, {"verdict": "v"}),
        S.INCOMPLETE: lambda: parts.investigations.finish(investigation_id, S.INCOMPLETE, {"verdict": "v"}),
        S.FAILED: lambda: parts.investigations.fail(investigation_id, "why"),
        S.CANCELLED: lambda: parts.investigations.cancel(investigation_id),
    }
    await moves[to]()


WAYS = {
    S.QUEUED: [],
    S.RUNNING: [S.RUNNING],
    S.AWAITING_APPROVAL: [S.RUNNING, S.AWAITING_APPROVAL],
    S.COMPLETED: [S.RUNNING, S.COMPLETED],
    S.INCOMPLETE: [S.RUNNING, S.INCOMPLETE],
    S.FAILED: [S.FAILED],
    S.CANCELLED: [S.CANCELLED],
}
# Not moves: running again is a resume, the same end twice is harmless.
HARMLESS = {(s, s) for s in (S.RUNNING, S.COMPLETED, S.INCOMPLETE, S.FAILED, S.CANCELLED)}


@pytest.mark.parametrize("before", list(S))
async def test_only_legal_moves_change_a_status(parts: Parts, before: InvestigationStatus) -> None:
    for to in set(S) - {S.QUEUED}:
        investigation_id = await parts.investigation()
        for step in WAYS[before]:
            await move(parts, investigation_id, step)
        if to in LEGAL_MOVES[before] or (before, to) in HARMLESS:
            await move(parts, investigation_id, to)
            assert await parts.investigations.status(investigation_id) is to
        else:
            with pytest.raises(IllegalMove):
                await move(parts, investigation_id, to)
            assert await parts.investigations.status(investigation_id) is before
        statuses = [e.data["to"] for e in await parts.trail.read(investigation_id) if e.type is EventType.STATUS]
        assert statuses[-1] == await parts.investigations.status(investigation_id)


async def test_report_history_and_notices_are_stored_together_and_once(parts: Parts) -> None:
    investigation_id = await parts.running()
    await parts.journal(investigation_id).note(EventType.PLAN, "plan", {"steps": ["s1"]})
    content = report(investigation_id).model_dump(mode="json")
    for _ in range(2):
        await parts.investigations.finish(investigation_id, S.COMPLETED, content, ({"channel": "log", "text": "done"},))
    found = await parts.investigations.get(investigation_id)
    assert found is not None
    assert (found.status, found.report, found.finished_at) == (S.COMPLETED, content, NOW)
    events = await parts.trail.read(investigation_id)
    assert [e.type.value for e in events] == ["STATUS", "STATUS", "PLAN", "STATUS", "AGENT_DONE"]
    assert [notice.payload for notice in await parts.outbox.claim(NOW, 10, "me")] == [{"channel": "log", "text": "done"}]
    with pytest.raises(IllegalMove):
        await parts.investigations.finish(investigation_id, S.COMPLETED, {"verdict": "another"})


# covers EMEM-07
async def test_the_table_has_the_columns_of_the_requirements(parts: Parts) -> None:
    investigation_id = await parts.running()
    await parts.journal(investigation_id).note(EventType.PLAN, "plan", {"steps": ["s1"]})
    await parts.investigations.finish(investigation_id, S.COMPLETED, {"verdict": "v"})
    t = tables.investigations
    query = select(t.c.id, t.c.timestamp, t.c.alert_type, t.c.service, t.c.plan, t.c.results)
    row = await parts.reads.run(lambda connection: connection.execute(query).one())
    assert (row.alert_type, row.service, row.plan, row.results) == ("high_memory", "web", {"steps": ["s1"]}, {"verdict": "v"})


async def test_investigations_are_read_in_pages_and_counted(parts: Parts) -> None:
    ids = [await parts.investigation() for _ in range(3)]
    await parts.investigations.cancel(ids[0])
    first = await parts.investigations.page(limit=2)
    second = await parts.investigations.page(limit=2, cursor=first.next_cursor)
    assert [i.id for page in (first, second) for i in page.investigations] == ids[::-1]
    assert second.next_cursor == ""
    only = await parts.investigations.page(status=S.CANCELLED)
    assert [i.id for i in only.investigations] == [ids[0]]
    counts = await parts.investigations.counts()
    assert (set(counts), counts[S.QUEUED], counts[S.CANCELLED], counts[S.FAILED]) == (set(S), 2, 1, 0)
    assert await parts.investigations.get("unknown") is None


async def test_a_second_start_is_a_resume_and_counts(parts: Parts) -> None:
    investigation_id = await parts.investigation()
    begun = [await parts.investigations.start(investigation_id) for _ in range(2)]
    assert [(b.resumed, b.investigation.attempts) for b in begun] == [(False, 1), (True, 2)]
    assert (await parts.trail.read(investigation_id))[-1].type is EventType.RESUMED


async def test_a_call_whose_answer_is_in_the_trail_is_not_repeated(parts: Parts) -> None:
    investigation_id, world = await parts.running(), World()
    first, second = parts.journal(investigation_id), parts.journal(investigation_id)
    asked = {"tool": "check_pods"}
    assert await first.call(EventType.TOOL_CALL, "k", asked, world) == ({"answer": 1}, False)
    assert await first.call(EventType.TOOL_CALL, "k", asked, world) == ({"answer": 2}, False)
    assert await second.call(EventType.TOOL_CALL, "k", asked, world) == ({"answer": 1}, True)
    assert await second.call(EventType.TOOL_CALL, "k", asked, world) == ({"answer": 2}, True)
    assert await second.call(EventType.LLM_CALL, "k", asked, world) == ({"answer": 3}, False)
    assert await second.call(EventType.MEMORY_RECALL, "k", asked, world) == ({"answer": 4}, False)
    assert await parts.journal(investigation_id).call(EventType.MEMORY_RECALL, "k", asked, world) == ({"answer": 4}, True)
    events = await parts.trail.read(investigation_id, after=2)
    assert [e.type.value for e in events[:4]] == ["TOOL_CALL", "TOOL_RESULT", "TOOL_CALL", "TOOL_RESULT"]
    assert [e.sequence for e in events] == list(range(3, 3 + len(events)))


async def test_a_call_is_committed_before_it_runs(parts: Parts) -> None:
    investigation_id = await parts.running()

    async def look() -> JsonObject:
        return {"seen": [e.type.value for e in await parts.trail.read(investigation_id, after=2)]}

    answer, _ = await parts.journal(investigation_id).call(EventType.TOOL_CALL, "k", {}, look)
    assert answer == {"seen": ["TOOL_CALL"]}


async def broken() -> JsonObject:
    raise ConnectionError("gone")


async def test_a_read_that_was_begun_without_a_result_runs_again(parts: Parts) -> None:
    investigation_id, world = await parts.running(), World()
    with pytest.raises(ConnectionError):
        await parts.journal(investigation_id).call(EventType.TOOL_CALL, "k", {"writes": False}, broken)
    assert await parts.journal(investigation_id).call(EventType.TOOL_CALL, "k", {"writes": False}, world) == ({"answer": 1}, False)


async def test_a_write_that_was_begun_without_a_result_goes_to_a_person(parts: Parts) -> None:
    investigation_id, world = await parts.running(), World()
    with pytest.raises(ConnectionError):
        await parts.journal(investigation_id).call(EventType.TOOL_CALL, "k", {"writes": True}, broken)
    for _ in range(2):
        with pytest.raises(WriteInDoubt):
            await parts.journal(investigation_id).call(EventType.TOOL_CALL, "k", {"writes": True}, world)
    assert world.calls == 0
    events = await parts.trail.read(investigation_id, after=2)
    assert [e.type.value for e in events] == ["TOOL_CALL", "GUARDRAIL"]
    assert events[1].data["reason"] == "approval"


async def test_no_call_is_made_for_an_investigation_that_has_ended(parts: Parts) -> None:
    investigation_id, world = await parts.running(), World()
    await parts.investigations.cancel(investigation_id)
    with pytest.raises(IllegalMove):
        await parts.journal(investigation_id).call(EventType.TOOL_CALL, "k", {}, world)
    assert world.calls == 0


async def test_the_first_of_two_answers_counts(parts: Parts) -> None:
    """Two replicas run the same investigation for a moment: one that seemed dead, and the one that took over."""
    investigation_id = await parts.running()
    started, go = asyncio.Event(), asyncio.Event()

    async def slow() -> JsonObject:
        started.set()
        await go.wait()
        return {"answer": "slow"}

    async def fast() -> JsonObject:
        return {"answer": "fast"}

    late = asyncio.create_task(parts.journal(investigation_id).call(EventType.TOOL_CALL, "k", {}, slow))
    await started.wait()
    assert await parts.journal(investigation_id).call(EventType.TOOL_CALL, "k", {}, fast) == ({"answer": "fast"}, False)
    go.set()
    assert await late == ({"answer": "fast"}, True)


async def test_a_note_is_committed_once(parts: Parts) -> None:
    investigation_id = await parts.running()
    for data in ({"n": 1}, {"n": 2}):
        await parts.journal(investigation_id).note(EventType.TARGET, "target", data)
    events = [e for e in await parts.trail.read(investigation_id) if e.type is EventType.TARGET]
    assert [e.data for e in events] == [{"n": 1}]


async def test_large_and_odd_results_come_back_as_they_were(parts: Parts) -> None:
    investigation_id = await parts.running()
    odd = {"text": "x" * 2_000_000, "nul": "\0", "lone": "\ud800", "key": "ü" * 9000}
    key = "tool:" + "y" * 10_000

    async def answer() -> JsonObject:
        return odd

    await parts.journal(investigation_id).call(EventType.TOOL_CALL, key, {}, answer)
    assert await parts.journal(investigation_id).call(EventType.TOOL_CALL, key, {}, broken) == (odd, True)


async def test_two_writers_number_the_trail_without_gaps(parts: Parts, url: str) -> None:
    investigation_id = await parts.running()
    other = Parts(url).open()
    try:
        notes = [p.journal(investigation_id).note(EventType.REASONING, f"{n}", {"n": n}) for n in range(60) for p in (parts, other)]
        await asyncio.gather(*notes)
        events = await parts.trail.read(investigation_id)
        assert [e.sequence for e in events] == list(range(1, 63))
        assert await parts.trail.read(investigation_id, after=60) == events[60:]
        assert await parts.trail.read(investigation_id, after=10, limit=5) == events[10:15]
    finally:
        await other.close()


async def test_a_replay_reads_only_and_stops_at_the_first_call_that_is_not_there(parts: Parts) -> None:
    investigation_id, world = await parts.running(), World()
    journal = parts.journal(investigation_id)
    await journal.call(EventType.TOOL_CALL, "k", {}, world)
    await journal.call(EventType.TOOL_CALL, "k", {}, world)
    replay = ReplayJournal(await parts.trail.read(investigation_id))
    assert [await replay.call(EventType.TOOL_CALL, "k", {}, broken) for _ in range(2)] == [({"answer": 1}, True), ({"answer": 2}, True)]
    await replay.note(EventType.DECISION, "d", {"a": 1})
    assert replay.noted == [(EventType.DECISION, "d", {"a": 1})]
    with pytest.raises(ReplayDiverged):
        await replay.call(EventType.TOOL_CALL, "k", {}, world)
    assert world.calls == 2


async def test_an_answer_is_recorded_once_and_continues_what_waited_for_it(parts: Parts) -> None:
    investigation_id = await parts.running()
    await parts.investigations.await_approval(investigation_id, {"question": "may I?"})
    enqueued: list[tuple[str, str]] = []

    def enqueue(connection: Any, workflow_id: str, argument: str) -> None:
        enqueued.append((workflow_id, argument))

    answers = [await parts.continuations.answer(investigation_id, "q1", {"approved": True}, enqueue) for _ in range(2)]
    assert answers == [True, False]
    [(workflow_id, argument)] = enqueued
    assert (workflow_id.startswith(f"{investigation_id}:"), argument) == (True, investigation_id)
    begun = await parts.investigations.start(investigation_id)
    assert (begun.resumed, begun.investigation.status) == (False, S.RUNNING)
    with pytest.raises(IllegalMove):
        await parts.continuations.answer("unknown", "q1", {}, enqueue)


async def test_a_fork_takes_the_first_part_of_a_trail_as_given(parts: Parts) -> None:
    investigation_id, world = await parts.running(), World()
    journal = parts.journal(investigation_id)
    await journal.call(EventType.TOOL_CALL, "a", {}, world)
    last = (await parts.trail.read(investigation_id))[-1].sequence
    await journal.call(EventType.TOOL_CALL, "b", {}, world)
    fork = await parts.continuations.fork(investigation_id, last, parts._enqueue)
    assert parts.enqueued[-1] == fork
    await parts.investigations.start(fork)
    again = parts.journal(fork)
    assert await again.call(EventType.TOOL_CALL, "a", {}, world) == ({"answer": 1}, True)
    assert await again.call(EventType.TOOL_CALL, "b", {}, world) == ({"answer": 3}, False)
    original, copy = await parts.investigations.get(investigation_id), await parts.investigations.get(fork)
    assert original is not None
    assert copy is not None
    assert copy.alerts == original.alerts
    events = await parts.trail.read(fork)
    assert events[0].data["forked_from"] == investigation_id
    assert [e.sequence for e in events] == list(range(1, len(events) + 1))


async def test_an_event_of_an_unknown_investigation_is_refused_by_the_database(parts: Parts) -> None:
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        await parts.writer.run(lambda connection: append(connection, "nobody", NOW, EventType.REASONING, "k", {}))
