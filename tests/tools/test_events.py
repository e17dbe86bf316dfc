"""Events of every shape that a real API server gives, and which of the two groups they are read from."""

import json
from pathlib import Path

import pytest

from app.domain.tool import ToolContext, ToolStatus
from app.tools import events
from app.tools.kubernetes_trim import trim
from tests.tools.objects import Object, event, pod, world
from tests.tools.servers import Reply, kubernetes
from tests.tools.test_kubernetes_tools import ask, shop

ABOUT = {"kind": "Pod", "namespace": "shop", "name": "cart-7d-a"}


def new_event(reason: str, note: str, **more: object) -> Object:
    meta = {"name": f"n-{reason}", "namespace": "shop", "creationTimestamp": "2026-01-01T09:00:00Z"}
    return {"metadata": meta, "reason": reason, "note": note, "regarding": ABOUT, "type": "Warning", "reportingController": "kubelet", **more}


@pytest.mark.parametrize(
    ("times", "first", "last", "count"),
    [
        ({"firstTimestamp": "2026-01-01T09:10:00Z", "lastTimestamp": "2026-01-01T09:50:00Z", "count": 9}, "09:10:00Z", "09:50:00Z", 9),
        ({"eventTime": "2026-01-01T09:31:00.000000Z"}, "09:31:00.000000Z", "09:31:00.000000Z", 1),
        (
            {"eventTime": "2026-01-01T09:31:00.000000Z", "series": {"count": 7, "lastObservedTime": "2026-01-01T09:58:00.000000Z"}},
            "09:31:00.000000Z",
            "09:58:00.000000Z",
            7,
        ),
        (
            {"lastTimestamp": "2026-01-01T09:59:00Z", "count": 8, "series": {"count": 7, "lastObservedTime": "2026-01-01T09:58:00Z"}},
            "09:58:00Z",
            "09:59:00Z",
            8,
        ),
        ({}, "09:00:00Z", "09:00:00Z", 1),
        ({"eventTime": "soon", "lastTimestamp": "never"}, "09:00:00Z", "09:00:00Z", 1),
    ],
)
def test_every_time_field_is_read(times: Object, first: str, last: str, count: int) -> None:
    meta = {"name": "e", "namespace": "shop", "creationTimestamp": "2026-01-01T09:00:00Z"}
    row = events.row(trim("Event", {"metadata": meta, "involvedObject": ABOUT, "reason": "R", "message": "m", "type": "Warning", **times}))
    assert (row["first"], row["last"], row["count"]) == (f"2026-01-01T{first}", f"2026-01-01T{last}", count)


def test_a_combined_message_is_told_as_the_source_wrote_it() -> None:
    said = '(combined from similar events): Error creating: pods "cart-x" is forbidden: exceeded quota: team'
    row = events.row(trim("Event", event("FailedCreate", said, last="2026-01-01T09:55:00Z", count=40)))
    assert row["combined"]
    assert events.line(row).endswith(f"x40: {said}")
    assert not events.row(trim("Event", event("BackOff", "x")))["combined"]


async def test_events_of_the_new_group_are_read_when_core_events_are_denied(context: ToolContext) -> None:
    deprecated = {"deprecatedCount": 4, "deprecatedFirstTimestamp": "2026-01-01T09:40:00Z", "deprecatedLastTimestamp": "2026-01-01T09:55:00Z"}
    objects = {"NewEvent": [new_event("BackOff", "back-off", **deprecated, deprecatedSource={"component": "kubelet"})]}
    got = await shop(context, "check_events", objects)
    assert got.status is ToolStatus.OK
    assert got.text == "2026-01-01T09:55:00Z Warning BackOff Pod/shop/cart-7d-a x4: back-off"
    assert got.data["events"][0]["source"] == "kubelet"
    assert "missing permission: list events in namespace shop" in got.note
    assert "events.k8s.io was read instead" in got.note
    assert len((await shop(context, "check_events", objects, kind="Pod", name="cart-7d-a")).data["events"]) == 1
    assert (await shop(context, "check_events", objects, kind="Pod", name="other")).status is ToolStatus.NO_DATA
    described = await shop(context, "describe_pod", objects | {"Pod": [pod("cart-7d-a")], "ReplicaSet": []}, pod="cart-7d-a")
    assert [e["reason"] for e in described.data["events"]] == ["BackOff"]


async def test_events_that_neither_group_may_give_are_denied_with_both_rights(context: ToolContext) -> None:
    got = await shop(context, "check_events", {"Pod": []})
    assert got.status is ToolStatus.DENIED
    assert "list events in namespace" in got.note
    assert "list events.events.k8s.io in namespace" in got.note


async def test_core_events_that_may_be_read_are_read_once(context: ToolContext) -> None:
    paths = []
    serve = kubernetes(world())

    def handle(asked):  # type: ignore[no-untyped-def]
        paths.append(asked.path)
        return serve(asked)

    await ask(context, handle, "check_events", namespace="shop")
    assert paths == ["/api/v1/namespaces/shop/events"]


@pytest.mark.shared
async def test_recorded_events_of_both_groups_say_the_same(context: ToolContext, shared: Path) -> None:
    tapes = {t["name"]: t for t in map(json.loads, (shared / "kubernetes/api_cassettes.jsonl").read_text(encoding="utf-8").splitlines())}
    core = await ask(context, lambda _: Reply(200, tapes["events-list"]["response"]["body"].encode()), "check_events", namespace="shop")
    body = json.loads(tapes["events-k8s-io"]["response"]["body"])
    denied = Reply(403, b'{"kind": "Status", "message": "no"}')

    def handle(asked):  # type: ignore[no-untyped-def]
        return denied if asked.path.startswith("/api/v1") else Reply(200, json.dumps(body | {"metadata": {}}).encode())

    new = await ask(context, handle, "check_events", namespace="shop")
    assert len(new.data["events"]) == len(body["items"])
    assert set(new.text.splitlines()) <= set(core.text.splitlines())
