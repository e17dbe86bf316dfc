"""The range answers of an alert's expression and of its sides -> when the condition held, with which value. Pure; used by
`replay_alert`."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from app.domain.frozen import JsonObject, iso
from app.tools.alert_expression import COMPARE, Parts
from app.tools.prometheus_client import Matrix, Series
from app.tools.series_text import labels, short

Point = tuple[float, float]


class State(StrEnum):
    """At the end of the window. `gone`: the condition held, and now nothing is measured; that is not the same as over."""

    HOLDS = "holds"
    OVER = "over"
    GONE = "gone"
    NEVER = "never"


@dataclass(frozen=True)
class Grid:
    """Unix seconds; every answer has its points at `end` and whole steps before it."""

    start: float
    end: float
    step: int

    @property
    def first(self) -> float:
        return self.end - int((self.end - self.start) // self.step) * self.step


@dataclass(frozen=True)
class History:
    """Of one series. `held` are the times at which the whole expression gave it, oldest first; `values` and `thresholds` are
    the sides of its comparison, empty where there is none. `series` is what `values` come from."""

    series: Series
    held: tuple[float, ...]
    values: tuple[Point, ...] = ()
    thresholds: tuple[Point, ...] = ()

    def state(self, grid: Grid) -> State:
        if self.holds_at(grid.end, grid):
            return State.HOLDS
        if not self.held:
            return State.NEVER
        return State.GONE if self.values and at(self.values, grid.end, grid.step) is None else State.OVER

    def holds_at(self, moment: float, grid: Grid) -> bool:
        """At the last point of the grid that is not after the moment."""
        index = bisect_right(self.held, moment + 0.001)
        return index > 0 and self.held[index - 1] > moment - grid.step


def at(points: Sequence[Point], moment: float, step: float) -> float | None:
    """The value at the last point that is not after the moment; None where that is more than a step ago."""
    index = bisect_right(points, (moment + 0.001, float("inf")))
    return points[index - 1][1] if index and points[index - 1][0] > moment - step else None


def agree(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """No label that both have differs; the metric's name is no label of an alert."""
    return all(other.get(name, value) == value for name, value in one.items() if name != "__name__")


def histories(parts: Parts, whole: Matrix, left: Matrix | None, right: Matrix | None) -> list[History]:
    """One for each series of the left side, or of the whole where that has no sides."""
    if left is None or not left.series:
        return [History(s, tuple(t for t, _ in s.values)) for s in whole.series]
    return [_history(s, parts, whole, right) for s in left.series]


def _history(series: Series, parts: Parts, whole: Matrix, right: Matrix | None) -> History:
    """A result that lost labels (`on`, `by`) may stand for several series: then each is compared by itself."""
    values = _points(series)
    if parts.threshold is not None:
        thresholds: tuple[Point, ...] = tuple((t, parts.threshold) for t, _ in values)
    else:
        thresholds = next((_points(s) for s in right.series if agree(s.metric, series.metric)), ()) if right else ()
    gave = {t for s in whole.series if agree(s.metric, series.metric) for t, _ in s.values}
    limits = dict(thresholds)
    held = [t for t, v in values if t in gave and (t not in limits or COMPARE[parts.op](v, limits[t]))]
    return History(series, tuple(held), values, thresholds)


def _points(series: Series) -> tuple[Point, ...]:
    return tuple((t, float(v)) for t, v in series.values)


def lines(history: History, parts: Parts, grid: Grid, started: float | None) -> list[str]:
    """What was measured against what when the alert began and now, and when the condition first held."""
    told = [_moment(history, parts, grid, grid.end, "now")]
    if started is not None and grid.first <= started < grid.end:
        told.insert(0, _moment(history, parts, grid, started, "at startsAt"))
    return [*told, _crossing(history, grid)]


def value_at(history: History, parts: Parts, grid: Grid, moment: float) -> str:
    """`value 0.31 > threshold 0.05`, `value 0.01, not > threshold 0.05`, `no value`; "" where nothing is compared."""
    if not history.values:
        return ""
    value = at(history.values, moment, grid.step)
    if value is None:
        return "no value"
    if not parts.op:
        return f"value {short(value)}"
    limit = at(history.thresholds, moment, grid.step)
    against = f"{parts.op} {parts.condition.split(' ', 1)[1]}" if limit is None else f"{parts.op} threshold {short(limit)}"
    met = COMPARE[parts.op](value, limit) if limit is not None else history.holds_at(moment, grid)
    return f"value {short(value)} {against}" if met else f"value {short(value)}, not {against}"


def _moment(history: History, parts: Parts, grid: Grid, moment: float, name: str) -> str:
    value, holds = value_at(history, parts, grid, moment), history.holds_at(moment, grid)
    said = "the condition holds" if holds else "the condition does not hold"
    if name == "now":
        state = history.state(grid)
        said = {
            State.HOLDS: "the condition still holds",
            State.OVER: "the condition no longer holds",
            State.GONE: "nothing is measured any more",
            State.NEVER: "the condition does not hold",
        }[state]
    return f"{name} {clock(moment)}: {value + ': ' if value else ''}{said} {labels(history.series.metric)}".rstrip()


def _crossing(history: History, grid: Grid) -> str:
    whose = labels(history.series.metric)
    if not history.held:
        return f"the condition was met at no time since {clock(grid.first)} {whose}".rstrip()
    first, last = history.held[0], history.held[-1]
    began = f"first met at {clock(first)}" if first > grid.first else f"met already at {clock(first)}, where the window begins"
    spells = 1 + sum(1 for a, b in zip(history.held, history.held[1:], strict=False) if b - a > 1.5 * grid.step)
    ended = "" if history.holds_at(grid.end, grid) else f", last met at {clock(last)}"
    return f"the condition was {began}{ended}{f', in {spells} spells' if spells > 1 else ''} {whose}".rstrip()


def facts(history: History, parts: Parts, grid: Grid, started: float | None) -> JsonObject:
    """For `data`: times are RFC 3339, numbers None where nothing was measured."""
    found: JsonObject = {
        "metric": history.series.metric,
        "state": history.state(grid).value,
        "value": finite(at(history.values, grid.end, grid.step)),
        "threshold": finite(at(history.thresholds, grid.end, grid.step)),
        "first": clock(history.held[0]) if history.held else None,
        "last": clock(history.held[-1]) if history.held else None,
        "held_before_window": bool(history.held) and history.held[0] <= grid.first,
    }
    if started is not None and grid.first <= started < grid.end:
        found["value_at_start"] = finite(at(history.values, started, grid.step))
        found["held_at_start"] = history.holds_at(started, grid)
    return found


def finite(value: float | None) -> float | None:
    return value if value is not None and value - value == 0 else None


def clock(moment: float) -> str:
    return iso(datetime.fromtimestamp(int(moment), UTC))
