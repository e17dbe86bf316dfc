"""Golden-signal series -> latency and errors that rose, processors that are short, memory that climbs, targets that are
down. Reads `get_metrics` and `query_prometheus`.

Where the tool measured a change it is taken; short bursts that a rate window smears are seen by their peak. Pods are
mapped to their workloads; a series about a service is about the workload of the service."""

from datetime import timedelta
from statistics import median

from app.diagnosis.kube import container_spec, is_ready, quantity
from app.diagnosis.noise import FEW, shared, slower, stands_out
from app.diagnosis.reading import Reading, Seen, dig
from app.diagnosis.series import Series, Step, ramps_to, step, when
from app.diagnosis.world import Cite, Found, World, cite, signal
from app.domain.case import Signal
from app.domain.frozen import JsonObject, iso
from app.domain.target import ObjectRef

BEFORE_ONSET = timedelta(minutes=30)  # an alert waits for its `for` and its rate window; what moved earlier is not what it tells of
ERRORS = 0.02  # a share of failed requests below this is noise
TYPICAL = 0.75  # quantiles up to here tell of typical requests, above of the slow tail
SLOWER = 2.0  # a latency level that is this many times the one before
SLOW_SECONDS = 0.001  # a latency that rises by less than this is noise of the clock
THROTTLED_SECONDS = 0.15  # seconds of waiting for cpu in each second: a sixth of a core is missing
THROTTLED_SHARE = 0.25  # share of scheduling periods that were cut short
WATCHED = ("latency", "error_rate", "success_ratio", "request_rate", "cpu_usage")
MEMORY = ("memory_working_set", "process_memory", "heap_used")
GROWTH = 1.3  # memory that grew by less than this, or by less than these bytes, is a cache that fills
GROWTH_BYTES = 16 * 2**20
BURST = 2.5
CPU = ("cpu_throttled_seconds", "cpu_throttled", "cpu_usage")
BUSY_CORES = 0.1


def find(world: World) -> Found:
    typical = _typical(world)
    for reading, one in world.series:
        if one.values:
            yield from _target(world, reading, one)
            yield from _shape(world, reading, one, typical)


Siblings = dict[tuple[str, str, tuple[tuple[str, str], ...]], list[Series]]


def _typical(world: World) -> Siblings:
    """Latencies of typical requests, by what tells them from others than those of the tail."""
    found: Siblings = {}
    for reading, one in world.series:
        if one.name.startswith("latency") and quantile(one) <= TYPICAL:
            found.setdefault(_kin(reading, one), []).append(one)
    return found


def _kin(reading: Reading, one: Series) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    return reading.call.id, one.of, tuple(sorted((k, v) for k, v in one.labels.items() if k != "quantile"))


def quantile(one: Series) -> float:
    """Of a latency: by its label, by its name (`latency_p99`), else that of a mean."""
    told = one.labels.get("quantile") or f"0.{one.name.partition('_p')[2] or '5'}"
    try:
        return float(told)
    except ValueError:
        return 0.5


def _change(one: Series) -> Step | None:
    """The change point the tool measured, else our own, looked for only where the series moves by as much as counts."""
    told = one.change
    if isinstance(told, dict) and isinstance(told.get("at"), int | float):
        return Step(when(float(told["at"])), float(told["before"]), float(told["after"]))
    numbers = [v for _, v in one.values]
    low, high = min(numbers), max(numbers)
    return step(one) if (high - low >= ERRORS if shared(one.name) else high >= SLOWER * low) else None


def owner(world: World, labels: dict[str, str]) -> ObjectRef | None:
    """Whom a series is about: the workload of its pod or service, else the alert's target; None for a node's series."""
    namespace, pod = labels.get("namespace") or world.case.target.namespace, labels.get("pod", "")
    if pod and (seen := world.get("Pod", namespace, pod)):
        return world.workload_of(seen)
    for key in ("service", "workload", "deployment", "app", "job"):  # job: a ServiceMonitor's is the name of its Service
        if labels.get(key) and (found := named(world, namespace, labels[key])):
            return found
    target = world.case.target.workload
    if target.kind in ("Namespace", "Node", "Target") or labels.get("node") or labels.get("service") or pod:
        return None
    return target


def named(world: World, namespace: str, name: str) -> ObjectRef | None:
    """The workload of this name, or behind the Service of this name."""
    for kind in ("Deployment", "StatefulSet", "DaemonSet"):
        if world.get(kind, namespace, name):
            return ObjectRef(kind=kind, namespace=namespace, name=name)
    return world.by_name.get((namespace, name))


def _shape(world: World, reading: Reading, one: Series, typical: Siblings) -> Found:
    where = owner(world, one.labels)
    if where is None:
        return
    if one.name == "memory_working_set":
        yield from _memory(world, reading, one, where)
    if one.name in MEMORY:
        yield _growth(reading, one, where)
    kind, seen = _short_of_cpu(reading, one) or ("", None)
    if not kind and one.name.startswith(WATCHED) and (change := _change(one)) is not None:
        kind, seen = leap(one.name, change), change
        if kind == "latency_rose":
            kin = typical.get(_kin(reading, one), []) if quantile(one) > TYPICAL else []
            kind = kind if slower(one, change, kin) else ""
        elif kind:
            kind = kind if stands_out(one, change) else ""
        kind = kind if world.onset - change.at <= BEFORE_ONSET else ""
    if kind and seen is not None:
        facts = {"before": round(seen.before, 4), "after": round(seen.after, 4), "series": one.name, "at": iso(seen.at), **_source(one)}
        facts |= {"quantile": one.labels.get("quantile") or f"{quantile(one):g}"} if kind == "latency_rose" else {}
        claim = f"{one.name} of {where.name} went from {told(one.name, seen.before)} to {told(one.name, seen.after)}"
        yield signal(kind, where, claim, _line(reading, one), seen.at, facts)


def _born(reading: Reading, one: Series) -> bool:
    """Did the series begin within the window: is its pod that young?"""
    window = reading.result.window
    return window is not None and when(one.values[0][0]) > window.start + (window.end - window.start) / 5


def _short_of_cpu(reading: Reading, one: Series) -> tuple[str, Step] | None:
    """Throttling and bursts by their peak against the lowest and the usual level; a young pod has no level from before."""
    if one.name not in CPU:
        return None
    numbers = [v for _, v in one.values]
    peak, low, usual = max(numbers), min(numbers), median(numbers)
    at = next(t for t, v in one.values if v >= low + (peak - low) / 2)
    limit = {"cpu_throttled_seconds": THROTTLED_SECONDS, "cpu_throttled": THROTTLED_SHARE}.get(one.name)
    if limit is not None and _born(reading, one) and len(numbers) >= FEW and sorted(numbers)[len(numbers) // 4] >= limit:
        return "throttling_rose", Step(when(one.values[0][0]), 0.0, usual)
    if limit is not None and peak >= limit and peak >= 3 * low:
        return "throttling_rose", Step(when(at), low, peak)
    if one.name == "cpu_usage" and peak >= BUSY_CORES and peak >= BURST * max(usual, 1e-3):
        return "cpu_rose", Step(when(at), usual, peak)
    return None


def leap(name: str, change: Step) -> str:
    """What a change of level of this signal means, "" if nothing."""
    before, after = change.before, change.after
    if name.startswith("latency"):
        return "latency_rose" if after >= SLOWER * before and after - before >= SLOW_SECONDS else ""
    if name == "error_rate":
        return "errors_rose" if after >= max(ERRORS, 2 * before) else ""
    if name == "success_ratio":
        return "errors_rose" if before - after >= ERRORS else ""
    if name == "request_rate":
        return "traffic_rose" if after >= 3 * max(before, 0.1) else "traffic_fell" if after <= 0.4 * before else ""
    if name == "cpu_usage":
        return "cpu_rose" if after >= BURST * max(before, 1e-3) and after >= BUSY_CORES else ""
    return ""


def _memory(world: World, reading: Reading, one: Series, where: ObjectRef) -> Found:
    pod = one.labels.get("pod", "")
    limit = _limit(world.get("Pod", where.namespace, pod), one.labels.get("container", ""))
    if limit and ramps_to(one, limit):
        claim = f"Memory of {pod} climbs towards its limit of {int(limit)} bytes"
        yield signal("memory_climbs", where, claim, _line(reading, one), when(one.values[0][0]), {"limit": int(limit), **_source(one)})


def _growth(reading: Reading, one: Series, where: ObjectRef) -> Signal | None:
    """Memory that grows and does not come back, with when it began: where the tool saw it bend, or where the series
    itself begins; unknown for one that grew all through the window."""
    first, last, at = one.values[0], one.values[-1], None
    if one.shape == "ramp" and (bend := _change(one)) is not None:
        at, before = bend.at, bend.before
    elif one.trend == "rising":
        window = reading.result.window
        born = window is not None and when(first[0]) > window.start + (window.end - window.start) / 20
        at, before = when(first[0]) if born else None, first[1]
    else:
        return None
    kept = last[1] >= 0.8 * max(v for _, v in one.values)
    if not kept or last[1] < GROWTH * before or last[1] - before < GROWTH_BYTES:
        return None
    claim = f"{one.name} of {where.name} grows from {told(one.name, before)} to {told(one.name, last[1])} and does not come back"
    return signal("memory_grows", where, claim, _line(reading, one), at, {"grown_from": before, "grown_to": last[1], **_source(one)})


def _source(one: Series) -> JsonObject:
    """The exact query of a series, and its pod if it is of one: facts that a citation needs."""
    pod = {"pod": one.labels["pod"]} if one.labels.get("pod") else {}
    return {**pod, **({"query": one.query} if one.query else {})}


def told(name: str, value: float) -> str:
    """A value in the unit that people use for the signal."""
    if name in MEMORY:
        return f"{value / 2**20:.0f} MiB"
    if name in ("error_rate", "success_ratio"):
        return f"{100 * value:.3g} %"
    return f"{value:.4g}" + (" s" if name.startswith("latency") else " a second" if name == "request_rate" else "")


def _limit(pod: Seen | None, container: str) -> float | None:
    """The memory limit in bytes of a container; of the first one where the series names none."""
    if pod is None:
        return None
    name = container or str(dig((pod.at("spec", "containers") or [{}])[0], "name"))
    return quantity(dig(container_spec(pod.item, name), "resources", "limits", "memory"))


def _target(world: World, reading: Reading, one: Series) -> Found:
    """A target that is down though its pod is well: one whose pod is gone, has ended or is not ready is only its shadow."""
    if one.name == "up" and one.values[-1][1] == 0 and not _pod_is_ill(world, one):
        job, instance = one.labels.get("job", ""), one.labels.get("instance", "")
        where = ObjectRef(kind="Target", name=f"{job}/{instance}")
        facts = {"job": job, "instance": instance}
        yield signal("target_down", where, f"Scrape target {instance} of job {job} is down", _line(reading, one), when(one.values[-1][0]), facts)


def _pod_is_ill(world: World, one: Series) -> bool:
    namespace, name = one.labels.get("namespace", ""), one.labels.get("pod", "")
    pod = world.get("Pod", namespace, name)
    if pod is None:
        return bool(name) and world.has_read("check_pods", namespace)
    return not is_ready(pod.item)


def _line(reading: Reading, one: Series) -> Cite:
    """The line of a series: its name, and the labels that tell it from its siblings."""
    telling = [f'"{one.labels[k]}"' for k in ("pod", "container", "service", "job", "instance", "node", "quantile") if one.labels.get(k)]
    metric = [f"[{one.of}]"] if one.of else []
    return cite(reading, (one.name, *telling, *metric), (one.name, *telling), (one.name, *telling[:1]), (one.name,))
