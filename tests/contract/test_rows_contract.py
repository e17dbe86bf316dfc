"""Outbox, past cases, replicas and retention, on every database we support."""

from datetime import timedelta

from sqlalchemy import func, insert, select

from app.domain.investigation import InvestigationStatus
from app.domain.memory import PastCase
from app.domain.ports import VectorRow
from app.domain.reason import Reason
from app.domain.trail import EventType
from app.store import tables
from app.store.outbox import HOLD
from tests.contract.parts import NOW, Clock, Parts, firing, resolved

MANY = ({"channel": "log", "n": 1}, {"channel": "webhook", "n": 2})


async def finished(parts: Parts) -> str:
    investigation_id = await parts.running()
    await parts.investigations.finish(investigation_id, InvestigationStatus.COMPLETED, {"verdict": "v"}, MANY)
    return investigation_id


async def test_a_notice_is_claimed_by_one_and_comes_back_if_its_holder_dies(parts: Parts) -> None:
    await finished(parts)
    claimed = await parts.outbox.claim(NOW, 10, "a")
    assert [(n.channel, n.attempts) for n in claimed] == [("log", 1), ("webhook", 1)]
    assert await parts.outbox.claim(NOW, 10, "b") == ()
    assert [n.attempts for n in await parts.outbox.claim(NOW + HOLD, 1, "b")] == [2]


async def test_a_notice_is_delivered_retried_or_given_up(parts: Parts) -> None:
    await finished(parts)
    first, second = await parts.outbox.claim(NOW, 10, "a")
    await parts.outbox.delivered(first.id)
    await parts.outbox.retry(second.id, NOW + timedelta(minutes=30), "503")
    assert await parts.outbox.claim(NOW + timedelta(minutes=29), 10, "a") == ()
    [again] = await parts.outbox.claim(NOW + timedelta(minutes=30), 10, "a")
    assert again.id == second.id
    await parts.outbox.give_up(again.id, "404")
    assert await parts.outbox.claim(NOW + timedelta(days=1), 10, "a") == ()


def case(number: int, service: str = "web") -> PastCase:
    texts = {"task": f"t{number}", "root_cause": "r", "fix": "f", "severity": "P3", "alert_type": "high_memory"}
    return PastCase(id=f"c{number}", service=service, timestamp=NOW + timedelta(minutes=number), **texts)


async def test_past_cases_are_kept_with_their_vectors(parts: Parts) -> None:
    for number in range(5):
        await parts.vectors.put(VectorRow(case=case(number, "web" if number % 2 else "db"), embedder="e1", vector=bytes([number, 0])))
    await parts.vectors.put(VectorRow(case=case(4, "db"), embedder="e2", vector=b"\x09"))
    assert (await parts.vectors.count("e1"), await parts.vectors.count("e2"), await parts.vectors.total()) == (4, 1, 5)
    page = await parts.vectors.rows("e1", limit=3)
    rest = await parts.vectors.rows("e1", after=page[-1].case.id)
    assert [(row.case.id, row.vector) for row in (*page, *rest)] == [(f"c{n}", bytes([n, 0])) for n in range(4)]
    assert {found.id for found in await parts.vectors.by_ids(("c1", "c4", "unknown"))} == {"c1", "c4"}
    assert [found.id for found in await parts.vectors.cases_of("db", 2)] == ["c4", "c2"]


async def test_a_beat_holds_for_a_lease_and_one_survivor_claims(parts: Parts) -> None:
    assert isinstance(parts.clock, Clock)
    await parts.replicas.beat("a", "h", 1)
    assert await parts.replicas.expired() == ()
    parts.clock.now += parts.replicas.lease
    await parts.replicas.beat("b", "h", 2)
    [dead] = await parts.replicas.expired()
    assert dead.id == "a"
    assert [await parts.replicas.claim(dead) for _ in range(2)] == [True, False]
    assert await parts.replicas.expired() == ()
    parts.clock.now += parts.replicas.lease  # the claimer died at it
    await parts.replicas.beat("b", "h", 2)
    assert [replica.id for replica in await parts.replicas.expired()] == ["a"]
    await parts.replicas.forget("a")
    await parts.replicas.release("b")
    assert [replica.id for replica in await parts.replicas.expired()] == ["b"]


async def count(parts: Parts, name: str) -> int:
    table = tables.metadata.tables[name]
    return await parts.reads.run(lambda connection: int(connection.scalar(select(func.count()).select_from(table)) or 0))


async def test_what_is_old_goes_and_what_is_learned_or_unread_stays(parts: Parts) -> None:
    assert isinstance(parts.clock, Clock)
    ended = []
    for number in range(5):
        await parts.send(firing(f"f{number}"))
        accepted = await parts.send(resolved(f"f{number}"))
        ended.append(accepted.dispositions[0].investigation_id)
    await parts.send(firing("watchdog", name="Watchdog"))
    for investigation_id in ended:
        await parts.investigations.start(investigation_id)
        await parts.journal(investigation_id).note(EventType.TARGET, "t", {})
        await parts.investigations.finish(investigation_id, InvestigationStatus.COMPLETED, {"verdict": "v"}, MANY[:1])
    for notice in await parts.outbox.claim(NOW, 10, "a"):
        await parts.outbox.delivered(notice.id)
    await parts.vectors.put(VectorRow(case=case(1), embedder="e1", vector=b""))
    await parts.ledger.quarantine(b"x", "text/plain", NOW, Reason.WRONG_SHAPE, "")
    month = NOW + timedelta(days=31)
    parts.clock.now = month
    open_one = (await parts.send(firing("still", received_at=month))).dispositions[0].investigation_id

    assert await parts.retention.sweep(NOW) == ()
    gone = await parts.retention.sweep(NOW + timedelta(days=1))
    assert set(gone) == set(ended)
    left = {name: await count(parts, name) for name in tables.metadata.tables if name != "alembic_version"}
    assert left == {
        "bodies": 1,
        "alerts": 1,
        "episodes": 1,
        "investigations": 1,
        "investigation_alerts": 1,
        "trail_events": 1,
        "outbox": 0,
        "past_cases": 1,
        "quarantine": 1,
        "replicas": 0,
    }
    assert await parts.investigations.status(open_one) is InvestigationStatus.QUEUED


async def test_an_investigation_stays_while_its_alert_is_still_heard_of(parts: Parts) -> None:
    assert isinstance(parts.clock, Clock)
    opened = (await parts.send(firing("f1"))).dispositions[0].investigation_id
    await parts.investigations.start(opened)
    await parts.investigations.finish(opened, InvestigationStatus.COMPLETED, {"verdict": "v"})
    month = NOW + timedelta(days=31)
    for day in range(1, 32):
        await parts.send(firing("f1", received_at=NOW + timedelta(days=day)))
    assert await parts.retention.sweep(month - timedelta(days=1)) == ()
    again = (await parts.send(firing("f1", received_at=month))).dispositions[0]
    assert again.investigation_id == opened


async def test_text_that_a_database_cannot_keep_is_made_storable(parts: Parts) -> None:
    row = {"id": "r", "host": "a\0b\ud800", "pid": 1, "beat_at": NOW, "expires_at": NOW}
    await parts.writer.run(lambda connection: connection.execute(insert(tables.replicas), row))
    [found] = await parts.replicas.all()
    assert found.host == "a\ufffdb?"
