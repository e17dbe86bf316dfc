"""The API server as an ASGI application: path -> answer. Started by `servers.LabServers`, read by the real tools.

Differences from the real one are known: every caller is one read-only user, nothing is ever written, no expiry of
versions, no Table form.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from app.lab.kubernetes import access, discovery, logs, pages, selectors
from app.lab.kubernetes.kinds import Kind
from app.lab.kubernetes.status import ApiError, bad_request, forbidden, method_not_allowed, no_resource, not_acceptable, not_found
from app.lab.kubernetes.store import ObjectStore
from app.lab.snapshot import World

Object = dict[str, Any]
_RESOURCE = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<plural>[^/]+)"
    r"(?:/(?P<name>[^/]+))?(?:/(?P<sub>[^/]+))?/?"
)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NO_CACHE = {"Cache-Control": "no-cache, private"}


class KubernetesApp:
    """Holds one world; give it another with `show`."""

    def __init__(self, world: World) -> None:
        self.show(world)

    def show(self, world: World) -> None:
        self._store = ObjectStore(world)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ApiError as error:
            response = _json(error.body(), error.code)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        about_itself = self._self_description(request, path)
        if about_itself is not None:
            return about_itself
        if path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews":
            if request.method != "POST":
                raise method_not_allowed()
            return _json(access.review(await request.body(), self._store), 201)
        match = _RESOURCE.fullmatch(path)
        group = (match["group"] or "") if match else ""
        if match is None or not self._store.has_group(group):
            return PlainTextResponse("404 page not found\n", 404)
        kind = self._store.find(group, match["version"], match["plural"])
        if kind is None or (match["namespace"] and not kind.namespaced):
            raise no_resource()
        return self._resource(request, kind, match["namespace"] or "", match["name"] or "", match["sub"] or "")

    def _self_description(self, request: Request, path: str) -> Response | None:
        plain = path.rstrip("/") or "/"
        if plain in ("/healthz", "/readyz", "/livez"):
            return PlainTextResponse("ok")
        found: Object | None = None
        if plain == "/version":
            found = discovery.VERSION
        elif plain == "/api":
            found = discovery.core_versions(request.url.netloc)
        elif plain == "/apis":
            found = discovery.groups(self._store.kinds)
        elif match := re.fullmatch(r"/apis/([^/]+)(?:/([^/]+))?|/api/(v1)", plain):
            found = self._group(match[1] or "", match[2] or match[3] or "")
        return None if found is None else _json(found)

    def _group(self, group: str, version: str) -> Object | None:
        known = discovery.group(group, self._store.kinds) if group else None
        if group and (known is None or not version):
            return known
        found = discovery.resources(group, version, self._store.kinds)
        if not found["resources"]:
            raise no_resource()
        return found

    def _resource(self, request: Request, kind: Kind, namespace: str, name: str, sub: str) -> Response:
        if request.method not in ("GET", "HEAD"):
            self._refuse_write(request.method, kind, namespace, name, sub)
        verb = "get" if name else "watch" if _flag(request, "watch") else "list"
        if not access.may(self._store, verb, kind, sub):
            raise forbidden(verb, kind, namespace, name, sub)
        _check_accept(request)
        if not name:
            return self._watch(request, kind, namespace) if verb == "watch" else self._list(request, kind, namespace)
        item = self._store.get(kind, namespace, name)
        if item is None:
            raise not_found(kind, name)
        if sub == "log" and kind.kind == "Pod":
            return self._log(request, item)
        if sub == "scale" and kind.kind in ("Deployment", "ReplicaSet", "StatefulSet"):
            return _json(_scale(item))
        if sub not in ("", "status"):
            raise no_resource()
        return _json({"kind": kind.kind, "apiVersion": kind.api_version} | _bare(item))

    def _refuse_write(self, method: str, kind: Kind, namespace: str, name: str, sub: str) -> None:
        verb = _VERBS.get(method)
        if verb is None or (method == "POST" and name and not sub) or (method in ("PUT", "PATCH") and not name):
            raise method_not_allowed()
        raise forbidden(verb if name or method != "DELETE" else "deletecollection", kind, namespace, name, sub)

    def _selected(self, request: Request, kind: Kind, namespace: str) -> tuple[list[Object], bool]:
        """-> (items that the selectors want, whether there was a selector)."""
        labels, fields = request.query_params.get("labelSelector", ""), request.query_params.get("fieldSelector", "")
        items = self._store.items(kind, namespace)
        if labels:
            wanted = selectors.by_labels(labels)
            items = [i for i in items if wanted(i)]
        if fields:
            wanted = selectors.by_fields(fields, kind)
            items = [i for i in items if wanted(i)]
        return items, bool(labels or fields)

    def _list(self, request: Request, kind: Kind, namespace: str) -> Response:
        items, selected = self._selected(request, kind, namespace)
        limit = request.query_params.get("limit") or "0"
        if not limit.lstrip("-").isdigit():
            raise bad_request(f'strconv.ParseInt: parsing "{limit}": invalid syntax')
        token = request.query_params.get("continue", "")
        shown, meta = pages.page(pages.Listed(items, namespace, selected, self._store.version), max(0, int(limit)), token)
        if "as=PartialObjectMetadataList" in request.headers.get("accept", ""):
            found = [{"metadata": i["metadata"]} for i in shown]
            return _json({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "items": found})
        return _json({"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": meta, "items": [_bare(i) for i in shown]})

    def _watch(self, request: Request, kind: Kind, namespace: str) -> Response:
        """The present objects, unless a version is given, then silence until `timeoutSeconds`."""
        items = [] if request.query_params.get("resourceVersion") else self._selected(request, kind, namespace)[0]
        seconds = float(request.query_params.get("timeoutSeconds") or 1800)

        async def lines() -> AsyncIterator[bytes]:
            for item in items:
                shown = {"kind": kind.kind, "apiVersion": kind.api_version} | _bare(item)
                yield json.dumps({"type": "ADDED", "object": shown}, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
            await asyncio.sleep(seconds)

        return StreamingResponse(lines(), media_type="application/json", headers=_NO_CACHE)

    def _log(self, request: Request, pod: Object) -> Response:
        world = self._store.world
        body = logs.answer(world, pod, logs.options(pod["metadata"]["name"], request.query_params, world.now))
        if body is None:
            return Response(status_code=204, headers=_NO_CACHE)
        return Response(body, headers=_NO_CACHE | {"content-type": "text/plain"})


def _flag(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() in ("true", "1")


def _check_accept(request: Request) -> None:
    accept = request.headers.get("accept", "*/*")
    if not re.search(r"\*/\*|application/(json|\*)", accept):
        raise not_acceptable()


def _bare(item: Object) -> Object:
    """An object as it stands in a list: without kind and apiVersion."""
    return {name: value for name, value in item.items() if name not in ("kind", "apiVersion")}


def _scale(item: Object) -> Object:
    meta = {n: v for n, v in item["metadata"].items() if n in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")}
    labels = item.get("spec", {}).get("selector", {}).get("matchLabels") or {}
    status = {"replicas": item.get("status", {}).get("replicas", 0), "selector": ",".join(f"{k}={v}" for k, v in sorted(labels.items()))}
    spec = {"replicas": item.get("spec", {}).get("replicas", 0)}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta, "spec": spec, "status": status}


def _json(body: Object, code: int = 200) -> Response:
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return Response(text.encode(), code, media_type="application/json", headers=_NO_CACHE)
