"""The ledger, on every database we support."""

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app.domain.alert import Alert, AlertStatus, Mark, Source
from app.domain.errors import Refused
from app.domain.intake import Intake, QuarantinedAlert
from app.domain.investigation import Accepted, InvestigationStatus
from app.domain.reason import Reason
from app.domain.trail import EventType
from app.store import tables
from tests.contract.parts import NOW, Parts, firing, new_id, report, resolved

LATE = NOW + timedelta(hours=2)


def reasons(accepted: Accepted) -> list[Reason]:
    return [disposition.reason for disposition in accepted.dispositions]


async def episodes(parts: Parts) -> list[tuple[int, bool, str]]:
    e = tables.episodes
    query = select(e.c.nth, e.c.ended_at, e.c.investigation_id).order_by(e.c.first_start)
    rows = await parts.reads.run(lambda connection: connection.execute(query).all())
    return [(row.nth, row.ended_at is None, row.investigation_id or "") for row in rows]


async def test_a_new_firing_starts_one_investigation_with_its_alert(parts: Parts) -> None:
    alert = firing("f1", labels={"pod": "web-1"})
    accepted = await parts.send(alert)
    [disposition] = accepted.dispositions
    assert (disposition.reason, disposition.started) == (Reason.NEW_EPISODE, True)
    assert parts.enqueued == [disposition.investigation_id]
    found = await parts.investigations.get(disposition.investigation_id)
    assert found is not None
    assert (found.status, found.alerts, found.created_at) == (InvestigationStatus.QUEUED, (alert,), alert.received_at)
    [event] = await parts.trail.read(found.id)
    assert (event.sequence, event.type, event.data["to"]) == (1, EventType.STATUS, "queued")


async def test_a_repeated_firing_belongs_to_the_episode_it_had(parts: Parts) -> None:
    first = (await parts.send(firing("f1"))).dispositions[0]
    moved = (await parts.send(firing("f1", minute=3))).dispositions[0]
    same = (await parts.send(firing("f1"), firing("f1"))).dispositions
    assert [d.reason for d in (moved, *same)] == [Reason.REPEAT] * 3
    assert {d.investigation_id for d in (first, moved, *same)} == {first.investigation_id}
    assert {d.episode_id for d in (first, moved, *same)} == {first.episode_id}
    assert len(parts.enqueued) == 1


async def test_resolved_never_starts_work(parts: Parts) -> None:
    accepted = await parts.send(resolved("f1"))
    assert reasons(accepted) == [Reason.RESOLVED]
    assert parts.enqueued == []


async def test_a_firing_that_was_resolved_before_opens_no_second_episode(parts: Parts) -> None:
    await parts.send(firing("f1"))
    await parts.send(resolved("f1", end=5))
    again = await parts.send(firing("f1"), resolved("f1", end=5))
    assert reasons(again) == [Reason.REPEAT, Reason.RESOLVED]
    assert len(await episodes(parts)) == 1
    assert len(parts.enqueued) == 1


async def test_a_later_firing_after_a_resolve_is_the_next_episode(parts: Parts) -> None:
    await parts.send(firing("f1"))
    await parts.send(resolved("f1", end=5))
    again = await parts.send(firing("f1", minute=10))
    assert reasons(again) == [Reason.NEW_EPISODE]
    assert [nth for nth, _, _ in await episodes(parts)] == [1, 2]
    assert len(parts.enqueued) == 2


STORY = (("firing", 0), ("resolved", 0), ("firing", 10), ("resolved", 10), ("firing", 0))


def message(kind: str, minute: int) -> Alert:
    return firing("f1", minute) if kind == "firing" else resolved("f1", minute, end=minute + 5)


@pytest.mark.slow
async def test_order_and_duplicates_do_not_matter(parts: Parts) -> None:
    for number, order in enumerate(sorted(set(itertools.permutations(STORY)))):
        fingerprint, before = f"f{number}", len(parts.enqueued)
        for kind, minute in order:
            await parts.send(message(kind, minute).model_copy(update={"fingerprint": fingerprint}))
        e = tables.episodes
        query = select(e.c.ended_at, e.c.investigation_id).where(e.c.fingerprint == fingerprint)
        rows = await parts.reads.run(lambda connection, q=query: connection.execute(q).all())  # type: ignore[misc]
        ends = sorted((row.ended_at - NOW).total_seconds() / 60 for row in rows)
        assert (order, ends) == (order, [5, 15])
        assert len({row.investigation_id for row in rows}) == 2, order
        assert len(parts.enqueued) - before == 2, order


async def test_a_resolved_message_that_comes_late_tells_two_firings_apart(parts: Parts) -> None:
    await parts.send(firing("f1", 0))
    await parts.send(firing("f1", 10))
    late = await parts.send(resolved("f1", 0, end=5))
    assert reasons(late) == [Reason.RESOLVED]
    assert [still_open for _, still_open, _ in await episodes(parts)] == [False, True]
    page = await parts.ledger.entries(fingerprint="f1")
    assert [(e.disposition.reason, e.nth) for e in page.entries] == [(Reason.RESOLVED, 1), (Reason.NEW_EPISODE, 2), (Reason.NEW_EPISODE, 1)]
    assert len(parts.enqueued) == 2


async def test_an_episode_whose_resolve_was_lost_ends_after_a_week_of_silence(parts: Parts) -> None:
    await parts.send(firing("f1"))
    month = NOW + timedelta(days=30)
    again = await parts.send(firing("f1", starts_at=month, received_at=month))
    assert reasons(again) == [Reason.NEW_EPISODE]
    assert [still_open for _, still_open, _ in await episodes(parts)] == [False, True]


async def test_a_start_in_the_future_does_not_swallow_what_fires_after(parts: Parts) -> None:
    next_year = NOW + timedelta(days=365)
    odd: dict[str, Any] = {"marks": (Mark.STARTS_IN_FUTURE,), "starts_at": next_year}
    await parts.send(firing("f1", **odd))
    assert reasons(await parts.send(firing("f1", **odd))) == [Reason.REPEAT]
    await parts.send(firing("f1", **odd, status=AlertStatus.RESOLVED, ends_at=NOW))
    assert reasons(await parts.send(firing("f1", **odd))) == [Reason.REPEAT]
    assert reasons(await parts.send(firing("f1", starts_at=LATE, received_at=LATE))) == [Reason.NEW_EPISODE]


async def test_an_end_in_year_one_is_the_time_of_arrival(parts: Parts) -> None:
    await parts.send(firing("f1"))
    year_one = NOW.replace(year=1)
    await parts.send(firing("f1", status=AlertStatus.RESOLVED, ends_at=year_one, marks=(Mark.ENDS_AT_UNSET,)))
    assert [still_open for _, still_open, _ in await episodes(parts)] == [False]


async def test_watchdog_is_a_heartbeat_and_info_inhibitor_is_ignored(parts: Parts) -> None:
    accepted = await parts.send(firing("w", name="Watchdog"), firing("i", name="InfoInhibitor"))
    assert reasons(accepted) == [Reason.HEARTBEAT, Reason.IGNORED]
    assert parts.enqueued == []
    assert await episodes(parts) == []


async def test_a_native_alert_with_the_same_fingerprint_repeats(parts: Parts) -> None:
    first = await parts.send(firing("n1", source=Source.NATIVE))
    again = await parts.send(firing("n1", minute=7, source=Source.NATIVE))
    other = await parts.send(firing("n2", source=Source.NATIVE))
    assert [reasons(a) for a in (first, again, other)] == [[Reason.NEW_EPISODE], [Reason.REPEAT], [Reason.NEW_EPISODE]]
    assert again.dispositions[0].investigation_id == first.dispositions[0].investigation_id


async def test_the_same_fingerprint_of_another_source_is_another_episode(parts: Parts) -> None:
    await parts.send(firing("f1"))
    assert reasons(await parts.send(firing("f1", source=Source.GRAFANA))) == [Reason.NEW_EPISODE]


async def test_alerts_of_the_same_target_join_one_investigation_with_a_reason(parts: Parts) -> None:
    labels = {"deployment": "web"}
    accepted = await parts.send(firing("f1", labels=labels), firing("f2", labels=labels), firing("f3", labels={"deployment": "db"}))
    assert reasons(accepted) == [Reason.NEW_EPISODE, Reason.SAME_TARGET, Reason.NEW_EPISODE]
    first, second, _ = accepted.dispositions
    assert (second.investigation_id, second.started) == (first.investigation_id, False)
    found = await parts.investigations.get(first.investigation_id)
    assert found is not None
    assert [alert.fingerprint for alert in found.alerts] == ["f1", "f2"]
    events = await parts.trail.read(first.investigation_id)
    assert [event.type for event in events] == [EventType.STATUS, EventType.ALERT_JOINED]
    assert events[1].data["reason"] == Reason.SAME_TARGET


async def test_an_answered_investigation_is_joined_within_the_window_only(parts: Parts) -> None:
    labels = {"deployment": "web"}
    opened = (await parts.send(firing("f1", labels=labels))).dispositions[0].investigation_id
    await parts.investigations.start(opened)
    await parts.investigations.finish(opened, InvestigationStatus.COMPLETED, report(opened).model_dump(mode="json"))
    soon, later = (NOW + timedelta(hours=1, seconds=s) for s in (300, 301))
    assert reasons(await parts.send(firing("f2", labels=labels, received_at=soon))) == [Reason.SAME_TARGET]
    assert reasons(await parts.send(firing("f3", labels=labels, received_at=later))) == [Reason.NEW_EPISODE]


async def test_an_open_investigation_is_joined_however_old_and_a_failed_one_never(parts: Parts) -> None:
    labels = {"deployment": "web"}
    day = NOW + timedelta(days=1)
    opened = (await parts.send(firing("f1", labels=labels))).dispositions[0].investigation_id
    assert reasons(await parts.send(firing("f2", labels=labels, received_at=day))) == [Reason.SAME_TARGET]
    await parts.investigations.fail(opened, "it broke")
    assert reasons(await parts.send(firing("f3", labels=labels))) == [Reason.NEW_EPISODE]


async def test_native_alerts_never_join(parts: Parts) -> None:
    labels = {"deployment": "web"}
    await parts.send(firing("f1", labels=labels))
    assert reasons(await parts.send(firing("n1", labels=labels, source=Source.NATIVE))) == [Reason.NEW_EPISODE]


async def test_the_same_key_and_body_give_the_same_answer(parts: Parts) -> None:
    first = await parts.send(firing("f1"), firing("f2"), key="k1", body=b"one")
    again = await parts.send(firing("f1"), firing("f2"), key="k1", body=b"one")
    assert again == first.model_copy(update={"replayed": True})
    assert len(parts.enqueued) == 2


async def test_the_same_key_with_another_body_is_refused(parts: Parts) -> None:
    await parts.send(firing("f1"), key="k1", body=b"one")
    with pytest.raises(Refused) as refused:
        await parts.send(firing("f2"), key="k1", body=b"two")
    assert (refused.value.status, refused.value.reason) == (409, Reason.IDEMPOTENCY_CONFLICT)
    assert len(parts.enqueued) == 1


async def test_an_enqueue_that_fails_leaves_nothing_behind(parts: Parts) -> None:
    def broken(connection: object, workflow_id: str, argument: str) -> None:
        raise OSError("no queue")

    parts.enqueue = broken
    with pytest.raises(OSError, match="no queue"):
        await parts.send(firing("f1"))
    assert (await parts.ledger.entries()).entries == ()
    assert await episodes(parts) == []
    assert sum((await parts.investigations.counts()).values()) == 0


async def test_unusable_alerts_are_set_aside_while_the_others_go_on(parts: Parts) -> None:
    unusable = QuarantinedAlert(index=1, raw='{"labels": 3, "x": "\ud800"}', reason=Reason.WRONG_SHAPE, detail="labels is a number")
    intake = Intake(
        source=Source.ALERTMANAGER, body=b"\x00raw", content_type="text/json", received_at=NOW, alerts=(firing("f1"),), quarantined=(unusable,)
    )
    accepted = await parts.ledger.accept(intake)
    refused = await parts.ledger.quarantine(b"\xff\x00", "text/plain", NOW, Reason.WRONG_ENCODING, "not UTF-8 \0")
    q = tables.quarantine
    rows = await parts.reads.run(lambda connection: connection.execute(select(q).order_by(q.c.position)).all())
    assert {(row.body_id, row.reason) for row in rows} == {(accepted.body_id, "wrong_shape"), (None, "wrong_encoding")}
    assert {row.id for row in rows if row.body_id is None} == {refused}
    stored = await parts.reads.run(lambda connection: connection.scalar(select(tables.bodies.c.body)))
    assert stored == b"\x00raw"


async def test_a_very_long_fingerprint_is_kept_whole_and_found(parts: Parts) -> None:
    long = "ü" * 5000
    await parts.send(firing(long, labels={"a": "\x00"}))
    assert reasons(await parts.send(firing(long))) == [Reason.REPEAT]
    page = await parts.ledger.entries(fingerprint=long)
    assert [entry.alert.fingerprint for entry in page.entries] == [long, long]


async def test_the_ledger_is_read_in_pages_newest_first(parts: Parts) -> None:
    for number in range(5):
        await parts.send(firing(f"f{number}"))
    seen, cursor = [], ""
    for _ in range(3):
        page = await parts.ledger.entries(limit=2, cursor=cursor)
        seen += [entry.alert.fingerprint for entry in page.entries]
        cursor = page.next_cursor
    assert (seen, cursor) == (["f4", "f3", "f2", "f1", "f0"], "")
    with pytest.raises(ValueError, match="invalid literal"):
        await parts.ledger.entries(cursor="nonsense")


async def test_two_processes_that_accept_the_same_firings_start_one_investigation_each(parts: Parts, url: str) -> None:
    other = Parts(url).open()
    try:
        prints = [f"f{n}" for n in range(20)]
        sent = [where.send(firing(p, labels={"deployment": p[-1]})) for p in prints for where in (parts, other)]
        accepted = await asyncio.gather(*sent)
        by_print: dict[str, set[str]] = {}
        for disposition in (d for a in accepted for d in a.dispositions):
            by_print.setdefault(disposition.fingerprint, set()).add(disposition.investigation_id)
        assert [len(ids) for ids in by_print.values()] == [1] * 20
        started = [d for a in accepted for d in a.dispositions if d.started]
        # ten targets, twenty alerts: ten investigations
        assert len(started) == len(parts.enqueued) + len(other.enqueued) == 10
        count = await parts.reads.run(lambda connection: connection.scalar(select(func.count()).select_from(tables.episodes)))
        assert count == 20
    finally:
        await other.close()


async def test_the_same_key_sent_twice_at_once_is_taken_once(parts: Parts, url: str) -> None:
    other = Parts(url).open()
    try:
        accepted = await asyncio.gather(*(where.send(firing(new_id()), key="k1", body=b"one") for where in (parts, other, parts, other)))
        assert sorted(a.replayed for a in accepted) == [False, True, True, True]
        assert len({a.body_id for a in accepted}) == 1
    finally:
        await other.close()
