"""HTTP requests to a log store or a delivery tool, bounded in bytes and time, troubles told apart; used by the clients of Loki,
Elasticsearch, Argo CD and GitHub."""

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import Any

import httpx2

from app.domain.errors import ToolFailure
from app.domain.frozen import JsonObject
from app.domain.reason import ErrorClass, Reason
from app.tools.http_reading import Answer, fetch, unavailable

GRACE = 0.5  # seconds, so that the finer time-outs of the connection speak first


@dataclass(frozen=True)
class Endpoint:
    """`name` is what people call the store, `url` its base URL, `headers` carry tenant and credentials. `hint` says what to
    set when it refuses them. `timeout` is for one answer as a whole. `answers` are the statuses beside 2xx that the client reads
    itself. `authorities` is a PEM file trusted instead of the usual ones."""

    name: str
    url: str
    hint: str
    headers: dict[str, str] = field(default_factory=dict)
    timeout: float = 8.0
    max_bytes: int = 8 * 1024 * 1024
    answers: tuple[int, ...] = (400, 403, 404)
    authorities: str = ""


class LogHttp:
    """Connects at the first request; usable from one event loop."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._at = endpoint
        self._http: httpx2.AsyncClient | None = None

    async def ask(self, method: str, path: str, params: dict[str, str], body: JsonObject | None = None) -> Answer:
        """An answer with status 2xx or one of `answers`. Raises ToolFailure: CONFIG for 401, TRANSIENT for 408, 429, 5xx, time-outs
        and broken connections, EXTERNAL for anything else."""
        if self._http is None:
            # without TLS no trust store is needed, and loading it costs 0.1 s
            trusted = ssl.create_default_context(cafile=self._at.authorities) if self._at.authorities else True
            verify = False if self._at.url.startswith("http:") else trusted
            self._http = httpx2.AsyncClient(timeout=httpx2.Timeout(self._at.timeout), headers=self._at.headers, verify=verify)
        request = self._http.build_request(method, self._at.url.rstrip("/") + path, params=params, json=body)
        try:
            async with asyncio.timeout(self._at.timeout + GRACE):
                got = await fetch(self._http, request, self._at.name, self._at.max_bytes)
        except TimeoutError as error:  # an answer that trickles: each part came in time, the whole did not
            why = f"{self._at.name}: no whole answer in {self._at.timeout + GRACE:g} s"
            raise ToolFailure(ErrorClass.TRANSIENT, Reason.TIMEOUT, why) from error
        return self._judged(got)

    def _judged(self, got: Answer) -> Answer:
        if got.status < 300 or got.status in self._at.answers:
            return got
        name, said = self._at.name, plain(got)
        if got.status == 401:
            raise ToolFailure(ErrorClass.CONFIG, Reason.DENIED, f"{name} does not accept the credentials (401): {said}: {self._at.hint}", 401)
        if got.status in (408, 429) or got.status >= 500:
            raise unavailable(name, f"status {got.status}: {said}", got.status)
        raise ToolFailure(ErrorClass.EXTERNAL, Reason.TOOL_ERROR, f"{name}: status {got.status}: {said}", got.status)

    async def aclose(self) -> None:
        if self._http is not None:
            await self._http.aclose()
            self._http = None


def plain(got: Answer) -> str:
    """The first 300 characters of a body on one line."""
    return " ".join(got.body[:1_000].decode("utf-8", "replace").split())[:300]


def wrong_query(name: str, got: Answer) -> ToolFailure:
    """For 400: asking again in the same way will not help."""
    return ToolFailure(ErrorClass.CONFIG, Reason.TOOL_ERROR, f"{name} refuses the query: {plain(got)}", got.status)


def object_of(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}
