"""How long an investigation has been worked on, and what it cost us; readings that a report shows go through the journal, so
that a second run or a replay shows the same ones. Used by `session`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from app.domain.frozen import Clock, JsonObject, UtcTime, iso
from app.domain.limits import SessionLimits


class Pace:
    """`elapsed` counts seconds of the runs added up: it goes on from the last reading that the journal holds. `settled` is
    that reading; what a second run must decide alike is decided by it."""

    def __init__(self, clock: Clock, stopwatch: Callable[[], float], cpu_clock: Callable[[], float]) -> None:
        self._clock = clock
        self._stopwatch = stopwatch
        self._cpu_clock = cpu_clock
        self._carried = 0.0
        self._since = stopwatch()
        self._own = 0.0
        self.settled = 0.0

    @property
    def elapsed(self) -> float:
        return self._carried + self._stopwatch() - self._since

    @contextmanager
    def own(self) -> Iterator[None]:
        """What happens inside is our own work: target, plan, diagnosis, report."""
        begun = self._cpu_clock()
        try:
            yield
        finally:
            self._own += self._cpu_clock() - begun

    def reading(self) -> JsonObject:
        return {"at": iso(self._clock()), "elapsed_ms": round(1000 * self.elapsed), "own_ms": round(1000 * self._own, 3)}

    def settle(self, reading: JsonObject, replayed: bool) -> None:
        """A reading that the journal holds now; one of an earlier run counts as the time so far."""
        self.settled = reading["elapsed_ms"] / 1000
        if replayed:
            self._carried, self._since = self.settled, self._stopwatch()
            self._own = reading["own_ms"] / 1000

    def bounds(self, limits: SessionLimits) -> tuple[UtcTime, UtcTime]:
        """-> (when it would have begun without interruption, when its time is over), by the clock of now."""
        now, elapsed = self._clock(), self.elapsed
        return now - timedelta(seconds=elapsed), now + timedelta(seconds=limits.total_seconds - elapsed)
