"""Functions of single numbers, of times, and of labels. Called by the evaluator, named as in PromQL."""

import calendar
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np

from app.lab.promql import labels as lab
from app.lab.promql.labels import Labels, PromqlError, Vector

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_TEMPLATE = re.compile(r"\$(?:\{(\w+)\}|(\w+)|(\$))")


def _numpy(function: Callable[[float], float]) -> Callable[[float], float]:
    def quiet(value: float) -> float:
        with np.errstate(all="ignore"):
            return float(function(np.float64(value)))

    return quiet


ELEMENT_FUNCTIONS: dict[str, Callable[[float], float]] = {
    name: _numpy(function)
    for name, function in {
        "abs": np.abs,
        "ceil": np.ceil,
        "floor": np.floor,
        "exp": np.exp,
        "ln": np.log,
        "log2": np.log2,
        "log10": np.log10,
        "sqrt": np.sqrt,
        "sgn": np.sign,
        "sin": np.sin,
        "cos": np.cos,
        "tan": np.tan,
        "deg": np.degrees,
        "rad": np.radians,
    }.items()
}


def clamp(value: float, low: float, high: float) -> float:
    return float(np.maximum(low, np.minimum(high, value)))


def round_to(value: float, nearest: float) -> float:
    inverse = float(np.divide(1.0, nearest))
    return math.floor(value * inverse + 0.5) / inverse if math.isfinite(value) and inverse else value


def _date(value: float) -> datetime:
    return datetime.fromtimestamp(math.floor(value), UTC)


DATE_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "minute": lambda v: _date(v).minute,
    "hour": lambda v: _date(v).hour,
    "day_of_month": lambda v: _date(v).day,
    "day_of_year": lambda v: _date(v).timetuple().tm_yday,
    "day_of_week": lambda v: _date(v).isoweekday() % 7,
    "days_in_month": lambda v: calendar.monthrange(_date(v).year, _date(v).month)[1],
    "month": lambda v: _date(v).month,
    "year": lambda v: _date(v).year,
}


def label_replace(vector: Vector, target: str, template: str, source: str, pattern: str) -> Vector:
    """`label_replace(v, target, template, source, pattern)`; `$1` and `${name}` as in Go. Raises PromqlError."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise PromqlError("execution", f'invalid regular expression in label_replace(): "{pattern}"') from error
    _check_name(target, "label_replace")

    def replaced(labels: Labels) -> Labels:
        match = expression.fullmatch(lab.value_of(labels, source))
        return labels if match is None else lab.with_label(labels, target, _expanded(template, match))

    return lab.unique([(replaced(labels), value) for labels, value in vector])


def _expanded(template: str, match: re.Match[str]) -> str:
    def part(found: re.Match[str]) -> str:
        if found[3]:
            return "$"
        name = found[1] or found[2]
        try:
            return match[int(name) if name.isdigit() else name] or ""
        except (IndexError, KeyError):
            return ""

    return _TEMPLATE.sub(part, template)


def label_join(vector: Vector, target: str, separator: str, sources: list[str]) -> Vector:
    """Raises PromqlError when the result has two elements of the same labels."""
    _check_name(target, "label_join")
    joined = [(lab.with_label(ls, target, separator.join(lab.value_of(ls, s) for s in sources)), v) for ls, v in vector]
    return lab.unique(joined)


def _check_name(name: str, function: str) -> None:
    if not _LABEL_NAME.fullmatch(name):
        raise PromqlError("execution", f'invalid destination label name in {function}(): "{name}"')
