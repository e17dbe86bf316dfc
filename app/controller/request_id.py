"""Every request gets an id, one log line, and an answer that carries the id (LOG-05, LOG-13); pure ASGI middleware."""

import re
import time
from collections.abc import Callable

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.domain.frozen import NewId
from app.telemetry.logs import shorten

# What a caller may choose as an id: it is repeated in logs and headers, so only plain characters.
_SANE = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_log = structlog.get_logger("access")


class RequestIds:
    """Binds `request_id` for every line logged on the way; routes bind `alert_id` and `investigation_id` as they learn
    them, so the access line has them too. Lines of `/health/*` and `/metrics` are debug: probes come every few seconds."""

    def __init__(self, app: ASGIApp, new_id: NewId, ticks: Callable[[], float] = time.perf_counter) -> None:
        self._app = app
        self._new_id = new_id
        self._ticks = ticks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope).get("x-request-id", "")
        request_id = asked if _SANE.fullmatch(asked) else self._new_id()
        scope["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = self._ticks(), 500

        async def tagged(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = scope["request_id"]
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        try:
            await self._app(scope, receive, tagged)
        finally:
            path = scope["path"]
            write = _log.debug if path.startswith(("/health", "/metrics")) and status < 400 else _log.info
            spent = round((self._ticks() - began) * 1000, 1)
            write("http_request", method=scope["method"], path=shorten(path, 200), status=status, duration_ms=spent)
            structlog.contextvars.clear_contextvars()
