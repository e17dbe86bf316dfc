"""Binary operators: scalars, vector matching, comparisons, set operations. Called by the evaluator."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.lab.promql import labels as lab
from app.lab.promql.labels import Labels, PromqlError, Vector

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}
_ARITHMETIC = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "%": np.fmod, "^": np.power, "atan2": np.arctan2}
SETS = ("and", "or", "unless")


@dataclass(frozen=True)
class Matching:
    """`names` of on() or ignoring(); `many` is the side that may have several ("left", "right", or "" for neither);
    `include` the labels that come from the other side."""

    names: tuple[str, ...] = ()
    on: bool = False
    many: str = ""
    include: tuple[str, ...] = ()

    def key(self, labels: Labels) -> Labels:
        return lab.only(labels, self.names) if self.on else lab.without(labels, self.names)


def arithmetic(op: str, left: float, right: float) -> float:
    """IEEE arithmetic: division by zero gives an infinity or NaN."""
    if op in COMPARISONS:
        return float(COMPARISONS[op](left, right))
    with np.errstate(all="ignore"):
        return float(_ARITHMETIC[op](np.float64(left), np.float64(right)))


def with_scalar(op: str, vector: Vector, scalar: float, scalar_left: bool, as_bool: bool) -> Vector:
    """A comparison without `bool` filters and keeps the element; everything else loses its name."""
    found: Vector = []
    for labels, value in vector:
        result = arithmetic(op, scalar, value) if scalar_left else arithmetic(op, value, scalar)
        if op in COMPARISONS and not as_bool:
            if result:
                found.append((labels, value))
        else:
            found.append((lab.drop_name(labels), result))
    return found


def set_operation(op: str, left: Vector, right: Vector, matching: Matching) -> Vector:
    if op == "or":
        known = {matching.key(labels) for labels, _ in left}
        return left + [e for e in right if matching.key(e[0]) not in known]
    known = {matching.key(labels) for labels, _ in right}
    return [e for e in left if (matching.key(e[0]) in known) is (op == "and")]


def with_vector(op: str, left: Vector, right: Vector, matching: Matching, as_bool: bool) -> Vector:
    """Raises PromqlError for a match that is not unique."""
    if not left or not right:
        return []
    swapped = matching.many == "right"
    many, one = (right, left) if swapped else (left, right)
    partners = _partners(one, matching, "left" if swapped else "right")
    found: Vector = []
    used: set[Labels] = set()
    for labels, value in many:
        key = matching.key(labels)
        if key not in partners:
            continue
        other_labels, other = partners[key]
        first, second = (other, value) if swapped else (value, other)
        result = arithmetic(op, first, second)
        if op in COMPARISONS and not as_bool:
            if not result:
                continue
            result = first
        shown = _labels(labels, other_labels, op, matching, as_bool)
        _check_unique(used, shown if matching.many else key, matching)
        found.append((shown, result))
    return found


def _partners(one: Vector, matching: Matching, side: str) -> dict[Labels, tuple[Labels, float]]:
    found: dict[Labels, tuple[Labels, float]] = {}
    for labels, value in one:
        key = matching.key(labels)
        if key in found:
            both = f"[{lab.text(labels)}, {lab.text(found[key][0])}]"
            message = f"found duplicate series for the match group {lab.text(key)} on the {side} hand-side of the operation: {both}"
            raise PromqlError("execution", message + ";many-to-many matching not allowed: matching labels must be unique on one side")
        found[key] = (labels, value)
    return found


def _check_unique(used: set[Labels], key: Labels, matching: Matching) -> None:
    if key in used:
        why = "grouping labels must ensure unique matches" if matching.many else "many-to-one matching must be explicit (group_left/group_right)"
        raise PromqlError("execution", f"multiple matches for labels: {why}")
    used.add(key)


def _labels(labels: Labels, other: Labels, op: str, matching: Matching, as_bool: bool) -> Labels:
    shown = lab.drop_name(labels) if as_bool or op not in COMPARISONS else labels
    if not matching.many:
        names = matching.names
        shown = lab.only(shown, names) if matching.on else tuple(p for p in shown if p[0] not in names)
    for name in matching.include:
        shown = lab.with_label(shown, name, lab.value_of(other, name))
    return shown
