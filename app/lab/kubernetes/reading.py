"""Reads of one resource: list, page, table, watch, object, log, scale. Called by the server when the caller may."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.lab.kubernetes import logs, pages, selectors, tables
from app.lab.kubernetes.access import Wanted
from app.lab.kubernetes.kinds import Kind
from app.lab.kubernetes.scale import SCALED, scale
from app.lab.kubernetes.status import ApiError, bad_request, expired, from_the_future, no_resource, not_acceptable, not_found
from app.lab.kubernetes.store import ObjectStore

Object = dict[str, Any]
Pause = Callable[[float], Awaitable[None]]
NO_CACHE = {"Cache-Control": "no-cache, private"}


class Reader:
    """Answers from one store. `pause` waits for seconds: how long a watch stays silent."""

    def __init__(self, store: ObjectStore, pause: Pause) -> None:
        self._store, self._pause = store, pause

    def answer(self, request: Request, wanted: Wanted) -> Response:
        _check_accept(request)
        if wanted.verb == "watch":
            return self._watch(request, wanted)
        if wanted.verb == "list":
            return self._list(request, wanted)
        kind = wanted.kind
        item = self._store.get(kind, wanted.namespace, wanted.name)
        if item is None:
            raise not_found(kind, wanted.name)
        if wanted.sub == "log" and kind.kind == "Pod":
            return self._log(request, item)
        if wanted.sub == "scale" and kind.kind in SCALED:
            return answered(scale(item))
        if wanted.sub not in ("", "status"):
            raise no_resource()
        return answered(tables.metadata_only(item) if _form(request) == "PartialObjectMetadata" else complete(kind, item))

    def _selected(self, request: Request, wanted: Wanted) -> tuple[list[Object], bool]:
        """-> (items that the selectors want, whether there was a selector)."""
        labels, fields = request.query_params.get("labelSelector", ""), request.query_params.get("fieldSelector", "")
        items = self._store.items(wanted.kind, wanted.namespace)
        if labels:
            chosen = selectors.by_labels(labels)
            items = [i for i in items if chosen(i)]
        if fields:
            chosen = selectors.by_fields(fields, wanted.kind)
            items = [i for i in items if chosen(i)]
        return items, bool(labels or fields)

    def _list(self, request: Request, wanted: Wanted) -> Response:
        query = request.query_params
        self._check_version(query.get("resourceVersion") or "0", query.get("resourceVersionMatch", ""))
        items, selected = self._selected(request, wanted)
        limit = query.get("limit") or "0"
        if not limit.lstrip("-").isdigit():
            raise bad_request(f'strconv.ParseInt: parsing "{limit}": invalid syntax')
        listed = pages.Listed(items, wanted.namespace, selected, self._store.version, self._store.oldest)
        shown, meta = pages.page(listed, max(0, int(limit)), query.get("continue", ""))
        kind, form = wanted.kind, _form(request)
        if form == "Table":
            return answered(tables.table(kind, shown, meta, self._store.world.now, query.get("includeObject", "Metadata")))
        if form == "PartialObjectMetadataList":
            found = [tables.metadata_only(i) for i in shown]
            return answered({"kind": form, "apiVersion": "meta.k8s.io/v1", "metadata": meta, "items": found})
        return answered({"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": meta, "items": [bare(i) for i in shown]})

    def _check_version(self, text: str, match: str) -> None:
        if not text.isdigit():
            raise bad_request(f'strconv.ParseUint: parsing "{text}": invalid syntax')
        if int(text) > self._store.version:
            raise from_the_future(int(text), self._store.version)
        if match == "Exact" and int(text) < self._store.oldest:
            raise expired("The resourceVersion for the provided list is too old.")

    def _watch(self, request: Request, wanted: Wanted) -> Response:
        """The present objects, unless a version is given, then silence until `timeoutSeconds`."""
        version, store = request.query_params.get("resourceVersion") or "0", self._store
        items = self._selected(request, wanted)[0] if version == "0" else []
        seconds = float(request.query_params.get("timeoutSeconds") or 1800)
        too_old = 0 < int(version) < store.oldest
        error = expired(f"too old resource version: {version} ({store.oldest})").body()

        async def lines() -> AsyncIterator[bytes]:
            if too_old:
                yield _line("ERROR", error)
                return
            for item in items:
                yield _line("ADDED", complete(wanted.kind, item))
            await self._pause(seconds)

        return StreamingResponse(lines(), media_type="application/json", headers=NO_CACHE)

    def _log(self, request: Request, pod: Object) -> Response:
        world = self._store.world
        body = logs.answer(world, pod, logs.options(pod["metadata"]["name"], request.query_params, world.now))
        if body is None:
            return Response(status_code=204, headers=NO_CACHE)
        return Response(body, headers=NO_CACHE | {"content-type": "text/plain"})


def _form(request: Request) -> str:
    """What the Accept header's first choice turns an object or a list into, "" for nothing."""
    found = re.search(r"as=(\w+)", request.headers.get("accept", "").split(",")[0])
    return found[1] if found else ""


def _check_accept(request: Request) -> None:
    if not re.search(r"\*/\*|application/(json|\*)", request.headers.get("accept", "*/*")):
        raise not_acceptable()


def _line(type_: str, item: Object) -> bytes:
    return json.dumps({"type": type_, "object": item}, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def bare(item: Object) -> Object:
    """An object as it stands in a list: without kind and apiVersion."""
    return {name: value for name, value in item.items() if name not in ("kind", "apiVersion")}


def complete(kind: Kind, item: Object) -> Object:
    return {"kind": kind.kind, "apiVersion": kind.api_version} | bare(item)


def answered(body: Object, code: int = 200, headers: dict[str, str] | None = None) -> Response:
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return Response(text.encode(), code, media_type="application/json", headers=NO_CACHE | (headers or {}))


def refused(error: ApiError) -> Response:
    return answered(error.body(), error.code, error.headers())
