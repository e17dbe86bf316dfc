"""Writes of one resource: create, update, patch, apply, scale, evict, delete, each also as a dry run. Called by the server
when the caller may. The product writes nothing: this half exists so that the lab refuses, and shows, what a cluster would.
"""

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import yaml
from starlette.requests import Request
from starlette.responses import Response

from app.domain.frozen import iso
from app.lab.kubernetes import admission, patches, rollout, status
from app.lab.kubernetes.access import Wanted
from app.lab.kubernetes.kinds import KINDS, Kind
from app.lab.kubernetes.reading import answered, complete
from app.lab.kubernetes.scale import SCALED, scale, scaled
from app.lab.kubernetes.status import ApiError
from app.lab.kubernetes.store import ObjectStore

Object = dict[str, Any]
_APPLY = "application/apply-patch+yaml"
_PATCHES: dict[str, Callable[[Any, Any], Any]] = {
    "application/merge-patch+json": patches.merge,
    "application/strategic-merge-patch+json": patches.strategic,
    "application/json-patch+json": patches.json_patch,
    _APPLY: patches.strategic,
}
_OPTIONS = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions", "delete": "DeleteOptions"}
_NAMESPACE = next(k for k in KINDS if k.kind == "Namespace")
_BUDGET = next(k for k in KINDS if k.kind == "PodDisruptionBudget")
_GRACE_S = 30


class Writer:
    """Writes into one store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def answer(self, request: Request, wanted: Wanted) -> Response:
        """Raises ApiError; a body that is not shaped like the object it should be is 400."""
        body = _read(await request.body(), request.headers.get("content-type", ""))
        try:
            return self._written(request, wanted, body)
        except (KeyError, TypeError, AttributeError) as error:
            raise status.bad_request(f"the object provided is unrecognized: {error}") from error

    def _written(self, request: Request, wanted: Wanted, body: Any) -> Response:
        query = request.query_params
        dry = _dry_run(wanted.verb, query)
        if wanted.sub == "eviction" and wanted.kind.kind == "Pod":
            return self._evict(wanted, body, dry)
        if wanted.verb == "create" and not wanted.sub:
            return self._create(wanted, body, query.get("fieldValidation", "Ignore"), dry)
        if wanted.sub not in ("", "scale", "status"):
            raise status.no_resource()
        if wanted.verb == "delete":
            return self._delete(wanted, body or {}, dry)
        if wanted.verb not in ("update", "patch"):
            raise status.method_not_allowed()
        patcher = _patcher(request) if wanted.verb == "patch" else None
        if patcher is not None and request.headers.get("content-type", "").startswith(_APPLY):
            return self._apply(wanted, body, query.get("fieldManager", ""), dry)
        return self._change(wanted, body, patcher or (lambda old, new: new), dry)

    def _create(self, wanted: Wanted, body: Any, validation: str, dry: bool) -> Response:
        kind, namespace = wanted.kind, wanted.namespace
        if namespace and self._store.get(_NAMESPACE, "", namespace) is None:
            raise status.not_found(_NAMESPACE, namespace)
        item, warnings = admission.decoded(kind, body, validation)
        name = item["metadata"]["name"]
        if self._store.get(kind, namespace, name) is not None:
            raise status.exists(kind, name)
        headers = {"Warning": ", ".join(f"299 - {json.dumps(w)}" for w in warnings)} if warnings else {}
        return answered(complete(kind, self._added(kind, item, namespace, dry)), 201, headers)

    def _added(self, kind: Kind, item: Object, namespace: str, dry: bool) -> Object:
        meta = item["metadata"] | ({"namespace": namespace} if namespace else {})
        identity = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{kind.plural}/{namespace}/{meta['name']}/{self._store.version}"))
        generation = {"generation": 1} if "spec" in item else {}
        meta |= {"uid": identity, "creationTimestamp": iso(self._store.world.now)} | generation
        item = admission.with_defaults(kind, item | {"metadata": meta})
        admission.check(kind, item, None)
        return item if dry else self._store.put(kind, item)

    def _apply(self, wanted: Wanted, body: Any, manager: str, dry: bool) -> Response:
        kind, name = wanted.kind, wanted.name
        unknown = admission.unknown_fields(kind, body)
        if unknown:
            about = f"({wanted.namespace}/{name}; {kind.api_version}, Kind={kind.kind})"
            raise ApiError(500, "", f"failed to create typed patch object {about}: .{unknown[0]}: field not declared in schema")
        old = self._store.get(kind, wanted.namespace, name)
        if old is None:
            return answered(complete(kind, self._added(kind, body, wanted.namespace, dry)), 201)
        conflict = admission.conflicts(old, body, manager)
        if conflict is not None:
            raise conflict
        return self._change(wanted, body, patches.strategic, dry)

    def _change(self, wanted: Wanted, body: Any, patcher: Callable[[Any, Any], Any], dry: bool) -> Response:
        kind, old = wanted.kind, self._present(wanted)
        if wanted.sub == "scale" and kind.kind in SCALED:
            return answered(scale(self._stored(kind, old, scaled(old, patcher(scale(old), body)), dry)))
        new = patcher(old, body)
        if new["metadata"].get("resourceVersion", old["metadata"].get("resourceVersion")) != old["metadata"].get("resourceVersion"):
            raise status.modified(kind, wanted.name)
        new, _ = admission.decoded(kind, new, "Ignore")
        admission.check(kind, new, old)
        return answered(complete(kind, self._stored(kind, old, new, dry)))

    def _present(self, wanted: Wanted) -> Object:
        old = self._store.get(wanted.kind, wanted.namespace, wanted.name)
        if old is None:
            raise status.not_found(wanted.kind, wanted.name)
        return old

    def _stored(self, kind: Kind, old: Object, new: Object, dry: bool) -> Object:
        """The changed object, as the writer is shown it; controllers act after that."""
        if new.get("spec") != old.get("spec") and "generation" in old["metadata"]:
            new = new | {"metadata": new["metadata"] | {"generation": old["metadata"]["generation"] + 1}}
        if dry or new == old:
            return new
        stored = self._store.put(kind, new)
        if kind.kind == "Deployment" and new["spec"].get("template") != old["spec"].get("template"):
            rollout.follow(self._store, kind, stored)
        return stored

    def _evict(self, wanted: Wanted, body: Any, dry: bool) -> Response:
        pod = self._present(wanted)
        labels = pod["metadata"].get("labels") or {}
        for budget in self._store.items(_BUDGET, wanted.namespace):
            covers = (budget["spec"].get("selector") or {}).get("matchLabels") or {}
            state = budget.get("status", {})
            if covers.items() <= labels.items() and state.get("disruptionsAllowed", 0) < 1:
                needs, has = state.get("desiredHealthy", 0), state.get("currentHealthy", 0)
                why = f"The disruption budget {budget['metadata']['name']} needs {needs} healthy pods and has {has} currently"
                cause = {"reason": "DisruptionBudget", "message": why}
                text = "Cannot evict pod as it would violate the pod's disruption budget."
                raise ApiError(429, "TooManyRequests", text, {"causes": [cause]})
        if not (dry or "All" in ((body or {}).get("deleteOptions") or {}).get("dryRun", [])):
            self._store.put(wanted.kind, self._ending(pod))
        return answered({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201)

    def _delete(self, wanted: Wanted, options: Object, dry: bool) -> Response:
        kind, item = wanted.kind, self._present(wanted)
        uid, asked = item["metadata"].get("uid"), (options.get("preconditions") or {}).get("uid")
        if asked and asked != uid:
            raise _wrong_uid(kind, wanted.name, asked, str(uid))
        dry = dry or "All" in options.get("dryRun", [])
        if kind.kind == "Pod":
            ending = self._ending(item)
            return answered(complete(kind, ending if dry else self._store.put(kind, ending)))
        if not dry:
            self._store.remove(kind, item)
        details = {"name": wanted.name, "kind": kind.plural, "uid": uid} | ({"group": kind.group} if kind.group else {})
        return answered({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})

    def _ending(self, pod: Object) -> Object:
        """A pod that is to go stays until its kubelet confirms."""
        ends = iso(self._store.world.now + timedelta(seconds=_GRACE_S))
        meta = {"deletionTimestamp": ends, "deletionGracePeriodSeconds": _GRACE_S, "generation": pod["metadata"].get("generation", 0) + 1}
        return pod | {"metadata": pod["metadata"] | meta}


def _read(body: bytes, content_type: str) -> Any:
    if not body:
        return None
    try:
        return yaml.safe_load(body) if "yaml" in content_type else json.loads(body)
    except (ValueError, yaml.YAMLError) as error:
        raise status.bad_request(f"error decoding patch: {error}") from error


def _patcher(request: Request) -> Callable[[Any, Any], Any]:
    found = _PATCHES.get(request.headers.get("content-type", "").split(";")[0])
    if found is None:
        raise status.unsupported_media_type()
    return found


def _dry_run(verb: str, query: Mapping[str, str]) -> bool:
    asked = query.get("dryRun", "")
    if asked not in ("", "All"):
        message = f'Unsupported value: ["{asked}"]: supported values: "All"'
        raise status.invalid(_OPTIONS.get(verb, "DeleteOptions"), "meta.k8s.io", "", ("dryRun", "FieldValueNotSupported", message))
    return asked == "All"


def _wrong_uid(kind: Kind, name: str, asked: str, uid: str) -> ApiError:
    why = f"the UID in the precondition ({asked}) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
    message = f'Operation cannot be fulfilled on {kind.kind} "{name}": {why}'
    return ApiError(409, "Conflict", message, {"name": name, "kind": kind.kind})
