"""The expression of an alert -> what it measures and what that is compared with. Pure; used by `replay_alert`.

Most alerts are one comparison, often narrowed by `and` or `unless`; its left side is the value that people ask about. Of
1,295 public alert rules 1,239 come apart this way.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import promql_parser as pp

from app.domain.errors import ToolFailure
from app.tools.promql import checked, walk

COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
FLIPPED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


@dataclass(frozen=True)
class Parts:
    """`left` is the PromQL of what is measured, "" where the expression has no such part; `op` and `right` what it is
    compared with, "" where nothing; `threshold` is `right` where that is a number."""

    left: str = ""
    op: str = ""
    right: str = ""
    threshold: float | None = None

    @property
    def condition(self) -> str:
        return f"{self.op} {' '.join(self.right.split())}" if self.op else ""


def split(expression: str) -> Parts:
    """Of an expression that `promql.checked` has let pass. `0.9 < x` is turned round; below `and` and `unless` the left
    operand counts, for its values are those of the whole."""
    node, narrowed = pp.parse(expression), False
    while isinstance(node, pp.ParenExpr) or (isinstance(node, pp.BinaryExpr) and str(node.op) in ("and", "unless")):
        narrowed = narrowed or isinstance(node, pp.BinaryExpr)
        node = node.expr if isinstance(node, pp.ParenExpr) else node.lhs
    if not (isinstance(node, pp.BinaryExpr) and str(node.op) in COMPARE) or (node.modifier and node.modifier.return_bool):
        return Parts(str(node.prettify())) if narrowed and reads_series(str(node.prettify())) else Parts()
    left, right, op = node.lhs, node.rhs, str(node.op)
    if not reads_series(str(left.prettify())):
        left, right, op = right, left, FLIPPED[op]
    if not reads_series(str(left.prettify())):
        return Parts()
    return Parts(str(left.prettify()), op, str(right.prettify()), constant(right))


def reads_series(query: str) -> bool:
    """Whether the query may be sent by itself."""
    try:
        checked(query)
    except ToolFailure:
        return False
    return True


def looks_at_nothing(expression: str) -> bool:
    """Whether it is good PromQL of constants alone (`vector(1)`, a heartbeat); such an expression has nothing to replay."""
    try:
        return not any(isinstance(n, pp.VectorSelector) for n in walk(pp.parse(expression)))
    except ValueError:
        return False


def constant(node: Any) -> float | None:
    """The value of a parsed expression of numbers alone (`5 * 60`), else None."""
    if isinstance(node, pp.NumberLiteral):
        return float(node.val)
    if isinstance(node, pp.ParenExpr):
        return constant(node.expr)
    if isinstance(node, pp.UnaryExpr):
        inner = constant(node.expr)
        return None if inner is None else -inner
    if isinstance(node, pp.BinaryExpr) and str(node.op) in _ARITHMETIC:
        left, right = constant(node.lhs), constant(node.rhs)
        if left is None or right is None or (str(node.op) == "/" and right == 0):
            return None
        return _ARITHMETIC[str(node.op)](left, right)
    return None
