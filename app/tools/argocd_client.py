"""Argo CD's API -> Applications, trimmed to what says whether they are delivered. Asked by `check_argocd`.

Shapes follow Argo CD's API documentation (`ApplicationService.List`, `v1alpha1.Application`), not a real server. It has no
paging: a list that is too long is refused with what to set.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.domain.errors import ToolFailure
from app.domain.frozen import JsonObject
from app.domain.reason import ErrorClass, Reason
from app.domain.tool import ToolStatus
from app.tools.http_reading import Answer, invalid
from app.tools.log_http import Endpoint, LogHttp, object_of, plain, wrong_query

SOURCE = "Argo CD"
PATH = "/api/v1/applications"
MAX_RESOURCES = 200
MAX_HISTORY = 30
_STATE = ("phase", "message", "startedAt", "finishedAt", "retryCount")
_RESULT = ("group", "kind", "namespace", "name", "status", "message", "hookPhase", "syncPhase")


@dataclass(frozen=True)
class ArgoConfig:
    """`url` is the base URL of the API server, `token` a bearer token that may `get` applications. `projects` narrow what is
    listed. `service_key` is the label or annotation of an Application that names its service; without it an Application is found
    by its own name or by what it manages. `authorities` is a PEM file for the server's certificate. Times in seconds."""

    url: str
    token: str = ""
    projects: tuple[str, ...] = ()
    service_key: str = ""
    authorities: str = ""
    timeout: float = 8.0
    max_bytes: int = 16 * 1024 * 1024


@dataclass(frozen=True)
class Applications:
    """`status` is OK or DENIED; then `note` names the missing right."""

    asked: str
    items: tuple[JsonObject, ...] = ()
    bytes_read: int = 0
    status: ToolStatus = ToolStatus.OK
    note: str = ""


class ArgoClient:
    """Made once; `aclose` when done. Raises ToolFailure: CONFIG for credentials and an address without this API, TRANSIENT for
    429, 5xx and the network, EXTERNAL for garbage."""

    def __init__(self, config: ArgoConfig) -> None:
        self._config = config
        headers = {"Authorization": f"Bearer {config.token}"} if config.token else {}
        hint = "set a token that may get applications (SRE_AGENT_ARGOCD_TOKEN)"
        self._http = LogHttp(Endpoint(SOURCE, config.url, hint, headers, config.timeout, config.max_bytes, authorities=config.authorities))

    @property
    def service_key(self) -> str:
        return self._config.service_key

    async def applications(self, name: str = "") -> Applications:
        """Those of exactly that name, or all of them, in order of namespace and name."""
        params: dict[str, Any] = {"name": name} if name else {}
        params |= {"projects": list(self._config.projects)} if self._config.projects else {}
        got = await self._http.ask("GET", PATH, params)
        asked = f"GET {PATH}" + (f"?name={name}" if name else "")
        if got.status == 403:
            note = f"missing permission: applications, get in Argo CD (argocd-rbac-cm): {plain(got)}"
            return Applications(asked, (), len(got.body), ToolStatus.DENIED, note)
        if got.status == 404:
            raise ToolFailure(ErrorClass.CONFIG, Reason.UNAVAILABLE, f"{SOURCE}: no API at {self._config.url} (404)", 404)
        if got.status == 400:
            raise wrong_query(SOURCE, got)
        items = sorted((trimmed(i) for i in _items(got)), key=lambda i: (i["metadata"]["namespace"], i["metadata"]["name"]))
        return Applications(asked, tuple(items), len(got.body))

    async def aclose(self) -> None:
        await self._http.aclose()


def _items(got: Answer) -> list[JsonObject]:
    if got.cut:
        raise invalid(SOURCE, f"more than {len(got.body)} bytes: set SRE_AGENT_ARGOCD_PROJECTS")
    items = got.json(SOURCE).get("items")
    if items is not None and not isinstance(items, list):  # Go writes an empty list as null
        raise invalid(SOURCE, "no list of applications")
    found = [i for i in items or () if isinstance(i, dict)]
    if any(not object_of(i.get("metadata")).get("name") for i in found):
        raise invalid(SOURCE, "an application without a name")
    return found


def trimmed(raw: JsonObject) -> JsonObject:
    """Status and source of an Application, in its own field names; credentials in a repository's URL are left out by redaction,
    parameters of Helm and plug-ins here."""
    meta, spec, status = (object_of(raw.get(k)) for k in ("metadata", "spec", "status"))
    state = object_of(status.get("operationState"))
    result = object_of(state.get("syncResult"))
    sources = [s for s in [spec.get("source"), *_rows(spec.get("sources"))] if isinstance(s, dict)]
    return {
        "kind": "Application",
        "metadata": {"namespace": "", **_picked(meta, ("name", "namespace", "labels")), "annotations": _short(meta.get("annotations"))},
        "spec": {
            "project": spec.get("project", ""),
            "sources": [_picked(s, ("repoURL", "path", "chart", "targetRevision")) for s in sources],
            "destination": _picked(object_of(spec.get("destination")), ("server", "name", "namespace")),
            "automated": object_of(spec.get("syncPolicy")).get("automated") is not None,
        },
        "status": {
            "sync": _picked(object_of(status.get("sync")), ("status", "revision", "revisions")),
            "health": _picked(object_of(status.get("health")), ("status", "message", "lastTransitionTime")),
            "conditions": [_picked(c, ("type", "message", "lastTransitionTime")) for c in _rows(status.get("conditions"))],
            "operationState": {
                **_picked(state, _STATE),
                "revision": result.get("revision", ""),
                "resources": [_picked(r, _RESULT) for r in _rows(result.get("resources")) if _refused(r)][:MAX_RESOURCES],
            },
            "resources": [_resource(r) for r in _rows(status.get("resources"))],
            "history": [_deployed(h) for h in _rows(status.get("history"))][-MAX_HISTORY:],
            "reconciledAt": status.get("reconciledAt", ""),
        },
    }


def _resource(row: JsonObject) -> JsonObject:
    return {**_picked(row, ("group", "kind", "namespace", "name", "status")), "health": _picked(object_of(row.get("health")), ("status", "message"))}


def _deployed(row: JsonObject) -> JsonObject:
    revision = row.get("revision") or ", ".join(str(r) for r in row.get("revisions") or ())
    return {**_picked(row, ("id", "deployedAt", "deployStartedAt")), "revision": revision, "initiatedBy": object_of(row.get("initiatedBy"))}


def _refused(row: JsonObject) -> bool:
    """Did the sync of this object, or its hook, fail?"""
    return row.get("status") in ("SyncFailed", "PruneFailed") or row.get("hookPhase") in ("Failed", "Error")


def _rows(value: Any) -> list[JsonObject]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _picked(item: JsonObject, names: Sequence[str]) -> JsonObject:
    return {name: item[name] for name in names if item.get(name) not in (None, "")}


def _short(annotations: Any) -> JsonObject:
    """Without the whole manifest that `kubectl apply` keeps there."""
    return {k: str(v)[:200] for k, v in object_of(annotations).items() if not k.startswith("kubectl.kubernetes.io/")}
