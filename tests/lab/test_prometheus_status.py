"""Rules and targets of the lab's Prometheus: what a snapshot recorded, else what its series tell."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.lab.prometheus_server import PrometheusApp
from app.lab.snapshot import SnapshotError, World, load, merged

NOW = "2026-01-01T10:00:00Z"
ALERTING = {"type": "alerting", "name": "A", "query": "up == 0", "lastEvaluation": "2026-01-01T09:59:50Z", "health": "ok"}
RECORDING = {"type": "recording", "name": "b:c", "query": "sum(up)", "health": "ok"}
GROUPS: list[dict[str, Any]] = [{"name": "g", "file": "g.yml", "interval": 30, "rules": [ALERTING, RECORDING]}, {"name": "h", "rules": [RECORDING]}]
TARGET = {"labels": {"job": "cart"}, "scrapePool": "cart", "health": "down", "lastError": "refused"}
UP = [{"metric": {"__name__": "up", "job": "web", "instance": "a:1"}, "values": [[1767261590, "1"]]}]


def snapshot(folder: Path, **files: Any) -> World:
    for name, content in {"world": {"now": NOW}, "objects": {}, "metrics": UP, **files}.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return load(folder)


async def asked(world: World, path: str, **params: str) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(PrometheusApp(world)), base_url="http://lab") as client:
        return await client.get(path, params=params)


async def data(world: World, path: str, **params: str) -> Any:
    return (await asked(world, path, **params)).json()["data"]


async def test_without_recorded_rules_there_are_no_groups(tmp_path: Path) -> None:
    assert await data(snapshot(tmp_path), "/api/v1/rules") == {"groups": []}


@pytest.mark.parametrize("envelope", [False, True])
async def test_recorded_rules_are_answered_and_narrowed_by_their_kind(tmp_path: Path, envelope: bool) -> None:
    kept = {"groups": GROUPS}
    world = snapshot(tmp_path, rules={"status": "success", "data": kept} if envelope else kept)
    assert await data(world, "/api/v1/rules") == kept
    assert await data(world, "/api/v1/rules", type="alert") == {"groups": [{**GROUPS[0], "rules": [ALERTING]}]}
    assert [g["name"] for g in (await data(world, "/api/v1/rules", type="record"))["groups"]] == ["g", "h"]
    wrong = await asked(world, "/api/v1/rules", type="odd")
    assert (wrong.status_code, wrong.json()["errorType"]) == (400, "bad_data")


async def test_without_recorded_targets_the_series_up_tell_them(tmp_path: Path) -> None:
    found = await data(snapshot(tmp_path), "/api/v1/targets", state="active")
    assert [(t["labels"]["job"], t["health"]) for t in found["activeTargets"]] == [("web", "up")]


async def test_recorded_targets_are_answered_by_state_and_pool(tmp_path: Path) -> None:
    other = {**TARGET, "scrapePool": "other"}
    world = snapshot(
        tmp_path, targets={"activeTargets": [TARGET, other], "droppedTargets": [{"discoveredLabels": {}}], "droppedTargetCounts": {"cart": 3}}
    )
    assert await data(world, "/api/v1/targets", state="active", scrapePool="cart") == {
        "activeTargets": [TARGET],
        "droppedTargets": [],
        "droppedTargetCounts": {"cart": 3},
    }
    assert (await data(world, "/api/v1/targets", state="dropped"))["activeTargets"] == []


async def test_recorded_rules_move_with_the_clock_and_are_joined(tmp_path: Path) -> None:
    world = snapshot(tmp_path, rules={"groups": GROUPS})
    later = datetime(2026, 1, 1, 12, tzinfo=UTC)
    rule = (await data(world.shifted(later), "/api/v1/rules"))["groups"][0]["rules"][0]
    assert rule["lastEvaluation"].startswith("2026-01-01T11:59:50")
    assert len(merged([world, world], later + timedelta(hours=1)).rules) == 4


def test_a_rules_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match=r"rules\.json"):
        _ = snapshot(tmp_path, rules=[1]).rules
