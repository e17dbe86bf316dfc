"""May this identity do that? Asked by the server before every answer, and by clients through the three self reviews."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.domain.frozen import iso
from app.lab.kubernetes.identities import READ, SNAPSHOT_READER, Identity, Rule
from app.lab.kubernetes.kinds import Kind
from app.lab.kubernetes.status import bad_request
from app.lab.kubernetes.store import ObjectStore

Object = dict[str, Any]
# What `system:basic-user` and `system:discovery` give to everyone who is known.
_BASIC = (
    Rule(("create",), ("authorization.k8s.io",), ("selfsubjectaccessreviews", "selfsubjectrulesreviews")),
    Rule(("create",), ("authentication.k8s.io",), ("selfsubjectreviews",)),
)
_PATHS = ("/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/")
_SUBRESOURCES = ("", "log", "status", "scale")


@dataclass(frozen=True)
class Wanted:
    """One deed: verb, kind (of an unknown group too), place and name."""

    verb: str
    kind: Kind
    namespace: str = ""
    name: str = ""
    sub: str = ""

    @property
    def resource(self) -> str:
        return f"{self.kind.plural}/{self.sub}" if self.sub else self.kind.plural


def may(identity: Identity, store: ObjectStore, wanted: Wanted) -> bool:
    if identity.master:
        return True
    if identity is SNAPSHOT_READER:
        return wanted.verb in READ and wanted.sub in _SUBRESOURCES and store.readable(wanted.kind)
    return identity.role_for(wanted.verb, wanted.kind.group, wanted.resource, wanted.namespace) is not None


def review(kind: str, body: bytes, identity: Identity, store: ObjectStore) -> Object:
    """A review as posted -> the same with its status. Raises ApiError 400."""
    try:
        spec = json.loads(body).get("spec") or {}
        wanted = spec.get("resourceAttributes") or {}
    except (ValueError, AttributeError) as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from error
    if kind == "SelfSubjectRulesReview":
        return _shown(kind, {"spec": {}, "status": _rules(identity, str(spec.get("namespace", "")), store)})
    return _shown(kind, {"spec": spec, "status": _allowed(identity, store, wanted)})


def who_am_i(identity: Identity, now: datetime) -> Object:
    """The answer to a SelfSubjectReview."""
    user = {"username": identity.user, "uid": identity.uid, "groups": list(identity.groups)}
    status = {"userInfo": {name: value for name, value in user.items() if value}}
    body = {"metadata": {"creationTimestamp": iso(now)}, "status": status}
    return {"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"} | body


def _shown(kind: str, parts: Object) -> Object:
    return {"kind": kind, "apiVersion": "authorization.k8s.io/v1", "metadata": {}} | parts


def _allowed(identity: Identity, store: ObjectStore, wanted: Object) -> Object:
    verb, group, resource = (str(wanted.get(name, "")) for name in ("verb", "group", "resource"))
    namespace, sub = str(wanted.get("namespace", "")), str(wanted.get("subresource", ""))
    kind = next((k for k in store.kinds if k.plural == resource and k.group == group), None)
    deed = Wanted(verb, kind or Kind("", group, "", resource), namespace, "", sub)
    if (kind is None and identity is SNAPSHOT_READER) or not may(identity, store, deed):
        return {"allowed": False}
    reason = _reason(identity, deed)
    return {"allowed": True} | ({"reason": reason} if reason else {})


def _reason(identity: Identity, deed: Wanted) -> str:
    if identity is SNAPSHOT_READER:
        return 'RBAC: allowed by ClusterRoleBinding "sre-agent" of ClusterRole "sre-agent"'
    role = identity.role_for(deed.verb, deed.kind.group, deed.resource, deed.namespace)
    if role is None:
        return ""
    return f'RBAC: allowed by RoleBinding "{role.name}/{role.namespace}" of Role "{role.name}" to User "{identity.user}"'


def _rules(identity: Identity, namespace: str, store: ObjectStore) -> Object:
    rules = [*_BASIC, *(rule for role in identity.roles if role.namespace == namespace for rule in role.rules)]
    if identity.master:
        rules.append(Rule(("*",), ("*",), ("*",)))
    if identity is SNAPSHOT_READER:
        rules += [Rule(READ, (k.group,), (k.plural,)) for k in store.kinds if store.readable(k)]
    paths = [{"verbs": ["get"], "nonResourceURLs": list(_PATHS)}]
    return {"resourceRules": [r.as_json() for r in rules], "nonResourceRules": paths, "incomplete": False}
