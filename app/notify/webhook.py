"""A notice in, one signed HTTP POST out.

The receiver checks `X-SRE-Agent-Signature: v1=<hex>`: HMAC-SHA256 with the shared secret over the timestamp header, a dot
and the body as sent. A timestamp that is minutes old is a replay. `Idempotency-Key` is the same for every attempt.
"""

import asyncio
import hashlib
import hmac
import json
from dataclasses import dataclass, field

import httpx2

from app.domain.frozen import Clock, JsonObject
from app.notify.ports import ChannelName, TransportError

# The receiver may be up again, or wants us slower: everything else between 300 and 499 stays wrong however often we send.
_TRANSIENT_4XX = {408, 425, 429}
_LONGEST_WISH_S = 3600.0


@dataclass(frozen=True)
class WebhookTarget:
    """`secret` may be empty: then nothing is signed, and the receiver cannot know that it is us."""

    url: str
    secret: str = field(default="", repr=False)
    timeout_s: float = 10.0


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """`v1=` and 64 hex digits."""
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _wish(value: str) -> float | None:
    """`Retry-After` in seconds, at most an hour; the form with a date is not used by webhooks we know."""
    return min(float(value), _LONGEST_WISH_S) if value.isascii() and value.isdigit() else None


class WebhookChannel:
    """`client` is made and closed by `main`; no redirect is followed, or the signed body would go where nobody said."""

    name = ChannelName.WEBHOOK

    def __init__(self, target: WebhookTarget, client: httpx2.AsyncClient, clock: Clock) -> None:
        self._target = target
        self._client = client
        self._clock = clock

    async def deliver(self, notice_id: str, document: JsonObject) -> None:
        """Any 2xx is a receipt; its body is not read. Raises `TransportError`, never with the address, which may hold a
        secret."""
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode("utf-8", "replace")
        try:
            async with asyncio.timeout(self._target.timeout_s):  # in all: a receiver may not drip
                response = await self._post(notice_id, body)
        except (TimeoutError, httpx2.TimeoutException):
            raise TransportError(f"no answer within {self._target.timeout_s:g} s") from None
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
            raise TransportError("the address is no http or https URL", permanent=True) from None
        except httpx2.HTTPError as error:
            raise TransportError(f"not reached: {type(error).__name__}") from None
        self._judge(response)

    async def _post(self, notice_id: str, body: bytes) -> httpx2.Response:
        request = self._client.build_request("POST", self._target.url, content=body, headers=self._headers(notice_id, body))
        response = await self._client.send(request, stream=True, follow_redirects=False)
        await response.aclose()
        return response

    def _headers(self, notice_id: str, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "sre-agent", "Idempotency-Key": notice_id}
        if self._target.secret:
            timestamp = str(int(self._clock().timestamp()))
            headers |= {"X-SRE-Agent-Timestamp": timestamp, "X-SRE-Agent-Signature": sign(self._target.secret, timestamp, body)}
        return headers

    def _judge(self, response: httpx2.Response) -> None:
        status = response.status_code
        if 200 <= status < 300:
            return
        permanent = 300 <= status < 500 and status not in _TRANSIENT_4XX
        raise TransportError(f"answered {status}", permanent, _wish(response.headers.get("retry-after", "")))
