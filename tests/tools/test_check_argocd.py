"""Argo CD's Applications: which are those of a service, what is said of them, and every way in which the server says no."""

import json
from typing import Any

import pytest

from app.domain.errors import ToolFailure
from app.domain.reason import ErrorClass, Reason
from app.domain.tool import ToolContext, ToolResult, ToolStatus
from app.tools.argocd_client import ArgoConfig
from app.tools.catalogue import ToolsConfig, build_registry
from tests.tools.delivery_servers import FAILED, TOKEN, application, argocd
from tests.tools.servers import Reply, reply, serving
from tests.tools.tls_servers import AUTHORITY, talking


async def ask(context: ToolContext, url: str, token: str = TOKEN, config: dict[str, Any] | None = None, **arguments: Any) -> ToolResult:
    registry, sources = build_registry(ToolsConfig(argocd=ArgoConfig(url, token, **(config or {"timeout": 2.0}))))
    tool = registry.get("check_argocd")
    assert tool is not None
    try:
        return await tool.run(tool.arguments(**arguments), context)
    finally:
        await sources.aclose()


async def test_a_sync_that_fails_is_told_with_what_it_refused_and_what_was_deployed(context: ToolContext) -> None:
    async with serving(argocd(application(sync="OutOfSync", health="Degraded", **FAILED))) as server:
        found = await ask(context, f"{server.url}/argo/", namespace="shop", service="cart")
    assert found.status is ToolStatus.OK
    assert found.text.splitlines() == [
        "application argocd/shop: sync OutOfSync at 3f2a1bc0de11, health Degraded, automated sync on, to namespace shop",
        "application argocd/shop source: https://git.example/shop.git deploy at main",
        "application argocd/shop operation Failed at 2026-01-01T09:41:05Z, 5 retries: one or more objects failed to apply, reason: "
        'Deployment.apps "cart" is invalid: spec.selector: field is immutable',
        "application argocd/shop operation on Deployment/shop/cart: SyncFailed field is immutable",
        "application argocd/shop resource Deployment/shop/cart: OutOfSync, health Degraded",
        "application argocd/shop deployed revision 3f2a1bc0de11 at 2026-01-01T09:40:00Z by alice (id 7)",
        "application argocd/shop deployed revision 0a1b2c3d4e5f at 2025-12-20T08:00:00Z by automated sync (id 6)",
    ]
    assert [(h["id"], h["recent"], h["workloads"]) for h in found.data["history"]] == [
        (7, True, ["Deployment/shop/cart"]),
        (6, False, ["Deployment/shop/cart"]),
    ]
    assert found.summary.startswith("0 of 1 applications synced and healthy, latest deployed 3f2a1bc0de11 at 2026-01-01T09:40:00Z")
    assert found.invocation == "GET /api/v1/applications?name=cart; GET /api/v1/applications"
    assert found.provenance.value == "semi" and found.window is not None and found.bytes_read > 500
    assert "hunter2" not in json.dumps(found.data)


@pytest.mark.parametrize(
    ("config", "arguments", "names"),
    [
        ({}, {"namespace": "shop", "service": "cart"}, ["shop"]),
        ({}, {"service": "other"}, ["other"]),
        ({}, {"namespace": "shop", "workload": "cart"}, ["shop"]),
        ({}, {"namespace": "shop", "service": "cart-api"}, []),
        ({"service_key": "example.org/service"}, {"namespace": "shop", "service": "cart-api"}, ["shop"]),
        ({"service_key": "team"}, {"service": "cart-team"}, ["shop"]),
        ({}, {"namespace": "shop"}, ["shop"]),
        ({}, {"namespace": "elsewhere", "service": "shop"}, []),
        ({}, {}, ["other", "shop"]),
    ],
)
async def test_an_application_is_found_by_its_name_by_what_it_manages_or_by_the_configured_key(
    context: ToolContext, config: dict[str, Any], arguments: dict[str, str], names: list[str]
) -> None:
    other = application("other", annotations=None)
    other["metadata"] = {"name": "other", "namespace": "argocd"}
    other["spec"]["destination"]["namespace"] = "others"
    other["status"]["resources"] = []
    async with serving(argocd(application(), other)) as server:
        found = await ask(context, f"{server.url}/argo", config=config, **arguments)
    assert sorted(i["metadata"]["name"] for i in found.data["applications"]) == names
    assert (found.status is ToolStatus.OK) is bool(names)


async def test_no_application_at_all_is_no_data_and_one_of_another_service_is_not_found(context: ToolContext) -> None:
    async with serving(argocd()) as server:
        assert (await ask(context, f"{server.url}/argo", service="cart")).status is ToolStatus.NO_DATA
    async with serving(argocd(application())) as server:
        assert (await ask(context, f"{server.url}/argo", service="billing")).status is ToolStatus.NOT_FOUND


async def test_a_missing_right_is_an_answer_that_names_it(context: ToolContext) -> None:
    said = {"error": "permission denied", "code": 7, "message": "permission denied: applications, get, default/shop"}
    async with serving(lambda _: reply(said, 403)) as server:
        found = await ask(context, server.url, service="cart")
    assert found.status is ToolStatus.DENIED and "missing permission: applications, get" in found.note


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (reply({"message": "no session"}, 401), ErrorClass.CONFIG, Reason.DENIED),
        (reply({}, 404), ErrorClass.CONFIG, Reason.UNAVAILABLE),
        (reply({"message": "bad selector"}, 400), ErrorClass.CONFIG, Reason.TOOL_ERROR),
        (reply({}, 503), ErrorClass.TRANSIENT, Reason.UNAVAILABLE),
        (reply({}, 429), ErrorClass.TRANSIENT, Reason.UNAVAILABLE),
        (Reply(200, b"<html>", {"Content-Type": "text/html"}), ErrorClass.EXTERNAL, Reason.INVALID_RESPONSE),
        (reply({"items": "many"}), ErrorClass.EXTERNAL, Reason.INVALID_RESPONSE),
        (reply({"items": [{"spec": {}}]}), ErrorClass.EXTERNAL, Reason.INVALID_RESPONSE),
        (Reply(307, b"", {"Location": "http://127.0.0.1:9/"}), ErrorClass.EXTERNAL, Reason.TOOL_ERROR),
        (Reply(fault="drop"), ErrorClass.TRANSIENT, Reason.UNAVAILABLE),
        (Reply(fault="cut"), ErrorClass.TRANSIENT, Reason.UNAVAILABLE),
    ],
)
async def test_every_trouble_of_the_server_is_told_apart_and_the_token_is_in_none(
    context: ToolContext, answer: Reply, kind: ErrorClass, reason: Reason
) -> None:
    async with serving(lambda _: answer) as server:
        with pytest.raises(ToolFailure) as raised:
            await ask(context, server.url, service="cart")
        assert len(server.asked) == 1
    assert (raised.value.error_class, raised.value.reason) == (kind, reason)
    assert TOKEN not in str(raised.value)


async def test_a_list_that_is_too_long_is_refused_with_what_to_set(context: ToolContext) -> None:
    async with serving(argocd(application())) as server:
        with pytest.raises(ToolFailure, match="SRE_AGENT_ARGOCD_PROJECTS"):
            await ask(context, f"{server.url}/argo", config={"max_bytes": 200}, service="cart")
        await ask(context, f"{server.url}/argo", config={"projects": ("a", "b")}, namespace="shop")
        assert server.asked[-1].query == {"projects": ["a", "b"]}


async def test_odd_fields_of_an_application_break_nothing(context: ToolContext) -> None:
    odd: dict[str, Any] = {
        "metadata": {"name": "odd"},
        "spec": {"sources": [None, {"repoURL": 1}]},
        "status": {"resources": "x", "history": [{"id": 1}]},
    }
    async with serving(argocd(odd)) as server:
        found = await ask(context, f"{server.url}/argo")
    assert found.text.startswith("application /odd: sync unknown, health unknown, automated sync off")


async def test_a_server_whose_authority_is_configured_is_trusted_and_another_is_not(context: ToolContext) -> None:
    async with talking(b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\nConnection: close\r\n\r\n{"items": null}', "valid") as port:
        found = await ask(context, f"https://localhost:{port}", config={"authorities": AUTHORITY})
        assert found.status is ToolStatus.NO_DATA
        with pytest.raises(ToolFailure, match="certificate not trusted"):
            await ask(context, f"https://localhost:{port}")
