"""Loading a folder, moving a world in time, joining worlds."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.lab import times
from app.lab.snapshot import SnapshotError, World, load, merged

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def folder(path: Path, **files: Any) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (path / f"{name}.json").write_text(json.dumps(content))
    return path


def test_every_file_but_one_may_be_missing(tmp_path: Path) -> None:
    world = load(folder(tmp_path / "a", world={"now": "2026-03-01T12:00:00Z", "namespace": "shop"}))
    assert (world.now, world.namespace) == (NOW, "shop")
    assert (world.objects, world.logs, world.series, world.probes, world.dependencies, world.webhook) == ({}, {}, [], [], [], None)
    with pytest.raises(SnapshotError):
        load(folder(tmp_path / "b", alert={}))


def test_without_a_world_the_clock_stands_at_the_newest_alert(tmp_path: Path) -> None:
    alerts = [{"startsAt": "2026-03-01T11:00:00Z"}, {"startsAt": "2026-03-01T13:00:00+01:00"}]
    assert load(folder(tmp_path, objects={}, alert={"alerts": alerts})).now == NOW


def test_a_broken_file_is_named_when_it_is_read(tmp_path: Path) -> None:
    path = folder(tmp_path, world={"now": "2026-03-01T12:00:00Z"})
    (path / "objects.json").write_text("{")
    world = load(path)
    with pytest.raises(SnapshotError, match=r"objects\.json"):
        _ = world.objects


def test_a_world_moves_with_everything_in_it(tmp_path: Path) -> None:
    pod = {"metadata": {"name": "p", "creationTimestamp": "2026-03-01T11:00:00Z"}, "note": "since 2026-03-01T11:30:00.5Z; 0001-01-01T00:00:00Z"}
    at = NOW.timestamp()
    series = [
        {"metric": {"__name__": "kube_pod_created", "pod": "p"}, "values": [[at, str(at - 60)]]},
        {"metric": {"__name__": "up"}, "values": [[at, "1"]]},
    ]
    logs = {"a/p/c": "2026-03-01 11:59:59,123 INFO x\nno time\n"}
    alert = {"alerts": [{"startsAt": "2026-03-01T11:58:00Z"}]}
    world = load(folder(tmp_path, objects={"Pod": [pod]}, metrics=series, logs=logs, alert=alert, world={"now": "2026-03-01T12:00:00Z"}))
    moved = world.shifted(NOW + timedelta(days=2, hours=1))
    assert moved.objects["Pod"][0]["metadata"]["creationTimestamp"] == "2026-03-03T12:00:00Z"
    assert moved.objects["Pod"][0]["note"] == "since 2026-03-03T12:30:00.5Z; 0001-01-01T00:00:00Z"
    assert moved.logs["a/p/c"] == "2026-03-03 12:59:59,123 INFO x\nno time\n"
    later = at + 49 * 3600
    assert [s["values"] for s in moved.series] == [[[later, str(later - 60)]], [[later, "1"]]]
    assert moved.webhook == {"alerts": [{"startsAt": "2026-03-03T12:58:00Z"}]}


def test_joined_worlds_are_one_cluster_and_the_first_of_a_name_stays() -> None:
    def named(name: str, mark: str) -> dict[str, Any]:
        return {"metadata": {"name": name}, "mark": mark}

    one = World(now=NOW, objects_of=lambda: {"Node": [named("a", "one")]}, logs_of=lambda: {"k": "one"})
    two = World(now=NOW, objects_of=lambda: {"Node": [named("a", "two"), named("b", "two")], "Job": []}, logs_of=lambda: {"k": "two", "l": "two"})
    both = merged([one, two], NOW)
    assert both.objects == {"Node": [named("a", "one"), named("b", "two")], "Job": []}
    assert both.logs == {"k": "one", "l": "two"}


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("2026-03-01T11:00:00Z x", "2026-03-01T11:00:00"),
        ("2026-03-01T13:00:00.25+02:00 x", "2026-03-01T11:00:00.250000"),
        ("2026/03/01 11:00:00 x", "2026-03-01T11:00:00"),
        ('{"level":"info","time":"2026-03-01T11:00:00.123456789Z"}', "2026-03-01T11:00:00.123456"),
        ("I0301 11:00:00.123456       1 main.go:1] x", "2026-03-01T11:00:00"),
        ("Feb  3 09:00:01 node-a kubelet[1]: x", "2026-02-03T09:00:01"),
        ("Dec 31 23:59:59 node-a kubelet[1]: x", "2025-12-31T23:59:59"),
        ("2026-13-45T11:00:00Z x", None),
        ("nothing here", None),
    ],
)
def test_a_line_tells_when_it_was_written(line: str, wanted: str | None) -> None:
    found = times.of_line(line, NOW)
    assert (found.isoformat().removesuffix("+00:00") if found else None) == wanted


@pytest.mark.shared
def test_the_largest_recorded_folder_loads_in_well_under_a_third_of_a_second(shared: Path) -> None:
    largest = max((shared / "incidents" / "boutique").glob("*/objects.json"), key=lambda p: p.stat().st_size)
    begun = time.perf_counter()
    world = load(largest.parent)
    assert world.objects
    _ = world.logs, world.series, world.probes
    assert time.perf_counter() - begun < 0.3
