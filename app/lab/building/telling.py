"""What every workload of a story has besides its objects: events, and the series of cAdvisor, kube-state-metrics and its
own HTTP metrics. Called by stories."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from app.domain.frozen import iso
from app.lab.building import samples
from app.lab.building.samples import Curve, flat
from app.lab.building.scene import Scene
from app.lab.building.workload import uid

KSM = {"job": "kube-state-metrics", "instance": "10.42.9.9:8080"}
BUCKETS = ("0.1", "0.25", "0.5", "0.75", "1", "2.5", "+Inf")


def event(scene: Scene, about: str, reason: str, message: str, last: datetime, **more: Any) -> None:
    """`about` is Kind/name. `more`: count, first, type, component, host, field."""
    kind, name = about.split("/", 1)
    count, first = more.get("count", 1), more.get("first", last)
    component, host = more.get("component", "kubelet"), more.get("host", "")
    spaced = {"namespace": scene.namespace} if kind != "Node" else {}
    involved = {"kind": kind, **spaced, "name": name, "uid": uid(scene.namespace, kind, name)}
    involved |= {"fieldPath": f"spec.containers{{{more['field']}}}"} if more.get("field") else {}
    where = scene.namespace if kind != "Node" else "default"
    body = {
        "involvedObject": involved,
        "reason": reason,
        "message": message,
        "source": {"component": component} | ({"host": host} if host else {}),
        "firstTimestamp": iso(first),
        "lastTimestamp": iso(last),
        "count": count,
        "type": more.get("type", "Normal"),
        "eventTime": None,
        "reportingComponent": component,
        "reportingInstance": host,
    }
    code = uid(name, reason, message)[:16].replace("-", "")
    scene.add("Event", "v1", f"{name}.{code}", where, body, born=first)


def not_scheduled(scene: Scene, pod: str, message: str, at: datetime) -> None:
    """The scheduler's event: no count, no first and last time, only `eventTime`."""
    event(scene, f"Pod/{pod}", "FailedScheduling", message, at, type="Warning", component="default-scheduler")
    found = scene.objects["Event"][-1]
    found |= {"firstTimestamp": None, "lastTimestamp": None, "eventTime": at.isoformat(timespec="microseconds").replace("+00:00", "Z")}
    found |= {"action": "Scheduling", "source": {}, "reportingInstance": "default-scheduler-control-a"}
    found["metadata"] |= {"name": f"{pod}.{uid(pod, iso(at))[:16].replace('-', '')}", "uid": uid(pod, iso(at))}
    del found["count"]


def calm(scene: Scene, app: str, code: str, suffixes: Iterable[str], memory: float, text: str) -> None:
    """Logs and series of pods that are well: `memory` in MiB, `text` a log line."""
    for suffix in suffixes:
        name = f"{app}-{code}-{suffix}"
        scene.log(name, app, lines(scene.now - timedelta(minutes=8), timedelta(minutes=1), [text] * 8))
        pod_series(scene, name, app, flat(memory * MIB, name), limit=512 * MIB)
        state_series(scene, name, app, flat(0), flat(1))


def pod_series(scene: Scene, pod: str, container: str, memory: Curve, cpu: Curve | None = None, limit: float = 0.0) -> None:
    """cAdvisor's memory and cpu of one container, and its memory limit."""
    found = next(p for p in scene.objects["Pod"] if p["metadata"]["name"] == pod)
    node, moments = found["spec"]["nodeName"], _lived(scene, pod)
    labels = {"namespace": scene.namespace, "pod": pod, "container": container}
    kubelet = {**labels, "job": "kubelet", "node": node}
    scene.series.append(samples.gauge("container_memory_working_set_bytes", kubelet, memory, moments, 0))
    scene.series.append(samples.counter("container_cpu_usage_seconds_total", kubelet, cpu or flat(0.08, pod), moments, 0.4))
    if limit:
        said = {**labels, **KSM, "node": node, "resource": "memory", "unit": "byte"}
        scene.series.append(samples.gauge("kube_pod_container_resource_limits", said, flat(limit), moments))


def former_pod_series(scene: Scene, pod: str, container: str, memory: Curve, until: datetime) -> None:
    """Memory and cpu of a pod that a rollout has replaced: its series end."""
    labels = {"namespace": scene.namespace, "pod": pod, "container": container, "job": "kubelet", "node": "node-c"}
    moments = [at for at in scene.moments if at < until]
    scene.series.append(samples.gauge("container_memory_working_set_bytes", labels, memory, moments, 0))
    scene.series.append(samples.counter("container_cpu_usage_seconds_total", labels, flat(0.08, pod), moments, 41_000.0))


def _lived(scene: Scene, pod: str) -> list[datetime]:
    """The moments at which a pod existed."""
    born = next(p["metadata"]["creationTimestamp"] for p in scene.objects["Pod"] if p["metadata"]["name"] == pod)
    return [at for at in scene.moments if iso(at) >= born]


def state_series(scene: Scene, pod: str, container: str, restarts: Curve, ready: Curve) -> None:
    """kube-state-metrics' restarts and readiness of one pod."""
    labels = {"namespace": scene.namespace, "pod": pod, **KSM}
    moments = _lived(scene, pod)
    counted = samples.gauge("kube_pod_container_status_restarts_total", {**labels, "container": container}, restarts, moments, 0)
    scene.series.append(counted)
    scene.series.append(samples.gauge("kube_pod_status_ready", {**labels, "condition": "true"}, ready, moments, 0))


def replica_series(scene: Scene, app: str, wanted: int, available: Curve) -> None:
    labels = {"namespace": scene.namespace, "deployment": app, **KSM}
    scene.series.append(samples.gauge("kube_deployment_spec_replicas", labels, flat(wanted), scene.moments))
    scene.series.append(samples.gauge("kube_deployment_status_replicas_available", labels, available, scene.moments, 0))


def request_series(scene: Scene, app: str, per_second: Curve, failing: Curve) -> None:
    """`http_requests_total` by code; `failing` is the share that answers 500."""
    labels = {"namespace": scene.namespace, "service": app, "job": app}
    good = samples.counter("http_requests_total", {**labels, "code": "200"}, lambda at: per_second(at) * (1 - failing(at)), scene.moments)
    bad = samples.counter("http_requests_total", {**labels, "code": "500"}, lambda at: per_second(at) * failing(at), scene.moments, 12.0)
    scene.series += [good, bad]


def latency_series(scene: Scene, app: str, per_second: Curve, before: tuple[float, ...], after: tuple[float, ...], when: datetime) -> None:
    """A histogram whose cumulative shares (one per bucket) change at `when`."""
    labels = {"namespace": scene.namespace, "service": app, "job": app}
    for place, le in enumerate(BUCKETS):
        name, begin = "http_request_duration_seconds_bucket", 50_000.0 * before[place]

        def speed(at: datetime, place: int = place) -> float:
            return per_second(at) * (before if at < when else after)[place]

        scene.series.append(samples.counter(name, {**labels, "le": le}, speed, scene.moments, begin))


def lines(start: datetime, every: timedelta, texts: list[str]) -> list[str]:
    """Log lines with a time before each."""
    return [f"{iso(start + every * n)} {text}" for n, text in enumerate(texts)]


MIB = 1024.0 * 1024.0
