"""An HTTP CONNECT proxy that answers as the recorded probes did: what an agent outside a cluster would probe through.

open: 200 and a silent tunnel. refused, dns_failure: 502 with the reason. timeout: no answer. A pair that was not probed:
502 "unknown". Probes made from one node only are series, not answers here. Started by `servers.LabServers`.
"""

import asyncio
import contextlib

from app.lab.snapshot import World

_REASONS = {"refused": "connection refused", "dns_failure": "dns_failure: no such host"}
MAX_HEAD = 16_384


class ConnectProxy:
    """Holds one world."""

    def __init__(self, world: World) -> None:
        self.show(world)
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def show(self, world: World) -> None:
        self._world = world

    def result(self, target: str) -> str:
        """`host:port` -> open, refused, timeout, dns_failure or unknown."""
        host, _, port = target.rpartition(":")
        known = (p for p in self._world.probes if not p.origin and p.host == host.strip("[]") and str(p.port) == port)
        return next((p.result for p in known), "unknown")

    async def start(self, port: int = 0) -> asyncio.Server:
        return await asyncio.start_server(self._connected, "127.0.0.1", port, limit=MAX_HEAD)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await self._serve(reader, writer)
        finally:
            del self._open[task]
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, _, rest = head.partition(" ")
        if method != "CONNECT":
            writer.write(_answer("405 Method Not Allowed", "only CONNECT"))
            return
        result = self.result(rest.split(" ")[0])
        if result == "open":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.drain()
            await reader.read(1)  # nothing lives behind the tunnel: the first byte, or the end, closes it
        elif result == "timeout":
            while await reader.read(4096):
                pass
        else:
            writer.write(_answer("502 Bad Gateway", _REASONS.get(result, result)))

    async def close(self) -> None:
        """End the tunnels that are still open. Cut, not cancelled: asyncio's streams complain of a cancelled handler."""
        for writer in self._open.values():
            writer.transport.abort()
        await asyncio.gather(*self._open, return_exceptions=True)


def _answer(status: str, reason: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nX-Probe-Result: {reason}\r\n"
    return f"{head}Content-Length: {len(reason)}\r\nConnection: close\r\n\r\n{reason}".encode()
