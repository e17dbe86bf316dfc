"""Small real HTTP servers on loopback for the tests of the tools: recorded or hand-written answers, and every fault."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from app.tools.kubernetes_kinds import KINDS

JSON = {"Content-Type": "application/json"}


@dataclass
class Reply:
    """`fault`: "" or one of hang (never answers), cut (announces more than it sends), drop (closes at once)."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON))
    fault: str = ""


@dataclass
class Asked:
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    method: str = "GET"
    body: bytes = b""

    def one(self, name: str) -> str:
        return self.query.get(name, [""])[0]


Handler = Callable[[Asked], Reply]


def reply(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode())


def status_of(code: int, reason: str, message: str) -> Reply:
    return reply({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason, "code": code}, code)


@dataclass
class Running:
    url: str
    asked: list[Asked] = field(default_factory=list)


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[Running]:
    running = Running("")
    talking: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(talk(reader, writer))
        talking.add(task)
        try:
            await task
        finally:
            writer.close()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                target = urlsplit(head[0].split(" ")[1])
                headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                asked = Asked(unquote(target.path), parse_qs(target.query, keep_blank_values=True), headers, head[0].split(" ")[0], body)
                running.asked.append(asked)
                if not await _answer(handler(asked), writer):
                    break

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    running.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield running
    finally:
        server.close()
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)
        await asyncio.sleep(0)


async def _answer(made: Reply, writer: asyncio.StreamWriter) -> bool:
    """Whether the connection stays open."""
    if made.fault == "hang":
        await asyncio.Event().wait()
    if made.fault == "drop":
        return False
    length = len(made.body) + (100 if made.fault == "cut" else 0)
    lines = [f"HTTP/1.1 {made.status} X", *(f"{k}: {v}" for k, v in made.headers.items())]
    if made.status != 204:
        lines.append(f"Content-Length: {length}")
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + made.body)
    await writer.drain()
    return made.fault != "cut"


def kubernetes(world: dict[str, list[dict[str, Any]]], logs: dict[str, str] | None = None, page: int = 0) -> Handler:
    """An API server over objects by kind. A kind that is absent may not be read (403). `page`: at most so many items."""
    plurals = {(k.prefix, k.plural): (name, k) for name, k in KINDS.items()}

    def handle(asked: Asked) -> Reply:
        parts = asked.path.strip("/").split("/")
        prefix, rest = "/".join(parts[: 2 if parts[0] == "api" else 3]), parts[2 if parts[0] == "api" else 3 :]
        namespace = rest[1] if rest[0] == "namespaces" and len(rest) > 2 else ""
        rest = rest[2:] if namespace else rest
        if rest[2:] == ["log"]:
            key = f"{namespace}/{rest[1]}/{asked.one('container')}" + ("#previous" if asked.one("previous") else "")
            return Reply(200, (logs or {})[key].encode(), {"Content-Type": "text/plain"}) if key in (logs or {}) else Reply(204)
        kind, spec = plurals[(prefix, rest[0])]
        if kind not in world:
            where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
            group = prefix.split("/")[1] if prefix.startswith("apis") else ""
            message = f'{spec.plural} is forbidden: User "reader" cannot list resource "{spec.plural}" in API group "{group}"{where}'
            return status_of(403, "Forbidden", message)
        items = [i for i in world[kind] if not namespace or i["metadata"].get("namespace") == namespace]
        if len(rest) > 1:
            one = [i for i in items if i["metadata"]["name"] == rest[1]]
            return reply(one[0]) if one else status_of(404, "NotFound", f'{spec.plural} "{rest[1]}" not found')
        items = [i for i in items if _selected(i, asked.one("fieldSelector"))]
        start, most = int(asked.one("continue") or 0), min(x for x in (page, int(asked.one("limit") or 0), 10_000) if x)
        left = max(0, len(items) - start - most)
        meta = {"continue": str(start + most), "remainingItemCount": left} if left else {}
        shown = [{k: v for k, v in i.items() if k not in ("kind", "apiVersion")} for i in items[start : start + most]]
        return reply({"kind": f"{kind}List", "metadata": meta, "items": shown})

    return handle


def _selected(item: dict[str, Any], selector: str) -> bool:
    for part in filter(None, selector.split(",")):
        path, _, wanted = part.partition("=")
        value: Any = item
        for step in path.split("."):
            value = (value or {}).get(step)
        if value != wanted:
            return False
    return True
