"""The Kubernetes API -> trimmed JSON objects, bounded in items, bytes and time. Every Kubernetes tool reads through this.
Lists are paged and never watched.

lightkube gives configuration, certificates, tokens and exec plugins; objects stay plain JSON, because its typed models
drop fields that they do not know, and a listing costs a third of the time without them.
"""

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from lightkube.config.client_adapter import AsyncClient, ConnectionParams
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.config.models import Cluster, User
from lightkube.core.exceptions import ConfigError
from yaml import YAMLError

from app.domain.errors import ToolFailure
from app.domain.frozen import JsonObject
from app.domain.reason import ErrorClass, Reason
from app.domain.tool import ToolStatus
from app.tools.http_reading import Answer, fetch, invalid, unavailable
from app.tools.kubernetes_kinds import KINDS
from app.tools.kubernetes_trim import trim

SOURCE = "the Kubernetes API"
GRACE = 0.5  # seconds, so that the finer time-outs of the connection speak first
MAX_EXPIRIES = 3
# What the API server says when it cannot fetch a log from the node: asking again at once does not help.
KUBELET_AWAY = re.compile(r"(dial tcp .*|No agent available.*|net/http: TLS handshake timeout)$")
FORBIDDEN = re.compile(r'cannot (\S+) resource "([^"]+)"(?: in API group "([^"]*)")?(?: in the namespace "([^"]+)")?')


@dataclass(frozen=True)
class KubernetesConfig:
    """Exactly one of `kubeconfig`, `in_cluster`, `url` (a server without authentication). Times in seconds: `timeout` is
    for one answer as a whole, `max_seconds` for all pages of a list, which then ends with what was read."""

    kubeconfig: Path | None = None
    context: str = ""
    in_cluster: bool = False
    url: str = ""
    timeout: float = 8.0
    max_seconds: float = 8.0
    page_size: int = 500
    max_items: int = 5_000
    max_bytes: int = 24 * 1024 * 1024


@dataclass(frozen=True)
class Listing:
    """Items of one kind. `status` is OK, DENIED, NOT_FOUND (the API has no such kind) or UNAVAILABLE."""

    kind: str
    path: str
    items: list[JsonObject] = field(default_factory=list)
    bytes_read: int = 0
    status: ToolStatus = ToolStatus.OK
    truncated: str = ""
    note: str = ""


@dataclass(frozen=True)
class LogText:
    """A container's log. `status` is OK, NO_DATA (`note` says why), NOT_FOUND or DENIED."""

    path: str
    text: str = ""
    bytes_read: int = 0
    status: ToolStatus = ToolStatus.OK
    truncated: str = ""
    note: str = ""


class KubernetesClient:
    """Made once; usable from one event loop. `aclose` when done."""

    def __init__(self, config: KubernetesConfig) -> None:
        self._config = config
        self._http: httpx2.AsyncClient | None = None

    async def list(self, kind: str, namespace: str = "", labels: str = "", fields: str = "") -> Listing:
        """All pages, up to the caps. Raises ToolFailure: CONFIG (401), TRANSIENT (429, 5xx, network), EXTERNAL."""
        path = KINDS[kind].path(namespace)
        params = {"labelSelector": labels, "fieldSelector": fields}
        pages = _Pages(kind, path + _query(params))
        limit, token = self._config.page_size, ""
        end = asyncio.get_running_loop().time() + self._config.max_seconds
        while True:
            try:
                async with asyncio.timeout_at(end if pages.items else None):
                    got = await self._get(path, params | {"limit": str(limit), "continue": token}, self._config.max_bytes)
            except TimeoutError:
                return pages.listing(pages.left_out(self._config.max_seconds))
            if got.cut and limit > 10:
                limit //= 5
                continue
            token = pages.take(got)
            if pages.refused is not None or not (token or pages.again):
                return pages.listing("")
            if len(pages.items) >= self._config.max_items or pages.size >= self._config.max_bytes:
                return pages.listing(pages.left_out())

    async def get(self, kind: str, namespace: str, name: str) -> Listing:
        """One object as a listing of one; empty and NOT_FOUND when it does not exist."""
        path = KINDS[kind].path(namespace, name)
        got = await self._get(path, {}, self._config.max_bytes)
        refused = _refusal(kind, path, got)
        if refused is not None:
            return refused
        item = got.json(SOURCE)
        if not _is_object(item):
            raise invalid(SOURCE, f"no object to {path}")
        return Listing(kind, path, [trim(kind, item)], len(got.body))

    async def log(self, namespace: str, pod: str, params: dict[str, str], max_bytes: int) -> LogText:
        """`params` are those of the API (container, previous, tailLines, sinceSeconds, timestamps)."""
        path = KINDS["Pod"].path(namespace, pod) + "/log"
        asked = path + _query(params)
        got = await self._get(path, params, max_bytes)
        if got.status in (400, 404):
            message = _message(got) or got.body.decode("utf-8", "replace")[:300]
            gone = got.status == 404 or "is not valid for pod" in message
            return LogText(asked, "", len(got.body), ToolStatus.NOT_FOUND if gone else ToolStatus.NO_DATA, "", message)
        if got.status >= 500 and (away := KUBELET_AWAY.search(_message(got))):
            return LogText(asked, "", len(got.body), ToolStatus.UNAVAILABLE, "", f"the kubelet of the pod's node does not answer: {away[0]}")
        refused = _refusal("Pod", asked, got)
        if refused is not None:
            return LogText(asked, "", refused.bytes_read, refused.status, "", refused.note)
        if got.status == 204:
            return LogText(asked, "", 0, ToolStatus.NO_DATA, "", "the pod is not scheduled, so it has no log")
        cut = f"log cut at {max_bytes} bytes" if got.cut else ""
        return LogText(asked, got.body.decode("utf-8", "replace"), len(got.body), truncated=cut)

    async def aclose(self) -> None:
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _get(self, path: str, params: dict[str, str], max_bytes: int) -> Answer:
        if self._http is None:
            self._http = connect(self._config)
        request = self._http.build_request("GET", path, params={k: v for k, v in params.items() if v}, headers={"Accept": "application/json, */*"})
        try:
            async with asyncio.timeout(self._config.timeout + GRACE):
                return await fetch(self._http, request, SOURCE, max_bytes)
        except TimeoutError as error:  # an answer that trickles: each part came in time, the whole did not
            raise ToolFailure(ErrorClass.TRANSIENT, Reason.TIMEOUT, f"{SOURCE}: no whole answer in {self._config.timeout + GRACE:g} s") from error
        except ConfigError as error:  # an exec plugin or a token file failed
            raise ToolFailure(ErrorClass.CONFIG, Reason.DENIED, f"{SOURCE}: {error}") from error


def check_configuration(config: KubernetesConfig) -> None:
    """Look at what is configured and ask nobody. Raises ToolFailure CONFIG when it cannot be used."""
    try:
        _chosen(config)
    except (ConfigError, YAMLError, OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise ToolFailure(ErrorClass.CONFIG, Reason.UNAVAILABLE, f"{SOURCE}: configuration cannot be used: {error}") from error


def connect(config: KubernetesConfig) -> httpx2.AsyncClient:
    """Raises ToolFailure CONFIG when the configuration cannot be used."""
    try:
        chosen = _chosen(config)
        params = ConnectionParams(timeout=httpx2.Timeout(config.timeout), trust_env=not config.url)
        return AsyncClient(chosen._replace(user=chosen.user or User()), params)
    except (ConfigError, OSError, KeyError, ValueError, TypeError) as error:
        raise ToolFailure(ErrorClass.CONFIG, Reason.UNAVAILABLE, f"{SOURCE}: configuration cannot be used: {error}") from error


def _chosen(config: KubernetesConfig) -> SingleConfig:
    if config.url:
        # without TLS no trust store is needed, and loading it costs 0.1 s
        plain = KubeConfig.from_one(cluster=Cluster(server=config.url, insecure=config.url.startswith("http:")), user=User())
        found = plain.get()
    elif config.in_cluster:
        found = KubeConfig.from_service_account().get()
    elif config.kubeconfig is not None:
        found = KubeConfig.from_file(config.kubeconfig).get(config.context or None)
    else:
        raise ConfigError("neither kubeconfig nor in_cluster nor url is set")
    if found is None:
        raise ConfigError("no context is chosen")
    return found


class _Pages:
    """Collects the pages of one list call."""

    def __init__(self, kind: str, asked: str) -> None:
        self.kind, self.asked = kind, asked
        self.items: list[JsonObject] = []
        self.size, self.remaining, self.expired = 0, 0, 0
        self.again = False  # the list has to be begun anew
        self.refused: Listing | None = None
        self.note = ""

    def take(self, got: Answer) -> str:
        """Adds a page -> the token of the next, "" after the last. An expired token (410) brings a new one, or the list is
        begun anew."""
        self.size += len(got.body)
        self.again = False
        if got.status == 410 and self.expired < MAX_EXPIRIES:
            self.expired += 1
            token = str((got.json(SOURCE).get("metadata") or {}).get("continue") or "")
            self.note = f"{self.kind} list went on at a newer version" if token else f"{self.kind} list was begun anew"
            if not token:
                self.items, self.again = [], True
            return token
        self.refused = _refusal(self.kind, self.asked, got)
        if self.refused is not None:
            return ""
        if got.cut:
            raise invalid(SOURCE, f"more than {len(got.body)} bytes to {self.asked}")
        page = got.json(SOURCE)
        items, meta = page.get("items"), page.get("metadata") or {}
        if not isinstance(items, list) or not isinstance(meta, dict):
            raise invalid(SOURCE, f"no list of items to {self.asked}")
        named = [i for i in items if _is_object(i)]
        if len(named) < len(items):
            self.note = f"{len(items) - len(named)} items of the {self.kind} list are no objects and were left out"
        self.items += [trim(self.kind, i) for i in named]
        left = meta.get("remainingItemCount")
        self.remaining = left if isinstance(left, int) else 0
        return str(meta.get("continue") or "")

    def left_out(self, seconds: float | None = None) -> str:
        """`500 pods read, 200 left out`; the server does not tell how many remain where there is a selector."""
        late = "" if seconds is None else f" after {seconds:g} s"
        return f"{len(self.items)} {KINDS[self.kind].plural} read{late}, {self.remaining or 'more'} left out"

    def listing(self, truncated: str) -> Listing:
        if self.refused is not None and not self.items:
            return self.refused
        note = "; ".join(n for n in (self.note, self.refused.note if self.refused else "") if n)
        ordered = sorted(self.items, key=lambda i: (i["metadata"].get("namespace", ""), i["metadata"].get("name", "")))
        return Listing(self.kind, self.asked, ordered, self.size, ToolStatus.OK, truncated, note)


def _is_object(item: object) -> bool:
    """Whether it has a name: what has none cannot be cited."""
    meta = item.get("metadata") if isinstance(item, dict) else None
    return isinstance(meta, dict) and isinstance(meta.get("name"), str)


def _refusal(kind: str, path: str, got: Answer) -> Listing | None:
    """None for a good answer; a listing that says no for 403 and 404. Raises ToolFailure for everything else."""
    if got.status < 300:
        return None
    message = _message(got)
    if got.status == 403:
        return Listing(kind, path, [], len(got.body), ToolStatus.DENIED, "", missing_right(message, kind))
    if got.status == 404:
        absent = "the API server does not serve this kind" if not message or "requested resource" in message else message
        return Listing(kind, path, [], len(got.body), ToolStatus.NOT_FOUND, "", f"{kind}: {absent}")
    if got.status == 401:
        raise ToolFailure(ErrorClass.CONFIG, Reason.DENIED, f"{SOURCE} does not accept the credentials (401): give it valid ones", 401)
    if got.status in (408, 429) or got.status >= 500:
        raise unavailable(SOURCE, f"status {got.status}: {message[:200]}", got.status)
    raise ToolFailure(ErrorClass.EXTERNAL, Reason.TOOL_ERROR, f"{SOURCE}: status {got.status}: {message[:200]}", got.status)


def missing_right(message: str, kind: str) -> str:
    """`pods is forbidden: User "x" cannot list resource ...` -> the right to grant, and to whom."""
    found = FORBIDDEN.search(message)
    if not found:
        return f"no permission to read {KINDS[kind].plural}: {message[:300]}"
    verb, resource, group, namespace = found.groups()
    where = f"in namespace {namespace}" if namespace else "at cluster scope"
    user = re.search(r'User "([^"]+)"', message)
    return f"missing permission: {verb} {resource}{'.' + group if group else ''} {where}" + (f" for user {user.group(1)}" if user else "")


def _message(got: Answer) -> str:
    """The message of a Status body, "" if it is none."""
    if not got.body.startswith(b"{"):
        return ""
    return str(got.json(SOURCE).get("message") or "")


def _query(params: dict[str, str]) -> str:
    asked = "&".join(f"{k}={v}" for k, v in params.items() if v)
    return f"?{asked}" if asked else ""
