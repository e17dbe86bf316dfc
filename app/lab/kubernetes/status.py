"""`Status` bodies, word for word as the API server writes them. Every refusal of the server is an `ApiError`."""

from typing import Any

from app.lab.kubernetes.kinds import Kind

USER = "system:serviceaccount:sre-agent:sre-agent"


class ApiError(Exception):
    """An answer that is no 2xx: HTTP status and the `Status` body's parts."""

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details

    def body(self) -> dict[str, Any]:
        body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message, "reason": self.reason}
        if self.details is not None:
            body["details"] = self.details
        return body | {"code": self.code}


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def not_found(kind: Kind, name: str) -> ApiError:
    """An object that does not exist."""
    details = {"name": name, "kind": kind.plural} | ({"group": kind.group} if kind.group else {})
    return ApiError(404, "NotFound", f'{qualified(kind)} "{name}" not found', details)


def no_resource() -> ApiError:
    """A version or resource that a known group does not have."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def forbidden(verb: str, kind: Kind, namespace: str, name: str = "", subresource: str = "") -> ApiError:
    """The subject may not do this; the message names user, verb, resource, group and place."""
    place = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    what = f'{qualified(kind)} "{name}"' if name else qualified(kind)
    resource = f"{kind.plural}/{subresource}" if subresource else kind.plural
    message = f'{what} is forbidden: User "{USER}" cannot {verb} resource "{resource}" in API group "{kind.group}" {place}'
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


def qualified(kind: Kind) -> str:
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural
