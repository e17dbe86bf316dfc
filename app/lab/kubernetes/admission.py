"""What the API server does to an object before it stores it: fields, types, defaults, rules. Called by writes.

The schema is that of `Deployment.spec`; of other kinds every field is taken as it comes.
"""

import json
from typing import Any

from app.lab.kubernetes.kinds import Kind
from app.lab.kubernetes.status import ApiError, bad_request, invalid

Object = dict[str, Any]
_INT32 = (int, "int32")
_SPEC: dict[str, dict[str, tuple[type, str] | None]] = {
    "Deployment": {
        "replicas": _INT32,
        "minReadySeconds": _INT32,
        "revisionHistoryLimit": _INT32,
        "progressDeadlineSeconds": _INT32,
        "paused": (bool, "bool"),
        "selector": None,
        "template": None,
        "strategy": None,
    }
}
_JSON_WORDS = {str: "string", bool: "bool", list: "array", dict: "object", int: "number", float: "number"}
_POD_DEFAULTS: Object = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
_CONTAINER_DEFAULTS: Object = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "IfNotPresent",
}
_DEPLOYMENT_DEFAULTS: Object = {
    "replicas": 1,
    "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
    "revisionHistoryLimit": 10,
    "progressDeadlineSeconds": 600,
}


def unknown_fields(kind: Kind, item: Object) -> list[str]:
    known = _SPEC.get(kind.kind)
    return [f"spec.{name}" for name in item.get("spec") or {} if known is not None and name not in known]


def without(item: Object, fields: list[str]) -> Object:
    """The object without these fields of its spec."""
    dropped = {field.removeprefix("spec.") for field in fields}
    return item | {"spec": {name: value for name, value in item["spec"].items() if name not in dropped}} if dropped else item


def decoded(kind: Kind, item: Object, validation: str) -> tuple[Object, list[str]]:
    """-> (the object without unknown fields, warnings of them). Raises ApiError 400 for a wrong type, and with `Strict`
    for an unknown field."""
    unknown = unknown_fields(kind, item)
    texts = [f'unknown field "{field}"' for field in unknown]
    if unknown and validation == "Strict":
        raise _undecodable(kind, f"strict decoding error: {', '.join(texts)}")
    for name, wanted in _SPEC.get(kind.kind, {}).items():
        value = (item.get("spec") or {}).get(name)
        if wanted is not None and value is not None and type(value) is not wanted[0]:
            word = _JSON_WORDS.get(type(value), "null")
            where = f"Go struct field {kind.kind}Spec.spec.{name} of type {wanted[1]}"
            raise _undecodable(kind, f"json: cannot unmarshal {word} into {where}")
    return without(item, unknown), texts if validation == "Warn" else []


def _undecodable(kind: Kind, why: str) -> ApiError:
    return bad_request(f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}')


def with_defaults(kind: Kind, item: Object) -> Object:
    if kind.kind != "Deployment":
        return item
    spec = _DEPLOYMENT_DEFAULTS | item.get("spec", {})
    template = spec.get("template", {})
    pod = _POD_DEFAULTS | template.get("spec", {})
    pod["containers"] = [_CONTAINER_DEFAULTS | c for c in pod.get("containers") or []]
    return item | {"spec": spec | {"template": template | {"spec": pod}}, "status": item.get("status", {})}


def check(kind: Kind, item: Object, old: Object | None) -> None:
    """The rules across fields of a Deployment. Raises ApiError 422."""
    if kind.kind != "Deployment":
        return
    spec = item.get("spec", {})
    selector = spec.get("selector") or {}
    labels = spec.get("template", {}).get("metadata", {}).get("labels") or {}
    wrong = []
    if spec.get("replicas", 0) < 0:
        wrong.append(("spec.replicas", "FieldValueInvalid", f"Invalid value: {spec['replicas']}: must be greater than or equal to 0"))
    if any(labels.get(name) != value for name, value in (selector.get("matchLabels") or {}).items()):
        text = f"Invalid value: {_json(labels)}: `selector` does not match template `labels`"
        wrong.append(("spec.template.metadata.labels", "FieldValueInvalid", text))
    if old is not None and old["spec"].get("selector") != selector:
        wrong.append(("spec.selector", "FieldValueInvalid", f"Invalid value: {_json(selector)}: field is immutable"))
    if wrong:
        raise invalid(kind.kind, kind.group, item["metadata"]["name"], *wrong)


def conflicts(old: Object, patch: Object, manager: str) -> ApiError | None:
    """An apply may not take a field of the spec that another manager applied: 409."""
    owners = [
        (m["manager"], f".spec.{name}")
        for m in old["metadata"].get("managedFields") or []
        if m.get("operation") == "Apply" and m["manager"] != manager
        for name, value in (patch.get("spec") or {}).items()
        if f"f:{name}" in (m.get("fieldsV1") or {}).get("f:spec", {}) and old["spec"].get(name) != value
    ]
    if not owners:
        return None
    causes = [{"reason": "FieldManagerConflict", "message": f'conflict with "{who}"', "field": field} for who, field in owners]
    listed = ", ".join(f'conflict with "{who}": {field}' for who, field in owners)
    plural = "conflict" if len(owners) == 1 else "conflicts"
    return ApiError(409, "Conflict", f"Apply failed with {len(owners)} {plural}: {listed}", {"causes": causes})


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
