"""An alert that carries its expression, through the whole service: the webhook, the gates, Prometheus, the report, a replay."""

from pathlib import Path
from urllib.parse import quote_plus

import pytest

from app.lab.snapshot import World
from tests.service.serving import Json, Served, looking_at, web_app

pytestmark = pytest.mark.slow
RATIO = 'sum by (namespace, service) (rate(http_requests_total{code="500"}[5m])) / sum by (namespace, service) (rate(http_requests_total[5m]))'


async def investigated(service: Served, world: World, expression: str) -> tuple[Json, Json]:
    """-> (the report, the result of the replay as the trail has it)."""
    hook = world.webhook
    assert hook is not None
    first = hook["alerts"][0] | {"generatorURL": f"http://prometheus.monitoring:9090/graph?g0.expr={quote_plus(expression)}&g0.tab=1"}
    taken = await service.hook({**hook, "alerts": [first]})
    investigation = taken["alerts"][0]["investigation_id"]
    report = (await service.ended(investigation))["report"]
    results = [e.data for e in await service.trail(investigation) if e.type == "TOOL_RESULT"]
    return report, next(r for r in results if r["call"]["tool"] == "replay_alert")


async def test_value_and_threshold_of_the_alert_stand_in_the_report(folder: Path) -> None:
    world = web_app()
    async with looking_at(world, folder) as service:
        report, replay = await investigated(service, world, f"{RATIO} > 0.01")
    assert replay["call"]["id"] == "c1", "it is the first read"
    assert (replay["status"], replay["result"]["data"]["state"]) == ("success", "holds")
    (own,) = [e for e in report["evidence"] if e["source"] == "replay_alert"]
    assert own["quote"] in replay["result"]["text"] and "> threshold 0.01: the condition still holds" in own["quote"]
    assert 'service="web-app"' in own["quote"]
    assert report["impact"].startswith("ErrorRateHigh: the condition still holds (0.0")


async def test_a_hostile_expression_is_refused_and_the_investigation_goes_on(folder: Path) -> None:
    world = web_app()
    async with looking_at(world, folder) as service:
        report, replay = await investigated(service, world, '{__name__=~".+"} > 0')
    assert replay["status"] in ("failed", "error") and replay["attempts"] == 1
    assert "query refused" in replay["note"]
    assert report["causes"][0]["cause"] == "oom_killed"
    assert {"what": "replay_alert", "reason": "invalid_arguments"}.items() <= next(
        g for g in report["not_checked"] if g["what"] == "replay_alert"
    ).items()
