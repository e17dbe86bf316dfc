"""The scenarios that ship with the product."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from app.lab import snapshot
from app.lab.building.scene import Scene
from app.lab.building.shelf import STORIES
from app.lab.prometheus_server import PrometheusApp

SCENARIOS = Path(snapshot.__file__).parent / "scenarios"
NAMES = sorted(folder.name for folder in SCENARIOS.iterdir() if folder.is_dir())


def read(name: str, file: str) -> Any:
    return json.loads((SCENARIOS / name / f"{file}.json").read_bytes())


def ask(name: str, query: str) -> dict[str, float]:
    """An instant query at the scenario's now -> value by pod, service or whatever label tells apart."""
    app = PrometheusApp(snapshot.load(SCENARIOS / name))
    rows = app._query(query, app._now)["result"]
    return {r["metric"].get("pod", r["metric"].get("service", "")): float(r["value"][1]) for r in rows}


@pytest.mark.parametrize("build", STORIES, ids=[build.__module__.rsplit(".", 1)[-1] for build in STORIES])
def test_the_files_are_what_the_story_says(build: Any, tmp_path: Path) -> None:
    scene: Scene = build()
    scene.write(tmp_path)
    made = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert made == {p.name: p.read_bytes() for p in (SCENARIOS / scene.name).iterdir()}


def test_there_are_enough_stories_with_a_storm_and_healthy_worlds_among_them() -> None:
    assert len(NAMES) == len(STORIES) >= 12
    assert sum(read(name, "expected")["state"] == "healthy" for name in NAMES) >= 2
    classes = [cause["class"] for name in NAMES for cause in read(name, "expected")["causes"]]
    assert len(set(classes)) == len(classes)
    assert max(len(read(name, "alert")["alerts"]) for name in NAMES) >= 5


@pytest.mark.parametrize("name", NAMES)
def test_key_evidence_occurs_in_the_recorded_data_and_causes_exist(name: str) -> None:
    expected, objects = read(name, "expected"), read(name, "objects")
    texts = [json.loads(p.read_bytes()) for p in (SCENARIOS / name).glob("*.json") if p.name != "expected.json"]
    everything = json.dumps(texts, ensure_ascii=False).replace('\\"', '"')
    assert [quote for quote in expected["key_evidence"] if quote not in everything] == []
    for cause in expected["causes"]:
        kind, space, called = cause["object"].split("/")
        assert any(o["metadata"]["name"] == called and o["metadata"].get("namespace", "") == space for o in objects[kind])


@pytest.mark.parametrize("name", NAMES)
def test_owner_references_and_events_point_at_objects_that_are_there(name: str) -> None:
    objects = read(name, "objects")
    ids = {item["metadata"]["uid"] for items in objects.values() for item in items}
    assert len(ids) == sum(len(items) for items in objects.values())
    owners = {r["uid"] for items in objects.values() for item in items for r in item["metadata"].get("ownerReferences", [])}
    assert owners <= ids
    assert {e["involvedObject"]["uid"] for e in objects["Event"]} <= ids


def test_the_payment_gateway_is_the_one_of_the_requirements() -> None:
    # covers TOOL-13
    objects = read("payment-gateway", "objects")
    pods = [p for p in objects["Pod"] if p["metadata"]["labels"]["app"] == "payment-gateway"]
    statuses = [p["status"]["containerStatuses"][0] for p in pods]
    assert f"{sum(s['ready'] for s in statuses)}/{len(pods)}" == "3/5"
    assert sorted(s["restartCount"] for s in statuses)[-2:] == [32, 47]
    assert {p["spec"]["containers"][0]["resources"]["limits"]["memory"] for p in pods} == {"512Mi"}
    assert {a["labels"]["alertname"] for a in read("payment-gateway", "alert")["alerts"]} == {"ErrorRateHigh", "OOMKilled"}
    newest = max(objects["ReplicaSet"], key=lambda r: r["metadata"]["creationTimestamp"])
    assert newest["metadata"]["annotations"]["kubernetes.io/change-cause"] == "v2.3.1: Added BatchReconciliation"
    assert datetime.fromisoformat(newest["metadata"]["creationTimestamp"]).strftime("%H:%M") == "14:00"
    failing = 'sum by (service) (rate(http_requests_total{code="500"}[5m])) / sum by (service) (rate(http_requests_total[5m])) * 100'
    rates = ask("payment-gateway", failing)
    assert round(rates["payment-gateway"], 1) == 4.7
    assert rates["auth-service"] < 0.1
    assert rates["fraud-detection"] < 0.1


def test_the_slow_release_has_the_numbers_of_the_worked_latency_case() -> None:
    # covers LOOP-25
    p99 = "histogram_quantile(0.99, sum by (service, le) (rate(http_request_duration_seconds_bucket[5m]{})))"
    assert round(ask("slow-release", p99.format(""))["quote-api"], 3) == 0.847
    assert ask("slow-release", p99.format(" offset 10m"))["quote-api"] < 0.3
    newest = max(read("slow-release", "objects")["ReplicaSet"], key=lambda r: r["metadata"]["creationTimestamp"])
    assert newest["metadata"]["creationTimestamp"].endswith("T01:32:00Z")
