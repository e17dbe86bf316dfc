"""What check_delivery says of Applications and of Flux's objects: refused with the reason, or only behind."""

from typing import Any

import pytest

from app.domain.tool import ToolContext, ToolStatus
from app.tools.check_delivery import KINDS
from tests.tools.objects import Object
from tests.tools.test_kubernetes_tools import shop

SINCE = "2026-01-01T09:00:00Z"


def one(kind: str, spec: dict[str, Any] | None = None, **status: Any) -> dict[str, list[Object]]:
    return {kind: [{"metadata": {"name": "site", "namespace": "shop", "creationTimestamp": SINCE}, "spec": spec or {}, "status": status}]}


def told(kind: str, status: str, reason: str) -> list[Object]:
    return [{"type": kind, "status": status, "reason": reason, "message": "kustomize build failed:\n no such file", "lastTransitionTime": SINCE}]


COMPARISON = [{"type": "ComparisonError", "message": "Failed to load target state", "lastTransitionTime": SINCE}]
REFUSED = {"phase": "Failed", "message": "one or more objects failed to apply", "finishedAt": SINCE}


@pytest.mark.parametrize(
    ("objects", "problem"),
    [
        (one("Application", sync={"status": "Unknown"}, conditions=COMPARISON), "condition ComparisonError"),
        (one("Application", sync={"status": "OutOfSync"}, operationState=REFUSED), "operation Failed"),
        (one("Kustomization", conditions=told("Ready", "False", "BuildFailed")), "Ready=False BuildFailed"),
        (one("HelmRelease", conditions=told("Stalled", "True", "RetriesExceeded")), "Stalled=True RetriesExceeded"),
        (one("GitRepository", conditions=told("Ready", "False", "GitOperationFailed")), "Ready=False GitOperationFailed"),
        (one("Application", sync={"status": "OutOfSync"}), ""),
        (one("Application", sync={"status": "Synced"}, operationState=REFUSED), ""),
        (one("Kustomization", conditions=told("Ready", "False", "Progressing")), ""),
        (one("Kustomization", spec={"suspend": True}, conditions=told("Ready", "False", "BuildFailed")), ""),
    ],
)
async def test_what_is_refused_is_said_and_what_is_only_behind_is_not(context: ToolContext, objects: dict[str, list[Object]], problem: str) -> None:
    got = await shop(context, "check_delivery", {**{kind: [] for kind in KINDS}, **objects})
    assert [r["problem"] for r in got.data["deliveries"]] == [problem]
    assert ("refused:" in got.summary) is bool(problem)
    assert not problem or got.line_with("shop/site", problem, SINCE)


async def test_a_cluster_without_these_tools_has_none(context: ToolContext) -> None:
    none = await shop(context, "check_delivery", {kind: [] for kind in KINDS})
    assert none.status is ToolStatus.NO_DATA


async def test_what_flux_applied_is_told_by_its_inventory(context: ToolContext) -> None:
    objects = one("Kustomization", inventory={"entries": [{"id": "shop_cart_apps_Deployment", "v": "v1"}]})
    got = await shop(context, "check_delivery", {**{kind: [] for kind in KINDS}, **objects})
    assert got.data["deliveries"][0]["resources"] == ["Deployment/shop/cart"]
