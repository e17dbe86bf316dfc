"""One connection attempt -> what happened, stage by stage: the name, TCP, then TLS and one HTTP request where asked, straight or
through an HTTP CONNECT proxy (as an agent outside the cluster has). Used by check_http."""

import asyncio
import contextlib
import ipaddress
import re
import socket
import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from app.domain.errors import ToolFailure
from app.domain.reason import ErrorClass, Reason
from app.tools.certificate import Certificate
from app.tools.tls_probe import Handshake, Trust, broken, held, unverified

MAX_HEAD = 8_192
MAX_ADDRESSES = 4
PORTS = {"http": 80, "https": 443, "tls": 443}
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
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Endpoint:
    """Where to knock. `scheme` is tcp, tls, http or https; `path` only for the latter two. `origin` says who named it:
    configuration, service or ingress. A name that an object of the cluster gives leads nowhere but to addresses that `routable`
    lets through."""

    host: str
    port: int
    scheme: str = "tcp"
    path: str = "/"
    origin: str = field(default="configuration", compare=False)

    def __str__(self) -> str:
        shown = f"[{self.host}]" if ":" in self.host else self.host
        if self.scheme == "tcp":
            return f"{shown}:{self.port}"
        return f"{self.scheme}://{shown}:{self.port}{self.path if self.scheme != 'tls' else ''}"


@dataclass(frozen=True)
class Way:
    """How to get there: whom to trust, `timeout` in seconds for one endpoint as a whole, `proxy_url` of an HTTP CONNECT proxy."""

    trust: Trust
    timeout: float = 3.0
    proxy_url: str = ""


@dataclass(frozen=True)
class Knock:
    """`result` is open, refused, timeout, dns_failure, unreachable, tls_failure, http_failure, out_of_scope or unknown; `stage` how
    far it came (dns, tcp, tls or http), `detail` what was said. `faults` are those of the certificate (`tls_probe`)."""

    endpoint: Endpoint
    result: str
    detail: str = ""
    stage: str = "tcp"
    status: int = 0
    faults: tuple[str, ...] = ()
    certificate: Certificate | None = None

    @property
    def line(self) -> str:
        said = ", ".join(filter(None, (*self.faults, self.detail)))
        return f"probe {self.endpoint}: {self.result}" + (f", {said}" if said else "")


class _Ended(Exception):
    """What ended an attempt before its last stage; it never leaves this module."""

    def __init__(self, result: str, detail: str = "", handshake: Handshake | None = None) -> None:
        super().__init__(result)
        self.result, self.detail, self.handshake = result, detail, handshake or Handshake()


def endpoint_of(text: str) -> Endpoint:
    """`host:port` or a URL of tls, http or https. Raises ValueError for anything else."""
    wrong = f"{text!r} is neither host:port nor an http(s) or tls URL"
    if "://" not in text:
        host, _, port = text.rpartition(":")
        if not host or not port.isdigit():
            raise ValueError(wrong)
        return Endpoint(host.strip("[]"), int(port))
    parts = urlsplit(text)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError(wrong)
    return Endpoint(parts.hostname, parts.port or PORTS[parts.scheme], parts.scheme, parts.path or "/")


def routable(address: str | None) -> bool:
    """An address that is no trick: not this machine, not a link-local metadata service."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return not (found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast)


async def knock(endpoint: Endpoint, way: Way) -> Knock:
    """Never raises for what the far side does. Raises ToolFailure when the proxy itself cannot be used."""
    return await _Attempt(endpoint, way).run()


class _Attempt:
    """One endpoint, its connections closed at the end."""

    def __init__(self, endpoint: Endpoint, way: Way) -> None:
        self._to, self._way = endpoint, way
        self._stage = "dns"
        self._open: list[asyncio.StreamWriter] = []
        self._whole = False

    async def run(self) -> Knock:
        shake = Handshake()
        try:
            async with asyncio.timeout(self._way.timeout):
                streams = await self._connected()
                if self._to.scheme in ("tls", "https"):
                    shake = await self._tls(streams)
                status = await self._http(streams) if self._to.scheme in ("http", "https") else 0
            self._whole = True
            said = ", ".join(filter(None, (shake.version, f"HTTP {status}" if status else "")))
            return Knock(self._to, "open", said, self._stage, status, (), shake.certificate)
        except _Ended as end:
            return Knock(self._to, end.result, end.detail, self._stage, 0, end.handshake.faults, end.handshake.certificate or shake.certificate)
        except TimeoutError:
            what = {"tls": "TLS ", "http": "HTTP "}.get(self._stage, "")
            return Knock(self._to, "timeout", f"no {what}answer within {self._way.timeout:g} s", self._stage, 0, (), shake.certificate)
        except OSError as error:
            failed = {"tls": "tls_failure", "http": "http_failure"}.get(self._stage, "unreachable")
            return Knock(self._to, failed, _plain(error), self._stage, 0, (), shake.certificate)
        finally:
            for writer in self._open:
                await _close(writer, self._whole)

    async def _connected(self) -> Streams:
        streams = await (self._through_proxy() if self._way.proxy_url else self._straight())
        self._stage = "tcp"
        return streams

    async def _straight(self) -> Streams:
        """To the first address of the name that takes a connection."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(self._to.host, self._to.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError):
            raise _Ended("dns_failure", "the name does not resolve") from None
        addresses = list(dict.fromkeys(str(a[4][0]) for a in found))
        if self._to.origin != "configuration":
            addresses = [a for a in addresses if routable(a)]
        if not addresses:
            raise _Ended("out_of_scope", "the name leads to this machine or to a link-local address")
        self._stage = "tcp"
        last: OSError = ConnectionRefusedError()
        for address in addresses[:MAX_ADDRESSES]:
            try:
                streams = await asyncio.open_connection(address, self._to.port)
            except OSError as error:
                last = error
            else:
                self._open.append(streams[1])
                return streams
        raise _Ended("refused") if isinstance(last, ConnectionRefusedError) else _Ended("unreachable", _plain(last))

    async def _through_proxy(self) -> Streams:
        streams = await _to_proxy(self._way.proxy_url)
        self._open.append(streams[1])
        await _tunnel(*streams, self._to)
        return streams

    async def _tls(self, streams: Streams) -> Handshake:
        """Raises _Ended for a certificate that does not hold, and for a peer that speaks no TLS."""
        self._stage = "tls"
        try:
            trusted = await asyncio.to_thread(lambda: self._way.trust.context)
            await streams[1].start_tls(trusted, server_hostname=self._to.host)
        except ssl.SSLCertVerificationError as error:
            second = await self._read_unverified()
            shake = broken(error, second, self._way.trust.now)
            raise _Ended("tls_failure", shake.said, shake) from None
        except ssl.SSLError as error:
            raise _Ended("tls_failure", str(error.reason or error)[:200].replace("_", " ").lower()) from None
        return held(streams[1].get_extra_info("ssl_object"))

    async def _read_unverified(self) -> ssl.SSLObject | None:
        """A second connection, for the certificate alone; None where it does not come about."""
        try:
            _, writer = await self._connected()
            self._stage = "tls"
            await writer.start_tls(unverified(), server_hostname=self._to.host)
        except (OSError, _Ended):
            self._stage = "tls"
            return None
        found: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return found

    async def _http(self, streams: Streams) -> int:
        self._stage = "http"
        reader, writer = streams
        host = str(Endpoint(self._to.host, self._to.port))
        writer.write(f"GET {self._to.path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: sre-agent\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        status, head = await _head(reader)
        if not status:
            raise _Ended("http_failure", "an answer that is no HTTP" if head else "closed without an HTTP answer")
        return status


async def _close(writer: asyncio.StreamWriter, politely: bool) -> None:
    """A peer that does not answer does not answer a goodbye either."""
    if not politely:
        writer.transport.abort()
        await asyncio.sleep(0)  # the transport closes in the next turn of the loop
        return
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
        await asyncio.wait_for(writer.wait_closed(), 1)


async def _to_proxy(proxy_url: str) -> Streams:
    parts = urlsplit(proxy_url)
    try:
        return await asyncio.open_connection(parts.hostname, parts.port or 3128)
    except OSError as error:
        raise ToolFailure(ErrorClass.TRANSIENT, Reason.UNAVAILABLE, f"probe proxy {parts.hostname}:{parts.port}: {error}") from error


async def _tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, endpoint: Endpoint) -> None:
    """Ask the proxy to connect. Raises _Ended when it did not."""
    target = str(Endpoint(endpoint.host, endpoint.port))
    writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    await writer.drain()
    status, head = await _head(reader)
    if status == 200:
        return
    said = (head + " " + await _rest(reader, head)).lower()
    for word, result in SAID.items():
        if word in said and status in (502, 503, 504):
            raise _Ended(result)
    raise _Ended("unknown", f"the proxy answered {status}")


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


def _plain(error: OSError) -> str:
    return (error.strerror or str(error) or type(error).__name__)[:200]
