"""One connection attempt -> what happened: TCP, then TLS and one HTTP request where asked, straight or through an HTTP
CONNECT proxy (as an agent outside the cluster has). Used by check_http."""

import asyncio
import contextlib
import re
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.domain.errors import ToolFailure
from app.domain.reason import ErrorClass, Reason

MAX_HEAD = 8_192
# words of proxies (and of resolvers behind them) for why they could not connect
SAID = {
    "refused": "refused",
    "no such host": "dns_failure",
    "not known": "dns_failure",
    "resolve": "dns_failure",
    "dns": "dns_failure",
    "timeout": "timeout",
    "timed out": "timeout",
}


@dataclass(frozen=True)
class Endpoint:
    """Where to knock. `scheme` is tcp, http or https; `path` only for the latter two."""

    host: str
    port: int
    scheme: str = "tcp"
    path: str = "/"

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.scheme == "tcp" else f"{self.scheme}://{self.host}:{self.port}{self.path}"


@dataclass(frozen=True)
class Knock:
    """`result` is open, refused, timeout, dns_failure, unreachable, tls_failure or unknown; `detail` what was said."""

    endpoint: Endpoint
    result: str
    detail: str = ""

    @property
    def line(self) -> str:
        return f"probe {self.endpoint}: {self.result}" + (f", {self.detail}" if self.detail else "")


def endpoint_of(text: str) -> Endpoint:
    """`host:port` or an http(s) URL. Raises ValueError for anything else."""
    if "://" not in text:
        host, _, port = text.rpartition(":")
        if not host or not port.isdigit():
            raise ValueError(f"{text!r} is neither host:port nor an http(s) URL")
        return Endpoint(host.strip("[]"), int(port))
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{text!r} is neither host:port nor an http(s) URL")
    return Endpoint(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80), parts.scheme, parts.path or "/")


async def knock(endpoint: Endpoint, timeout: float, proxy_url: str = "") -> Knock:
    """Never raises for what the far side does. Raises ToolFailure when the proxy itself cannot be used."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(timeout):
            if proxy_url:
                reader, writer = await _to_proxy(proxy_url)
                refused = await _connect(reader, writer, endpoint)
                if refused is not None:
                    return refused
            else:
                reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
            return await _speak(endpoint, reader, writer)
    except TimeoutError:
        return Knock(endpoint, "timeout", f"no answer within {timeout:g} s")
    except ssl.SSLError as error:
        return Knock(endpoint, "tls_failure", str(error.reason or error)[:200])
    except socket.gaierror:
        return Knock(endpoint, "dns_failure", "the name does not resolve")
    except ConnectionRefusedError:
        return Knock(endpoint, "refused")
    except OSError as error:
        return Knock(endpoint, "unreachable", (error.strerror or type(error).__name__)[:200])
    finally:
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 1)


async def _to_proxy(proxy_url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(proxy_url)
    try:
        return await asyncio.open_connection(parts.hostname, parts.port or 3128)
    except OSError as error:
        raise ToolFailure(ErrorClass.TRANSIENT, Reason.UNAVAILABLE, f"probe proxy {parts.hostname}:{parts.port}: {error}") from error


async def _connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, endpoint: Endpoint) -> Knock | None:
    """Ask the proxy to connect; None when it did."""
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    writer.write(f"CONNECT {host}:{endpoint.port} HTTP/1.1\r\nHost: {host}:{endpoint.port}\r\n\r\n".encode())
    await writer.drain()
    status, head = await _head(reader)
    if status == 200:
        return None
    said = (head + " " + await _rest(reader, head)).lower()
    for word, result in SAID.items():
        if word in said and status in (502, 503, 504):
            return Knock(endpoint, result)
    return Knock(endpoint, "unknown", f"the proxy answered {status}")


async def _speak(endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Knock:
    """TLS and one GET where the scheme asks for them."""
    if endpoint.scheme == "tcp":
        return Knock(endpoint, "open")
    detail = ""
    if endpoint.scheme == "https":
        await writer.start_tls(ssl.create_default_context(), server_hostname=endpoint.host)
        certificate = writer.get_extra_info("peercert") or {}
        detail = f"certificate valid until {certificate.get('notAfter', 'unknown')}, "
    request = f"GET {endpoint.path} HTTP/1.1\r\nHost: {endpoint.host}:{endpoint.port}\r\nUser-Agent: sre-agent\r\nConnection: close\r\n\r\n"
    writer.write(request.encode())
    await writer.drain()
    status, _ = await _head(reader)
    return Knock(endpoint, "open", detail + (f"HTTP {status}" if status else "closed without an HTTP answer"))


async def _head(reader: asyncio.StreamReader) -> tuple[int, str]:
    """(status or 0, head as text)."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        raw = error.partial
    except asyncio.LimitOverrunError:
        raw = await reader.read(MAX_HEAD)
    text = raw[:MAX_HEAD].decode("latin-1")
    found = re.match(r"HTTP/1\.[01] ([0-9]{3})", text)
    return (int(found.group(1)) if found else 0), text


async def _rest(reader: asyncio.StreamReader, head: str) -> str:
    length = re.search(r"(?im)^content-length:\s*([0-9]+)", head)
    wanted = min(int(length.group(1)), MAX_HEAD) if length else 0
    try:
        return (await reader.readexactly(wanted)).decode("latin-1") if wanted else ""
    except asyncio.IncompleteReadError as error:
        return error.partial.decode("latin-1")
