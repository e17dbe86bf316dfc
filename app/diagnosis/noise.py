"""A change of level of a series -> does it stand out of what the series did before, and last? Called by `signals.metrics`,
`signals.node_paths`.

A percentile of few requests jumps by itself: how far is measured on the baseline, in factors, and a change counts only
against that. Levels of latencies and rates are compared by their ratio, shares by their difference."""

from bisect import bisect_left
from collections.abc import Sequence
from math import log, sqrt
from statistics import median

from app.diagnosis.series import Series, Step

SIGMA = 1.4826  # median absolute deviation -> standard deviation of a normal spread
CLEAR = 3.0  # standard deviations of the baseline that a rise must exceed
QUIET = 0.25  # a baseline that wobbles by less (a quarter) tells by itself; a wilder tail needs the typical request with it
STRAYS = 0.15  # the share of the baseline that may lie beyond the middle: start-up, single outliers
LASTS = 0.6  # of the values since the change, the share that must
FEW = 3  # values since the change: fewer are an outlier
AGREES = 1.15  # by this factor the typical request is slower too


def stands_out(one: Series, change: Step) -> bool:
    """Is the baseline on this side of the middle, the rest beyond it, for long enough? True where nothing was seen before."""
    before, after = parts(one, change)
    if not before or len(after) < FEW:
        return len(after) >= FEW
    middle = (change.before + change.after) / 2 if shared(one.name) else sqrt(max(change.before, 1e-9) * max(change.after, 1e-9))
    up = change.after >= change.before
    return _beyond(before, middle, up) <= STRAYS and _beyond(after, middle, up) >= LASTS


def parts(one: Series, change: Step) -> tuple[list[float], list[float]]:
    """The values before the change, and those from it to where a spike has come back."""
    cut = bisect_left(one.values, (change.at.timestamp(), float("-inf")))
    rest = [v for _, v in one.values[cut:]]
    if one.shape == "spike":
        off = [n for n, v in enumerate(rest) if abs(v - change.after) <= abs(v - change.before)]
        rest = rest[: off[-1] + 1] if off else rest
    return [v for _, v in one.values[:cut]], rest


def shared(name: str) -> bool:
    """Is it a share of something, so that its level counts by difference?"""
    return name in ("error_rate", "success_ratio")


def _beyond(values: Sequence[float], middle: float, up: bool) -> float:
    return sum(1 for v in values if (v >= middle) is up) / len(values)


def wobble(values: Sequence[float]) -> float:
    """How far the logarithm of a level strays, robust against outliers: 0.25 is about a quarter up or down."""
    logs = [log(v) for v in values if v > 0]
    if len(logs) < FEW:
        return 0.0
    middle = median(logs)
    return SIGMA * median(abs(v - middle) for v in logs)


def slower(one: Series, change: Step, typical: Sequence[Series]) -> bool:
    """Of a latency: does it stand out, also from how it wobbles? A tail that is wild by itself counts where typical requests,
    if they are measured, are slower since then as well."""
    if not stands_out(one, change):
        return False
    before, _ = parts(one, change)
    wild = wobble(before)
    if change.before > 0 and change.after > 0 and log(change.after / change.before) < CLEAR * wild:
        return False
    return wild <= QUIET or not typical or any(_agrees(t, change) for t in typical)


def _agrees(typical: Series, change: Step) -> bool:
    before, after = parts(typical, change)
    if not before or not after:
        return True
    usual = median(before)
    return median(after) >= usual * max(AGREES, 1 + CLEAR * wobble(before))
