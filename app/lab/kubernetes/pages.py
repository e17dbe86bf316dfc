"""Paging: `limit` and `continue` over a list in the order etcd keeps it. Called by the list handler."""

import base64
import binascii
import json
from typing import Any

from app.lab.kubernetes.status import bad_request

Object = dict[str, Any]


def etcd_key(item: Object) -> str:
    meta = item["metadata"]
    namespace = meta.get("namespace", "")
    return f"{namespace}/{meta['name']}" if namespace else str(meta["name"])


def page(items: list[Object], limit: int, token: str, selected: bool, version: int) -> tuple[list[Object], dict[str, Any]]:
    """-> (items of this page, list metadata). `items` are sorted by key; `selected` says that a selector is at work:
    then the number of remaining items is unknown. Raises ApiError 400 for a token that is none."""
    start = _start(token) if token else ""
    rest = [i for i in items if etcd_key(i) >= start] if start else items
    meta: dict[str, Any] = {"resourceVersion": str(version)}
    if not limit or len(rest) <= limit:
        return rest, meta
    last = etcd_key(rest[limit - 1])
    meta["continue"] = _token(last, version)
    if not selected:
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
