"""PromQL checked before it is sent, and selectors built from names. Pure; used by the Prometheus tools."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import promql_parser as pp

from app.domain.errors import ToolFailure
from app.domain.reason import ErrorClass, Reason

MAX_LENGTH = 4_000
MAX_RANGE = timedelta(hours=24)  # that one point of the answer may look back over
MAX_SUBQUERY_STEPS = 11_000
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_CHILDREN = ("expr", "lhs", "rhs", "param", "vector_selector")


def checked(query: str) -> str:
    """The query, if every selector in it names a metric or has a label matcher that narrows, and no range in it is over
    24 h. Raises ToolFailure CONFIG, INVALID_ARGUMENTS otherwise: such a query would read everything."""
    if len(query) > MAX_LENGTH:
        raise _refused(f"longer than {MAX_LENGTH} characters")
    try:
        tree = pp.parse(query)
    except ValueError as error:
        raise _refused(f"does not parse: {error}") from error
    selectors = list(_selectors(tree))
    if not selectors:
        raise _refused("reads no series")
    for node in walk(tree):
        _check_range(node)
    for selector in selectors:
        if not selector.name and not any(_narrows(m) for m in selector.matchers.matchers):
            raise _refused("has a selector without a metric name and without a label matcher that narrows")
    return query


def first_selector(query: str) -> str:
    """The first selector of a query that `checked` has let pass, without its range or offset: `up{job="a"}`."""
    text = str(next(_selectors(pp.parse(query))).prettify())
    return text[: text.rindex("}") + 1] if "}" in text else text.split(" ", 1)[0]


def matcher(label: str, values: tuple[str, ...]) -> str:
    """`label="v"` or `label=~"a|b"`, values taken literally."""
    if not NAME.fullmatch(label):
        raise ValueError(f"{label!r} is no label name")
    if len(values) == 1:
        return f"{label}={quoted(values[0])}"
    return f"{label}=~{quoted('|'.join(literal(v) for v in sorted(values)))}"


def literal(text: str) -> str:
    """Escaped for RE2; `re.escape` also escapes what RE2 refuses to see escaped."""
    return re.sub(r"([.^$*+?()\[\]{}|\\])", r"\\\1", text)


def quoted(text: str) -> str:
    """A PromQL string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def selector(matchers: Mapping[str, tuple[str, ...]]) -> str:
    """`namespace="shop",pod=~"a|b"`, in order of label; to be put inside braces."""
    return ",".join(matcher(label, values) for label, values in sorted(matchers.items()) if values)


def _narrows(found: Any) -> bool:
    if found.op == pp.MatchOp.Equal:
        return bool(found.value)
    if found.op != pp.MatchOp.Re:
        return False
    try:  # a pattern that takes both nothing and anything narrows nothing
        return not re.fullmatch(found.value, "") and not re.fullmatch(found.value, "zz9 plural/Z:α")
    except re.error:
        return False


def walk(node: Any) -> Iterator[Any]:
    """The node of a parsed query and everything below it, in the order of the text."""
    yield node
    for child in _CHILDREN:
        inner = getattr(node, child, None)
        if inner is not None and not isinstance(inner, (str, int, float)):
            yield from walk(inner)
    arguments = getattr(node, "args", None)
    for argument in arguments if isinstance(arguments, list) else ():
        yield from walk(argument)


def _selectors(node: Any) -> Iterator[Any]:
    return (n for n in walk(node) if isinstance(n, pp.VectorSelector))


def _check_range(node: Any) -> None:
    span: timedelta | None = node.range if isinstance(node, pp.MatrixSelector | pp.SubqueryExpr) else None
    step: timedelta | None = node.step if isinstance(node, pp.SubqueryExpr) else None
    if span and span > MAX_RANGE:
        raise _refused(f"looks back over more than {MAX_RANGE.total_seconds() / 3600:.0f} h at every point")
    if span and step and span / step > MAX_SUBQUERY_STEPS:
        raise _refused(f"has a subquery of more than {MAX_SUBQUERY_STEPS} steps")


def _refused(why: str) -> ToolFailure:
    return ToolFailure(ErrorClass.CONFIG, Reason.INVALID_ARGUMENTS, f"query refused: it {why}")
