"""Elasticsearch or OpenSearch -> log lines: `_search` on the indices of a service, a range on the time, sorted by it (requirement
TOOL-15), `search_after` from page to page. Field names are those of ECS unless configured otherwise. Asked by `search_logs`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from app.domain.errors import ToolFailure
from app.domain.frozen import JsonObject, iso
from app.domain.log_times import moment_of
from app.domain.reason import ErrorClass, Reason
from app.domain.tool import ToolStatus
from app.tools.http_reading import Answer, invalid
from app.tools.log_http import Endpoint, LogHttp, object_of, plain, wrong_query
from app.tools.log_source import MAX_LINES, LogAnswer, LogLine, LogQuery, split_lines

SOURCE = "Elasticsearch"
LEAST_PAGE = 10
_IN_AN_INDEX = re.compile(r"[a-z0-9][a-z0-9._-]*")  # nothing that could name another index, a list, or another cluster


@dataclass(frozen=True)
class ElasticsearchFields:
    """Names of the fields, ECS by default; Fluent Bit, for one, writes `kubernetes.pod_name`. Fields that are compared must be
    of type keyword (or name its `.keyword` part)."""

    time: str = "@timestamp"
    message: str = "message"
    namespace: str = "kubernetes.namespace"
    service: str = "service.name"
    pod: str = "kubernetes.pod.name"
    container: str = "kubernetes.container.name"
    node: str = "kubernetes.node.name"
    unit: str = "systemd.unit"


@dataclass(frozen=True)
class ElasticsearchConfig:
    """`index` is the pattern of the indices; `{service}` in it stands for the service. `api_key` is sent as `ApiKey`. `page` is
    the size of one request, at most the index's `max_result_window` (10,000). Times in seconds."""

    url: str
    index: str = "logs-{service}-*"
    api_key: str = ""
    fields: ElasticsearchFields = ElasticsearchFields()
    timeout: float = 8.0
    max_bytes: int = 16 * 1024 * 1024
    page: int = MAX_LINES


class ElasticsearchClient:
    """A `LogSource`. Made once; `aclose` when done."""

    def __init__(self, config: ElasticsearchConfig) -> None:
        self._config = config
        headers = {"Authorization": f"ApiKey {config.api_key}"} if config.api_key else {}
        hint = "set the key (SRE_AGENT_ELASTICSEARCH_API_KEY)"
        self._http = LogHttp(Endpoint(SOURCE, config.url, hint, headers, config.timeout, config.max_bytes))

    async def query(self, query: LogQuery) -> LogAnswer:
        """Needs a window and a service, namespace, pod or node."""
        if query.window is None or not (query.service or query.namespace or query.pod or query.node):
            raise ToolFailure(ErrorClass.CONFIG, Reason.INVALID_ARGUMENTS, "Elasticsearch needs a window, and a service, namespace, pod or node")
        config, pages = self._config, _Pages(query, self._config)
        path = f"/{quote(pages.index, safe='*,:')}/_search"
        most = min(config.page, MAX_LINES)
        while pages.wants:
            body = pages.body(min(most, pages.wants))
            got = await self._http.ask("POST", path, {"ignore_unavailable": "true", "allow_no_indices": "true"}, body)
            if got.status == 403:
                note = f"missing permission: read on index {pages.index}: {plain(got)}"
                return LogAnswer(pages.asked, (), ToolStatus.DENIED, len(got.body), "", note)
            if got.status == 404:
                return LogAnswer(pages.asked, (), ToolStatus.NOT_FOUND, len(got.body), "", f"no index {pages.index}: {plain(got)}")
            if got.status == 400:
                raise wrong_query(SOURCE, got)
            if got.cut:
                if body["size"] <= LEAST_PAGE:
                    raise invalid(SOURCE, f"more than {len(got.body)} bytes for {body['size']} lines")
                most = max(LEAST_PAGE, body["size"] // 5)
                continue
            pages.take(got, body["size"])
            if pages.size >= config.max_bytes:
                pages.stop(f"{pages.size} bytes")
        return pages.answer()

    async def aclose(self) -> None:
        await self._http.aclose()


class _Pages:
    """Pages of one query. Without a point in time there is no tie-breaker that all versions allow, so `search_after` steps back by
    the smallest unit, and what comes twice is known by its index and id."""

    def __init__(self, query: LogQuery, config: ElasticsearchConfig) -> None:
        self._query, self._names = query, config.fields
        named = query.service.lower() if _IN_AN_INDEX.fullmatch(query.service.lower()) else ""
        self.index = config.index.replace("{service}", named or "*")
        self._named = bool(named) and "{service}" in config.index
        self.found: dict[tuple[str, str], tuple[Any, JsonObject]] = {}
        self.size, self.total = 0, 0
        self.asked: tuple[str, ...] = ()
        self._after: Any = None
        self._ended, self._left, self._notes, self._repeated = False, "", list[str](), 0
        self._no_index = False

    @property
    def wants(self) -> int:
        """Lines that the next page should have, those that it repeats included; 0 at the end."""
        return 0 if self._ended else self._query.limit - len(self.found) + self._repeated

    def body(self, size: int) -> JsonObject:
        names, order = self._names, "desc" if self._query.newest else "asc"
        body: JsonObject = {
            "size": size,
            "query": {"bool": {"filter": list(self._filters())}},
            "sort": [{names.time: {"order": order}}],
            "track_total_hits": True,
            "_source": sorted({getattr(names, f) for f in ("time", "message", "namespace", "pod", "container", "node", "unit", "service")}),
        }
        if self._after is not None:
            body["search_after"] = [self._after]
        narrowed = " ".join(f"{f}={getattr(self._query, f)}" for f in ("namespace", "service", "pod", "container", "node", "unit", "contains"))
        told = " ".join(part for part in narrowed.split(" ") if not part.endswith("="))
        after = f" search_after {self._after}" if self._after is not None else ""
        self.asked = (*self.asked, f"POST /{self.index}/_search size={size} sort={names.time}:{order} {self._span()} {told}{after}")
        return body

    def _span(self) -> str:
        assert self._query.window is not None
        return f"{iso(self._query.window.start)}..{iso(self._query.window.end)}"

    def _filters(self) -> Iterator[JsonObject]:
        query, names = self._query, self._names
        assert query.window is not None
        start, end = iso(query.window.start), iso(query.window.end)
        yield {"range": {names.time: {"gte": start, "lte": end, "format": "strict_date_optional_time"}}}
        for field in ("namespace", "pod", "container", "node"):
            if getattr(query, field):
                yield {"term": {getattr(names, field): getattr(query, field)}}
        if query.unit:  # without a suffix it is also the service of that name, as systemctl has it
            yield {"terms": {names.unit: [query.unit, f"{query.unit}.service"]}} if "." not in query.unit else {"term": {names.unit: query.unit}}
        if query.service:
            same = {"term": {names.service: query.service}}
            unsaid = {"bool": {"must_not": {"exists": {"field": names.service}}}}
            # `logs-cart-*` are also the indices of cart-db: a line that names its service must name this one
            yield {"bool": {"should": [same, unsaid], "minimum_should_match": 1}} if self._named else same
        if query.contains:
            yield {"match_phrase": {names.message: {"query": query.contains, "zero_terms_query": "all"}}}

    def take(self, got: Answer, size: int) -> None:
        told = got.json(SOURCE)
        self.size += len(got.body)
        hits, shards = object_of(told.get("hits")), object_of(told.get("_shards"))
        rows = hits.get("hits")
        if not isinstance(rows, list):
            raise invalid(SOURCE, "no list of hits")
        total = hits.get("total")
        self.total = max(self.total, int(object_of(total).get("value") or 0) if isinstance(total, dict) else int(total or 0))
        self._no_index = shards.get("total") == 0
        if told.get("timed_out") or shards.get("failed"):
            self._notes.append(f"{shards.get('failed') or 'some'} of {shards.get('total')} shards did not answer: lines may be missing")
        try:
            new = {(str(r["_index"]), str(r["_id"])): (r["sort"][0], object_of(r["_source"])) for r in rows}
            self._next(new, len(rows) < size)
        except (KeyError, TypeError, IndexError) as error:
            raise invalid(SOURCE, f"a hit of another shape: {error}") from error

    def _next(self, page: dict[tuple[str, str], tuple[Any, JsonObject]], last: bool) -> None:
        before = len(self.found)
        self.found |= page
        if last:
            self._ended = True
            return
        edge = next(reversed(page.values()))[0]
        if len(self.found) >= self._query.limit:
            self.stop(f"{self._query.limit} lines")
        elif len(self.found) == before:
            self.stop("more lines of one moment than a page holds")
        self._after = edge + (1 if self._query.newest else -1)
        self._repeated = sum(1 for at, _ in self.found.values() if at == edge)

    def stop(self, why: str) -> None:
        self._ended = True
        self._left = f"cut at {why}: {len(self.found)} of {self.total} entries read, the {'older' if self._query.newest else 'newer'} left out"

    def answer(self) -> LogAnswer:
        note = "; ".join(dict.fromkeys(self._notes))
        if not self.found:
            status = ToolStatus.NOT_FOUND if self._no_index else ToolStatus.NO_DATA
            why = f"no index matches {self.index}" if self._no_index else "no line matches"
            return LogAnswer(self.asked, (), status, self.size, "", "; ".join(n for n in (why, note) if n))
        ordered = sorted(self.found.values(), key=lambda entry: entry[0])
        chosen = ordered[-self._query.limit :] if self._query.newest else ordered[: self._query.limit]
        lines = tuple(line for _, source in chosen for line in self._lines(source) if self._query.contains in line.text)
        return LogAnswer(self.asked, lines, ToolStatus.OK if lines else ToolStatus.NO_DATA, self.size, self._left, note)

    def _lines(self, source: JsonObject) -> list[LogLine]:
        names = self._names
        found = {f: at_path(source, getattr(names, f)) for f in ("time", "message", "pod", "container", "node", "unit", "service")}
        if not isinstance(found["message"], str):
            return []
        return split_lines(
            found["message"], _moment(found["time"]), "/".join(str(found[f]) for f in ("pod", "container", "node", "unit") if found[f])
        )


def at_path(source: JsonObject, path: str) -> Any:
    """`a.b.c` in nested objects, in a flat key, or in any mixture of both; a part `.keyword` is only in the mapping."""
    path = path.removesuffix(".keyword")
    if path in source:
        return source[path]
    parts = path.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        inner = source.get(".".join(parts[:cut]))
        if isinstance(inner, dict):
            found = at_path(inner, ".".join(parts[cut:]))
            if found is not None:
                return found
    return None


def _moment(value: Any) -> datetime | None:
    if isinstance(value, str):
        return moment_of(value)
    if isinstance(value, int | float) and 0 <= value < 1e14:
        return datetime.fromtimestamp(value / 1000, UTC)
    return None
