"""The API server as an ASGI application: path -> caller -> right -> answer. Started by `servers.LabServers`, read by the
real tools.

Without `identities` every caller is one reader of what the snapshot read, and every write is refused. With them, roles
decide; what is written stays in this server's memory.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from app.lab.kubernetes import access, discovery
from app.lab.kubernetes.access import Wanted
from app.lab.kubernetes.identities import SNAPSHOT_READER, Identity, authenticated
from app.lab.kubernetes.kinds import Kind
from app.lab.kubernetes.reading import Pause, Reader, answered, refused
from app.lab.kubernetes.status import ApiError, forbidden, method_not_allowed, no_resource
from app.lab.kubernetes.store import ObjectStore
from app.lab.kubernetes.writing import Writer
from app.lab.snapshot import World

Object = dict[str, Any]
_RESOURCE = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<plural>[^/]+)"
    r"(?:/(?P<name>[^/]+))?(?:/(?P<sub>[^/]+))?/?"
)
_REVIEW = re.compile(r"/apis/(?:authorization|authentication)\.k8s\.io/v1/(selfsubject(?:access|rules)?reviews)")
_REVIEWS = {"selfsubjectaccessreviews": "SelfSubjectAccessReview", "selfsubjectrulesreviews": "SelfSubjectRulesReview"}
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class KubernetesApp:
    """Holds one world; give it another with `show`. `identities` maps bearer tokens to callers."""

    def __init__(self, world: World, identities: Mapping[str, Identity] | None = None, pause: Pause = asyncio.sleep) -> None:
        self._identities, self._pause = identities, pause
        self.show(world)

    def show(self, world: World) -> None:
        self._store = ObjectStore(world)
        self._reader, self._writer = Reader(self._store, self._pause), Writer(self._store)

    def compact(self, version: int) -> None:
        """Versions below this one are too old from now on: 410."""
        self._store.oldest = version

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ApiError as error:
            response = refused(error)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        identity = authenticated(request.headers.get("authorization"), self._identities)
        about_itself = self._self_description(request, path)
        if about_itself is not None:
            return about_itself
        if review := _REVIEW.fullmatch(path):
            return await self._review(request, _REVIEWS.get(review[1]), identity)
        match = _RESOURCE.fullmatch(path)
        if match is None:
            return PlainTextResponse("404 page not found\n", 404)
        wanted = _wanted(request, {name: value or "" for name, value in match.groupdict().items()})
        if identity is not SNAPSHOT_READER:
            self._authorize(identity, wanted)
        if not self._store.has_group(wanted.kind.group):
            return PlainTextResponse("404 page not found\n", 404)
        kind = self._store.find(wanted.kind.group, match["version"], wanted.kind.plural)
        if kind is None or (wanted.namespace and not kind.namespaced):
            raise no_resource()
        return await self._resource(request, Wanted(wanted.verb, kind, wanted.namespace, wanted.name, wanted.sub), identity)

    async def _review(self, request: Request, kind: str | None, identity: Identity) -> Response:
        if request.method != "POST":
            raise method_not_allowed()
        if kind is None:
            return answered(access.who_am_i(identity, self._store.world.now), 201)
        return answered(access.review(kind, await request.body(), identity, self._store), 201)

    def _authorize(self, identity: Identity, wanted: Wanted) -> None:
        """A right is asked for before the group is looked up: 403 comes before 404."""
        if not access.may(identity, self._store, wanted):
            raise forbidden(wanted.verb, wanted.kind, wanted.namespace, wanted.name, wanted.sub, identity.user)

    async def _resource(self, request: Request, wanted: Wanted, identity: Identity) -> Response:
        if request.method in ("GET", "HEAD"):
            self._authorize(identity, wanted)
            return self._reader.answer(request, wanted)
        misplaced = bool(wanted.name) and not wanted.sub if wanted.verb == "create" else not wanted.name
        if request.method not in _VERBS or (misplaced and wanted.verb != "deletecollection"):
            raise method_not_allowed()
        self._authorize(identity, wanted)
        return await self._writer.answer(request, wanted)

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
        return None if found is None else answered(found)

    def _group(self, group: str, version: str) -> Object | None:
        known = discovery.group(group, self._store.kinds) if group else None
        if group and (known is None or not version):
            return known
        found = discovery.resources(group, version, self._store.kinds)
        if not found["resources"]:
            raise no_resource()
        return found


def _wanted(request: Request, parts: dict[str, str]) -> Wanted:
    """The deed that a request is, its kind perhaps unknown."""
    name = parts["name"]
    if request.method in ("GET", "HEAD"):
        watched = request.query_params.get("watch", "").lower() in ("true", "1")
        verb = "get" if name else "watch" if watched else "list"
    else:
        verb = _VERBS.get(request.method, "")
        if verb == "delete" and not name:
            verb = "deletecollection"
    return Wanted(verb, Kind("", parts["group"], parts["version"], parts["plural"]), parts["namespace"], name, parts["sub"])
