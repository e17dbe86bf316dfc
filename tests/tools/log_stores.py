"""Log stores for tests, on loopback: Loki as its API documentation says, and the part of Elasticsearch that a search needs."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tests.tools.servers import Asked, Handler, Reply, reply

START = 1_767_258_000  # 2026-01-01T09:00:00Z, an hour before the time of the tests


def loki(streams: Sequence[tuple[dict[str, str], Sequence[tuple[int, str]]]], most: int = 5_000, tenant: str = "") -> Handler:
    """Streams of (labels, [(nanoseconds, line)]). A limit over `most` is refused as Loki refuses it; start counts, end does not."""

    def handle(asked: Asked) -> Reply:
        if tenant and asked.headers.get("x-scope-orgid") != tenant:
            return Reply(401, b"no org id\n", {"Content-Type": "text/plain"})
        selector = asked.one("query") or asked.one("match[]")
        matchers = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', selector.split("}")[0]))
        literal = re.search(r'\|= ("(?:[^"\\]|\\.)*")$', selector)
        wanted = json.loads(literal[1]) if literal else ""
        fitting = [(labels, entries) for labels, entries in streams if all(labels.get(k) == json.loads(f'"{v}"') for k, v in matchers.items())]
        if asked.path.endswith("/series"):
            return reply({"status": "success", "data": [labels for labels, _ in fitting]})
        limit, start, end = int(asked.one("limit")), int(asked.one("start")), int(asked.one("end"))
        if limit > most:
            refusal = f"max entries limit per query exceeded, limit > max_entries_limit_per_query ({limit} > {most})"
            return Reply(400, refusal.encode(), {"Content-Type": "text/plain"})
        found = [(at, line, labels) for labels, entries in fitting for at, line in entries if start <= at < end and wanted in line]
        found.sort(key=lambda f: f[0], reverse=asked.one("direction") == "backward")
        grouped: dict[str, list[list[str]]] = {}
        for at, line, labels in found[:limit]:
            grouped.setdefault(json.dumps(labels), []).append([str(at), line])
        result = [{"stream": json.loads(labels), "values": values} for labels, values in grouped.items()]
        return reply({"status": "success", "data": {"resultType": "streams", "result": result, "stats": {}}})

    return handle


def elasticsearch(indices: Mapping[str, Sequence[dict[str, Any]]], key: str = "") -> Handler:
    """Documents by index, `@timestamp` in milliseconds since 1970 for sorting. Understands bool, term, terms, range, exists, match_phrase."""

    def handle(asked: Asked) -> Reply:
        if key and asked.headers.get("authorization") != f"ApiKey {key}":
            return reply({"error": {"type": "security_exception", "reason": "missing authentication credentials"}, "status": 401}, 401)
        body, pattern = json.loads(asked.body), asked.path.split("/")[1]
        names = [n for n in indices if re.fullmatch(pattern.replace("*", ".*"), n)]
        [(field, how)] = body["sort"][0].items()
        rows = [(d[field], name, str(i), d) for name in names for i, d in enumerate(indices[name]) if _fits(d, body["query"])]
        rows.sort(key=lambda r: r[0], reverse=how["order"] == "desc")
        after = body.get("search_after")
        if after:
            rows = [r for r in rows if (r[0] < after[0] if how["order"] == "desc" else r[0] > after[0])]
        hits = [{"_index": r[1], "_id": r[2], "_source": r[3], "sort": [r[0]]} for r in rows[: body["size"]]]
        shards = {"total": len(names), "successful": len(names), "failed": 0}
        return reply({"took": 1, "timed_out": False, "_shards": shards, "hits": {"total": {"value": len(rows), "relation": "eq"}, "hits": hits}})

    return handle


def _fits(document: dict[str, Any], query: dict[str, Any]) -> bool:
    [(kind, told)] = query.items()
    if kind == "bool":
        wanted = all(_fits(document, q) for q in told.get("filter", []))
        some = any(_fits(document, q) for q in told["should"]) if "should" in told else True
        return wanted and some and not ("must_not" in told and _fits(document, told["must_not"]))
    if kind == "exists":
        return told["field"] in document
    [(field, value)] = told.items()
    if kind == "match_phrase":
        return all(word.lower() in document[field].lower() for word in re.findall(r"\w+", value["query"]))
    if kind == "terms":
        return document.get(field) in value
    return kind == "range" or document.get(field) == value
