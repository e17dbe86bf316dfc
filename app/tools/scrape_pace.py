"""Raw samples -> how often a group of series is scraped and since when; from that the step and the rate window of every
query over it. Asked once per scrape job, not per signal; used by `signal_reading` and `query_prometheus`.

Prometheus' own advice: a rate window of at least four scrapes, so that one lost scrape does not make a hole."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from app.domain.errors import ToolFailure
from app.domain.tool import Window
from app.tools.prometheus_client import PrometheusClient, Series

LOOK_BACK = 300  # seconds of raw samples that tell the interval of anything scraped once a minute or more often
LONG_LOOK_BACK = 3600  # for what is scraped seldom, or stopped being scraped
DEFAULT_INTERVAL = 30.0
SCRAPES_PER_RATE = 4
LEAST_RATE_WINDOW = 10  # seconds: below, a rate of few requests is noise
ROUND = 0.05  # scrapes waver by milliseconds; within this share of a whole second the interval is that second


@dataclass(frozen=True)
class Pace:
    """`interval` in seconds between two scrapes. `age` is the seconds since the first sample where every series is
    younger than the look-back, else None: as old as the window."""

    interval: float = DEFAULT_INTERVAL
    age: float | None = None

    @property
    def rate_window(self) -> int:
        """Whole seconds."""
        return max(LEAST_RATE_WINDOW, math.ceil(SCRAPES_PER_RATE * self.interval))


async def learn(client: PrometheusClient, selector: str, window: Window) -> tuple[Pace, int]:
    """-> (pace of the series that the selector names, bytes read). Never fails: what cannot be learnt is the default."""
    read = 0
    for seconds in (LOOK_BACK, LONG_LOOK_BACK):
        try:
            found, size = await client.samples(selector, seconds, window.end)
        except ToolFailure:
            break
        read += size
        pace = pace_of(found, window.end.timestamp(), seconds)
        if pace is not None:
            return pace, read
    return Pace(), read


def pace_of(series: Sequence[Series], end: float, look_back: float) -> Pace | None:
    """None where no series has three samples."""
    steps = [b - a for s in series if len(s.values) > 2 for (a, _), (b, _) in pairwise(s.values)]
    if not steps:
        return None
    interval = median(steps)
    whole = max(1, round(interval))
    interval = float(whole) if abs(interval - whole) <= ROUND * whole else interval
    age = end - min(s.values[0][0] for s in series if s.values)
    return Pace(interval, age if age < look_back - 2 * interval else None)
