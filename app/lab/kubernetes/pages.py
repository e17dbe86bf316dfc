"""Paging: `limit` and `continue` over a list in the order etcd keeps it. Called by the list handler."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from app.lab.kubernetes.status import bad_request, expired

Object = dict[str, Any]
_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the"
    " continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing"
    " with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the"
    " time the first chunk was returned and now may show up in the list."
)


def etcd_key(item: Object) -> str:
    """Where an object stands among all of its kind."""
    meta = item["metadata"]
    namespace = meta.get("namespace", "")
    return f"{namespace}/{meta['name']}" if namespace else str(meta["name"])


@dataclass(frozen=True)
class Listed:
    """Objects sorted by key. `within` is the namespace that was asked, "" for all: keys in tokens are relative to it.
    `selected` says that a selector was at work: then the number of remaining items is unknown. `version` is the list's,
    `oldest` the first one that was not compacted away."""

    items: list[Object]
    within: str
    selected: bool
    version: int
    oldest: int = 0

    def key(self, item: Object) -> str:
        return str(item["metadata"]["name"]) if self.within else etcd_key(item)


def page(listed: Listed, limit: int, token: str) -> tuple[list[Object], dict[str, Any]]:
    """-> (items of this page, list metadata). Raises ApiError 400 for a token that is none, 410 for one that expired."""
    items, version = listed.items, listed.version
    start = _start(token, listed.oldest) if token else ""
    rest = [i for i in items if listed.key(i) >= start] if start else items
    meta: dict[str, Any] = {"resourceVersion": str(version)}
    if not limit or len(rest) <= limit:
        return rest, meta
    meta["continue"] = _token(listed.key(rest[limit - 1]) + "\0", version)
    if not listed.selected:
        meta["remainingItemCount"] = len(rest) - limit
    return rest[:limit], meta


def _token(start: str, version: int) -> str:
    body = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": start}, separators=(",", ":"))
    return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")


def _start(token: str, oldest: int) -> str:
    try:
        body = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if body["v"] != "meta.k8s.io/v1":
            raise bad_request("invalid continue token: continue key is not valid: server does not recognize this encoded version")
        start, version = str(body["start"]), int(body["rv"])
    except (binascii.Error, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise bad_request(f"invalid continue token: continue key is not valid: {error}") from error
    if 0 <= version < oldest:  # version -1 goes on without consistency, as the answer below offers
        raise expired(_TOO_OLD, _token(start, -1))
    return start.lstrip("/")
