"""What check_operators says of what the lifecycle manager installs: phases, conditions, and whether something is wrong."""

from typing import Any

import pytest

from app.domain.tool import ToolContext, ToolStatus
from app.tools.check_operators import CLUSTER, NAMESPACED
from tests.tools.objects import Object
from tests.tools.test_kubernetes_tools import shop

OLD, NEW = "2026-01-01T09:00:00Z", "2026-01-01T09:58:00Z"


def one(kind: str, **status: Any) -> dict[str, list[Object]]:
    meta = {"name": "ledger", "creationTimestamp": OLD} | (
        {} if kind.startswith("Cluster") and kind != "ClusterServiceVersion" else {"namespace": "shop"}
    )
    return {kind: [{"metadata": meta, "spec": {}, "status": status}]}


def told(kind: str, status: str, reason: str, since: str = OLD) -> Object:
    return {"type": kind, "status": status, "reason": reason, "message": "as it says", "lastTransitionTime": since}


@pytest.mark.parametrize(
    ("objects", "problem"),
    [
        (one("CatalogSource", connectionState={"lastObservedState": "TRANSIENT_FAILURE"}), "connection state TRANSIENT_FAILURE"),
        (one("ClusterServiceVersion", phase="Failed", reason="ComponentUnhealthy", message="waits"), "phase Failed: ComponentUnhealthy waits"),
        (one("ClusterServiceVersion", phase="Pending", lastTransitionTime=OLD), "phase Pending"),
        (one("InstallPlan", phase="Failed"), "phase Failed"),
        (one("Subscription", conditions=[told("ResolutionFailed", "True", "Unsatisfiable")]), "ResolutionFailed=True Unsatisfiable: as it says"),
        (one("ClusterCatalog", conditions=[told("Serving", "False", "Unavailable")]), "Serving=False Unavailable: as it says"),
        (one("ClusterExtension", conditions=[told("Progressing", "True", "Retrying")]), "Progressing=True Retrying: as it says"),
    ],
)
async def test_what_is_wrong_with_an_operator_is_said_with_its_reason(context: ToolContext, objects: dict[str, list[Object]], problem: str) -> None:
    got = await shop(context, "check_operators", objects)
    assert [r["problem"] for r in got.data["operators"]] == [problem]
    assert got.line_with("ledger", problem) and "wrong:" in got.summary


@pytest.mark.parametrize(
    "objects",
    [
        one("ClusterServiceVersion", phase="Succeeded"),
        one("ClusterServiceVersion", phase="Installing", lastTransitionTime=NEW),
        one("InstallPlan", phase="RequiresApproval"),
        one("Subscription", state="UpgradePending"),
        one("CatalogSource", connectionState={"lastObservedState": "READY"}),
        one("OperatorGroup"),
        one("ClusterCatalog", conditions=[told("Serving", "False", "UserSpecifiedUnavailable")]),
        one("ClusterExtension", conditions=[told("Installed", "False", "Absent", NEW), told("Progressing", "True", "RollingOut")]),
    ],
)
async def test_what_works_waits_for_a_person_or_is_just_being_installed_is_no_problem(context: ToolContext, objects: dict[str, list[Object]]) -> None:
    got = await shop(context, "check_operators", objects)
    assert [r["problem"] for r in got.data["operators"]] == [""]
    assert got.summary.endswith("none known to be wrong")


async def test_copies_of_a_version_in_other_namespaces_are_left_out(context: ToolContext) -> None:
    objects = one("ClusterServiceVersion", phase="Failed")
    objects["ClusterServiceVersion"][0]["metadata"]["labels"] = {"olm.copiedFrom": "operators"}
    got = await shop(context, "check_operators", objects)
    assert got.status is ToolStatus.NO_DATA and got.data["operators"] == []


async def test_a_digest_is_shown_and_a_cluster_without_the_manager_has_nothing_to_tell(context: ToolContext) -> None:
    source = {"image": {"ref": "registry.example/catalog@sha256:1f"}}
    got = await shop(context, "check_operators", one("ClusterCatalog", resolvedSource=source))
    assert got.line_with("resolved image registry.example/catalog@sha256:1f")
    none = await shop(context, "check_operators", {kind: [] for kind in (*NAMESPACED, *CLUSTER)})
    assert none.status is ToolStatus.NO_DATA and none.note == ""
