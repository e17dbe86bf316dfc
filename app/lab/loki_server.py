"""Loki's query API over the unit logs of a world (`kube-system/<node>/<unit>` -> `{node, unit}`). Log queries only:
a stream selector and line filters. Its shapes follow Loki's API documentation. Started by `servers.LabServers`."""

import json
import re
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from app.lab import times
from app.lab.snapshot import World

Labels = dict[str, str]
_QUERY = re.compile(r"\s*\{(?P<selector>[^}]*)\}(?P<filters>.*)", re.DOTALL)
_TEXT = r'(?:"(?:[^"\\]|\\.)*"|`[^`]*`)'
_MATCHER = re.compile(rf"\s*([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*({_TEXT})\s*(,|$)")
_FILTER = re.compile(rf"\s*(\|=|!=|\|~|!~)\s*({_TEXT})\s*")
HOUR_NS = 3_600_000_000_000


class LogqlError(ValueError):
    """The query is not one that this server understands."""


class LokiApp:
    """Holds one world."""

    def __init__(self, world: World) -> None:
        self.show(world)

    def show(self, world: World) -> None:
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            data = self._data(request)
        except LogqlError as error:
            response: Response = PlainTextResponse(str(error) + "\n", 400)
        else:
            response = PlainTextResponse("404 page not found\n", 404) if data is None else _json(data)
        await response(scope, receive, send)

    def _data(self, request: Request) -> Any:
        path, query = request.url.path, request.query_params
        if path == "/ready":
            return "ready"
        if path in ("/loki/api/v1/query_range", "/loki/api/v1/query"):
            now = int(self._world.now.timestamp() * 1e9)
            end = _nanoseconds(query.get("end") or query.get("time"), now)
            start = _nanoseconds(query.get("start"), end - HOUR_NS)
            backward = query.get("direction", "backward").lower() != "forward"
            result = self._streams(query.get("query", ""), (start, end), int(query.get("limit") or 100), backward)
            return {"status": "success", "data": {"resultType": "streams", "result": result, "stats": {}}}
        if path == "/loki/api/v1/labels":
            return {"status": "success", "data": sorted({name for labels, _ in self._units() for name in labels})}
        if match := re.fullmatch(r"/loki/api/v1/label/(\w+)/values", path):
            return {"status": "success", "data": sorted({labels[match[1]] for labels, _ in self._units() if match[1] in labels})}
        return None

    def _units(self) -> list[tuple[Labels, str]]:
        nodes = {n["metadata"]["name"] for n in self._world.objects.get("Node", [])}
        keys = [(key, key.split("/", 2)) for key in sorted(self._world.logs) if key.startswith("kube-system/")]
        return [({"node": parts[1], "unit": parts[2]}, self._world.logs[key]) for key, parts in keys if len(parts) == 3 and parts[1] in nodes]

    def _streams(self, query: str, span: tuple[int, int], limit: int, backward: bool) -> list[dict[str, Any]]:
        wants_stream, wants_line = parse(query)
        found: list[tuple[int, str, int]] = []
        units = [(labels, text) for labels, text in self._units() if wants_stream(labels)]
        for place, (_, text) in enumerate(units):
            for line in text.splitlines():
                said = times.of_line(line, self._world.now) or self._world.now
                moment = min(said, self._world.now)  # a time without a zone may be local; nothing was received later than now
                at = int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000
                if span[0] <= at <= span[1] and wants_line(line):
                    found.append((at, line, place))
        found.sort(key=lambda e: e[0], reverse=backward)
        streams: dict[int, list[list[str]]] = {}
        for at, line, place in found[:limit]:
            streams.setdefault(place, []).append([str(at), line])
        return [{"stream": units[place][0], "values": values} for place, values in streams.items()]


def parse(query: str) -> tuple[Callable[[Labels], bool], Callable[[str], bool]]:
    """`{a="b", c=~"d|e"} |= "text" !~ "regex"` -> (wants a stream, wants a line). Raises LogqlError."""
    match = _QUERY.fullmatch(query)
    if match is None:
        raise LogqlError("parse error at line 1, col 1: syntax error: unexpected IDENTIFIER")
    matchers = _all(_MATCHER, match["selector"])
    if not matchers:
        raise LogqlError("parse error : queries require at least one regexp or equality matcher that does not have an empty-compatible value")
    tests = [(m[1], _test(m[2], _unquoted(m[3]), whole=True)) for m in matchers]
    lines = [_test(m[1], _unquoted(m[2]), whole=False) for m in _all(_FILTER, match["filters"])]
    return lambda labels: all(test(labels.get(name, "")) for name, test in tests), lambda line: all(test(line) for test in lines)


def _all(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    found, at = [], 0
    while at < len(text.rstrip()):
        match = pattern.match(text, at)
        if match is None:
            raise LogqlError(f"parse error at line 1, col {at + 1}: syntax error near {text[at : at + 20]!r}")
        found.append(match)
        at = match.end()
    return found


def _test(op: str, value: str, whole: bool) -> Callable[[str], bool]:
    if op.endswith("~"):
        try:
            pattern = re.compile(value)
        except re.error as error:
            raise LogqlError(f"error parsing regexp: {error}") from error
        find = pattern.fullmatch if whole else pattern.search
        return lambda text: (find(text) is not None) is (op[0] != "!")
    if whole:
        return lambda text: (text == value) is (op != "!=")
    return lambda text: (value in text) is (op != "!=")


def _unquoted(text: str) -> str:
    return text[1:-1] if text[0] == "`" else str(json.loads(text))


def _nanoseconds(text: str | None, default: int) -> int:
    """Nanoseconds, seconds with a fraction, or RFC 3339."""
    if not text:
        return default
    try:
        if re.fullmatch(r"-?\d+(\.\d+)?", text):
            return int(text) if "." not in text and len(text) > 12 else int(float(text) * 1e9)
        return int(times.parse(text).timestamp() * 1e9)
    except ValueError as error:
        raise LogqlError(f"could not parse {text!r} as a time") from error


def _json(data: Any) -> Response:
    if isinstance(data, str):
        return PlainTextResponse(data + "\n")
    return Response(json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode(), media_type="application/json")
