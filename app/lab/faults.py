"""Trouble on request: makes chosen routes of a lab server misbehave. Used by tests of tools, breakers and budgets.

A running lab takes faults at `/-/lab/faults` of each server: POST `{"kind": "hang", "path": "/log$"}` (also `seconds`,
`times`), DELETE takes all away; both answer with the faults that are now set, as GET does.
"""

import asyncio
import json
import re
from dataclasses import asdict, dataclass
from enum import StrEnum

from starlette.types import ASGIApp, Message, Receive, Scope, Send

TRANSPORT = "lab.transport"
CONTROL = "/-/lab/faults"


class FaultKind(StrEnum):
    REFUSE = "refuse"  # the connection is reset before a byte is answered
    HANG = "hang"  # no answer, ever
    ERROR_500 = "500"
    FORBIDDEN = "403"
    SLOW = "slow"  # the right answer, `seconds` late
    GARBAGE = "garbage"  # 200 and bytes that are no JSON
    CUT_BODY = "cut_body"  # the right headers, half of the body, then the connection ends


@dataclass(frozen=True)
class Fault:
    """`path` is a regular expression searched in the request's path. `seconds` is for SLOW; `times` limits how often
    it strikes, 0 for always."""

    kind: FaultKind
    path: str = ""
    seconds: float = 1.0
    times: int = 0


class Faults:
    """The faults of one server, changeable while it runs."""

    def __init__(self, *faults: Fault) -> None:
        self._left: list[tuple[Fault, int]] = []
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        self._left.append((fault, fault.times))

    def clear(self) -> None:
        self._left.clear()

    def as_json(self) -> bytes:
        return json.dumps([asdict(fault) | {"times": left} for fault, left in self._left]).encode()

    def strikes(self, path: str) -> Fault | None:
        """The first fault for this path, counted as used."""
        for place, (fault, left) in enumerate(self._left):
            if re.search(fault.path, path):
                if left == 1:
                    del self._left[place]
                elif left:
                    self._left[place] = (fault, left - 1)
                return fault
        return None


class FaultyApp:
    """ASGI middleware in front of a lab server."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app, self._faults = app, faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == CONTROL:
            await self._control(scope, receive, send)
            return
        fault = self._faults.strikes(scope["path"]) if scope["type"] == "http" else None
        if fault is None:
            await self._app(scope, receive, send)
        elif fault.kind is FaultKind.SLOW:
            await asyncio.sleep(fault.seconds)
            await self._app(scope, receive, send)
        elif fault.kind is FaultKind.CUT_BODY:
            await self._app(scope, receive, _cutting(scope, send))
            await _until_gone(receive)
        elif fault.kind is FaultKind.REFUSE:
            scope["extensions"][TRANSPORT].abort()
            await _until_gone(receive)
        elif fault.kind is FaultKind.HANG:
            await _until_gone(receive)
        else:
            await _answer(fault.kind, send)

    async def _control(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 200
        if scope["method"] == "DELETE":
            self._faults.clear()
        elif scope["method"] == "POST":
            try:
                self._faults.add(await _fault(receive))
            except (ValueError, TypeError, KeyError, re.error):
                status = 400
        await _send(send, status, self._faults.as_json())


async def _fault(receive: Receive) -> Fault:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    asked = json.loads(body)
    re.compile(asked.get("path", ""))
    return Fault(FaultKind(asked["kind"]), asked.get("path", ""), float(asked.get("seconds", 1.0)), int(asked.get("times", 0)))


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _cutting(scope: Scope, send: Send) -> Send:
    async def cut(message: Message) -> None:
        if message["type"] == "http.response.body":
            body = message.get("body", b"")
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            scope["extensions"][TRANSPORT].close()
        else:
            await send(message)

    return cut


_ANSWERS = {
    FaultKind.ERROR_500: (
        500,
        b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Internal error occurred","code":500}',
    ),
    FaultKind.FORBIDDEN: (
        403,
        b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"forbidden","reason":"Forbidden","code":403}',
    ),
    FaultKind.GARBAGE: (200, b"\x00\xff<html>{not json"),
}


async def _answer(kind: FaultKind, send: Send) -> None:
    status, body = _ANSWERS[kind]
    await _send(send, status, body)


async def _send(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
