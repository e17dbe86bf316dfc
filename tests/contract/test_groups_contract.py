"""Alerts that were told in one group: looked at together, kept together or split by what the verdict accounts for; on every
database we support."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from app.domain.alert import Alert
from app.domain.grouping import target_key
from app.domain.investigation import InvestigationStatus
from app.domain.reason import Reason
from app.domain.trail import EventType
from tests.contract.parts import NOW, Parts, firing, report, resolved
from tests.contract.test_ledger_contract import episodes, reasons

HOUR = timedelta(hours=1)
# A connection that an earlier test of the engine leaves to the garbage collector is not about these tests.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
async def parts(url: str) -> AsyncIterator[Parts]:
    opened = Parts(url, target_key=target_key).open()
    yield opened
    await opened.close()


def told(fingerprint: str, group: str = "{}:{}", namespace: str = "shop", **labels: str) -> Alert:
    place = labels or {"deployment": fingerprint}
    return firing(fingerprint, labels={"namespace": namespace, **place}, extra={"webhook": {"groupKey": group, "receiver": "us"}})


async def end(parts: Parts, investigation_id: str, **verdict: Any) -> None:
    await parts.investigations.start(investigation_id)
    said = report(investigation_id).model_copy(update=verdict).model_dump(mode="json")
    await parts.investigations.finish(investigation_id, InvestigationStatus.COMPLETED, said)


async def rows(parts: Parts) -> dict[str, tuple[Reason, str]]:
    page = await parts.ledger.entries()
    return {e.disposition.fingerprint: (e.disposition.reason, e.disposition.investigation_id) for e in page.entries}


async def test_alerts_told_in_one_group_are_looked_at_together(parts: Parts) -> None:
    accepted = await parts.send(told("web"), told("db"), told("node", node="worker-1", namespace=""))
    assert reasons(accepted) == [Reason.NEW_EPISODE, Reason.SAME_GROUP, Reason.SAME_GROUP]
    assert len(parts.enqueued) == len({d.investigation_id for d in accepted.dispositions}) == 1


async def test_another_group_another_namespace_or_no_group_is_no_reason_to_join(parts: Parts) -> None:
    await parts.send(told("web"))
    others = (told("b", group="{}:{x}"), told("c", namespace="other"), firing("d", labels={"namespace": "shop", "deployment": "d"}))
    assert reasons(await parts.send(*others)) == [Reason.NEW_EPISODE] * 3


async def test_what_the_verdict_accounts_for_stays_and_says_why(parts: Parts) -> None:
    web, db, api = told("web"), told("db"), told("api")
    one = (await parts.send(web, db, api)).dispositions[0].investigation_id
    await end(parts, one, reaches=("Deployment/shop/db",), accounts_for=(web.id, api.id))
    assert await rows(parts) == {"web": (Reason.NEW_EPISODE, one), "db": (Reason.SAME_CAUSE, one), "api": (Reason.SAME_CAUSE, one)}
    assert parts.enqueued == [one]


async def test_what_it_does_not_account_for_gets_an_investigation_of_its_own(parts: Parts) -> None:
    one = (await parts.send(told("web"), told("db"), told("api"), told("db2", deployment="db"))).dispositions[0].investigation_id
    await end(parts, one, reaches=("Deployment/shop/web", "Service/shop/api"))
    found = await rows(parts)
    assert len(parts.enqueued) == 2
    own = parts.enqueued[1]
    assert (found["db"], found["db2"]) == ((Reason.NEW_EPISODE, own), (Reason.SAME_TARGET, own))
    whole, part = await parts.investigations.get(one), await parts.investigations.get(own)
    assert whole is not None
    assert part is not None
    assert [[a.fingerprint for a in i.alerts] for i in (whole, part)] == [["web", "api"], ["db", "db2"]]
    splits = [e.data["investigation_id"] for e in await parts.trail.read(one) if e.type is EventType.ALERT_SPLIT]
    assert splits == [own, own]


async def test_repeats_and_the_resolve_follow_the_alert_that_was_split_off(parts: Parts) -> None:
    one = (await parts.send(told("web"), told("db"))).dispositions[0].investigation_id
    assert reasons(await parts.send(told("db"))) == [Reason.REPEAT]
    await end(parts, one)
    own = parts.enqueued[1]
    assert {id for _, _, id in await episodes(parts)} == {one, own}
    after = await parts.send(told("db"), resolved("db", labels={"namespace": "shop", "deployment": "db"}))
    assert [(d.reason, d.investigation_id) for d in after.dispositions] == [(Reason.REPEAT, own), (Reason.RESOLVED, own)]
    assert {id for reason, id in (await rows(parts)).values() if reason is Reason.REPEAT} <= {own}


@pytest.mark.parametrize("how", ["fail", "cancel"])
async def test_an_investigation_without_a_verdict_keeps_nothing_of_its_group(parts: Parts, how: str) -> None:
    one = (await parts.send(told("web"), told("db"))).dispositions[0].investigation_id
    await (parts.investigations.fail(one, "it broke") if how == "fail" else parts.investigations.cancel(one))
    assert (await rows(parts))["db"] == (Reason.NEW_EPISODE, parts.enqueued[1])


async def test_a_split_that_cannot_enqueue_ends_nothing(parts: Parts) -> None:
    one = (await parts.send(told("web"), told("db"))).dispositions[0].investigation_id

    def away(connection: Any, workflow_id: str, argument: str) -> None:
        raise OSError("no queue")

    parts.enqueue = away
    with pytest.raises(OSError, match="no queue"):
        await end(parts, one)
    assert await parts.investigations.status(one) is InvestigationStatus.RUNNING
    parts.enqueue = None
    await end(parts, one)
    assert (await rows(parts))["db"] == (Reason.NEW_EPISODE, parts.enqueued[-1])


async def test_what_fired_before_the_verdict_on_something_it_reaches_joins_afterwards(parts: Parts) -> None:
    node = (await parts.send(told("n", group="nodes", namespace="", node="worker-1"))).dispositions[0].investigation_id
    parts.clock.now = NOW + HOUR  # type: ignore[attr-defined]
    await end(parts, node, reaches=("Node//worker-1", "Deployment/shop/web"))
    late = {"starts_at": NOW + 2 * HOUR, "received_at": NOW + HOUR}
    accepted = await parts.send(told("web"), told("db"), told("web2", deployment="web").model_copy(update=late))
    assert reasons(accepted)[:2] == [Reason.SAME_CAUSE, Reason.NEW_EPISODE]
    assert accepted.dispositions[0].investigation_id == node
    assert reasons(accepted)[2] is not Reason.SAME_CAUSE


async def test_an_alert_that_arrives_while_its_group_ends_is_in_one_or_the_other(parts: Parts) -> None:
    one = (await parts.send(told("web"))).dispositions[0].investigation_id
    await asyncio.gather(end(parts, one), *(parts.send(told(f"d{n}")) for n in range(8)))
    found = await rows(parts)
    assert all(reason in (Reason.NEW_EPISODE, Reason.SAME_GROUP) for reason, _ in found.values())
    ended = {id for id in parts.enqueued if await parts.investigations.status(id) is InvestigationStatus.COMPLETED}
    assert not {f for f, (reason, id) in found.items() if id in ended and reason is Reason.SAME_GROUP}
