"""The series of a world, and selection from them. Made by the Prometheus server, asked by the evaluator."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import promql_parser as parser

from app.lab.promql import labels as lab
from app.lab.promql.labels import NAME, Labels

LOOKBACK_MS = 300_000


@dataclass(frozen=True)
class Series:
    """Times in milliseconds, ascending."""

    labels: Labels
    times: list[int]
    values: list[float]

    def at(self, moment: int) -> tuple[int, float] | None:
        """The newest sample not after `moment` and less than five minutes older."""
        place = bisect_right(self.times, moment) - 1
        if place < 0 or self.times[place] <= moment - LOOKBACK_MS:
            return None
        return self.times[place], self.values[place]

    def between(self, start: int, end: int) -> tuple[list[int], list[float]]:
        """Samples of a closed interval."""
        low, high = bisect_left(self.times, start), bisect_right(self.times, end)
        return self.times[low:high], self.values[low:high]


class SeriesIndex:
    """All series, sorted by labels, found by name first."""

    def __init__(self, matrix: Iterable[dict[str, Any]]) -> None:
        merged: dict[Labels, dict[int, float]] = {}
        for one in matrix:
            samples = merged.setdefault(lab.of(one["metric"]), {})
            samples.update((round(float(t) * 1000), float(v)) for t, v in one["values"])
        self.all = [Series(labels, sorted(samples), [samples[t] for t in sorted(samples)]) for labels, samples in sorted(merged.items())]
        self._by_name: dict[str, list[Series]] = {}
        for series in self.all:
            self._by_name.setdefault(lab.value_of(series.labels, NAME), []).append(series)

    def select(self, selector: parser.VectorSelector) -> list[Series]:
        """Series that all matchers want (or all of one `or` branch)."""
        branches = [[_matcher(m) for m in branch] for branch in (selector.matchers.or_matchers or [selector.matchers.matchers])]
        name = selector.name or next((m.value for m in selector.matchers.matchers if m.name == NAME and m.op == parser.MatchOp.Equal), "")
        pool = self._by_name.get(name, []) if name else self.all
        return [s for s in pool if any(all(wants(dict(s.labels)) for wants in branch) for branch in branches)]


def _matcher(matcher: parser.Matcher) -> Callable[[dict[str, str]], bool]:
    """Regular expressions are anchored at both ends; an absent label is ""."""
    name, value, op = matcher.name, matcher.value, matcher.op
    if op == parser.MatchOp.Equal:
        return lambda labels: labels.get(name, "") == value
    if op == parser.MatchOp.NotEqual:
        return lambda labels: labels.get(name, "") != value
    try:
        pattern = re.compile(value)
    except re.error as error:
        raise lab.PromqlError("bad_data", f"error parsing regexp: {error}") from error
    if op == parser.MatchOp.Re:
        return lambda labels: pattern.fullmatch(labels.get(name, "")) is not None
    return lambda labels: pattern.fullmatch(labels.get(name, "")) is None
