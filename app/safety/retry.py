"""A call that may fail -> its result or its last failure, tried as often as its error class allows (decision 10).

Own loop instead of stamina: waits must end with the investigation's deadline, clock and lot are arguments, and the switch
is looked at before each try.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.domain.errors import ToolFailure
from app.domain.reason import ErrorClass, Reason
from app.domain.tool import ToolResult


@dataclass(frozen=True)
class Backoff:
    """Waits of 1 s, 2 s, 4 s (ERR-01), each lengthened by up to a quarter so that many investigations do not knock
    together. `lot` draws from 0..1."""

    sleep: Callable[[float], Awaitable[None]]
    lot: Callable[[], float]
    first: float = 1.0
    spread: float = 0.25

    def wait(self, attempt: int) -> float:
        """Seconds after the `attempt`-th failure, counted from 1."""
        return float(self.first * 2 ** (attempt - 1) * (1 + self.spread * self.lot()))


@dataclass(frozen=True)
class Tried:
    """What came of it: one of `result` and `failure` is there."""

    attempts: int
    result: ToolResult | None = None
    failure: ToolFailure | None = None


async def attempt_all(run: Callable[[], Awaitable[ToolResult]], retries: int, backoff: Backoff, left: Callable[[], float]) -> Tried:
    """Only TRANSIENT failures are tried again, a plain 500 once (ERR-02); never past what is `left` in seconds."""
    attempt = 0
    while True:
        attempt += 1
        try:
            return Tried(attempt, result=await run())
        except ToolFailure as failure:
            allowed = min(retries, 1) if failure.status_code == 500 else retries
            wait = backoff.wait(attempt)
            if failure.error_class is not ErrorClass.TRANSIENT or attempt > allowed or wait >= left():
                return Tried(attempt, failure=failure)
        await backoff.sleep(wait)


async def within(seconds: float, run: Awaitable[ToolResult]) -> ToolResult:
    """The answer, or a TRANSIENT failure in the words of TIME-04."""
    try:
        async with asyncio.timeout(seconds):
            return await run
    except TimeoutError as late:
        raise ToolFailure(ErrorClass.TRANSIENT, Reason.TIMEOUT, f"Operation exceeded {round(seconds, 1)} second timeout") from late
