"""Loki's HTTP API -> log lines. LogQL is built here: matchers of configured labels and one literal line filter, every value
quoted; no text of a caller becomes part of the language.

Shapes follow Loki's API documentation (`query_range`, `series`, `X-Scope-OrgID`). Asked by `search_logs`.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from app.domain.errors import ToolFailure
from app.domain.reason import ErrorClass, Reason
from app.domain.tool import ToolStatus, Window
from app.tools.http_reading import Answer, invalid
from app.tools.log_http import Endpoint, LogHttp, object_of, plain, wrong_query
from app.tools.log_source import LogAnswer, LogLine, LogQuery, split_lines

SOURCE = "Loki"
QUERY, SERIES = "/loki/api/v1/query_range", "/loki/api/v1/series"
LEAST_PAGE = 10
LATEST = 2**63
_LIMIT = re.compile(r"max entries limit.*\(\d+ > (\d+)\)")


@dataclass(frozen=True)
class LokiLabels:
    """What the labels are called here. `service` may be several, separated by `|`: the first that has lines is taken."""

    namespace: str = "namespace"
    service: str = "app|service_name|app_kubernetes_io_name"
    pod: str = "pod"
    container: str = "container"
    node: str = "node"
    unit: str = "unit"


@dataclass(frozen=True)
class LokiConfig:
    """`url` is the base URL without `/loki/api`; `tenant` is sent as X-Scope-OrgID, `token` as a bearer token. `page` is the
    most lines of one request: Loki's own limit is 5,000 unless it was raised. Times in seconds."""

    url: str
    tenant: str = ""
    token: str = ""
    labels: LokiLabels = LokiLabels()
    timeout: float = 8.0
    max_bytes: int = 8 * 1024 * 1024
    page: int = 5_000


@dataclass(frozen=True)
class _Entry:
    """A line as Loki tells entries apart: by time in nanoseconds, stream, text."""

    at: int
    stream: str
    text: str


class LokiClient:
    """A `LogSource`. Made once; `aclose` when done."""

    def __init__(self, config: LokiConfig) -> None:
        self._config = config
        headers = {"X-Scope-OrgID": config.tenant} if config.tenant else {}
        headers |= {"Authorization": f"Bearer {config.token}"} if config.token else {}
        hint = "set the tenant (SRE_AGENT_LOKI_TENANT) or the token (SRE_AGENT_LOKI_TOKEN)"
        self._http = LogHttp(Endpoint(SOURCE, config.url, hint, headers, config.timeout, config.max_bytes))

    async def query(self, query: LogQuery) -> LogAnswer:
        """Needs a window and at least one of the fields that are labels."""
        if query.window is None:
            raise ToolFailure(ErrorClass.CONFIG, Reason.INVALID_ARGUMENTS, "Loki needs a window")
        names = self._config.labels.service.split("|") if query.service else [""]
        asked: tuple[str, ...] = ()
        size = 0
        for name in names:
            selector = _selector(query, replace(self._config.labels, service=name))
            reading = _Pages(query, selector, query.window)
            answer = await self._read(reading)
            asked, size = (*asked, *answer.asked), size + answer.bytes_read
            if answer.lines or answer.status is not ToolStatus.NO_DATA:
                return replace(answer, asked=asked, bytes_read=size)
        return await self._nothing(query, asked, size)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _read(self, pages: "_Pages") -> LogAnswer:
        most = self._config.page
        while pages.wants:
            params = pages.params(min(most, pages.wants))
            got = await self._http.ask("GET", QUERY, params)
            if got.status == 403:
                note = f"missing permission to read {pages.selector} in Loki: {plain(got)}"
                return LogAnswer(pages.asked, (), ToolStatus.DENIED, len(got.body), "", note)
            if got.status == 404:
                raise ToolFailure(ErrorClass.CONFIG, Reason.UNAVAILABLE, f"{SOURCE}: no API at {self._config.url} (404)", 404)
            smaller = _smaller(got, int(params["limit"]))
            if smaller:
                most = smaller
                continue
            pages.take(_streams(got), int(params["limit"]), len(got.body))
            if pages.size >= self._config.max_bytes:
                pages.stop(f"{pages.size} bytes")
        return pages.answer()

    async def _nothing(self, query: LogQuery, asked: tuple[str, ...], size: int) -> LogAnswer:
        """No line: is there such a stream at all? Asked once, of all labels that were tried."""
        assert query.window is not None
        names = self._config.labels.service.split("|")
        selectors = [_selector(replace(query, contains=""), replace(self._config.labels, service=n)) for n in (names if query.service else names[:1])]
        known = False
        try:
            for selector in selectors:
                got = await self._http.ask("GET", SERIES, {"match[]": selector, **_bounds(query.window)})
                known = known or got.status != 200 or bool(_data(got))
        except ToolFailure:  # what was asked for has been answered
            return LogAnswer(asked, (), ToolStatus.NO_DATA, size, "", "no line matches")
        if known:
            return LogAnswer(asked, (), ToolStatus.NO_DATA, size, "", "no line of the stream matches")
        return LogAnswer(asked, (), ToolStatus.NOT_FOUND, size, "", f"Loki has no stream {' or '.join(selectors)} in this window")


class _Pages:
    """Pages of one query. The next begins at the last time of the one before, whose entries are known by then, so that none is
    lost among those of one time."""

    def __init__(self, query: LogQuery, selector: str, window: Window) -> None:
        self.query, self.selector = query, selector
        self.start, self.end = _nanoseconds(window.start), _nanoseconds(window.end) + 1
        self.expression = selector if not query.contains else f"{selector} |= {quoted(query.contains)}"
        self.found: dict[_Entry, str] = {}
        self.size = 0
        self.asked: tuple[str, ...] = ()
        self._ended, self._left, self._repeated = False, "", 0

    @property
    def wants(self) -> int:
        """Lines that the next page should have, those that it repeats included; 0 at the end."""
        return 0 if self._ended else self.query.limit - len(self.found) + self._repeated

    def params(self, limit: int) -> dict[str, str]:
        direction = "backward" if self.query.newest else "forward"
        self.asked = (*self.asked, f"GET {QUERY}?query={self.expression}&start={self.start}&end={self.end}&limit={limit}&direction={direction}")
        return {"query": self.expression, "start": str(self.start), "end": str(self.end), "limit": str(limit), "direction": direction}

    def take(self, entries: dict[_Entry, str], limit: int, size: int) -> None:
        self.size += size
        new = {e: origin for e, origin in entries.items() if e not in self.found}
        self.found |= new
        if len(entries) < limit:
            self._ended = True
        elif not new:
            self.stop("more lines of one moment than a page holds")
        elif self.query.newest:
            self.end = min(e.at for e in entries) + 1
        else:
            self.start = max(e.at for e in entries)
        edge = self.end - 1 if self.query.newest else self.start
        self._repeated = sum(1 for e in self.found if e.at == edge)
        if not self._ended and len(self.found) >= self.query.limit:
            self.stop(f"{self.query.limit} lines")

    def stop(self, why: str) -> None:
        self._ended = True
        self._left = f"cut at {why}: {'older' if self.query.newest else 'newer'} lines left out"

    def answer(self) -> LogAnswer:
        ordered = sorted(self.found, key=lambda e: e.at)
        chosen = ordered[-self.query.limit :] if self.query.newest else ordered[: self.query.limit]
        lines: list[LogLine] = []
        for entry in chosen:
            lines += split_lines(entry.text, datetime.fromtimestamp(entry.at / 1e9, UTC), self.found[entry])
        return LogAnswer(self.asked, tuple(lines), ToolStatus.OK if lines else ToolStatus.NO_DATA, self.size, self._left)


def quoted(text: str) -> str:
    """A LogQL string: Go's rules, of which JSON's are a part."""
    return json.dumps(text, ensure_ascii=False)


def _selector(query: LogQuery, labels: LokiLabels) -> str:
    fields = ("namespace", "service", "pod", "container", "node", "unit")
    matchers = [_matcher(getattr(labels, f), f, getattr(query, f)) for f in fields if getattr(query, f)]
    if not matchers:
        raise ToolFailure(ErrorClass.CONFIG, Reason.INVALID_ARGUMENTS, "Loki needs a namespace, service, pod or node to look for")
    return "{" + ", ".join(matchers) + "}"


def _matcher(label: str, field: str, value: str) -> str:
    """Equality; a unit without a suffix is also the service of that name, as systemctl has it."""
    if field == "unit" and "." not in value:
        return f"{label}=~{quoted(re.escape(value) + r'([.]service)?')}"
    return f"{label}={quoted(value)}"


def _smaller(got: Answer, limit: int) -> int:
    """The page to ask for instead, 0 if the answer can be used. Raises ToolFailure CONFIG for any other 400."""
    if got.status == 400:
        allowed = _LIMIT.search(plain(got))
        if allowed and 0 < int(allowed[1]) < limit:
            return int(allowed[1])
        raise wrong_query(SOURCE, got)
    if not got.cut:
        return 0
    if limit <= LEAST_PAGE:
        raise invalid(SOURCE, f"more than {len(got.body)} bytes for {limit} lines")
    return max(LEAST_PAGE, limit // 5)


def _data(got: Answer) -> Any:
    if got.cut:
        raise invalid(SOURCE, f"more than {len(got.body)} bytes")
    return got.json(SOURCE).get("data")


def _streams(got: Answer) -> dict[_Entry, str]:
    data = object_of(_data(got))
    if data.get("resultType") != "streams" or not isinstance(data.get("result"), list):
        raise invalid(SOURCE, "no streams")
    try:
        return dict(_entries(data["result"]))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise invalid(SOURCE, f"a stream of another shape: {error}") from error


def _entries(streams: list[Any]) -> Iterator[tuple[_Entry, str]]:
    """Values are [nanoseconds as text, line] with structured metadata as a third where there is any."""
    for stream in streams:
        labels = {str(k): str(v) for k, v in stream["stream"].items()}
        key = json.dumps(labels, sort_keys=True)
        names = [labels[n] for n in ("pod", "container", "node", "unit", "host", "filename") if n in labels]
        for value in stream["values"]:
            yield _Entry(_in_range(int(value[0])), key, str(value[1])), "/".join(names) or key


def _in_range(at: int) -> int:
    if not 0 <= at < LATEST:
        raise ValueError(f"{at} is no time in nanoseconds")
    return at


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1_000


def _bounds(window: Window) -> dict[str, str]:
    return {"start": str(_nanoseconds(window.start)), "end": str(_nanoseconds(window.end) + 1)}
