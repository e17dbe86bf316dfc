"""Discovery, then one range query per signal that exists; used by get_metrics and check_service_health."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.domain.errors import ToolFailure
from app.domain.frozen import JsonObject
from app.domain.tool import Window
from app.tools.answers import Reading
from app.tools.golden_signals import OWN_NAMES, OwnName
from app.tools.prometheus_client import Matrix, PrometheusClient, Series
from app.tools.scrape_pace import Pace, learn
from app.tools.series_text import as_json, change_in, line
from app.tools.signal_scope import Chosen, Found, Scope, choose, discovery, sort_in, widen

MAX_PARALLEL = 4
MAX_QUERIES = 40
MAX_SERIES = 60  # of one signal
MAX_GROUPS = 6  # of series scraped together, whose pace is asked for


@dataclass
class Signals:
    """`lines[i]` is the text of `series[i]`."""

    reading: Reading = field(default_factory=Reading)
    series: list[JsonObject] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    scope: Scope = field(default_factory=Scope)


@dataclass(frozen=True)
class _Query:
    """A signal with the pace at which its series are scraped; `text` is the PromQL to send."""

    signal: Chosen
    pace: Pace
    text: str

    @classmethod
    def of(cls, chosen: Chosen, paces: dict[str, Pace]) -> "_Query":
        pace = paces.get(chosen.group, Pace())
        return cls(chosen, pace, chosen.query.replace("<w>", f"{pace.rate_window}s"))


async def read_signals(
    client: PrometheusClient, scope: Scope, window: Window, own: Sequence[OwnName] = OWN_NAMES, only: frozenset[str] = frozenset()
) -> Signals:
    """`only` names signals; empty means all. Raises ToolFailure when discovery fails or every query does; single queries
    that fail leave a note."""
    got = Signals()
    scope, found = await _discover(client, scope, window, own, got)
    got.scope = scope
    chosen = [c for c in choose(scope, found, own) if not only or c.name in only]
    if not chosen:
        return got
    if len(chosen) > MAX_QUERIES:
        got.reading.truncated.append(f"{len(chosen)} signals found, {MAX_QUERIES} read")
    paces = await _paces(client, chosen[:MAX_QUERIES], window, got)
    await _query(client, [_Query.of(c, paces) for c in chosen[:MAX_QUERIES]], window, got)
    return got


async def _discover(client: PrometheusClient, scope: Scope, window: Window, own: Sequence[OwnName], got: Signals) -> tuple[Scope, Found]:
    """Twice where the first look brings pods or addresses to light by which more series can be found."""
    for _ in range(2):
        asked = discovery(scope, own)
        if not asked:
            return scope, Found()
        sets, size = await client.label_sets(asked, window)
        got.reading.bytes_read += size
        found = sort_in(scope, sets)
        wider = widen(scope, found)
        if wider == scope:
            return scope, found
        scope = wider
    return scope, found


async def _paces(client: PrometheusClient, chosen: Sequence[Chosen], window: Window, got: Signals) -> dict[str, Pace]:
    """The pace of each group of series that are scraped together, read from its metric with the fewest series."""
    narrowest: dict[str, Chosen] = {}
    for c in sorted(chosen, key=lambda c: (c.width, c.metric, c.sel)):
        narrowest.setdefault(c.group, c)
    groups = sorted(narrowest)[:MAX_GROUPS]
    learnt = await asyncio.gather(*(learn(client, f"{narrowest[g].metric}{{{narrowest[g].sel}}}", window) for g in groups))
    got.reading.bytes_read += sum(size for _, size in learnt)
    return {group: pace for group, (pace, _) in zip(groups, learnt, strict=True)}


async def _query(client: PrometheusClient, queries: Sequence[_Query], window: Window, got: Signals) -> None:
    slots = asyncio.Semaphore(MAX_PARALLEL)

    async def one(q: _Query) -> Matrix | ToolFailure:
        async with slots:
            try:
                return await client.range(q.text, window, q.pace.interval, q.pace.age)
            except ToolFailure as failure:
                return failure

    answers = await asyncio.gather(*(one(q) for q in queries))
    failures = [a for a in answers if isinstance(a, ToolFailure)]
    if failures and len(failures) == len(answers):
        raise failures[0]
    for q, matrix in zip(queries, answers, strict=True):
        got.reading.asked.append(q.text)
        if isinstance(matrix, ToolFailure):
            got.reading.notes.append(f"{q.signal.name} could not be read: {matrix.detail}")
        else:
            _take(q, matrix, got)


def _take(q: _Query, matrix: Matrix, got: Signals) -> None:
    c = q.signal
    got.reading.bytes_read += matrix.bytes_read
    got.reading.truncated.append(f"{c.name}: {matrix.truncated}" if matrix.truncated else "")
    if len(matrix.series) > MAX_SERIES:
        got.reading.truncated.append(f"{c.name}: {len(matrix.series)} series, {MAX_SERIES} shown")
    for whole in matrix.series[:MAX_SERIES]:
        series = warm(whole, matrix, q.pace.rate_window) if "<w>" in c.query else whole
        if series.values:
            change = change_in(series)
            got.series.append(as_json(c.name, matrix.query, series, change, matrix.step) | {"of": c.metric})
            got.lines.append(f"{line(c.name, series, change)} [{c.metric}]")


def warm(series: Series, matrix: Matrix, rate_window: int) -> Series:
    """Without the first points of a rate: there its window reaches back before the first sample, and what looks like a
    climb is only the window filling."""
    points = -(-rate_window // matrix.step)
    return Series(series.metric, series.values[points:]) if len(series.values) >= 3 * points else series
