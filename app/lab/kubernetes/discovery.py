"""What the server says of itself: version, groups, resources. Called by the server."""

from typing import Any

from app.lab.kubernetes.kinds import REVIEW_GROUPS, Kind

VERSION = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.2",
    "gitCommit": "",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "go1.26.6",
    "compiler": "gc",
    "platform": "linux/amd64",
}
READ_VERBS = ["get", "list", "watch"]


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
    """`/api/v1` or `/apis/GROUP/VERSION`: its resources and the read-side subresources."""
    found: list[dict[str, Any]] = []
    for k in sorted((k for k in kinds if (k.group, k.version) == (group, version)), key=lambda k: k.plural):
        found.append({"name": k.plural, "singularName": k.singular, "namespaced": k.namespaced, "kind": k.kind, "verbs": READ_VERBS})
        if k.kind == "Pod" and not k.group:
            found.append({"name": "pods/log", "singularName": "", "namespaced": True, "kind": "Pod", "verbs": ["get"]})
    if group == "authorization.k8s.io":
        one = {"name": "selfsubjectaccessreviews", "singularName": "selfsubjectaccessreview", "namespaced": False}
        found.append(one | {"kind": "SelfSubjectAccessReview", "verbs": ["create"]})
    prefix = {"apiVersion": "v1"} if group else {}
    return {"kind": "APIResourceList", **prefix, "groupVersion": f"{group}/{version}" if group else version, "resources": found}
