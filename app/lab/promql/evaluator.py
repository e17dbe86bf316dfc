"""A parsed expression and a time -> a value. Called by the Prometheus server for every step of a query."""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import promql_parser as parser

from app.lab.promql import binary, elements, histogram
from app.lab.promql import labels as lab
from app.lab.promql.aggregation import aggregate
from app.lab.promql.labels import Labels, PromqlError, Vector
from app.lab.promql.series import Series, SeriesIndex
from app.lab.promql.windows import WINDOW_FUNCTIONS, Window, quantile, regression

Value: TypeAlias = float | str | Vector
DEFAULT_STEP_MS = 60_000


def parse(query: str) -> Any:
    """Raises PromqlError bad_data in Prometheus' words."""
    try:
        return parser.parse(query)
    except ValueError as error:
        raise PromqlError("bad_data", f'invalid parameter "query": 1:1: parse error: {error}') from error


class Evaluator:
    """One query over one span (`start` and `end` in ms are what `@ start()` and `@ end()` mean)."""

    def __init__(self, index: SeriesIndex, start: int, end: int) -> None:
        self._index, self._start, self._end = index, start, end
        self._selected: dict[int, list[Series]] = {}
        self._kept: list[Any] = []  # the parser hands out new objects; keeping them keeps their ids apart
        self._parts: dict[tuple[int, str], Any] = {}
        self._calls: dict[str, Callable[[list[Any], int], Value]] = {
            "time": lambda _, at: at / 1000,
            "pi": lambda _, at: math.pi,
            "vector": lambda args, at: [((), self.scalar(args[0], at))],
            "scalar": self._scalar_of,
            "timestamp": self._timestamp,
            "absent": self._absent,
            "absent_over_time": self._absent_over_time,
            "clamp": lambda args, at: self._clamp(args[0], args[1], args[2], at),
            "clamp_min": lambda args, at: self._clamp(args[0], args[1], None, at),
            "clamp_max": lambda args, at: self._clamp(args[0], None, args[1], at),
            "round": self._round,
            "sort": lambda args, at: sorted(self.vector(args[0], at), key=lambda e: (math.isnan(e[1]), e[1])),
            "sort_desc": lambda args, at: sorted(self.vector(args[0], at), key=lambda e: (math.isnan(e[1]), -e[1])),
            "histogram_quantile": lambda args, at: histogram.histogram_quantile(self.scalar(args[0], at), self.vector(args[1], at)),
            "label_replace": lambda args, at: elements.label_replace(self.vector(args[0], at), args[1].val, args[2].val, args[3].val, args[4].val),
            "label_join": lambda args, at: elements.label_join(self.vector(args[0], at), args[1].val, args[2].val, [a.val for a in args[3:]]),
            "quantile_over_time": self._quantile_over_time,
            "predict_linear": self._predict_linear,
        }

    def value(self, node: Any, at: int) -> Value:
        """Scalar, string or instant vector at `at` (ms). Raises PromqlError."""
        if isinstance(node, (parser.NumberLiteral, parser.StringLiteral)):
            return node.val
        if isinstance(node, parser.VectorSelector):
            return [(labels, value) for labels, _, value in self._instant(node, at)]
        if isinstance(node, parser.ParenExpr):
            return self.value(self._part(node, "expr"), at)
        if isinstance(node, parser.UnaryExpr):
            inner = self.value(self._part(node, "expr"), at)
            return [(lab.drop_name(ls), -v) for ls, v in inner] if isinstance(inner, list) else -float(inner)
        if isinstance(node, parser.BinaryExpr):
            return self._binary(node, at)
        if isinstance(node, parser.AggregateExpr):
            return self._aggregate(node, at)
        if isinstance(node, parser.Call):
            return self._call(node, at)
        raise PromqlError("bad_data", f'invalid parameter "query": {type(node).__name__} cannot stand here')

    def vector(self, node: Any, at: int) -> Vector:
        found = self.value(node, at)
        if not isinstance(found, list):
            raise PromqlError("bad_data", 'invalid parameter "query": expected an instant vector')
        return found

    def scalar(self, node: Any, at: int) -> float:
        found = self.value(node, at)
        if isinstance(found, list):
            raise PromqlError("bad_data", 'invalid parameter "query": expected a scalar')
        return float(found)

    def windows(self, node: Any, at: int) -> list[tuple[Labels, Window]]:
        """Samples of a range selector or subquery, series without any left out."""
        if isinstance(node, parser.ParenExpr):
            return self.windows(self._part(node, "expr"), at)
        length = _ms(node.range)
        if isinstance(node, parser.SubqueryExpr):
            end = self._moment(node, at)
            return [(ls, Window(ts, vs, end - length, end, at)) for ls, (ts, vs) in self._subquery(node, end - length, end).items()]
        selector = self._part(node, "vector_selector")
        end = self._moment(selector, at)
        found = []
        for series in self._series(selector):
            times, values = series.between(end - length, end)
            if times:
                found.append((series.labels, Window(times, values, end - length, end, at)))
        return found

    def _subquery(self, node: Any, start: int, end: int) -> dict[Labels, tuple[list[int], list[float]]]:
        """Steps stand at multiples of the step, whatever the window."""
        step = _ms(node.step) if node.step else DEFAULT_STEP_MS
        inner = self._part(node, "expr")
        found: dict[Labels, tuple[list[int], list[float]]] = {}
        for at in range(-(-start // step) * step, end + 1, step):
            value = self.value(inner, at)
            for labels, sample in value if isinstance(value, list) else [((), float(value))]:
                times, values = found.setdefault(labels, ([], []))
                times.append(at)
                values.append(sample)
        return found

    def _part(self, node: Any, name: str) -> Any:
        """An attribute of a node, always the same object: selections are remembered by it."""
        key = (id(node), name)
        if key not in self._parts:
            self._kept.append(node)
            self._parts[key] = getattr(node, name)
        return self._parts[key]

    def _series(self, selector: Any) -> list[Series]:
        key = id(selector)
        if key not in self._selected:
            self._kept.append(selector)
            self._selected[key] = self._index.select(selector)
        return self._selected[key]

    def _moment(self, node: Any, at: int) -> int:
        """The evaluation time after `@` and `offset`."""
        pinned = node.at
        if pinned is not None:
            kinds = parser.AtModifierType
            at = self._start if pinned.type == kinds.Start else self._end if pinned.type == kinds.End else round(pinned.at.timestamp() * 1000)
        return at - _ms(node.offset) if node.offset else at

    def _instant(self, selector: Any, at: int) -> list[tuple[Labels, int, float]]:
        moment = self._moment(selector, at)
        samples = ((s.labels, s.at(moment)) for s in self._series(selector))
        return [(labels, *sample) for labels, sample in samples if sample is not None]

    def _binary(self, node: Any, at: int) -> Value:
        op, modifier = str(node.op), node.modifier
        left, right = self.value(self._part(node, "lhs"), at), self.value(self._part(node, "rhs"), at)
        as_bool = bool(modifier and modifier.return_bool)
        if isinstance(left, str) or isinstance(right, str):
            raise PromqlError("bad_data", 'invalid parameter "query": binary expression must contain only scalar and instant vector types')
        if isinstance(left, list) and isinstance(right, list):
            matching = _matching(modifier)
            if op in binary.SETS:
                return binary.set_operation(op, left, right, matching)
            return lab.unique(binary.with_vector(op, left, right, matching, as_bool))
        if isinstance(left, list):
            return lab.unique(binary.with_scalar(op, left, float(right), False, as_bool))  # type: ignore[arg-type]
        if isinstance(right, list):
            return lab.unique(binary.with_scalar(op, right, left, True, as_bool))
        return binary.arithmetic(op, left, right)

    def _aggregate(self, node: Any, at: int) -> Vector:
        modifier, parameter = node.modifier, self._part(node, "param")
        names = tuple(modifier.labels) if modifier else ()
        excluding = modifier is not None and modifier.type == parser.AggModifierType.Without
        given = self.value(parameter, at) if parameter is not None else None
        if isinstance(given, list):
            raise PromqlError("bad_data", 'invalid parameter "query": aggregation parameter must be a scalar')
        return aggregate(str(node.op), self.vector(self._part(node, "expr"), at), names, excluding, given)

    def _call(self, node: Any, at: int) -> Value:
        name, args = node.func.name, self._part(node, "args")
        if name in WINDOW_FUNCTIONS:
            return self._over_windows(args[0], at, WINDOW_FUNCTIONS[name], keep_name=name == "last_over_time")
        if name in elements.ELEMENT_FUNCTIONS:
            function = elements.ELEMENT_FUNCTIONS[name]
            return lab.unique([(lab.drop_name(ls), function(v)) for ls, v in self.vector(args[0], at)])
        if name in elements.DATE_FUNCTIONS:
            vector = self.vector(args[0], at) if args else [((), at / 1000)]
            return [(lab.drop_name(ls), float(elements.DATE_FUNCTIONS[name](v))) for ls, v in vector]
        if name in self._calls:
            return self._calls[name](args, at)
        raise PromqlError("bad_data", f'invalid parameter "query": unknown function with name "{name}"')

    def _over_windows(self, node: Any, at: int, function: Callable[[Window], float | None], keep_name: bool = False) -> Vector:
        results = ((labels, function(window)) for labels, window in self.windows(node, at))
        return lab.unique([(ls if keep_name else lab.drop_name(ls), v) for ls, v in results if v is not None])

    def _scalar_of(self, args: list[Any], at: int) -> float:
        vector = self.vector(args[0], at)
        return vector[0][1] if len(vector) == 1 else math.nan

    def _timestamp(self, args: list[Any], at: int) -> Vector:
        if isinstance(args[0], parser.VectorSelector):
            return [(lab.drop_name(labels), time / 1000) for labels, time, _ in self._instant(args[0], at)]
        return [(lab.drop_name(labels), at / 1000) for labels, _ in self.vector(args[0], at)]

    def _absent(self, args: list[Any], at: int) -> Vector:
        return [] if self.vector(args[0], at) else [(_known_labels(args[0]), 1.0)]

    def _absent_over_time(self, args: list[Any], at: int) -> Vector:
        selector = args[0].vector_selector if isinstance(args[0], parser.MatrixSelector) else None
        return [] if self.windows(args[0], at) else [(_known_labels(selector), 1.0)]

    def _clamp(self, node: Any, low: Any, high: Any, at: int) -> Vector:
        least = self.scalar(low, at) if low is not None else -math.inf
        most = self.scalar(high, at) if high is not None else math.inf
        vector = self.vector(node, at) if not most < least else []
        return lab.unique([(lab.drop_name(ls), elements.clamp(v, least, most)) for ls, v in vector])

    def _round(self, args: list[Any], at: int) -> Vector:
        nearest = self.scalar(args[1], at) if len(args) > 1 else 1.0
        return lab.unique([(lab.drop_name(ls), elements.round_to(v, nearest)) for ls, v in self.vector(args[0], at)])

    def _quantile_over_time(self, args: list[Any], at: int) -> Vector:
        q = self.scalar(args[0], at)
        return self._over_windows(args[1], at, lambda w: quantile(q, w.values))

    def _predict_linear(self, args: list[Any], at: int) -> Vector:
        ahead = self.scalar(args[1], at)

        def predicted(window: Window) -> float | None:
            line = regression(window, window.now)
            return line[0] * ahead + line[1] if line else None

        return self._over_windows(args[0], at, predicted)


def _ms(delta: Any) -> int:
    milliseconds: int = round(delta.total_seconds() * 1000)
    return milliseconds


def _matching(modifier: Any) -> binary.Matching:
    if modifier is None:
        return binary.Matching()
    chosen = modifier.matching
    card = str(modifier.card)
    many = "left" if card.endswith("ManyToOne") else "right" if card.endswith("OneToMany") else ""
    on = chosen is not None and chosen.type == parser.LabelModifierType.Include
    return binary.Matching(tuple(chosen.labels) if chosen else (), on, many, tuple(modifier.group_labels or ()))


def _known_labels(selector: Any) -> Labels:
    """What `absent` can say of the missing series: labels that are asked for with `=`, and once."""
    if not isinstance(selector, parser.VectorSelector):
        return ()
    matchers = [m for m in selector.matchers.matchers if m.name != lab.NAME]
    names = [m.name for m in matchers]
    return lab.of({m.name: m.value for m in matchers if m.op == parser.MatchOp.Equal and names.count(m.name) == 1})
