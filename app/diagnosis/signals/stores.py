"""Series of exporters and client libraries -> a store that lags, is full, refuses writes or answers late; a queue that grows; a broker
cut in two; a runtime that only collects. Reads `query_prometheus`, judges by the rows of `store_tables`.

What counts is how a series moved against its own past: a replica is read-only for ever, and some queues are always long."""

import re
from collections.abc import Iterator
from datetime import datetime
from statistics import median

from app.diagnosis.kube import is_ready
from app.diagnosis.reading import Reading, rows
from app.diagnosis.series import Series, Step, when
from app.diagnosis.signals.metrics import owner
from app.diagnosis.signals.store_tables import FULL, NAMES, ROWS, Row
from app.diagnosis.world import Cite, Found, World, cite, signal
from app.domain.case import Signal
from app.domain.frozen import JsonObject, iso
from app.domain.target import ObjectRef

LEAST = 4  # points of a series
KEPT = 0.5  # of its peak: what falls again from there is on its way back
BRIM = 0.95
RATED = 300.0  # seconds over which the present rate of a counter is taken
GROUPS = ("consumergroup", "consumer_group", "group", "groupid", "group_id", "subscription", "consumer_name", "durable_name")
_KNOWN = re.compile(NAMES)
_JUDGED = tuple((row, re.compile(row.names)) for row in ROWS)


def find(world: World) -> Found:
    for reading, one in world.series:
        if reading.tool == "query_prometheus" and len(one.values) >= LEAST and _KNOWN.fullmatch(one.name):
            for row, names in _JUDGED:
                if names.fullmatch(one.name) and _labelled(one, row) and (change := _judge(row, one)) is not None:
                    yield _told(world, reading, one, row, change)
    yield from _full(world)


def _labelled(one: Series, row: Row) -> bool:
    return all(one.labels.get(k, v) == v for k, v in row.labels)


def _judge(row: Row, one: Series) -> Step | None:
    if row.how == "grows":
        return _grows(row, one)
    numbers = [v for _, v in one.values]
    before, after = median(numbers[: max(2, len(numbers) // 4)]), numbers[-1]
    wrong = {
        "rises": after >= row.floor and after >= row.times * before and after >= KEPT * max(numbers),
        "on": after >= 1 and before == 0,
        "stays": after >= 1,
        "off": after == 0 and before > 0,
        "fell": 0 <= after < before,
    }[row.how]
    return Step(_since(one, before, after), before, after) if wrong else None


def _since(one: Series, before: float, after: float) -> datetime:
    """When it had gone a tenth of the way, for good: what grows slowly began long before it was half there."""
    edge = before + 0.1 * (after - before)
    at = one.values[0][0]
    for t, v in reversed(one.values):
        if (v < edge) if after > before else (v > edge):
            break
        at = t
    return when(at)


def _grows(row: Row, one: Series) -> Step | None:
    """A counter by the second, now against before."""
    rates = [(t2, max(0.0, b - a) / (t2 - t1)) for (t1, a), (t2, b) in zip(one.values, one.values[1:], strict=False) if t2 > t1]
    end = rates[-1][0]
    late, early = [r for t, r in rates if t > end - RATED], [r for t, r in rates if t <= end - RATED]
    if not late or not early:
        return None
    now, before = sum(late) / len(late), median(early[: max(2, len(early) // 2)])
    if now < row.floor or now < row.times * before:
        return None
    at = next((t for t, r in rates if r >= before + (now - before) / 2), end)
    return Step(when(at), before, now)


def _told(world: World, reading: Reading, one: Series, row: Row, change: Step) -> Signal | None:
    where = _whose(world, one) or (_broker(world, one) if row.kind == "backlog_grows" else None)
    if where is None or (row.kind == "peers_unseen" and not _all_run(world, where)):
        return None
    group = next((one.labels[k] for k in GROUPS if one.labels.get(k)), "")
    facts: JsonObject = {
        "before": round(change.before, 3),
        "after": round(change.after, 3),
        "series": one.name,
        "at": iso(change.at),
        "says": row.says,
    }
    facts |= {k: one.labels[k] for k in ("pod", "queue", "topic") if one.labels.get(k)} | ({"group": group} if group else {})
    facts |= {"query": one.query} if one.query else {}
    if row.kind == "backlog_grows":
        facts["broker"] = str(where)
        where = _consumer(world, group) or where
        facts["pod"] = where.name
    claim = f"{one.name} of {group or where.name} went from {change.before:.4g} to {change.after:.4g}: {row.says}"
    return signal(row.kind, where, claim, _line(reading, one), change.at, {"pod": where.name, **facts})


def _line(reading: Reading, one: Series) -> Cite:
    telling = [f'"{one.labels[k]}"' for k in ("pod", "state", "queue", "consumergroup", "group", "topic", "instance") if one.labels.get(k)]
    return cite(reading, (one.name + "{", *telling), (one.name, *telling[:1]), (one.name,))


def _whose(world: World, one: Series) -> ObjectRef | None:
    """Whom the series is about; of a namespace that was not read, by the name of the pod: a StatefulSet numbers its pods, a
    Deployment adds the hash of its template and five letters."""
    if (known := owner(world, one.labels)) is not None:
        return known
    namespace, pod = one.labels.get("namespace", ""), one.labels.get("pod", "")
    for kind, form in (("StatefulSet", r"(.+)-\d+"), ("Deployment", r"(.+)-[a-z0-9]{6,10}-[a-z0-9]{5}")):
        if namespace and (found := re.fullmatch(form, pod)):
            return ObjectRef(kind=kind, namespace=namespace, name=found[1])
    return None


def _broker(world: World, one: Series) -> ObjectRef | None:
    """Exporters of brokers stand apart and name no pod of theirs: the workload of the namespace that runs the image of that
    kind, else who takes from the queue, else what the alert is about."""
    family, space = one.name.split("_")[0].lower(), one.labels.get("namespace", "")
    for pod in world.of("Pod"):
        images = " ".join(str(c.get("image")) for c in rows(pod.at("spec", "containers"))).lower()
        if space in ("", pod.namespace) and family in images and "exporter" not in images:
            return world.workload_of(pod)
    group = next((one.labels[k] for k in GROUPS if one.labels.get(k)), "")
    return _consumer(world, group) or (world.case.target.workload if world.case.target.workload.name else None)


def _all_run(world: World, where: ObjectRef) -> bool:
    """A node of the cluster that is down is not cut off."""
    pods = world.pods_of(where)
    return bool(pods) and all(is_ready(p.item) for p in pods)


def _consumer(world: World, group: str) -> ObjectRef | None:
    """The workload that takes the work: the one whose name the consumer group has, or begins with."""
    workloads = {str(w): w for p in world.of("Pod") if (w := world.workload_of(p))}
    fits = [w for w in workloads.values() if group and (w.name == group or re.match(rf"{re.escape(w.name)}\b", group))]
    return max(fits, key=lambda w: (len(w.name), str(w)), default=None)


def _full(world: World) -> Iterator[Signal | None]:
    """Connections in use against the most that the server takes."""
    rows = [(r, s) for r, s in world.series if r.tool == "query_prometheus" and s.values]
    for used_name, most_name in FULL:
        for reading, most in (p for p in rows if p[1].name == most_name):
            mine = [s for _, s in rows if s.name == used_name and _same(s, most)]
            used = sum({tuple(sorted(s.labels.items())): s.values[-1][1] for s in mine}.values())
            ceiling, where = most.values[-1][1], _whose(world, most)
            if ceiling > 0 and used >= BRIM * ceiling and where is not None:
                facts: JsonObject = {"before": used, "after": ceiling, "series": used_name, "pod": where.name, "says": "all connections are taken"}
                claim = f"{used:.0f} of the {ceiling:.0f} connections that {where.name} takes are in use"
                yield signal("connections_full", where, claim, _line(reading, most), when(most.values[-1][0]), facts)


def _same(one: Series, other: Series) -> bool:
    return all(one.labels.get(k) == other.labels.get(k) for k in ("namespace", "pod", "instance"))
