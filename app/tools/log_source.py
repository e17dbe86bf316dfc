"""One shape for every place that keeps logs: a `LogQuery` in, a `LogAnswer` out. Filled by `kubernetes_logs`,
`loki_client` and `elasticsearch_client`; asked by `get_logs` and `search_logs`."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Protocol, TypeVar

from app.domain.tool import ToolStatus, Window

MAX_LINES = 10_000  # requirement TOOL-15
T = TypeVar("T")


@dataclass(frozen=True)
class LogQuery:
    """Whose lines: empty fields do not narrow, and a source may refuse a query that nothing narrows. `contains` is a
    literal, compared with its case. Of more than `limit` lines the oldest are given, or the newest if `newest`."""

    window: Window | None = None
    namespace: str = ""
    service: str = ""
    pod: str = ""
    container: str = ""
    node: str = ""
    unit: str = ""
    contains: str = ""
    limit: int = MAX_LINES
    newest: bool = False
    previous: bool = False


@dataclass(frozen=True)
class LogLine:
    """`at` is when the source received it, None where it does not say. `origin` is where it came from, in a word."""

    text: str
    at: datetime | None = None
    origin: str = ""


@dataclass(frozen=True)
class LogAnswer:
    """Lines oldest first. `asked` are the exact requests. `status` is OK, NO_DATA (nothing matches), NOT_FOUND (no such
    stream, index or pod), DENIED or INVALID (this source cannot be asked so); `note` says which and why."""

    asked: tuple[str, ...]
    lines: tuple[LogLine, ...] = ()
    status: ToolStatus = ToolStatus.OK
    bytes_read: int = 0
    truncated: str = ""
    note: str = ""


class LogSource(Protocol):
    """Raises ToolFailure when the source gave no usable answer."""

    async def query(self, query: LogQuery) -> LogAnswer: ...

    async def aclose(self) -> None: ...


def split_lines(text: str, at: datetime | None, origin: str) -> list[LogLine]:
    """An entry that holds several lines, each with its time; blank ones say nothing."""
    return [LogLine(line, at, origin) for line in text.splitlines() if line.strip()]


def renamed(defaults: T, pairs: Sequence[str]) -> T:
    """A dataclass of names with some replaced by `field=name` pairs. Raises ValueError for a pair that is none."""
    known = {f.name for f in fields(defaults)}  # type: ignore[arg-type]
    given = dict(pair.partition("=")[::2] for pair in pairs)
    wrong = [name for name, value in given.items() if name not in known or not value.strip()]
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: expected name=value with a name out of {', '.join(sorted(known))}")
    return replace(defaults, **{name: value.strip() for name, value in given.items()})  # type: ignore[type-var]
