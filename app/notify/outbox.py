"""Notices that wait in, notices delivered out: the loop that drains the outbox; started and stopped by `main`.

1. Claim what is due. 2. Deliver each through its channel, side by side. 3. Record: delivered, again later, or given up.
Delivery is at least once: a process that dies between 2 and 3 tells twice, under the same id.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from app.domain.frozen import Clock
from app.notify.ports import Channel, OutboxRow, OutboxRows, Result, TransportError
from app.telemetry import metrics

_log = structlog.get_logger("outbox")


@dataclass(frozen=True)
class RetryPolicy:
    """Seconds. The n-th failure waits `first_s` * 2^(n-1), at most `longest_s`, of which a random half to whole (so that a
    receiver that comes back is not hit by all at once). With the defaults the last attempt comes after about ten hours."""

    attempts: int = 15
    first_s: float = 5.0
    longest_s: float = 14_400.0

    def delay_s(self, attempt: int, random: Callable[[], float]) -> float:
        whole = min(self.longest_s, self.first_s * 2.0 ** (min(attempt, 60) - 1))
        return whole * (0.5 + random() / 2)


@dataclass(frozen=True)
class Pace:
    """`batch` rows are claimed and delivered at a time; an empty outbox is looked at every `poll_s`."""

    batch: int = 10
    poll_s: float = 1.0


class Drain:
    """`holder` names this process; `random` gives [0, 1)."""

    def __init__(
        self,
        rows: OutboxRows,
        channels: Sequence[Channel],
        clock: Clock,
        holder: str,
        random: Callable[[], float],
        policy: RetryPolicy = RetryPolicy(),
    ) -> None:
        self._rows = rows
        self._channels = {channel.name.value: channel for channel in channels}
        self._clock = clock
        self._holder = holder
        self._random = random
        self._policy = policy
        self._stop = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._running = asyncio.create_task(self.run(self._stop), name="outbox")

    async def stop(self, grace_s: float = 3.0) -> None:
        """Deliveries on their way get `grace_s`; a later process delivers the rest."""
        self._stop.set()
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=grace_s)
            self._running.cancel()
            await asyncio.wait({self._running})

    async def run(self, stop: asyncio.Event, pace: Pace = Pace()) -> None:
        """Until `stop` is set; what is being delivered then is finished. Survives a store that is away for a while."""
        while not stop.is_set():
            try:
                claimed = await self.drain_once(pace.batch)
            except Exception as error:  # noqa: BLE001 - the loop outlives whatever its store does; the rows come back by themselves
                _log.error("outbox_unreachable", error=type(error).__name__)
                claimed = 0
            if claimed < pace.batch:
                await _wait(stop, pace.poll_s)

    async def drain_once(self, limit: int = 10) -> int:
        """How many rows were claimed and dealt with."""
        rows = await self._rows.claim(self._clock(), limit, self._holder)
        await asyncio.gather(*(self._tell(row) for row in rows))
        return len(rows)

    async def _tell(self, row: OutboxRow) -> None:
        try:
            await self._deliver(row)
        except TransportError as error:
            await self._failed(row, error)
        except Exception as error:  # noqa: BLE001 - a bug in one channel is that notice's failure and nobody else's
            await self._failed(row, TransportError(f"{type(error).__name__} in the channel"))
        else:
            await self._rows.delivered(row.id)
            self._count(row, Result.DELIVERED)

    async def _deliver(self, row: OutboxRow) -> None:
        channel = self._channels.get(row.channel)
        if channel is None:
            raise TransportError(f"the channel {row.channel} is not configured", permanent=True)
        inner = row.payload.get("payload")
        await channel.deliver(row.id, inner if isinstance(inner, dict) and "channel" in row.payload else row.payload)

    async def _failed(self, row: OutboxRow, error: TransportError) -> None:
        last = error.permanent or row.attempts >= self._policy.attempts
        about = {"notice_id": row.id, "investigation_id": row.investigation_id, "channel": row.channel, "attempts": row.attempts}
        _log.warning("notice_given_up" if last else "notice_delayed", failure=error.message, **about)
        if last:
            await self._rows.give_up(row.id, failure=error.message)
        else:
            wait = max(self._policy.delay_s(row.attempts, self._random), error.retry_after_s or 0.0)
            await self._rows.retry(row.id, next_at=self._clock() + timedelta(seconds=wait), failure=error.message)
        self._count(row, Result.GIVEN_UP if last else Result.RETRIED)

    def _count(self, row: OutboxRow, result: Result) -> None:
        """A channel that is not configured any more counts as `unknown`: label values stay a closed list."""
        channel = row.channel if row.channel in self._channels else "unknown"
        metrics.notifications_total.labels(metrics.AGENT_NAME, channel, result.value).inc()


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
