"""replay_alert: the alert's own expression over the time around its start: value, threshold, first crossing, and whether it
still holds.

The expression is text from a webhook or from the rules of Prometheus: it is parsed and checked like every other query, and
goes to the configured Prometheus only. An address from an alert is never asked.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta

from pydantic import AwareDatetime, Field

from app.domain.errors import ToolFailure
from app.domain.frozen import JsonObject
from app.domain.tool import Provenance, ToolContext, ToolResult, ToolStatus, Window
from app.tools.alert_expression import Parts, looks_at_nothing, reads_series, split
from app.tools.alert_history import Grid, History, State, agree, facts, histories, lines, value_at
from app.tools.answers import Arguments, Findings, Reading, answer, read_spec
from app.tools.prometheus_client import MAX_SPAN, Matrix, PrometheusClient, Series
from app.tools.promql import MAX_LENGTH, checked, first_selector
from app.tools.scrape_pace import Pace, learn
from app.tools.series_text import as_json, change_in, line

SHOWN = 10  # series told about in full; those that hold first
ORDER = (State.HOLDS, State.GONE, State.OVER, State.NEVER)


class ReplayAlertArguments(Arguments):
    expression: str | None = Field(None, min_length=1, max_length=MAX_LENGTH, description="The alert's PromQL; looked up in the rules when absent.")
    alert: str | None = Field(None, min_length=1, max_length=500, description="Name of the alert.")
    labels: dict[str, str] = Field(default_factory=dict, description="Labels of the alert: they tell which series is its own.")
    starts_at: AwareDatetime | None = Field(None, description="When the alert began to fire.")
    minutes_before: int = Field(30, ge=1, le=720, description="How far before that to look.")


@dataclass(frozen=True)
class _Asked:
    """What is replayed: `origin` says where the expression comes from."""

    expression: str
    origin: str
    parts: Parts
    window: Window
    started: float | None


class ReplayAlert:
    """At most four queries: the pace of the series, the whole expression, and the two sides of its comparison."""

    arguments = ReplayAlertArguments
    spec = read_spec(
        "replay_alert",
        "Replay the alert's own expression around its start",
        "prometheus",
        "metrics",
        ReplayAlertArguments,
        timeout_seconds=20.0,
        provenance=Provenance.SEMI,
    )

    def __init__(self, client: PrometheusClient) -> None:
        self._client = client

    async def run(self, arguments: ReplayAlertArguments, context: ToolContext) -> ToolResult:
        reading = Reading()
        expression, origin = arguments.expression or "", "the alert"
        if not expression:
            expression, origin = await self._of_rules(arguments, reading), "the rules of Prometheus"
        if not expression:
            none = f"No alerting rule {arguments.alert or 'of an unnamed alert'} in Prometheus"
            return answer(self.spec, reading, Findings(ToolStatus.NOT_FOUND, none))
        if looks_at_nothing(expression):
            heartbeat = f"{arguments.alert or 'The alert'} looks at no series: it fires all the time, by intention"
            return answer(self.spec, reading, Findings(ToolStatus.NO_DATA, heartbeat, [f"expression (from {origin}): {expression}"]))
        checked(expression)
        window = _window(arguments, context, reading)
        started = arguments.starts_at.timestamp() if arguments.starts_at else None
        asked = _Asked(expression, origin, split(expression), window, started)
        pace, size = await learn(self._client, first_selector(expression), window)
        reading.bytes_read += size
        whole, left, right = await self._matrices(asked, pace, reading)
        grid = Grid(window.start.timestamp(), window.end.timestamp(), whole.step)
        return self._answer(arguments, asked, reading, histories(asked.parts, whole, left, right), grid)

    async def _of_rules(self, arguments: ReplayAlertArguments, reading: Reading) -> str:
        """The expression of the rule that has the alert's name and, of several, most of its labels; "" if none."""
        if not arguments.alert:
            return ""
        reading.asked.append("GET /api/v1/rules?type=alert")
        rules, size = await self._client.rules()
        reading.bytes_read += size
        named = [r for r in rules if r.get("name") == arguments.alert]
        fitting = [r for r in named if _agrees(r, arguments.labels)]
        if len({str(r.get("query")) for r in fitting}) > 1:
            reading.notes.append(f"{len(fitting)} rules have this name; the one with most of the alert's labels is replayed")
        return str(max(fitting, key=lambda r: _shared(r, arguments.labels)).get("query") or "") if fitting else ""

    async def _matrices(self, asked: _Asked, pace: Pace, reading: Reading) -> tuple[Matrix, Matrix | None, Matrix | None]:
        """Of the whole and of its sides. Raises ToolFailure for the whole; a side that cannot be read leaves a note."""
        parts = asked.parts
        right = parts.right if parts.threshold is None and parts.right and reads_series(parts.right) else ""

        async def read(query: str) -> Matrix:
            matrix = await self._client.range(query, asked.window, pace.interval, pace.age)
            reading.asked.append(query)
            reading.bytes_read += matrix.bytes_read
            reading.truncated.append(matrix.truncated)
            return matrix

        async def side(query: str) -> Matrix | None:
            try:
                return await read(query) if query else None
            except ToolFailure as failure:
                reading.notes.append(f"a side of the comparison could not be read: {failure.detail}")
                return None

        whole = await read(asked.expression)
        left, limits = await asyncio.gather(side(parts.left), side(right))
        return whole, left, limits

    def _answer(self, arguments: ReplayAlertArguments, asked: _Asked, reading: Reading, every: list[History], grid: Grid) -> ToolResult:
        name, head = arguments.alert or "the alert", f"expression (from {asked.origin}): {' '.join(asked.expression.split())}"
        chosen = own(every, arguments.labels)
        found = bool(chosen) or not every
        if not found:
            reading.notes.append("no series of the expression has the labels of the alert: all are shown")
            chosen = every
        chosen = sorted(chosen, key=lambda h: (ORDER.index(h.state(grid)), sorted(h.series.metric.items())))
        if not chosen:
            none = f"The expression of {name} gives nothing, and its sides have no series in this window"
            if asked.parts.left:
                return answer(self.spec, reading, Findings(ToolStatus.NO_DATA, none, [head], {"replay": [], "series": []}, asked.window))
            chosen = [History(Series({}, []), ())]
        if len(chosen) > SHOWN:
            reading.truncated.append(f"{len(chosen)} series of the alert, {SHOWN} shown")
        told = [text for h in chosen[:SHOWN] for text in lines(h, asked.parts, grid, asked.started)]
        measured = [h for h in chosen[:SHOWN] if h.values]
        shapes = [(h.series.metric.get("__name__", "value"), h.series, change_in(h.series)) for h in measured]
        told += [line(*shape) for shape in shapes]
        data: JsonObject = {
            "alert": arguments.alert,
            "expression": asked.expression,
            "comparison": {"left": asked.parts.left, "op": asked.parts.op, "right": asked.parts.right},
            "state": chosen[0].state(grid).value,
            "own": found,
            "replay": [facts(h, asked.parts, grid, asked.started) for h in chosen[:SHOWN]],
            "series": [as_json(n, asked.parts.left, s, c, grid.step) for n, s, c in shapes],
        }
        return answer(self.spec, reading, Findings(ToolStatus.OK, summary(name, chosen, asked.parts, grid), [head, *told], data, asked.window))


def own(every: Sequence[History], alert: Mapping[str, str]) -> list[History]:
    """Those whose labels the alert has, as far as it has them: an alert bears the labels of its series and more."""
    return [h for h in every if agree(h.series.metric, alert)]


def summary(name: str, chosen: Sequence[History], parts: Parts, grid: Grid) -> str:
    """Of the first series, which holds if any does."""
    first = chosen[0]
    value = value_at(first, parts, grid, grid.end)
    said = {
        State.HOLDS: "still holds",
        State.OVER: "no longer holds",
        State.GONE: "held, and nothing is measured any more",
        State.NEVER: "does not hold",
    }[first.state(grid)]
    count = f" ({sum(1 for h in chosen if h.state(grid) is State.HOLDS)} of {len(chosen)} series)" if len(chosen) > 1 else ""
    return f"{name} {said}{count}{f': {value}' if value else ''}"


def _window(arguments: ReplayAlertArguments, context: ToolContext, reading: Reading) -> Window:
    """From some minutes before the start until now, a day at most."""
    end, started = context.window.end, arguments.starts_at
    before = timedelta(minutes=arguments.minutes_before)
    start = context.window.start if started is None else min(started.astimezone(UTC), end) - before
    earliest = end - timedelta(seconds=MAX_SPAN)
    if start < earliest:
        reading.truncated.append(f"the alert began {started:%Y-%m-%dT%H:%MZ}, more than a day ago: only the last 24 h are replayed")
    return Window(start=max(start, earliest), end=end)


def _agrees(rule: JsonObject, alert: Mapping[str, str]) -> bool:
    """Whether the rule's own labels are the alert's, those that are templates left out."""
    return all(alert.get(k, v) == v for k, v in _labels(rule).items() if "{{" not in v)


def _shared(rule: JsonObject, alert: Mapping[str, str]) -> int:
    return sum(1 for k, v in _labels(rule).items() if alert.get(k) == v)


def _labels(rule: JsonObject) -> dict[str, str]:
    found = rule.get("labels")
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}
