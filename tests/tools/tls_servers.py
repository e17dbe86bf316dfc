"""TLS servers on loopback with the certificates of `certificates/`, and a proxy whose tunnels end at one of them."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

CERTIFICATES = Path(__file__).parent / "certificates"
AUTHORITY = str(CERTIFICATES / "authority.pem")
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """-> port. At the end every connection is closed, and waited for."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def talking(answer: bytes, certificate: str = "") -> AsyncIterator[int]:
    """A server that answers the first bytes it gets; with a certificate, it speaks TLS. -> port"""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATES / f"{certificate}.pem")

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(4096):
            writer.write(answer)
            await writer.drain()

    async with listening(answered, context) as port:
        yield port


@contextlib.asynccontextmanager
async def silent() -> AsyncIterator[int]:
    """A server that takes everything and says nothing. -> port"""

    async def swallowed(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with listening(swallowed) as port:
        yield port


@contextlib.asynccontextmanager
async def tunnel(to: int) -> AsyncIterator[str]:
    """An HTTP CONNECT proxy all of whose tunnels end at one port of this machine. -> its URL"""

    async def copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while part := await reader.read(4096):
                writer.write(part)
                await writer.drain()
        writer.close()

    async def joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        inner_reader, inner = await asyncio.open_connection("127.0.0.1", to)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(copied(reader, inner), copied(inner_reader, writer))
        with contextlib.suppress(OSError):
            await inner.wait_closed()

    async with listening(joined) as port:
        yield f"http://127.0.0.1:{port}"
