"""Discovery, then one range query per signal that exists; used by get_metrics and check_service_health."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.domain.errors import ToolFailure
from app.domain.frozen import JsonObject
from app.domain.tool import Window
from app.tools.answers import Reading
from app.tools.golden_signals import OWN_NAMES, OwnName
from app.tools.prometheus_client import Matrix, PrometheusClient, Series
from app.tools.series_text import as_json, change_in, line
from app.tools.signal_scope import Chosen, Found, Scope, choose, discovery, sort_in, widen

MAX_PARALLEL = 4
MAX_QUERIES = 40
MAX_SERIES = 60  # of one signal
LOOK_BACK = 300  # seconds over which samples are counted to learn the scrape interval
DEFAULT_INTERVAL = 30.0
RATE_WINDOW = re.compile(r"rate\(.*?\[([0-9]+)s\]\)")


@dataclass
class Signals:
    """`lines[i]` is the text of `series[i]`."""

    reading: Reading = field(default_factory=Reading)
    series: list[JsonObject] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    scope: Scope = field(default_factory=Scope)


async def read_signals(
    client: PrometheusClient, scope: Scope, window: Window, own: Sequence[OwnName] = OWN_NAMES, only: frozenset[str] = frozenset()
) -> Signals:
    """`only` names signals; empty means all. Raises ToolFailure when discovery fails or every query does; single queries
    that fail leave a note."""
    got = Signals()
    scope, chosen_for = await _discover(client, scope, window, own, got)
    got.scope = scope
    trial = choose(scope, chosen_for, "1m", own)
    if not trial:
        return got
    interval = await _interval(client, trial[0], window, got)
    chosen = [c for c in choose(scope, chosen_for, f"{max(20, round(4 * interval))}s", own) if not only or c.name in only]
    if len(chosen) > MAX_QUERIES:
        got.reading.truncated.append(f"{len(chosen)} signals found, {MAX_QUERIES} read")
    await _query(client, chosen[:MAX_QUERIES], window, interval, got)
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


async def _interval(client: PrometheusClient, first: Chosen, window: Window, got: Signals) -> float:
    """The scrape interval, from how many samples one series had in five minutes."""
    query = f"count_over_time({first.metric}{{{first.sel}}}[{LOOK_BACK}s])"
    try:
        found, size = await client.instant(query, window.end.timestamp())
        got.reading.bytes_read += size
        counts = [float(r["value"][1]) for r in found]
    except (ToolFailure, KeyError, TypeError, ValueError, IndexError):
        return DEFAULT_INTERVAL
    return LOOK_BACK / max(counts) if counts and max(counts) >= 2 else DEFAULT_INTERVAL


async def _query(client: PrometheusClient, chosen: Sequence[Chosen], window: Window, interval: float, got: Signals) -> None:
    slots = asyncio.Semaphore(MAX_PARALLEL)

    async def one(c: Chosen) -> Matrix | ToolFailure:
        async with slots:
            try:
                return await client.range(c.query, window, interval)
            except ToolFailure as failure:
                return failure

    answers = await asyncio.gather(*(one(c) for c in chosen))
    failures = [a for a in answers if isinstance(a, ToolFailure)]
    if failures and len(failures) == len(answers):
        raise failures[0]
    for c, matrix in zip(chosen, answers, strict=True):
        got.reading.asked.append(c.query)
        if isinstance(matrix, ToolFailure):
            got.reading.notes.append(f"{c.name} could not be read: {matrix.detail}")
        else:
            _take(c, matrix, got)


def _take(c: Chosen, matrix: Matrix, got: Signals) -> None:
    got.reading.bytes_read += matrix.bytes_read
    got.reading.truncated.append(f"{c.name}: {matrix.truncated}" if matrix.truncated else "")
    if len(matrix.series) > MAX_SERIES:
        got.reading.truncated.append(f"{c.name}: {len(matrix.series)} series, {MAX_SERIES} shown")
    for whole in matrix.series[:MAX_SERIES]:
        series = _warm(whole, matrix)
        if series.values:
            change = change_in(series)
            got.series.append(as_json(c.name, matrix.query, series, change, matrix.step))
            got.lines.append(line(c.name, series, change))


def _warm(series: Series, matrix: Matrix) -> Series:
    """Without the first points of a rate: there its window reaches back before the first sample, and what looks like a
    climb is only the window filling."""
    found = RATE_WINDOW.search(matrix.query)
    points = -(-int(found.group(1)) // matrix.step) if found else 0
    return Series(series.metric, series.values[points:]) if len(series.values) >= 3 * points else series
