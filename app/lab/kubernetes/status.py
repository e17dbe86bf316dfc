"""`Status` bodies, word for word as the API server writes them. Every refusal of the server is an `ApiError`."""

from typing import Any

from app.lab.kubernetes.kinds import Kind

USER = "system:serviceaccount:sre-agent:sre-agent"


class ApiError(Exception):
    """An answer that is no 2xx: HTTP status and the `Status` body's parts. `goes_on` is a token for the rest of a list."""

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None, goes_on: str = "") -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details, self.goes_on = code, reason, message, details, goes_on

    def body(self) -> dict[str, Any]:
        meta = {"continue": self.goes_on} if self.goes_on else {}
        body = {"kind": "Status", "apiVersion": "v1", "metadata": meta, "status": "Failure", "message": self.message}
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        return body | {"code": self.code}

    def headers(self) -> dict[str, str]:
        seconds = (self.details or {}).get("retryAfterSeconds")
        return {"Retry-After": str(seconds)} if seconds else {}


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def not_found(kind: Kind, name: str) -> ApiError:
    """An object that does not exist."""
    details = {"name": name, "kind": kind.plural} | ({"group": kind.group} if kind.group else {})
    return ApiError(404, "NotFound", f'{qualified(kind)} "{name}" not found', details)


def no_resource() -> ApiError:
    """A version or resource that a known group does not have."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def forbidden(verb: str, kind: Kind, namespace: str, name: str = "", subresource: str = "", user: str = USER) -> ApiError:
    """The subject may not do this; the message names user, verb, resource, group and place."""
    place = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    what = f'{qualified(kind)} "{name}"' if name else qualified(kind)
    resource = f"{kind.plural}/{subresource}" if subresource else kind.plural
    message = f'{what} is forbidden: User "{user}" cannot {verb} resource "{resource}" in API group "{kind.group}" {place}'
    details = ({"name": name} if name else {}) | ({"group": kind.group} if kind.group else {}) | {"kind": kind.plural}
    return ApiError(403, "Forbidden", message, details)


def method_not_allowed() -> ApiError:
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def not_acceptable() -> ApiError:
    shapes = "application/json, application/yaml, application/vnd.kubernetes.protobuf, application/json;stream=watch"
    message = f"406: Not Acceptable\n\nAvailable representations: {shapes}, application/vnd.kubernetes.protobuf;stream=watch"
    return ApiError(406, "NotAcceptable", message, {})


def invalid_log_option(pod: str, field: str, reason: str, message: str) -> ApiError:
    """A log option outside its range: 422 with its cause."""
    cause = {"reason": reason, "message": message, "field": field}
    details = {"name": pod, "kind": "PodLogOptions", "causes": [cause]}
    return ApiError(422, "Invalid", f'PodLogOptions "{pod}" is invalid: {field}: {message}', details)


def expired(message: str, goes_on: str = "") -> ApiError:
    """A version that was compacted away."""
    return ApiError(410, "Expired", message, None, goes_on)


def from_the_future(asked: int, current: int) -> ApiError:
    """A list at a version that does not exist yet. The real server waits 3 s before it says so."""
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    return ApiError(504, "Timeout", message, {"causes": causes, "retryAfterSeconds": 1})


def invalid(kind: str, group: str, name: str, *wrong: tuple[str, str, str]) -> ApiError:
    """422: `wrong` are (field, reason, message)."""
    causes = [{"reason": reason, "message": message, "field": field} for field, reason, message in wrong]
    details = {"name": name, "group": group, "kind": kind, "causes": causes}
    text = ", ".join(f"{field}: {message}" for field, _, message in wrong)
    shown = {key: value for key, value in details.items() if value}
    return ApiError(422, "Invalid", f'{kind}.{group} "{name}" is invalid: {text}' if group else f'{kind} "{name}" is invalid: {text}', shown)


def modified(kind: Kind, name: str) -> ApiError:
    """The caller's resource version is not the newest."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    details = {"name": name, "kind": kind.plural} | ({"group": kind.group} if kind.group else {})
    return ApiError(409, "Conflict", f'Operation cannot be fulfilled on {qualified(kind)} "{name}": {why}', details)


def exists(kind: Kind, name: str) -> ApiError:
    details = {"name": name, "kind": kind.plural} | ({"group": kind.group} if kind.group else {})
    return ApiError(409, "AlreadyExists", f'{qualified(kind)} "{name}" already exists', details)


def unsupported_media_type() -> ApiError:
    return ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})


def qualified(kind: Kind) -> str:
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural
