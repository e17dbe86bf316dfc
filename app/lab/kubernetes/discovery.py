"""What the server says of itself: version, groups, resources. Called by the server."""

import base64
import hashlib
from typing import Any

from app.lab.kubernetes.kinds import REVIEW_GROUPS, Kind

VERSION = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.2",
    "gitCommit": "",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "go1.26.6",
    "compiler": "gc",
    "platform": "linux/amd64",
}
VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_SHORT = {
    "configmaps": "cm", "cronjobs": "cj", "daemonsets": "ds", "deployments": "deploy", "endpoints": "ep", "events": "ev",
    "horizontalpodautoscalers": "hpa", "ingresses": "ing", "limitranges": "limits", "namespaces": "ns", "networkpolicies": "netpol",
    "nodes": "no", "persistentvolumeclaims": "pvc", "persistentvolumes": "pv", "poddisruptionbudgets": "pdb", "pods": "po",
    "replicasets": "rs", "replicationcontrollers": "rc", "resourcequotas": "quota", "serviceaccounts": "sa", "services": "svc",
    "statefulsets": "sts", "storageclasses": "sc",
}  # fmt: skip
_ALL = frozenset(
    {"pods", "replicationcontrollers", "services", "daemonsets", "deployments", "replicasets", "statefulsets"}
    | {"cronjobs", "jobs", "horizontalpodautoscalers"}
)
# (resource, subresource) -> verbs, and the (group, version, kind) of the body where that is another one.
_SUBRESOURCES: dict[tuple[str, str], tuple[str, tuple[str, str, str] | None]] = {
    ("pods", "eviction"): ("create", ("policy", "v1", "Eviction")),
    ("pods", "log"): ("get", None),
    ("deployments", "scale"): ("get patch update", ("autoscaling", "v1", "Scale")),
    ("replicasets", "scale"): ("get patch update", ("autoscaling", "v1", "Scale")),
    ("statefulsets", "scale"): ("get patch update", ("autoscaling", "v1", "Scale")),
}


def core_versions(host: str) -> dict[str, Any]:
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": host}]}


def groups(kinds: tuple[Kind, ...]) -> dict[str, Any]:
    """`/apis`: every group with its versions."""
    found = {k.group: k.version for k in kinds if k.group} | dict.fromkeys(REVIEW_GROUPS, "v1")
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name, version) for name, version in found.items()]}


def _group(name: str, version: str) -> dict[str, Any]:
    one = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [one], "preferredVersion": one}


def group(name: str, kinds: tuple[Kind, ...]) -> dict[str, Any] | None:
    """`/apis/GROUP`, None if there is no such group."""
    version = next((k.version for k in kinds if k.group == name), "v1" if name in REVIEW_GROUPS else "")
    return {"kind": "APIGroup", "apiVersion": "v1"} | _group(name, version) if version else None


def resources(group: str, version: str, kinds: tuple[Kind, ...]) -> dict[str, Any]:
    """`/api/v1` or `/apis/GROUP/VERSION`: its resources and those subresources that are served."""
    found: list[dict[str, Any]] = []
    for k in sorted((k for k in kinds if (k.group, k.version) == (group, version)), key=lambda k: k.plural):
        found += [_resource(k), *(_subresource(k, sub) for plural, sub in _SUBRESOURCES if plural == k.plural)]
    if group == "authorization.k8s.io":
        for kind in ("SelfSubjectAccessReview", "SelfSubjectRulesReview"):
            one = {"name": kind.lower() + "s", "singularName": kind.lower(), "namespaced": False, "kind": kind, "verbs": ["create"]}
            found.append(one)
    prefix = {"apiVersion": "v1"} if group else {}
    return {"kind": "APIResourceList", **prefix, "groupVersion": f"{group}/{version}" if group else version, "resources": found}


def _resource(kind: Kind) -> dict[str, Any]:
    body: dict[str, Any] = {"name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.kind}
    body["verbs"] = VERBS
    if kind.plural in _SHORT:
        body["shortNames"] = [_SHORT[kind.plural]]
    if kind.plural in _ALL:
        body["categories"] = ["all"]
    digest = hashlib.sha256(f"{kind.group}/{kind.version}/{kind.kind}".encode()).digest()
    return body | {"storageVersionHash": base64.b64encode(digest[:8]).decode()}


def _subresource(kind: Kind, sub: str) -> dict[str, Any]:
    verbs, other = _SUBRESOURCES[kind.plural, sub]
    group, version, name = other or ("", "", kind.kind)
    elsewhere = {"group": group, "version": version} if other else {}
    shown = {"name": f"{kind.plural}/{sub}", "singularName": "", "namespaced": kind.namespaced}
    return shown | elsewhere | {"kind": name, "verbs": verbs.split()}
