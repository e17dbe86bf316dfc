"""check_github_deployments: what was deployed of a service's repository, when, by whom, and whether it succeeded."""

import asyncio
from datetime import timedelta

from pydantic import Field

from app.domain.errors import ToolFailure
from app.domain.frozen import JsonObject
from app.domain.reason import ErrorClass, Reason
from app.domain.tool import Provenance, ToolContext, ToolResult, ToolStatus, Window
from app.tools.answers import Arguments, Findings, LooseName, Reading, answer, read_spec
from app.tools.events import moment
from app.tools.github_client import GithubClient, Page

MAX_REPOSITORIES = 5
MAX_DEPLOYMENTS = 10
MAX_PARALLEL = 4


class CheckGithubDeploymentsArguments(Arguments):
    service: LooseName | None = Field(None, description="A service with a repository; all if absent.")
    environment: LooseName | None = Field(None, description="Only to this environment.")
    hours: float = Field(24, gt=0, le=720, description="How far back.")


class CheckGithubDeployments:
    """data: `records`: [{service, repository, id, sha, ref, task, environment, description, creator, created_at, state, state_at,
    statuses}], newest first, `state` "" where none was reported or it could not be read."""

    arguments = CheckGithubDeploymentsArguments
    spec = read_spec(
        "check_github_deployments",
        "GitHub deployments and their statuses",
        "github",
        "github-deployments",
        CheckGithubDeploymentsArguments,
        provenance=Provenance.SEMI,
        timeout_seconds=20.0,
        rate_limit="30/minute",
    )

    def __init__(self, client: GithubClient | None) -> None:
        self._client = client

    async def run(self, arguments: CheckGithubDeploymentsArguments, context: ToolContext) -> ToolResult:
        if self._client is None:
            raise ToolFailure(ErrorClass.CONFIG, Reason.NOT_CONFIGURED, "GitHub is not configured")
        a, reading = arguments, Reading()
        window = Window(start=context.now - timedelta(hours=a.hours), end=context.now)
        known = self._client.repositories
        wanted = {s: r for s, r in sorted(known.items()) if not a.service or s == a.service}
        if not wanted:
            none = f"No repository is configured for {a.service or 'any service'}"
            return answer(self.spec, reading, Findings(ToolStatus.NOT_FOUND, none, data={"records": []}, window=window))
        if len(wanted) > MAX_REPOSITORIES:
            reading.truncated.append(f"{len(wanted)} repositories, {MAX_REPOSITORIES} read")
        asked = list(wanted.items())[:MAX_REPOSITORIES]
        pages = await asyncio.gather(*(self._client.deployments(r, window.start) for _, r in asked))
        for page in (p for of_one in pages for p in of_one):
            _note(reading, page)
        found = [{"service": s, "repository": r, **row} for (s, r), of_one in zip(asked, pages, strict=True) for p in of_one for row in p.rows]
        found = [r for r in found if moment(str(r.get("created_at", ""))) >= window.start.timestamp()]
        found = [r for r in found if not a.environment or r.get("environment") == a.environment]
        found.sort(key=lambda r: (moment(str(r.get("created_at", ""))), str(r.get("id"))), reverse=True)
        if len(found) > MAX_DEPLOYMENTS:
            reading.truncated.append(f"{len(found)} deployments, {MAX_DEPLOYMENTS} shown")
        refused = [p for of_one in pages for p in of_one if p.status is not ToolStatus.OK]
        records = await self._with_statuses(self._client, found[:MAX_DEPLOYMENTS], reading)
        return answer(self.spec, reading, _findings(records, refused, a.service or "the configured services", window))

    async def _with_statuses(self, client: GithubClient, found: list[JsonObject], reading: Reading) -> list[JsonObject]:
        slots = asyncio.Semaphore(MAX_PARALLEL)

        async def one(record: JsonObject) -> JsonObject:
            async with slots:
                try:
                    page = await client.statuses(str(record["repository"]), int(record.get("id") or 0))
                except ToolFailure as failure:  # the deployment itself is known
                    page = Page("", status=ToolStatus.UNAVAILABLE, note=f"status of deployment {record.get('id')}: {failure.detail}")
            _note(reading, page)
            newest = max(page.rows, key=lambda s: moment(str(s.get("created_at", ""))), default={})
            told = {"state": str(newest.get("state", "")), "state_at": str(newest.get("created_at", "")), "statuses": [*page.rows]}
            return {**record, **told, "state_description": str(newest.get("description", ""))}

        return list(await asyncio.gather(*(one(r) for r in found)))


def _note(reading: Reading, page: Page) -> None:
    reading.asked += [page.asked] if page.asked else []
    reading.bytes_read += page.bytes_read
    reading.notes.append(page.note)


def _findings(records: list[JsonObject], refused: list[Page], what: str, window: Window) -> Findings:
    data: JsonObject = {"records": records}
    if not records:
        status = refused[0].status if refused else ToolStatus.NO_DATA
        said = refused[0].note if refused else f"No deployment of {what} since {window.start:%Y-%m-%dT%H:%MZ}"
        return Findings(status, said, data=data, window=window)
    first = records[0]
    summary = f"{len(records)} deployments of {what}; latest {first['repository']} {_version(first)} at {first.get('created_at')}, {_state(first)}"
    return Findings(ToolStatus.OK, summary, [line(r) for r in records], data, window)


def _version(record: JsonObject) -> str:
    ref, sha = str(record.get("ref", "")), str(record.get("sha", ""))
    return ref if ref == sha else f"{ref} ({sha[:12]})"


def _state(record: JsonObject) -> str:
    at = f" at {record['state_at']}" if record["state_at"] else ""
    return f"state {record['state'] or 'not reported'}{at}"


def line(record: JsonObject) -> str:
    """`deployment 42 of acme/cart v1.4 (3f2a1bc…) to production at 2026-01-01T00:00:00Z by alice: state success at ...; words`."""
    by = f" by {record['creator']}" if record.get("creator") else ""
    words = "; ".join(str(w) for w in (record.get("description"), record["state_description"]) if w)
    where = f"to {record.get('environment', '(no environment)')} at {record.get('created_at', '(no time)')}"
    head = f"deployment {record.get('id')} of {record['repository']} {_version(record)} {where}{by}"
    return f"{head}: {_state(record)}" + (f"; {words}" if words else "")
