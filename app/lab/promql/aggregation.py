"""Aggregations (`sum by (...)`, `topk`, `quantile` ...): a vector -> a vector. Called by the evaluator."""

import math
from collections.abc import Callable

import numpy as np

from app.lab.promql import labels as lab
from app.lab.promql.labels import Labels, PromqlError, Vector
from app.lab.promql.numbers import number
from app.lab.promql.windows import exact_sum, quantile

_Group = Callable[[Labels], Labels]


def _mean(values: list[float]) -> float:
    return exact_sum(values) / len(values)


def _variance(values: list[float]) -> float:
    mean = _mean(values)
    return exact_sum([(v - mean) ** 2 for v in values]) / len(values)


_SIMPLE: dict[str, Callable[[list[float]], float]] = {
    "sum": exact_sum,
    "avg": _mean,
    "count": lambda values: float(len(values)),
    "min": lambda values: float(np.fmin.reduce(values)),
    "max": lambda values: float(np.fmax.reduce(values)),
    "group": lambda _: 1.0,
    "stddev": lambda values: math.sqrt(_variance(values)),
    "stdvar": _variance,
}


def aggregate(op: str, vector: Vector, names: tuple[str, ...], excluding: bool, parameter: float | str | None) -> Vector:
    """`names` are those of `by`, or of `without` when `excluding`. Raises PromqlError for an unknown operator."""
    if op == "count_values":
        label = str(parameter)
        vector = [(lab.with_label(lab.without(labels, ()), label, number(value)), value) for labels, value in vector]
        names, op = (names if excluding else (*names, label)), "count"
    groups: dict[Labels, Vector] = {}
    for labels, value in vector:
        key = lab.without(labels, names) if excluding else lab.only(labels, names)
        groups.setdefault(key, []).append((labels, value))
    if op in ("topk", "bottomk"):
        return _ranked(op, groups, float(parameter or 0))
    if op == "quantile":
        return [(key, quantile(float(parameter or 0), [v for _, v in group])) for key, group in groups.items()]
    if op not in _SIMPLE:
        raise PromqlError("bad_data", f'invalid parameter "query": unknown aggregation {op}')
    return [(key, _SIMPLE[op]([v for _, v in group])) for key, group in groups.items()]


def _ranked(op: str, groups: dict[Labels, Vector], count: float) -> Vector:
    """The k largest (or smallest) of each group, best first; NaN counts as worst."""
    if math.isnan(count):
        raise PromqlError("execution", "Scalar value NaN overflows int64")
    sign = -1.0 if op == "topk" else 1.0
    found: Vector = []
    for group in groups.values():
        found += sorted(group, key=lambda e: math.inf if math.isnan(e[1]) else sign * e[1])[: max(0, int(count))]
    return found
