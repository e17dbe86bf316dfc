"""One HTTP GET, read with a byte cap, its troubles told apart; used by the Kubernetes and the Prometheus client."""

from dataclasses import dataclass, field
from typing import Any

import httpx2
from pydantic_core import from_json

from app.domain.errors import ToolFailure
from app.domain.reason import ErrorClass, Reason


@dataclass(frozen=True)
class Answer:
    """`body` is what came, at most the cap; `cut` says that there was more."""

    status: int
    body: bytes
    cut: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    def json(self, source: str) -> Any:
        """The parsed body. Raises ToolFailure EXTERNAL, INVALID_RESPONSE when it is no JSON object."""
        try:
            parsed = from_json(self.body)
        except ValueError as error:
            raise invalid(source, f"not JSON: {error}", self.status) from error
        if not isinstance(parsed, dict):
            raise invalid(source, "JSON, but no object", self.status)
        return parsed


def invalid(source: str, why: str, status: int = 200) -> ToolFailure:
    return ToolFailure(ErrorClass.EXTERNAL, Reason.INVALID_RESPONSE, f"{source} answered {why}", status)


def unavailable(source: str, why: str, status: int = 0) -> ToolFailure:
    return ToolFailure(ErrorClass.TRANSIENT, Reason.UNAVAILABLE, f"{source}: {why}", status)


async def fetch(client: httpx2.AsyncClient, request: httpx2.Request, source: str, max_bytes: int) -> Answer:
    """Send and read at most `max_bytes`. Raises ToolFailure TRANSIENT for time-outs and broken connections; a request
    that cannot be made at all (address, certificate) is CONFIG where it can be told."""
    try:
        response = await client.send(request, stream=True)
        try:
            body, cut = await _capped(response, max_bytes)
        finally:
            await response.aclose()
    except httpx2.TimeoutException as error:
        raise ToolFailure(ErrorClass.TRANSIENT, Reason.TIMEOUT, f"{source}: no answer in time ({type(error).__name__})") from error
    except (httpx2.UnsupportedProtocol, httpx2.InvalidURL) as error:
        raise ToolFailure(ErrorClass.CONFIG, Reason.UNAVAILABLE, f"{source}: address cannot be used: {error}") from error
    except httpx2.DecodingError as error:
        raise invalid(source, f"a body that cannot be decoded: {error}") from error
    except httpx2.TransportError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise ToolFailure(ErrorClass.CONFIG, Reason.UNAVAILABLE, f"{source}: certificate not trusted: {error}") from error
        raise unavailable(source, f"{type(error).__name__}: {error}") from error
    return Answer(response.status_code, body, cut, {k.lower(): v for k, v in response.headers.items()})


async def _capped(response: httpx2.Response, max_bytes: int) -> tuple[bytes, bool]:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > max_bytes:
            return b"".join(parts)[:max_bytes], True
    return b"".join(parts), False
