"""A request's body in, its bytes out, within a size and a time; called by `intake` before anything is parsed.

The bytes as sent are kept on the way, whole or up to the limit, because a refused body goes to quarantine.
"""

import asyncio
import zlib

from starlette.requests import ClientDisconnect, Request

from app.controller.parts import Limits
from app.domain.errors import Refused
from app.domain.reason import Reason

# After the limit we read on a little and throw away, so that an honest sender gets to read the answer: a connection
# closed with unread bytes is reset by the kernel.
_DRAIN_FACTOR = 4


def check_headers(request: Request) -> None:
    """Raises `Refused` 415 unless the body says that it is JSON in UTF-8, plain or gzip."""
    kind, _, rest = request.headers.get("content-type", "").partition(";")
    kind = kind.strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Refused(415, Reason.UNSUPPORTED_MEDIA_TYPE, "send Content-Type: application/json")
    for parameter in rest.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in ("utf-8", "utf8"):
            raise Refused(415, Reason.WRONG_ENCODING, "send the body in UTF-8")
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("identity", "", "gzip"):
        raise Refused(415, Reason.UNSUPPORTED_MEDIA_TYPE, "send the body plain or with Content-Encoding: gzip")


async def read_body(request: Request, limits: Limits, raw: bytearray) -> None:
    """Fill `raw` with what is sent. Raises `Refused`: 413 TOO_LARGE, 408 BODY_TIMEOUT, 400 BODY_INCOMPLETE; `raw` then
    holds the beginning."""
    too_large = Refused(413, Reason.TOO_LARGE, f"the body is larger than {limits.max_body_bytes} bytes")
    total = 0
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            async for chunk in request.stream():
                total += len(chunk)
                raw += chunk[: max(0, limits.max_body_bytes - len(raw))]
                if total > _DRAIN_FACTOR * limits.max_body_bytes:
                    raise too_large
    except TimeoutError:
        if total > limits.max_body_bytes:
            raise too_large from None
        detail = f"the body did not arrive within {limits.body_timeout_s:g} s"
        raise Refused(408, Reason.BODY_TIMEOUT, detail) from None
    except ClientDisconnect:
        raise Refused(400, Reason.BODY_INCOMPLETE, "the connection ended before the body did") from None
    if total > limits.max_body_bytes:
        raise too_large


def unpack(raw: bytes, content_encoding: str, limit: int) -> bytes:
    """The body itself. A gzip body is unpacked up to `limit` bytes and no further, whatever it claims to hold."""
    if content_encoding.strip().lower() != "gzip":
        return raw
    machine = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        body = machine.decompress(raw, limit + 1)
    except zlib.error:
        raise Refused(400, Reason.WRONG_ENCODING, "the body is not the gzip that Content-Encoding says") from None
    if len(body) > limit:
        raise Refused(413, Reason.TOO_LARGE, f"the body unpacks to more than {limit} bytes")
    if not machine.eof or machine.unused_data:
        raise Refused(400, Reason.WRONG_ENCODING, "the gzip body is cut off, or something follows it")
    return body
