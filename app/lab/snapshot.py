"""A snapshot folder -> a `World` that the lab's servers answer from. Read by `servers`, `evaluation` and `demo`.

Files are read when first asked for, so a world costs what is looked at. `expected.json` is not known here.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from app.domain.frozen import JsonObject
from app.lab import times

# Series whose value is a time: it moves with the world.
_VALUE_IS_TIME = re.compile(r"(_created|_start_time|_start_time_seconds|_timestamp|_timestamp_seconds|_schedule_time|ALERTS_FOR_STATE)$")


class SnapshotError(ValueError):
    """A folder that is no snapshot, or a file of it that cannot be read."""


@dataclass(frozen=True)
class Probe:
    """What a TCP probe of `host:port` finds; `origin` is the node it was made from, "" for anywhere in the cluster."""

    host: str
    port: int
    result: str
    origin: str = ""


@dataclass
class World:
    """One frozen incident. `objects` maps a kind to its complete API objects; a kind that is absent was not read.
    `series` is Prometheus' matrix form. `now` is where the world's clock stands."""

    now: datetime
    namespace: str = ""
    objects_of: Callable[[], dict[str, list[JsonObject]]] = field(default=dict, repr=False)
    logs_of: Callable[[], dict[str, str]] = field(default=dict, repr=False)
    metrics_of: Callable[[], list[JsonObject]] = field(default=list, repr=False)
    probes_of: Callable[[], list[Probe]] = field(default=list, repr=False)
    edges_of: Callable[[], list[JsonObject]] = field(default=list, repr=False)
    webhook_of: Callable[[], JsonObject | None] = field(default=lambda: None, repr=False)
    rules_of: Callable[[], list[JsonObject]] = field(default=list, repr=False)
    targets_of: Callable[[], JsonObject | None] = field(default=lambda: None, repr=False)

    @cached_property
    def objects(self) -> dict[str, list[JsonObject]]:
        return self.objects_of()

    @cached_property
    def logs(self) -> dict[str, str]:
        return self.logs_of()

    @cached_property
    def probes(self) -> list[Probe]:
        return self.probes_of()

    @cached_property
    def dependencies(self) -> list[JsonObject]:
        """Edges `{"caller", "callee"}` of the service map."""
        return self.edges_of()

    @cached_property
    def webhook(self) -> JsonObject | None:
        """The Alertmanager webhook: what the sender posts and what the Alertmanager server holds."""
        return self.webhook_of()

    @cached_property
    def rules(self) -> list[JsonObject]:
        """Rule groups in the form of Prometheus' API."""
        return self.rules_of()

    @cached_property
    def targets(self) -> JsonObject | None:
        """Scrape targets in the form of Prometheus' API; None where the series `up` are all that is known of them."""
        return self.targets_of()

    @cached_property
    def series(self) -> list[JsonObject]:
        """The recorded series, and `probe_success{node, target}` for every probe that was made from a node."""
        at = self.now.timestamp()
        probes = [
            {
                "metric": {"__name__": "probe_success", "node": p.origin, "target": f"{p.host}:{p.port}"},
                "values": [[at, "1" if p.result == "open" else "0"]],
            }
            for p in self.probes
            if p.origin
        ]
        return self.metrics_of() + probes

    def shifted(self, now: datetime) -> "World":
        """The same incident with its clock at `now`: every time in objects, logs, series and webhook is moved."""
        by = now - self.now
        return World(
            now=now,
            namespace=self.namespace,
            objects_of=lambda: _moved(self.objects, by),
            logs_of=lambda: {key: times.shift_text(text, by) for key, text in self.logs.items()},
            metrics_of=lambda: [_moved_series(s, by) for s in self.metrics_of()],
            probes_of=lambda: self.probes,
            edges_of=lambda: self.dependencies,
            webhook_of=lambda: _moved(self.webhook, by),
            rules_of=lambda: _moved(self.rules, by),
            targets_of=lambda: _moved(self.targets, by),
        )


def load(folder: Path) -> World:
    """Raises SnapshotError when the folder has neither objects nor a world. Without `world.json` the clock stands at
    the newest `startsAt` of the webhook, or at the real time."""
    if not folder.is_dir() or not any((folder / name).is_file() for name in ("objects.json", "world.json")):
        raise SnapshotError(f"{folder} is no snapshot: no objects.json in it")
    world = _read(folder / "world.json") or {}
    return World(
        now=_clock(folder, world),
        namespace=str(world.get("namespace") or ""),
        objects_of=lambda: _read(folder / "objects.json") or {},
        logs_of=lambda: _read(folder / "logs.json") or {},
        metrics_of=lambda: _read(folder / "metrics.json") or [],
        probes_of=lambda: _probes(_read(folder / "connectivity.json") or []),
        edges_of=lambda: (_read(folder / "dependencies.json") or {}).get("edges") or [],
        webhook_of=lambda: _read(folder / "alert.json"),
        rules_of=lambda: _answer(folder / "rules.json").get("groups") or [],
        targets_of=lambda: _answer(folder / "targets.json") or None,
    )


def merged(worlds: Iterable[World], now: datetime) -> World:
    """One cluster in which all the incidents happen at once. Where two worlds have an object of the same name, or the
    same series, the first one's stays."""
    parts = [w if w.now == now else w.shifted(now) for w in worlds]
    return World(
        now=now,
        objects_of=lambda: _joined_objects(parts),
        logs_of=lambda: {key: text for w in reversed(parts) for key, text in w.logs.items()},
        metrics_of=lambda: _joined_series(parts),
        probes_of=lambda: [p for w in parts for p in w.probes],
        edges_of=lambda: [e for w in parts for e in w.dependencies],
        rules_of=lambda: [g for w in parts for g in w.rules],
    )


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        raise SnapshotError(f"{path.name}: {error}") from error


def _answer(path: Path) -> JsonObject:
    """The data of an answer of Prometheus' API, kept whole or without its envelope; {} if there is no such file."""
    found = _read(path) or {}
    if not isinstance(found, dict):
        raise SnapshotError(f"{path.name}: no object")
    inner = found.get("data", found)
    return inner if isinstance(inner, dict) else {}


def _clock(folder: Path, world: JsonObject) -> datetime:
    if world.get("now"):
        return times.parse(str(world["now"]))
    starts = [times.parse(a["startsAt"]) for a in (_read(folder / "alert.json") or {}).get("alerts", [])]
    return max(starts, default=datetime.now(UTC))


def _probes(rows: list[JsonObject]) -> list[Probe]:
    return [Probe(str(r["host"]), int(r["port"]), str(r["result"]), str(r.get("from") or "")) for r in rows]


def _moved(value: Any, by: timedelta) -> Any:
    if isinstance(value, str):
        return times.shift_text(value, by) if len(value) >= 19 else value
    if isinstance(value, dict):
        return {key: _moved(inner, by) for key, inner in value.items()}
    if isinstance(value, list):
        return [_moved(inner, by) for inner in value]
    return value


def _moved_series(series: JsonObject, by: timedelta) -> JsonObject:
    seconds = by.total_seconds()
    moves = _VALUE_IS_TIME.search(series["metric"].get("__name__", "")) is not None
    return {
        "metric": series["metric"],
        "values": [[t + seconds, str(float(v) + seconds) if moves and float(v) > 1e9 else v] for t, v in series["values"]],
    }


def _joined_objects(worlds: list[World]) -> dict[str, list[JsonObject]]:
    found: dict[str, dict[tuple[str, str], JsonObject]] = {}
    for world in worlds:
        for kind, items in world.objects.items():
            known = found.setdefault(kind, {})
            for item in items:
                meta = item["metadata"]
                known.setdefault((meta.get("namespace", ""), meta["name"]), item)
    return {kind: list(items.values()) for kind, items in found.items()}


def _joined_series(worlds: list[World]) -> list[JsonObject]:
    found: dict[tuple[tuple[str, str], ...], JsonObject] = {}
    for world in worlds:
        for series in world.metrics_of():
            found.setdefault(tuple(sorted(series["metric"].items())), series)
    return list(found.values())
