"""Schedules, autoscalers, disruption budgets and failed jobs, as check_workloads tells them."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.domain.tool import ToolContext
from app.tools import cron
from tests.tools.objects import Object, deployment, world
from tests.tools.test_kubernetes_tools import shop

BEFORE = datetime(2026, 1, 1, 10, tzinfo=UTC)  # a Thursday


def last_due(schedule: str, zone: str = "") -> str:
    return next(cron.due_before(cron.parse(schedule), BEFORE, cron.zone_of(zone))).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        ("* * * * *", "2026-01-01 10:00"),
        ("*/15 * * * *", "2026-01-01 10:00"),
        ("7/20 * * * *", "2026-01-01 09:47"),
        ("5,35 9-17 * * *", "2026-01-01 09:35"),
        ("30 10 * * *", "2025-12-31 10:30"),
        ("0 3 * * sun", "2025-12-28 03:00"),
        ("0 3 * * 7", "2025-12-28 03:00"),
        ("0 0 1 jan ?", "2026-01-01 00:00"),
        ("0 0 31 * *", "2025-12-31 00:00"),
        ("0 0 15 * mon", "2025-12-29 00:00"),
        ("0 0 */10 * *", "2026-01-01 00:00"),
        ("0 0 29 2 *", "2024-02-29 00:00"),
        ("@hourly", "2026-01-01 10:00"),
        ("@weekly", "2025-12-28 00:00"),
        ("@yearly", "2026-01-01 00:00"),
    ],
)
def test_a_schedule_says_when_it_was_last_due(schedule: str, due: str) -> None:
    assert last_due(schedule) == due


def test_a_schedule_in_a_time_zone_is_due_by_its_clocks() -> None:
    assert last_due("0 9 * * *", "Asia/Tokyo") == "2026-01-01 00:00"
    assert cron.zone_of("Europe/Berlin") == ZoneInfo("Europe/Berlin")
    with pytest.raises(ValueError, match="not known"):
        cron.zone_of("Mars/Olympus")


@pytest.mark.parametrize("text", ["", "* * * *", "60 * * * *", "* * 0 * *", "a * * * *", "*/0 * * * *", "5-1 * * * *", "@often", "* * * * * *"])
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        cron.parse(text)


def cron_job(last: str | None, **spec: Any) -> Object:
    status = {"lastScheduleTime": last} if last else {}
    meta = {"name": "nightly", "namespace": "shop", "creationTimestamp": "2025-12-25T00:00:00Z"}
    return {"metadata": meta, "spec": {"schedule": "0 * * * *", "jobTemplate": {"spec": {}}} | spec, "status": status}


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (cron_job("2026-01-01T09:00:00Z"), ""),
        (
            cron_job("2026-01-01T06:00:00Z"),
            "3 runs due and not started since it was last scheduled at 2026-01-01T06:00:00Z, the latest due at 2026-01-01T09:00:00Z",
        ),
        (
            cron_job("2026-01-01T08:00:00Z", suspend=True),
            "1 run due and not started since it was last scheduled at 2026-01-01T08:00:00Z, the latest due at 2026-01-01T09:00:00Z, it is suspended",
        ),
        (cron_job(None), "100 or more runs due and not started since it was created and never scheduled at 2025-12-25T00:00:00Z"),
        (cron_job("2026-01-01T09:00:00Z", schedule="often"), "schedule cannot be read: 'often' has 1 fields"),
        (cron_job("2026-01-01T00:00:00Z", schedule="0 9 * * *", timeZone="Asia/Tokyo"), ""),
    ],
)
async def test_a_cron_job_tells_the_runs_that_it_missed(context: ToolContext, job: Object, said: str) -> None:
    got = await shop(context, "check_workloads", world() | {"CronJob": [job]})
    assert ("CronJob shop/nightly: " + said in got.text) if said else not got.line_with("due and not started")
    assert "last" in got.line_with("CronJob shop/nightly: schedule")


def autoscaler(current: list[Object], replicas: int = 3) -> Object:
    target = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 65}}}
    queue = {"type": "External", "external": {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "30"}}}
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "cart"}, "minReplicas": 2, "maxReplicas": 5, "metrics": [target, queue]}
    status = {"currentReplicas": replicas, "desiredReplicas": replicas, "currentMetrics": current}
    status["conditions"] = [{"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound", "message": "fine"}]
    return {"metadata": {"name": "cart", "namespace": "shop"}, "spec": spec, "status": status}


async def test_an_autoscaler_tells_current_against_target_and_its_limit(context: ToolContext) -> None:
    current = [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 91, "averageValue": "450m"}}}]
    got = await shop(context, "check_workloads", world() | {"HorizontalPodAutoscaler": [autoscaler(current, 5)]}, service="cart")
    assert got.line_with("cpu is at") == "HorizontalPodAutoscaler shop/cart: cpu is at 91% of requests, target 65% of requests"
    assert got.line_with("queue is at") == "HorizontalPodAutoscaler shop/cart: queue is at unknown, target 30 a pod"
    assert got.line_with("at maxReplicas 5, it cannot scale further")
    assert got.line_with("condition ScalingActive=True ValidMetricFound: fine")
    calm = await shop(context, "check_workloads", world() | {"HorizontalPodAutoscaler": [autoscaler([{"type": ""}])]}, service="cart")
    assert calm.line_with("cpu is at unknown")
    assert not calm.line_with("cannot scale further")


def budget(app: str, allowed: int) -> Object:
    status = {"disruptionsAllowed": allowed, "currentHealthy": 1, "desiredHealthy": 2, "expectedPods": 2}
    status |= {"conditions": [{"type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods", "message": ""}]}  # type: ignore[dict-item]
    spec = {"minAvailable": 2, "selector": {"matchLabels": {"app": app}}}
    return {"metadata": {"name": f"{app}-budget", "namespace": "shop"}, "spec": spec, "status": status}


async def test_a_disruption_budget_tells_how_many_pods_may_go(context: ToolContext) -> None:
    objects = world() | {"PodDisruptionBudget": [budget("cart", 0), budget("other", 1)]}
    got = await shop(context, "check_workloads", objects, service="cart")
    assert got.line_with("cart-budget: minAvailable") == (
        "PodDisruptionBudget shop/cart-budget: minAvailable 2, selects app=cart, disruptionsAllowed 0, currentHealthy 1, desiredHealthy 2, "
        "expectedPods 2: no pod may be evicted, drains wait"
    )
    assert got.line_with("condition DisruptionAllowed=False InsufficientPods")
    assert [b["metadata"]["name"] for b in got.data["poddisruptionbudgets"]] == ["cart-budget"]
    assert got.summary.startswith("Found 1 workloads")
    everything = await shop(context, "check_workloads", objects)
    assert len(everything.data["poddisruptionbudgets"]) == 2


async def test_a_failed_job_tells_why(context: ToolContext) -> None:
    condition = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}
    job = {"metadata": {"name": "import", "namespace": "shop"}, "spec": {"backoffLimit": 2}, "status": {"failed": 3, "conditions": [condition]}}
    got = await shop(context, "check_workloads", world() | {"Job": [job], "Deployment": [deployment()]}, workload="import")
    assert got.summary == "Found 1 workloads: not as wanted: import failed"
    assert got.line_with("Job shop/import:", "BackoffLimitExceeded: Job has reached the specified backoff limit")
