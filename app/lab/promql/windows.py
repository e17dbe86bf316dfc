"""Functions of a range: samples of one series in a window -> a number, or None for no answer. Named as in PromQL."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Window:
    """`times` (ms) and `values` are not empty; `start` and `end` are the window's borders, `now` the evaluation time (ms)."""

    times: list[int]
    values: list[float]
    start: int
    end: int
    now: int

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / 1000


def _extrapolated(window: Window, is_counter: bool, is_rate: bool) -> float | None:
    """Prometheus' `extrapolatedRate`: to the window's borders, but at most half a sample interval where the series seems
    to begin or end inside, and never below a counter's zero."""
    times, values = window.times, window.values
    if len(times) < 2:
        return None
    result = values[-1] - values[0]
    if is_counter:
        result += sum(before for before, after in itertools.pairwise(values) if after < before)
    to_start, to_end = (times[0] - window.start) / 1000, (window.end - times[-1]) / 1000
    sampled = (times[-1] - times[0]) / 1000
    average = sampled / (len(times) - 1)
    if is_counter and result > 0 and values[0] >= 0:
        to_start = min(to_start, sampled * (values[0] / result))
    reach = sampled
    for distance in (to_start, to_end):
        reach += distance if distance < average * 1.1 else average / 2
    factor = reach / sampled
    return result * (factor / window.seconds if is_rate else factor)


def _last_two(window: Window, is_rate: bool) -> float | None:
    if len(window.times) < 2:
        return None
    before, last = window.values[-2:]
    seconds = (window.times[-1] - window.times[-2]) / 1000
    if not is_rate:
        return last - before
    return (last if last < before else last - before) / seconds if seconds else None


def regression(window: Window, intercept_at: int) -> tuple[float, float] | None:
    """Least squares -> (slope per second, value at `intercept_at`); None for fewer than two samples."""
    if len(window.times) < 2:
        return None
    values = window.values
    if all(v == values[0] for v in values):
        return (math.nan, math.nan) if math.isinf(values[0]) else (0.0, values[0])
    xs = [(t - intercept_at) / 1000 for t in window.times]
    n = float(len(xs))
    sum_x, sum_y = exact_sum(xs), exact_sum(values)
    sum_xy, sum_x2 = exact_sum([x * y for x, y in zip(xs, values, strict=True)]), exact_sum([x * x for x in xs])
    slope = (sum_xy - sum_x * sum_y / n) / (sum_x2 - sum_x * sum_x / n)
    return slope, sum_y / n - slope * sum_x / n


def exact_sum(values: list[float]) -> float:
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # infinities of both signs, or out of range
        return float(np.sum(values))


def _mean(values: list[float]) -> float:
    return exact_sum(values) / len(values)


def _variance(values: list[float]) -> float:
    mean = _mean(values)
    return exact_sum([(v - mean) ** 2 for v in values]) / len(values)


def quantile(q: float, values: list[float]) -> float:
    """Linear interpolation between ranks; outside 0..1 an infinity, as Prometheus has it."""
    if not values or math.isnan(q):
        return math.nan
    if not 0 <= q <= 1:
        return -math.inf if q < 0 else math.inf
    ordered = sorted(values, key=lambda v: (not math.isnan(v), v))
    rank = q * (len(ordered) - 1)
    low = max(0, math.floor(rank))
    high = min(len(ordered) - 1, low + 1)
    weight = rank - math.floor(rank)
    return ordered[low] * (1 - weight) + ordered[high] * weight


def _deriv(window: Window) -> float | None:
    line = regression(window, window.times[0])
    return line[0] if line else None


def _changes(values: list[float]) -> float:
    return float(sum(a != b and not (math.isnan(a) and math.isnan(b)) for a, b in itertools.pairwise(values)))


def _resets(values: list[float]) -> float:
    return float(sum(after < before for before, after in itertools.pairwise(values)))


WINDOW_FUNCTIONS: dict[str, Callable[[Window], float | None]] = {
    "rate": lambda w: _extrapolated(w, True, True),
    "increase": lambda w: _extrapolated(w, True, False),
    "delta": lambda w: _extrapolated(w, False, False),
    "irate": lambda w: _last_two(w, True),
    "idelta": lambda w: _last_two(w, False),
    "deriv": _deriv,
    "changes": lambda w: _changes(w.values),
    "resets": lambda w: _resets(w.values),
    "avg_over_time": lambda w: _mean(w.values),
    "sum_over_time": lambda w: exact_sum(w.values),
    "min_over_time": lambda w: float(np.fmin.reduce(w.values)),
    "max_over_time": lambda w: float(np.fmax.reduce(w.values)),
    "count_over_time": lambda w: float(len(w.values)),
    "last_over_time": lambda w: w.values[-1],
    "present_over_time": lambda _: 1.0,
    "stddev_over_time": lambda w: math.sqrt(_variance(w.values)),
    "stdvar_over_time": lambda w: _variance(w.values),
}
