"""From the outbox to a real receiver: signed, told once in the end, tried again with patience, given up with a reason."""

import asyncio
import hashlib
import hmac
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from structlog.testing import capture_logs

from app.domain.frozen import Frozen, JsonObject
from app.notify.log import LogChannel
from app.notify.outbox import Drain, Pace, RetryPolicy
from app.notify.ports import Channel, ChannelName, TransportError
from app.notify.webhook import WebhookChannel, WebhookTarget, sign
from app.store.engine import Reads, make_engine
from app.store.migrations import migrate
from app.store.outbox import Outbox, enqueue_notices
from app.store.tables import outbox as outbox_table
from app.store.writer import Writer
from app.telemetry import metrics
from tests.notify.receiver import receiving

START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
SECRET = "s3cret"
NOTICE: JsonObject = {"channel": "webhook", "payload": {"verdict": "Deployment shop/web is killed for memory — again", "severity": "P2"}}


class Row(Frozen):
    id: str
    investigation_id: str
    channel: str
    payload: JsonObject
    attempts: int


@dataclass
class Time:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Rows:
    """An outbox in memory; `failing` claims raise first."""

    waiting: list[tuple[datetime, Row]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    later: list[tuple[str, datetime, str]] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    failing: int = 0
    asked: int = 0

    def add(self, channel: str = "webhook", attempts: int = 1, payload: JsonObject | None = None) -> None:
        row = Row(id=f"i:{len(self.waiting) + 1}", investigation_id="i", channel=channel, payload=payload or NOTICE, attempts=attempts)
        self.waiting.append((START, row))

    async def claim(self, now: datetime, limit: int, holder: str) -> list[Row]:
        self.asked += 1
        if self.failing:
            self.failing -= 1
            raise OSError("the database is away")
        due = [pair for pair in self.waiting if pair[0] <= now][:limit]
        self.waiting = [pair for pair in self.waiting if pair not in due]
        return [row for _, row in due]

    async def delivered(self, id: str, /) -> None:
        self.told.append(id)

    async def retry(self, id: str, /, next_at: datetime, failure: str) -> None:
        self.later.append((id, next_at, failure))

    async def give_up(self, id: str, /, failure: str) -> None:
        self.dropped.append((id, failure))


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient() as opened:
        yield opened


def drain(rows: Rows, *channels: Channel, clock: Time | None = None, policy: RetryPolicy | None = None) -> Drain:
    return Drain(rows, channels, clock or Time(), "me", lambda: 0.5, policy or RetryPolicy())


def told(channel: str, result: str) -> float:
    return metrics.registry.get_sample_value("agent_notifications_total", {"agent_name": "sre-agent", "channel": channel, "result": result}) or 0.0


@pytest.fixture
async def stored(tmp_path: Path) -> AsyncIterator[tuple[Outbox, Writer, Reads, Time]]:
    engine = make_engine(f"sqlite:///{tmp_path / 'store.db'}")
    migrate(engine)
    writer, clock = Writer(engine), Time()
    writer.start()
    yield Outbox(writer, clock), writer, Reads(engine), clock
    await writer.stop()
    engine.dispose()


async def test_a_receiver_that_fails_twice_gets_the_same_signed_notice_in_the_end(
    stored: tuple[Outbox, Writer, Reads, Time], client: httpx2.AsyncClient
) -> None:
    # covers NOTI-04
    outbox, writer, reads, clock = stored
    before = told("webhook", "delivered")
    with receiving(500, 503, 204) as receiver:
        channel = WebhookChannel(WebhookTarget(receiver.url, SECRET), client, clock)
        draining = Drain(outbox, (channel,), clock, "me", lambda: 0.5, RetryPolicy(first_s=10))
        await writer.run(lambda connection: enqueue_notices(connection, "", clock.now, (NOTICE,)))
        for waited in (0, 10, 20):
            clock.forward(waited)
            assert await draining.drain_once() == 1
            assert await draining.drain_once() == 0, "not due yet, or done"
    assert told("webhook", "delivered") == before + 1
    assert len(receiver.got) == 3
    for got in receiver.got:
        stamp = got.headers["x-sre-agent-timestamp"]
        expected = hmac.new(SECRET.encode(), stamp.encode() + b"." + got.body, hashlib.sha256).hexdigest()
        assert got.headers["x-sre-agent-signature"] == f"v1={expected}"
        assert json.loads(got.body) == NOTICE["payload"]
        assert got.headers["content-type"] == "application/json"
    assert len({got.headers["idempotency-key"] for got in receiver.got}) == 1
    assert [int(got.headers["x-sre-agent-timestamp"]) - int(START.timestamp()) for got in receiver.got] == [0, 10, 30]
    (row,) = await reads.run(lambda connection: connection.execute(outbox_table.select()).all())
    assert row.delivered_at is not None and row.given_up_at is None


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 410, 422])
async def test_what_trying_again_cannot_help_is_given_up_at_once(client: httpx2.AsyncClient, status: int) -> None:
    rows = Rows()
    rows.add()
    with receiving((status, {"Location": "http://127.0.0.1:1/elsewhere"})) as receiver:
        await drain(rows, WebhookChannel(WebhookTarget(receiver.url, SECRET), client, Time())).drain_once()
    assert rows.dropped == [("i:1", f"answered {status}")]
    assert len(receiver.got) == 1, "no redirect is followed"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_tried_again(client: httpx2.AsyncClient, status: int) -> None:
    rows = Rows()
    rows.add()
    with receiving(status) as receiver:
        await drain(rows, WebhookChannel(WebhookTarget(receiver.url, SECRET), client, Time())).drain_once()
    assert rows.later == [("i:1", START + timedelta(seconds=3.75), f"answered {status}")]
    assert rows.dropped == []


async def test_a_receiver_may_ask_for_more_time(client: httpx2.AsyncClient) -> None:
    rows = Rows()
    rows.add()
    with receiving((429, {"Retry-After": "120"})) as receiver:
        await drain(rows, WebhookChannel(WebhookTarget(receiver.url), client, Time())).drain_once()
    assert rows.later[0][1] == START + timedelta(seconds=120)


async def test_a_receiver_that_hangs_or_is_away_is_tried_again_and_its_address_not_told(client: httpx2.AsyncClient) -> None:
    rows = Rows()
    rows.add()
    with receiving(200, hold=threading.Event()) as receiver:
        await drain(rows, WebhookChannel(WebhookTarget(receiver.url, SECRET, timeout_s=0.05), client, Time())).drain_once()
        gone = receiver.url
    rows.add()
    await drain(rows, WebhookChannel(WebhookTarget(gone + "?token=abc", SECRET), client, Time())).drain_once()
    assert [failure for _, _, failure in rows.later] == ["no answer within 0.05 s", "not reached: ConnectError"]


@pytest.mark.parametrize("url", ["ftp://example.com/x", "nonsense", "http://[::1", ""])
async def test_an_address_that_is_none_is_given_up(client: httpx2.AsyncClient, url: str) -> None:
    rows = Rows()
    rows.add()
    await drain(rows, WebhookChannel(WebhookTarget(url, SECRET), client, Time())).drain_once()
    assert rows.dropped == [("i:1", "the address is no http or https URL")]


async def test_the_last_attempt_is_the_last(client: httpx2.AsyncClient) -> None:
    rows = Rows()
    rows.add(attempts=3)
    with receiving(500) as receiver:
        await drain(rows, WebhookChannel(WebhookTarget(receiver.url), client, Time()), policy=RetryPolicy(attempts=3)).drain_once()
    assert rows.dropped == [("i:1", "answered 500")]


async def test_a_channel_that_is_gone_is_given_up_by_name() -> None:
    rows = Rows()
    rows.add("pigeon")
    await drain(rows, LogChannel()).drain_once()
    assert rows.dropped == [("i:1", "the channel pigeon is not configured")]


class Broken:
    name = ChannelName.WEBHOOK

    async def deliver(self, notice_id: str, document: JsonObject) -> None:
        raise KeyError("a bug")


async def test_a_bug_in_one_channel_hurts_its_own_notice_only() -> None:
    rows = Rows()
    rows.add("webhook")
    rows.add("log")
    assert await drain(rows, Broken(), LogChannel()).drain_once() == 2
    assert (rows.told, rows.later[0][2]) == (["i:2"], "KeyError in the channel")


async def test_the_log_channel_writes_one_line_with_the_verdict() -> None:
    # covers NOTI-02
    rows = Rows()
    rows.add("log", payload={"channel": "log", "payload": {"verdict": "it broke", "severity": "P1", "text": "long"}})
    with capture_logs() as lines:
        await drain(rows, LogChannel()).drain_once()
    (line,) = [line for line in lines if line["event"] == "investigation_report"]
    assert (line["verdict"], line["severity"], line["notice_id"]) == ("it broke", "P1", "i:1")
    assert "text" not in line


async def test_the_loop_outlives_a_store_that_is_away_and_ends_when_told() -> None:
    rows, stop = Rows(failing=2), asyncio.Event()
    rows.add("log")

    class Last(LogChannel):
        async def deliver(self, notice_id: str, document: JsonObject) -> None:
            stop.set()

    async with asyncio.timeout(5):
        await drain(rows, Last()).run(stop, Pace(poll_s=0.001))
    assert (rows.told, rows.asked) == (["i:1"], 3)


async def test_a_stop_ends_a_long_wait_at_once() -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(drain(Rows(), LogChannel()).run(stop, Pace(poll_s=3600)))
    stop.set()
    async with asyncio.timeout(5):
        await running


def test_delays_double_up_to_a_limit_and_are_never_less_than_half() -> None:
    policy = RetryPolicy(first_s=5, longest_s=100)
    assert [policy.delay_s(n, lambda: 1.0) for n in (1, 2, 3, 5, 6, 99)] == [5, 10, 20, 80, 100, 100]
    assert [policy.delay_s(n, lambda: 0.0) for n in (1, 2)] == [2.5, 5]


def test_the_secret_is_in_no_representation() -> None:
    assert SECRET not in repr(WebhookTarget("http://x", SECRET))


def test_the_signature_is_the_one_that_is_documented() -> None:
    assert sign("k", "1700000000", b"{}") == "v1=" + hmac.new(b"k", b"1700000000.{}", hashlib.sha256).hexdigest()


async def test_without_a_secret_nothing_is_signed(client: httpx2.AsyncClient) -> None:
    with receiving(200) as receiver:
        await WebhookChannel(WebhookTarget(receiver.url), client, Time()).deliver("n", {"a": 1})
    assert "x-sre-agent-signature" not in receiver.got[0].headers


def test_a_transport_error_says_whether_it_lasts() -> None:
    assert (TransportError("x").permanent, TransportError("x", True).permanent) == (False, True)
