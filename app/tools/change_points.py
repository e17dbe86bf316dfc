"""A series -> when it began to move, or that it did not. Deterministic; used by get_metrics and query_prometheus.

Two shapes are fitted by least squares at every candidate time: a step (two levels) and a hinge (level, then a straight
line, which is what a leak looks like). The better one counts when it explains much of the variance and its size stands
out of the noise; then the part before it is searched again, so that of several changes the first is found.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MIN_POINTS = 8
MIN_SIDE = 3
NOISE_FACTOR = 5.0  # a change must exceed this many standard deviations of the noise
MIN_SHARE = 0.10  # and this share of the larger level: smaller moves explain nothing
STEP_FIT, HINGE_FIT = 0.5, 0.6  # least share of the variance that the shape must explain
MAX_DEPTH = 4
MAX_BLOCKS = 180


@dataclass(frozen=True)
class Change:
    """`at` is unix seconds of the first sample that left the old level (for a ramp: where it bends); `before` and `after` are medians (`after` of the
    last tenth for a ramp). `resolution` is the distance of samples: the onset lies within it before `at`.
    `until` is the last sample of a spike."""

    at: float
    before: float
    after: float
    kind: str  # step | ramp | spike
    resolution: float
    until: float | None = None


def change_of(samples: Sequence[tuple[float, float]]) -> Change | None:
    """The first lasting change, None if the series only wavers, or moves alike over the whole window (no onset seen)."""
    clean = [(t, v) for t, v in samples if np.isfinite(v)]
    if len(clean) < MIN_POINTS:
        return None
    times, values = np.array([t for t, _ in clean]), np.array([v for _, v in clean])
    resolution = float(np.median(np.diff(times)))
    spread = float(values.max() - values.min())
    if spread <= max(MIN_SHARE * float(np.abs(values).max()), NOISE_FACTOR * _noise(values)):
        return None
    error, knot = _fit_hinge(times - times[0], values)
    if knot < MIN_SIDE and error < 0.2 * float(((values - values.mean()) ** 2).sum()):
        return None  # it moved alike from the first sample on: `trend_of` says so
    found, size = None, len(values)
    for _ in range(MAX_DEPTH):
        here = _best(times[:size], values[:size], resolution, _noise(values))
        if here is None:
            break
        found, index = here
        size = index
        if size < MIN_POINTS:
            break
    return found or _spike(times, values, resolution)


def trend_of(samples: Sequence[tuple[float, float]]) -> str:
    """`rising` or `falling` for a series that moves alike over the whole window, else ""."""
    clean = [(t, v) for t, v in samples if np.isfinite(v)]
    if len(clean) < MIN_POINTS:
        return ""
    times, values = np.array([t for t, _ in clean]), np.array([v for _, v in clean])
    spread = float(values.std())
    if spread == 0 or spread < 0.03 * max(abs(float(values.mean())), 1e-12):
        return ""
    correlation = float(np.corrcoef(times - times[0], values)[0, 1])
    return "rising" if correlation > 0.9 else "falling" if correlation < -0.9 else ""


def _spike(times: Floats, values: Floats, resolution: float) -> Change | None:
    """A level that is left and come back to: three levels fitted at every pair of places, on at most 180 block means."""
    block = -(-len(values) // MAX_BLOCKS)
    means = values[: len(values) // block * block].reshape(-1, block).mean(axis=1)
    total = float(((means - means.mean()) ** 2).sum())
    if len(means) < MIN_POINTS or total <= 0:
        return None
    error, first, second = _fit_excursion(means)
    if 1 - error / total < STEP_FIT:
        return None
    start, end = first * block, second * block
    before, after, later = _level(values[:start]), _level(values[start:end]), _level(values[end:])
    if abs(after - before) < max(NOISE_FACTOR * _noise(values), MIN_SHARE * max(abs(before), abs(after)), 1e-12):
        return None
    index = _first_off(values, start, before, after, _noise(values))
    if abs(later - before) > 0.5 * abs(after - before):
        return Change(float(times[index]), before, after, "step", resolution)
    back = np.flatnonzero(np.abs(values[end:] - after) > np.abs(values[end:] - before))
    last = end + int(back[0]) - 1 if len(back) else len(values) - 1
    return Change(float(times[index]), before, after, "spike", resolution, float(times[max(index, last)]))


def _fit_excursion(values: Floats) -> tuple[float, int, int]:
    """(least squared error, first index of the second level, first index of the third)."""
    count = len(values)
    shifted = values - values.mean()
    sums = np.concatenate(([0.0], np.cumsum(shifted)))
    squared = float((shifted**2).sum())
    first, second = np.triu_indices(count + 1, MIN_SIDE)
    keep = (first >= MIN_SIDE) & (second <= count - 1)
    first, second = first[keep], second[keep]
    explained = sums[first] ** 2 / first + (sums[second] - sums[first]) ** 2 / (second - first) + (sums[count] - sums[second]) ** 2 / (count - second)
    best = int(np.argmax(explained))
    return squared - float(explained[best]), int(first[best]), int(second[best])


def _noise(values: Floats) -> float:
    """Standard deviation of what wavers from sample to sample, from first differences (robust against level shifts)."""
    steps = np.abs(np.diff(values))
    return float(1.4826 * np.median(steps) / np.sqrt(2))


def _best(times: Floats, values: Floats, resolution: float, noise: float) -> tuple[Change, int] | None:
    """The better of step and hinge, with the index where it begins."""
    total = float(((values - values.mean()) ** 2).sum())
    if len(values) < MIN_POINTS or total <= 1e-18 * max(1.0, float(np.abs(values).max()) ** 2) * len(values):
        return None
    step_error, step_at = _fit_step(values)
    hinge_error, hinge_at = _fit_hinge(times - times[0], values)
    if hinge_error < 0.8 * step_error and 1 - hinge_error / total >= HINGE_FIT:
        if hinge_at < MIN_SIDE:
            return None
        before, after = _level(values[: hinge_at + 1]), _level(values[-max(MIN_SIDE, len(values) // 10) :])
        index, kind = hinge_at, "ramp"  # the fitted knot is more exact than the first sample that leaves the noise
    elif 1 - step_error / total >= STEP_FIT:
        before, after = _level(values[:step_at]), _level(values[step_at:])
        index, kind = _first_off(values, step_at, before, after, noise), "step"
    else:
        return None
    scale = max(abs(before), abs(after))
    if abs(after - before) < max(NOISE_FACTOR * noise, MIN_SHARE * scale, 1e-12):
        return None
    return Change(float(times[index]), before, after, kind, resolution), index


def _fit_step(values: Floats) -> tuple[float, int]:
    """(least squared error, index of the first value of the second level)."""
    count = len(values)
    ends = np.arange(MIN_SIDE, count - MIN_SIDE + 1)
    shifted = values - values.mean()
    sums, squares = np.cumsum(shifted), np.cumsum(shifted**2)
    left = squares[ends - 1] - sums[ends - 1] ** 2 / ends
    right_sum, right_count = sums[-1] - sums[ends - 1], count - ends
    right = squares[-1] - squares[ends - 1] - right_sum**2 / right_count
    errors = left + right
    best = int(np.argmin(errors))
    return float(errors[best]), int(ends[best])


def _fit_hinge(times: Floats, values: Floats) -> tuple[float, int]:
    """y = a + b * max(0, t - t_k) for every k by closed form -> (least squared error, k)."""
    count = len(values)
    knots = np.arange(0, count - MIN_SIDE)
    centred, at = values - values.mean(), times[knots]

    def after(x: Floats) -> Floats:
        """Sums over all samples later than each knot."""
        return np.asarray((x.sum() - np.cumsum(x))[knots])

    later = count - 1.0 - knots
    ramp = after(times) - later * at
    squares = after(times**2) - 2 * at * after(times) + later * at**2 - ramp**2 / count
    product = after(times * centred) - at * after(centred)
    explained = np.where(squares > 0, product**2 / np.where(squares > 0, squares, 1.0), 0.0)
    errors = float((centred**2).sum()) - explained
    best = int(np.argmin(errors))
    return float(errors[best]), int(knots[best])


def _first_off(values: Floats, near: int, before: float, after: float, noise: float) -> int:
    """The first sample, close to the fitted place, from which on the series stays off its old level."""
    margin = max(3 * noise, 0.02 * abs(after - before))
    off = (values - before) * np.sign(after - before) > margin
    index = near
    while index > 1 and off[index - 1]:
        index -= 1
    while index < len(values) - 1 and not off[index]:
        index += 1
    return index


def _level(values: Floats) -> float:
    return float(np.median(values))
