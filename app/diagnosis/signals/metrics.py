"""Golden-signal series -> steps, ramps and targets that are down. Reads `get_metrics` and `query_prometheus`.

Pods are mapped to their workloads; a series about a service is about the workload of the service."""

from app.diagnosis.kube import container_spec, quantity
from app.diagnosis.reading import Reading, Seen, dig
from app.diagnosis.series import Series, Step, ramps_to, series_of, step
from app.diagnosis.world import Cite, Found, World, cite, signal
from app.domain.frozen import JsonObject, iso
from app.domain.target import ObjectRef

ERRORS = 0.02  # a share of failed requests below this is noise
SLOWER = 2.0  # a latency level that is this many times the one before
CPU_LEAP = 3.0


def find(world: World) -> Found:
    for reading in world.readings:
        for one in series_of(reading):
            yield from _shape(world, reading, one)


def owner(world: World, labels: dict[str, str]) -> ObjectRef | None:
    """Whom a series is about: the workload of its pod or service, else its node."""
    namespace, pod = labels.get("namespace", ""), labels.get("pod", "")
    if pod and (seen := world.get("Pod", namespace, pod)):
        return world.workload_of(seen)
    for key in ("service", "workload", "deployment", "app"):
        name = labels.get(key, "")
        for kind in ("Deployment", "StatefulSet", "DaemonSet"):
            if name and world.get(kind, namespace, name):
                return ObjectRef(kind=kind, namespace=namespace, name=name)
        if name and (found := _named(world, namespace, name)):
            return found
    target = world.case.target.workload
    return target if target.kind not in ("Namespace", "Node") and not labels.get("node") else None


def _named(world: World, namespace: str, name: str) -> ObjectRef | None:
    return next((w for p in world.of("Pod") if p.namespace == namespace and (w := world.workload_of(p)).name == name), None)


def _shape(world: World, reading: Reading, one: Series) -> Found:
    where = owner(world, one.labels)
    if one.name in ("up", "target_up", "target_down") and one.values and one.values[-1][1] == (1 if one.name == "target_down" else 0):
        yield from _target(reading, one)
    if where is None or not one.values:
        return
    if "memory" in one.name and one.labels.get("pod"):
        yield from _memory(world, reading, one, where)
    change = step(one)
    if change is not None:
        kind = _leap(one.name, change)
        if kind:
            facts: JsonObject = {"before": round(change.before, 4), "after": round(change.after, 4), "series": one.name, "at": iso(change.at)}
            claim = f"{one.name} of {where.name} went from {facts['before']} to {facts['after']} at {facts['at']}"
            yield signal(kind, where, claim, _line(reading, one), change.at, facts)


def _leap(name: str, change: Step) -> str:
    up = change.after > change.before
    if "error" in name:
        return "errors_rose" if change.after >= max(ERRORS, 2 * change.before) else ""
    if "latency" in name or "duration" in name:
        return "latency_rose" if change.before >= 0 and change.after > SLOWER * max(change.before, 1e-6) else ""
    if "throttl" in name:
        return "throttling_rose" if change.after >= 0.1 and change.after > 3 * change.before else ""
    if name.startswith("cpu") or "cpu_usage" in name:
        return "cpu_rose" if change.after > CPU_LEAP * max(change.before, 1e-3) and change.after >= 0.02 else ""
    if "request_rate" in name or "requests" in name:
        return (
            "traffic_rose" if up and change.after > 3 * max(change.before, 0.1) else "traffic_fell" if change.after < 0.4 * change.before else ""
        ) or ""
    if "retrans" in name:
        return "retransmissions_rose" if change.after > 5 * max(change.before, 0.05) else ""
    return ""


def _memory(world: World, reading: Reading, one: Series, where: ObjectRef) -> Found:
    limit = _limit(world.get("Pod", one.labels.get("namespace", ""), one.labels.get("pod", "")), one.labels.get("container", ""))
    if limit and ramps_to(one, limit):
        claim = f"Memory of {one.labels.get('pod')} climbs towards its limit of {int(limit)} bytes"
        yield signal("memory_climbs", where, claim, _line(reading, one), one.values[0][0], {"limit": int(limit), "pod": one.labels.get("pod")})


def _limit(pod: Seen | None, container: str) -> float | None:
    if pod is None:
        return None
    name = container or str(dig((pod.at("spec", "containers") or [{}])[0], "name"))
    return quantity(dig(container_spec(pod.item, name), "resources", "limits", "memory"))


def _target(reading: Reading, one: Series) -> Found:
    job, instance = one.labels.get("job", ""), one.labels.get("instance", "")
    where = ObjectRef(kind="Target", name=f"{job}/{instance}")
    yield signal(
        "target_down",
        where,
        f"Scrape target {instance} of job {job} is down",
        _line(reading, one),
        one.values[-1][0],
        {"job": job, "instance": instance},
    )


def _line(reading: Reading, one: Series) -> Cite:
    who = one.labels.get("pod") or one.labels.get("service") or one.labels.get("instance") or one.labels.get("node") or ""
    return cite(reading, (one.name, who), (one.name,))
