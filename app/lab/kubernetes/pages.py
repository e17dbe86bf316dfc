"""Paging: `limit` and `continue` over a list in the order etcd keeps it. Called by the list handler."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from app.lab.kubernetes.status import bad_request

Object = dict[str, Any]


def etcd_key(item: Object) -> str:
    """Where an object stands among all of its kind."""
    meta = item["metadata"]
    namespace = meta.get("namespace", "")
    return f"{namespace}/{meta['name']}" if namespace else str(meta["name"])


@dataclass(frozen=True)
class Listed:
    """Objects sorted by key. `within` is the namespace that was asked, "" for all: keys in tokens are relative to it.
    `selected` says that a selector was at work: then the number of remaining items is unknown. `version` is the list's."""

    items: list[Object]
    within: str
    selected: bool
    version: int

    def key(self, item: Object) -> str:
        return str(item["metadata"]["name"]) if self.within else etcd_key(item)


def page(listed: Listed, limit: int, token: str) -> tuple[list[Object], dict[str, Any]]:
    """-> (items of this page, list metadata). Raises ApiError 400 for a token that is none."""
    items, version = listed.items, listed.version
    start = _start(token) if token else ""
    rest = [i for i in items if listed.key(i) >= start] if start else items
    meta: dict[str, Any] = {"resourceVersion": str(version)}
    if not limit or len(rest) <= limit:
        return rest, meta
    meta["continue"] = _token(listed.key(rest[limit - 1]), version)
    if not listed.selected:
        meta["remainingItemCount"] = len(rest) - limit
    return rest[:limit], meta


def _token(last: str, version: int) -> str:
    body = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": last + "\0"}, separators=(",", ":"))
    return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")


def _start(token: str) -> str:
    try:
        body = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if body["v"] != "meta.k8s.io/v1":
            raise bad_request("invalid continue token: continue key is not valid: server does not recognize this encoded version")
        return str(body["start"]).lstrip("/")
    except (binascii.Error, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise bad_request(f"invalid continue token: continue key is not valid: {error}") from error
