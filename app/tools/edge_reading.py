"""Mesh and trace metrics -> the edges of a service or a namespace: discovery, one query per measure, series sorted to edges.
Used by `get_service_map`; what there is to read stands in `edge_metrics`."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from app.domain.errors import ToolFailure
from app.domain.tool import Window
from app.tools.answers import Reading
from app.tools.edge_metrics import EDGE_FAMILIES, NOBODY, EdgeFamily, Measure
from app.tools.prometheus_client import Matrix, PrometheusClient, Series
from app.tools.promql import quoted, selector
from app.tools.scrape_pace import learn
from app.tools.signal_reading import MAX_PARALLEL, warm

Labels = dict[str, str]
WITNESS = "reporter"


@dataclass(frozen=True, order=True)
class End:
    """One end of an edge; `namespace` is "" where the metric has none."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass
class Edge:
    """`also` are other names of the callee, such as the workloads behind a service. `measures`: name -> (query, series)."""

    caller: End
    callee: End
    family: str
    also: tuple[str, ...] = ()
    measures: dict[str, tuple[str, Series]] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """Whose edges: those that begin or end at one of `names`, in the namespace; of the whole namespace without a name."""

    namespace: str
    names: tuple[str, ...]


@dataclass
class Edges:
    reading: Reading = field(default_factory=Reading)
    edges: list[Edge] = field(default_factory=list)


async def read_edges(client: PrometheusClient, wanted: Wanted, window: Window) -> Edges:
    """Raises ToolFailure when discovery fails or every query does; single queries that fail leave a note."""
    got = Edges()
    sets, size = await client.label_sets([s for f in EDGE_FAMILIES for s in _discovery(f, wanted)], window)
    got.reading.bytes_read += size
    found = [(family, _fitting(family, sets, wanted)) for family in EDGE_FAMILIES]
    slots = asyncio.Semaphore(MAX_PARALLEL)
    answers = await asyncio.gather(*(_family(client, f, mine, _Span(wanted, window, slots), got) for f, mine in found if mine))
    failures = [a for of in answers for a in of if isinstance(a, ToolFailure)]
    if failures and len(failures) == sum(map(len, answers)):
        raise failures[0]
    got.edges.sort(key=lambda e: (e.caller, e.callee, e.family))
    return got


async def families_there(client: PrometheusClient, at: float) -> list[str]:
    """The request metrics of which there is any series."""
    names = "|".join(sorted({f.requests for f in EDGE_FAMILIES}))
    rows, _ = await client.instant(f"count by (__name__) ({{__name__=~{quoted(names)}}})", at)
    return sorted(str((r.get("metric") or {}).get("__name__", "")) for r in rows)


@dataclass(frozen=True)
class _Span:
    wanted: Wanted
    window: Window
    slots: asyncio.Semaphore


async def _family(client: PrometheusClient, family: EdgeFamily, sets: Sequence[Labels], span: _Span, got: Edges) -> list[Matrix | ToolFailure]:
    selectors = _selectors(family, sets, span.wanted)
    by = ", ".join(label for label in _told(family) if any(label in s for s in sets))
    async with span.slots:
        pace, size = await learn(client, f"{family.requests}{{{selectors[0]}}}", span.window)
    got.reading.bytes_read += size

    async def one(measure: Measure) -> Matrix | ToolFailure:
        alternatives = [q.replace("<sel>", s) for q in measure.queries for s in selectors]
        query = " or ".join(alternatives).replace("<by>", by).replace("<w>", f"{pace.rate_window}s")
        async with span.slots:
            got.reading.asked.append(query)
            try:
                return await client.range(query, span.window, pace.interval, pace.age)
            except ToolFailure as failure:
                return failure

    answers = await asyncio.gather(*(one(m) for m in family.measures))
    edges = {(e.caller, e.callee): e for e in _edges(family, sets)}
    witnesses = _witnesses(family, sets)
    for measure, answer in zip(family.measures, answers, strict=True):
        if isinstance(answer, ToolFailure):
            got.reading.notes.append(f"{measure.name} of {family.name} could not be read: {answer.detail}")
            continue
        got.reading.bytes_read += answer.bytes_read
        got.reading.truncated.append(f"{measure.name} of {family.name}: {answer.truncated}" if answer.truncated else "")
        for series in answer.series:
            ends = _ends(family, series.metric)
            if ends in edges and series.metric.get(WITNESS, "") == witnesses.get(ends, ""):
                edges[ends].measures.setdefault(measure.name, (answer.query, warm(series, answer, pace.rate_window)))
    got.edges += edges.values()
    return answers


def _told(family: EdgeFamily) -> tuple[str, ...]:
    """The labels that a query keeps."""
    return (*family.caller, *family.caller_space, *family.callee, *family.callee_space, *((WITNESS,) if family.witness else ()))


def _discovery(family: EdgeFamily, wanted: Wanted) -> list[str]:
    """Selectors for the series API: by name on either side, by namespace, or by the metric alone where that has none."""
    labels: list[dict[str, tuple[str, ...]]] = [{}]
    if wanted.names:
        labels = [{label: wanted.names} for label in (*family.caller, *family.callee, *family.behind)]
    elif wanted.namespace and family.spaced:
        labels = [{label: (wanted.namespace,)} for label in (*family.caller_space, *family.callee_space)]
    return [f"{family.requests}{{{_joined(one, family)}}}" for one in labels]


def _fitting(family: EdgeFamily, sets: Iterable[Labels], wanted: Wanted) -> list[Labels]:
    """Label sets of edges that are asked about, in order, so that equal worlds give equal queries."""
    mine = [s for s in sets if s.get("__name__") == family.requests and _ends(family, s) is not None]
    fit = [s for s in mine if any(_matches(s, labels, space, wanted) for labels, space in _sides(family))]
    return sorted(fit, key=lambda s: sorted(s.items()))


def _sides(family: EdgeFamily) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    """(labels that name an end, labels of its namespace)."""
    return (family.caller, family.caller_space), ((*family.callee, *family.behind), family.callee_space)


def _matches(labels: Labels, names: Sequence[str], spaces: Sequence[str], wanted: Wanted) -> bool:
    named = not wanted.names or any(labels.get(n) in wanted.names for n in names)
    return named and (not wanted.namespace or _first(labels, spaces) in ("", wanted.namespace))


def _selectors(family: EdgeFamily, sets: Sequence[Labels], wanted: Wanted) -> list[str]:
    """What goes between the braces to reach just these edges."""
    options: list[dict[str, tuple[str, ...]]] = []
    for names, spaces in _sides(family):
        mine = [s for s in sets if _matches(s, names, spaces, wanted)]
        space = next((label for label in spaces if any(s.get(label) == wanted.namespace for s in mine)), "") if wanted.namespace else ""
        narrowed: dict[str, tuple[str, ...]] = {space: (wanted.namespace,)} if space else {}
        if wanted.names:
            options += [{**narrowed, n: wanted.names} for n in names if any(s.get(n) in wanted.names for s in mine)]
        elif narrowed:
            options.append(narrowed)
    return [_joined(o, family) for o in options] or [_joined({}, family) or f'{family.caller[0]}!=""']


def _joined(labels: dict[str, tuple[str, ...]], family: EdgeFamily) -> str:
    return ",".join(text for text in (selector(labels), family.only) if text)


def _first(labels: Labels, names: Sequence[str]) -> str:
    """The first of these labels that names something, "" if none does."""
    return next((labels[n] for n in names if labels.get(n, "") not in NOBODY), "")


def _ends(family: EdgeFamily, labels: Labels) -> tuple[End, End] | None:
    """(caller, callee), None unless both are known and not the same."""
    caller, callee = _first(labels, family.caller), _first(labels, family.callee)
    if not caller or not callee:
        return None
    ends = End(_first(labels, family.caller_space), caller), End(_first(labels, family.callee_space), callee)
    return ends if ends[0] != ends[1] else None


def _edges(family: EdgeFamily, sets: Sequence[Labels]) -> list[Edge]:
    names: dict[tuple[End, End], set[str]] = {}
    for labels in sets:
        ends = _ends(family, labels)
        if ends is not None:
            known = {labels.get(n, "") for n in (*family.callee, *family.behind)}
            names.setdefault(ends, set()).update(known - NOBODY - {ends[1].name})
    return [Edge(*ends, family.name, tuple(sorted(also))) for ends, also in names.items()]


def _witnesses(family: EdgeFamily, sets: Sequence[Labels]) -> dict[tuple[End, End], str]:
    """Who tells of an edge: of those that do, the one that stands first in the family."""
    found: dict[tuple[End, End], str] = {}
    for word in reversed(family.witness):
        for labels in sets:
            ends = _ends(family, labels)
            if ends is not None and labels.get(WITNESS) == word:
                found[ends] = word
    return found
