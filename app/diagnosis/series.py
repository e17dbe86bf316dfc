"""Time series of a tool result -> numbers with times, and the shapes that mean something: a step, a ramp, a rate."""

import weakref
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from math import isfinite
from statistics import fmean, median

from app.diagnosis.reading import Reading
from app.domain.frozen import JsonObject
from app.domain.tool import ToolResult


@dataclass(frozen=True, slots=True)
class Series:
    """`name` is the golden-signal name or the metric name; `values` (unix seconds, number), NaN left out; `change` is
    what the tool measured, as it says it; `trend` its word for a series that moves alike all the time. `query` is the
    PromQL of this series, `of` the metric it is made from."""

    name: str
    labels: dict[str, str]
    values: tuple[tuple[float, float], ...]
    change: object = None
    trend: str = ""
    query: str = ""
    of: str = ""

    @property
    def shape(self) -> str:
        """`step`, `ramp` or `spike` as the tool calls the change, "" if it saw none."""
        return str(self.change.get("kind") or "") if isinstance(self.change, dict) else ""


@dataclass(frozen=True, slots=True)
class Step:
    """A change of level: the means before and after `at`."""

    at: datetime
    before: float
    after: float


_PARSED: dict[int, tuple["weakref.ref[ToolResult]", list[Series]]] = {}  # of results that live: each is read in every round


def series_of(reading: Reading) -> list[Series]:
    result, key = reading.result, id(reading.result)
    kept = _PARSED.get(key)
    if kept is None or kept[0]() is not result:
        kept = _PARSED[key] = (weakref.ref(result, lambda _: _PARSED.pop(key, None)), [_series(row) for row in reading.items("series")])
    return kept[1]


def _series(row: JsonObject) -> Series:
    labels = {str(k): str(v) for k, v in (row.get("metric") or {}).items()}
    name = str(row.get("name") or labels.get("__name__") or "")
    finite = tuple([(float(t), number) for t, v in row.get("values") or [] if isfinite(number := float(v))])
    told = {key: str(row.get(key) or "") for key in ("trend", "query", "of")}
    return Series(name, labels, finite, row.get("change"), **told)


def when(unix: float) -> datetime:
    return datetime.fromtimestamp(unix, UTC)


def step(series: Series) -> Step | None:
    """The split that separates the two most different levels, each at least three points long; None for fewer than
    eight points. The onset is measured, not assumed."""
    numbers = [v for _, v in series.values]
    if len(numbers) < 8:
        return None
    best: tuple[float, int] | None = None
    total, mean = len(numbers), fmean(numbers)
    running = sum(numbers[:3])
    for cut in range(3, total - 2):
        left, right = running / cut, (mean * total - running) / (total - cut)
        gain = (left - right) ** 2 * cut * (total - cut)
        if best is None or gain > best[0]:
            best = (gain, cut)
        running += numbers[cut]
    if best is None or best[0] == 0:
        return None
    cut = best[1]
    return Step(when(series.values[cut][0]), median(numbers[:cut]), median(numbers[cut:]))


def ramps_to(series: Series, ceiling: float) -> bool:
    """Does it grow steadily (at least three quarters of the steps upward or level) from under half to 85 % of the ceiling?"""
    numbers = [v for _, v in series.values]
    if len(numbers) < 8 or ceiling <= 0:
        return False
    peak = numbers.index(max(numbers))
    climb = numbers[: peak + 1]
    up = sum(1 for a, b in pairwise(climb) if b >= a)
    return len(climb) >= 6 and max(numbers) >= 0.85 * ceiling and climb[0] <= 0.6 * max(numbers) and up >= 0.75 * (len(climb) - 1)
