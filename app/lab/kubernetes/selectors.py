"""Label and field selectors: text -> predicate, with the API server's own complaints. Called by the list handler."""

import re
from collections.abc import Callable
from typing import Any

from app.lab.kubernetes.kinds import Kind
from app.lab.kubernetes.status import bad_request

Object = dict[str, Any]
Wanted = Callable[[Object], bool]
_TOKEN = re.compile(r"\s*(==|!=|=|!|,|\(|\)|[^\s=!,()<>]+|[<>])")
_FIELD = re.compile(r"(?P<key>[^=!]+?)(?P<op>==|!=|=)(?P<value>.*)", re.DOTALL)


def by_labels(text: str) -> Wanted:
    """`a=b, c==d, e!=f, g in (h,i), j notin (k), l, !m`. Raises ApiError 400."""
    tests = _Labels(text).requirements()

    def wanted(item: Object) -> bool:
        labels = item["metadata"].get("labels") or {}
        return all(test(labels) for test in tests)

    return wanted


Labels = dict[str, str]
Test = Callable[[Labels], bool]


class _Labels:
    """A recursive-descent reader of the selector language."""

    def __init__(self, text: str) -> None:
        self._tokens = [m.group(1) for m in _TOKEN.finditer(text.strip())]
        self._at = 0

    def requirements(self) -> list[Test]:
        found: list[Test] = []
        while self._peek():
            found.append(self._requirement())
            if self._peek():
                self._expect(",")
                if not self._peek():
                    raise _parse_error("", "identifier after ','")
        return found

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _word(self) -> str:
        token = self._next()
        if not token or token in "=!,()<>" or token in ("==", "!="):
            raise _parse_error(token, "identifier")
        return token

    def _expect(self, wanted: str) -> None:
        token = self._next()
        if token != wanted:
            raise _parse_error(token, f"'{wanted}'")

    def _requirement(self) -> Test:
        if self._peek() == "!":
            self._next()
            absent = self._word()
            return lambda labels: absent not in labels
        key, operator = self._word(), self._peek()
        if operator in ("", ","):
            return lambda labels: key in labels
        self._next()
        if operator in ("=", "==", "!="):
            value = "" if self._peek() in ("", ",") else self._word()
            return (lambda labels: labels.get(key) != value) if operator == "!=" else (lambda labels: labels.get(key) == value)
        if operator in ("in", "notin"):
            values = self._values()
            return (lambda labels: labels.get(key) in values) if operator == "in" else (lambda labels: labels.get(key) not in values)
        raise _parse_error(operator, "in, notin, =, ==, !=, gt, lt")

    def _values(self) -> set[str]:
        self._expect("(")
        found = {self._word()}
        while self._peek() == ",":
            self._next()
            found.add(self._word())
        self._expect(")")
        return found


def _parse_error(found: str, expected: str) -> Exception:
    return bad_request(f"unable to parse requirement: found '{found}', expected: {expected}")


def by_fields(text: str, kind: Kind) -> Wanted:
    """`a=b,c!=d` over the fields this kind may be selected by. Raises ApiError 400."""
    allowed = {"metadata.name", *(("metadata.namespace",) if kind.namespaced else ()), *kind.fields}
    tests: list[tuple[str, str, bool]] = []
    for part in re.split(r"(?<!\\),", text):
        if not part:
            continue
        match = _FIELD.fullmatch(part)
        if match is None:
            raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
        if match["key"] not in allowed:
            raise bad_request(f"field label not supported: {match['key']}")
        tests.append((match["key"], re.sub(r"\\(.)", r"\1", match["value"]), match["op"] != "!="))
    return lambda item: all((_field(item, key) == value) is equal for key, value, equal in tests)


def _field(item: Object, path: str) -> str:
    """A field as selectors see it: absent is "", booleans are words. An event's `source` is its component."""
    value: Any = item
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if path == "source":
        value = (value or {}).get("component") or item.get("reportingComponent")
    elif path == "reportingComponent":
        value = value or (item.get("source") or {}).get("component")
    elif path == "metadata.namespace" and value is None:
        value = ""
    if isinstance(value, bool) or (value is None and path in ("spec.unschedulable", "spec.hostNetwork")):
        return "true" if value else "false"
    return "" if value is None else str(value)
