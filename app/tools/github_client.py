"""GitHub's REST API -> deployments of a repository and what became of them. Asked by `check_github_deployments`.

Shapes follow GitHub's API documentation (Deployments, Deployment statuses, Pagination, Rate limits; version 2022-11-28), not a
real server. Of a next page only its number is taken from the answer: the token goes nowhere but to the configured address.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from pydantic_core import from_json

from app.domain.errors import ToolFailure
from app.domain.frozen import JsonObject, iso
from app.domain.reason import ErrorClass, Reason
from app.domain.tool import ToolStatus
from app.tools.events import moment
from app.tools.http_reading import Answer, invalid
from app.tools.log_http import Endpoint, LogHttp, object_of, plain

SOURCE = "GitHub"
VERSION = "2022-11-28"
PER_PAGE = 50
MAX_PAGES = 4
_NEXT = re.compile(r'<([^>]*)>\s*;\s*rel="next"')
_DEPLOYMENT = ("id", "sha", "ref", "task", "environment", "description", "created_at", "updated_at")
_STATUS = ("state", "created_at", "description", "environment")


@dataclass(frozen=True)
class GithubConfig:
    """`repositories`: service -> owner/repo. `token` needs the right `deployments: read`. Times in seconds."""

    url: str
    token: str = ""
    repositories: dict[str, str] = field(default_factory=dict)
    timeout: float = 8.0
    max_bytes: int = 4 * 1024 * 1024


@dataclass(frozen=True)
class Page:
    """One answer. `status` is OK, NOT_FOUND, DENIED or UNAVAILABLE (the rate limit is used up); `note` says why; `next` is the
    number of the next page, 0 at the end."""

    asked: str
    rows: tuple[JsonObject, ...] = ()
    bytes_read: int = 0
    status: ToolStatus = ToolStatus.OK
    note: str = ""
    next: int = 0


class GithubClient:
    """Made once; `aclose` when done. Raises ToolFailure: CONFIG for credentials, TRANSIENT for 5xx and the network, EXTERNAL for
    garbage."""

    def __init__(self, config: GithubConfig) -> None:
        self._config = config
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": VERSION, "User-Agent": "sre-agent"}
        headers |= {"Authorization": f"Bearer {config.token}"} if config.token else {}
        hint = "set a token that may read deployments (SRE_AGENT_GITHUB_TOKEN)"
        self._http = LogHttp(Endpoint(SOURCE, config.url, hint, headers, config.timeout, config.max_bytes, (403, 404, 429)))

    @property
    def repositories(self) -> dict[str, str]:
        return self._config.repositories

    async def deployments(self, repository: str, since: datetime) -> list[Page]:
        """Pages, newest deployments first, until one is older than `since`."""
        pages: list[Page] = []
        number = 1
        while number and len(pages) < MAX_PAGES:
            page = await self._page(f"/repos/{repository}/deployments", number, _DEPLOYMENT)
            pages.append(page)
            oldest = min((moment(str(r.get("created_at", ""))) for r in page.rows), default=0.0)
            number = page.next if page.status is ToolStatus.OK and oldest >= since.timestamp() else 0
        return pages

    async def statuses(self, repository: str, deployment: int) -> Page:
        """What became of it, newest first; one page."""
        return await self._page(f"/repos/{repository}/deployments/{deployment}/statuses", 1, _STATUS)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _page(self, path: str, number: int, names: Sequence[str]) -> Page:
        params = {"per_page": str(PER_PAGE), "page": str(number)}
        got = await self._http.ask("GET", quote(path), params)
        asked = f"GET {path}?per_page={PER_PAGE}&page={number}"
        if got.status == 404:
            note = f"{path}: not there, or the token may not see it (GitHub answers 404 to both)"
            return Page(asked, (), len(got.body), ToolStatus.NOT_FOUND, note)
        if got.status in (403, 429):
            return _refused(asked, got)
        rows = tuple(_trimmed(r, names) for r in _rows(got))
        return Page(asked, rows, len(got.body), next=_next(got, number))


def _refused(asked: str, got: Answer) -> Page:
    """GitHub says 403 for a missing right and, like 429, for a rate limit; the headers and the message tell which."""
    said, limits = plain(got), got.headers
    used_up = limits.get("x-ratelimit-remaining") == "0"
    if got.status == 429 or used_up or "retry-after" in limits or "rate limit" in said.lower():
        until = limits.get("x-ratelimit-reset", "") if used_up else ""
        when = f" until {iso(datetime.fromtimestamp(int(until), UTC))}" if re.fullmatch(r"[0-9]{1,11}", until) else ""
        wait = f", to be asked again in {limits['retry-after'][:10]} s" if "retry-after" in limits else ""
        return Page(asked, (), len(got.body), ToolStatus.UNAVAILABLE, f"GitHub's rate limit is used up{when}{wait}: {said}")
    return Page(asked, (), len(got.body), ToolStatus.DENIED, f"missing permission deployments: read in GitHub: {said}")


def _rows(got: Answer) -> list[JsonObject]:
    if got.cut:
        raise invalid(SOURCE, f"more than {len(got.body)} bytes")
    try:
        rows = from_json(got.body)
    except ValueError as error:
        raise invalid(SOURCE, f"not JSON: {error}", got.status) from error
    if not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows):
        raise ToolFailure(ErrorClass.EXTERNAL, Reason.INVALID_RESPONSE, f"{SOURCE} answered JSON, but no list of objects", got.status)
    return rows


def _trimmed(row: JsonObject, names: Sequence[str]) -> JsonObject:
    found: JsonObject = {name: row[name] for name in names if row.get(name) not in (None, "")}
    return {**found, "creator": str(object_of(row.get("creator")).get("login", ""))}


def _next(got: Answer, number: int) -> int:
    """From `Link: <...?page=2>; rel="next"`; a number that does not go on ends the reading."""
    link: Any = _NEXT.search(got.headers.get("link", ""))
    said = parse_qs(urlsplit(link[1]).query).get("page", ["0"])[0] if link else "0"
    return int(said) if re.fullmatch(r"[0-9]{1,6}", said) and int(said) > number else 0
