"""GitHub deployments of a service's repository: pages, statuses, and every way in which GitHub says no."""

import json
from typing import Any

import pytest

from app.domain.errors import ToolFailure
from app.domain.reason import ErrorClass
from app.domain.tool import ToolContext, ToolResult, ToolStatus
from app.tools.catalogue import ToolsConfig, build_registry
from app.tools.github_client import GithubConfig
from tests.tools.delivery_servers import TOKEN, deployment, github
from tests.tools.servers import Asked, Reply, reply, serving

REPOSITORIES = {"cart": "acme/cart"}


async def ask(context: ToolContext, url: str, repositories: dict[str, str] | None = None, **arguments: Any) -> ToolResult:
    config = GithubConfig(url, TOKEN, repositories or REPOSITORIES, timeout=2.0)
    registry, sources = build_registry(ToolsConfig(github=config))
    tool = registry.get("check_github_deployments")
    assert tool is not None
    try:
        return await tool.run(tool.arguments(**arguments), context)
    finally:
        await sources.aclose()


async def test_deployments_of_the_window_are_read_over_all_their_pages_with_what_became_of_them(context: ToolContext) -> None:
    listed = [deployment(n, f"2026-01-01T09:{10 * (n - 1):02d}:00Z") for n in (5, 4, 3, 2, 1)] + [deployment(0, "2025-06-01T00:00:00Z")] * 9
    async with serving(github(listed)) as server:
        found = await ask(context, server.url, service="cart")
    assert found.status is ToolStatus.OK
    lines = found.text.splitlines()
    assert lines[0] == (
        "deployment 5 of acme/cart v1.4 (a84d88e7554f) to production at 2026-01-01T09:40:00Z by alice: "
        "state success at 2026-01-01T09:32:00Z; Release 1.4; rolled out"
    )
    assert [(r["id"], r["state"]) for r in found.data["records"]] == [(5, "success"), (4, "failure"), (3, "success"), (2, "failure"), (1, "success")]
    pages = [a for a in server.asked if not a.path.endswith("/statuses")]
    assert [a.one("page") for a in pages] == ["1", "2", "3"]  # the third has the first that is too old
    sent = server.asked[0].headers
    assert (sent["authorization"], sent["x-github-api-version"], sent["accept"]) == (f"Bearer {TOKEN}", "2022-11-28", "application/vnd.github+json")
    told = found.model_dump_json()
    assert TOKEN not in told and "hunter2" not in told and found.provenance.value == "semi"


async def test_the_list_is_capped_and_says_so(context: ToolContext) -> None:
    listed = [deployment(n, "2026-01-01T09:00:00Z") for n in range(40)]
    async with serving(github(listed, page=5)) as server:
        found = await ask(context, server.url)
        assert len(found.data["records"]) == 10 and found.truncated == "20 deployments, 10 shown"
        assert len(server.asked) == 4 + 10


async def test_only_one_environment_can_be_asked_for(context: ToolContext) -> None:
    listed = [deployment(1, "2026-01-01T09:00:00Z"), deployment(2, "2026-01-01T09:10:00Z", "staging")]
    async with serving(github(listed)) as server:
        found = await ask(context, server.url, service="cart", environment="staging")
        none = await ask(context, server.url, service="cart", hours=0.5)
    assert [r["id"] for r in found.data["records"]] == [2]
    assert none.status is ToolStatus.NO_DATA and none.summary.startswith("No deployment of cart since 2026-01-01T09:30Z")


async def test_a_service_without_a_repository_is_not_looked_for_by_its_name(context: ToolContext) -> None:
    async with serving(github([])) as server:
        found = await ask(context, server.url, service="billing")
        assert found.status is ToolStatus.NOT_FOUND and server.asked == []


RESET = "1767265200"  # 2026-01-01T11:00:00Z
MESSAGE = {"message": "API rate limit exceeded for user ID 1."}
SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}


@pytest.mark.parametrize(
    ("status", "headers", "body", "answer", "note"),
    [
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": RESET}, MESSAGE, ToolStatus.UNAVAILABLE, "used up until 2026-01-01T11:00:00Z"),
        (429, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": RESET}, MESSAGE, ToolStatus.UNAVAILABLE, "used up until 2026-01-01T11:00:00Z"),
        (403, {"retry-after": "60"}, SECONDARY, ToolStatus.UNAVAILABLE, "to be asked again in 60 s"),
        (403, {"x-ratelimit-remaining": "4999"}, SECONDARY, ToolStatus.UNAVAILABLE, "used up: "),
        (429, {}, {}, ToolStatus.UNAVAILABLE, "used up: "),
        (
            403,
            {"x-ratelimit-remaining": "4999", "x-ratelimit-reset": RESET},
            {"message": "Resource not accessible by personal access token"},
            ToolStatus.DENIED,
            "missing permission deployments: read in GitHub",
        ),
        (404, {}, {"message": "Not Found"}, ToolStatus.NOT_FOUND, "not there, or the token may not see it"),
    ],
)
async def test_a_rate_limit_is_told_apart_from_a_missing_right(
    context: ToolContext, status: int, headers: dict[str, str], body: dict[str, str], answer: ToolStatus, note: str
) -> None:
    said = Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})
    async with serving(lambda _: said) as server:
        found = await ask(context, server.url, service="cart")
        assert len(server.asked) == 1  # asking again would only make it worse
    assert found.status is answer and note in found.note


async def test_a_status_that_cannot_be_read_leaves_the_deployment_known(context: ToolContext) -> None:
    whole = github([deployment(1, "2026-01-01T09:00:00Z")])

    def handle(asked: Asked) -> Reply:
        return reply({"message": "oops"}, 502) if asked.path.endswith("/statuses") else whole(asked)

    async with serving(handle) as server:
        found = await ask(context, server.url, service="cart")
    assert found.status is ToolStatus.OK and "state not reported" in found.text and "status of deployment 1" in found.note


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply({"message": "Bad credentials"}, 401), ErrorClass.CONFIG),
        (reply({}, 500), ErrorClass.TRANSIENT),
        (reply({"message": "an object"}), ErrorClass.EXTERNAL),
        (reply([1, 2]), ErrorClass.EXTERNAL),
        (Reply(200, b"["), ErrorClass.EXTERNAL),
        (Reply(301, b"", {"Location": "http://127.0.0.1:9/"}), ErrorClass.EXTERNAL),
        (Reply(fault="drop"), ErrorClass.TRANSIENT),
    ],
)
async def test_other_troubles_are_failures_of_their_class_without_the_token(context: ToolContext, answer: Reply, kind: ErrorClass) -> None:
    async with serving(lambda _: answer) as server:
        with pytest.raises(ToolFailure) as raised:
            await ask(context, server.url, service="cart")
    assert raised.value.error_class is kind and TOKEN not in str(raised.value)
