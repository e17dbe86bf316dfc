"""Alertmanager's API v2, the read side, over the webhook of a world. Started by `servers.LabServers`, which says so in its
addresses; nothing can be silenced here.

Shapes follow Alertmanager's OpenAPI document (version 2).
"""

import json
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from app.domain.frozen import JsonObject, iso
from app.lab.snapshot import World

_MATCHER = re.compile(r'\s*([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^"]*)\s*')
_NAMES = ("alerts", "alerts/groups", "status", "silences", "receivers")


class AlertmanagerApp:
    """Holds one world."""

    def __init__(self, world: World) -> None:
        self.show(world)

    def show(self, world: World) -> None:
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answer(Request(scope, receive))(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        path = request.url.path
        if path in ("/-/ready", "/-/healthy"):
            return PlainTextResponse("OK")
        name = path.removeprefix("/api/v2/")
        if path.startswith("/api/v2/silence/"):
            return Response(status_code=404 if request.method == "GET" else 405)
        if name == path or name not in _NAMES:
            return PlainTextResponse("404 page not found\n", 404)
        if request.method != "GET":
            return _json({"code": 405, "message": f"method {request.method} is not allowed, but [GET] are"}, 405)
        try:
            return _json(self._data(name, request))
        except (ValueError, re.error) as error:
            return _json(f"bad matcher format: {error}", 400)

    def _data(self, name: str, request: Request) -> Any:
        if name == "status":
            return self._status()
        if name == "silences":
            return []
        if name == "receivers":
            return [{"name": self._receiver}]
        query = request.query_params
        shown = _flag(query.get("active")) and re.fullmatch(query.get("receiver") or ".*", self._receiver)
        alerts = [a for a in self._alerts() if shown and all(_fits(a["labels"], text) for text in query.getlist("filter"))]
        return [self._group(alerts)] if name == "alerts/groups" and alerts else alerts

    @property
    def _webhook(self) -> JsonObject:
        return self._world.webhook or {}

    @property
    def _receiver(self) -> str:
        return str(self._webhook.get("receiver") or "default")

    def _alerts(self) -> list[JsonObject]:
        """The firing alerts; one that is over has left Alertmanager's list."""
        firing = [a for a in self._webhook.get("alerts", []) if a.get("status") == "firing"]
        return sorted((self._alert(a) for a in firing), key=lambda a: str(a["fingerprint"]))

    def _alert(self, alert: JsonObject) -> JsonObject:
        now = iso(self._world.now)
        return {
            "annotations": alert.get("annotations", {}),
            "endsAt": now,
            "fingerprint": alert.get("fingerprint", ""),
            "receivers": [{"name": self._receiver}],
            "startsAt": alert["startsAt"],
            "status": {"inhibitedBy": [], "silencedBy": [], "state": "active"},
            "updatedAt": now,
            "labels": alert["labels"],
        } | ({"generatorURL": alert["generatorURL"]} if alert.get("generatorURL") else {})

    def _group(self, alerts: list[JsonObject]) -> JsonObject:
        return {"alerts": alerts, "labels": self._webhook.get("groupLabels", {}), "receiver": {"name": self._receiver}}

    def _status(self) -> JsonObject:
        build = dict.fromkeys(("branch", "buildDate", "buildUser", "goVersion", "revision"), "") | {"version": "0.25.0"}
        original = f"route:\n  receiver: {self._receiver}\nreceivers:\n- name: {self._receiver}\n"
        cluster = {"peers": [], "status": "disabled"}
        return {"cluster": cluster, "config": {"original": original}, "uptime": iso(self._world.now), "versionInfo": build}


def _flag(text: str | None) -> bool:
    return text is None or text.lower() in ("true", "1")


def _fits(labels: dict[str, str], matcher: str) -> bool:
    """Raises ValueError for a matcher that is none."""
    found = _MATCHER.fullmatch(matcher)
    if found is None:
        raise ValueError(matcher)
    name, operator, text = found.groups()
    wanted = json.loads(text) if text.startswith('"') else text
    value = labels.get(name, "")
    same = re.fullmatch(wanted, value) is not None if "~" in operator else value == wanted
    return same is not operator.startswith("!")


def _json(data: Any, code: int = 200) -> Response:
    return Response(json.dumps(data, ensure_ascii=False).encode(), code, media_type="application/json")
