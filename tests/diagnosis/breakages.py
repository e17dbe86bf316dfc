"""For each cause: what breaks the shop that way, and a near miss: what looks like it and is not."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.diagnosis.scenes import NOW, NS, Json, Scene, ago, meta

Break = Callable[[Scene], Any]
CART = "Deployment/shop/cart"


@dataclass(frozen=True)
class Case:
    """`positive` must be named first, on `object`; after `near` the cause must not be named at all."""

    cause: str
    positive: Break
    near: Break
    object: str = CART


def quota(scene: Scene, resource: str, used: str, hard: str) -> None:
    scene.add(
        "ResourceQuota",
        {"metadata": meta("budget"), "spec": {"hard": {resource: hard}}, "status": {"hard": {resource: hard}, "used": {resource: used}}},
    )


def over_quota(resource: str, asked: str, used: str, hard: str) -> Break:
    numbers = f"requested: {resource}={asked}, used: {resource}={used}, limited: {resource}={hard}"
    message = f'pods "cart-5c9f7d8b6-" is forbidden: exceeded quota: budget, {numbers}'
    return both(lambda s: s.refused(message), lambda s: quota(s, resource, used, hard))


def stale_refusal(message: str) -> Break:
    """The refusal is over: the pod exists."""
    return lambda s: s.event("ReplicaSet", "cart-5c9f7d8b6", "FailedCreate", "Error creating: " + message)


def unplaced(reason: str) -> Break:
    return lambda s: s.pending(f"0/3 nodes are available: {reason}. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.")


def other_reason(s: Scene) -> None:
    s.pending("0/3 nodes are available: 3 Insufficient example.com/gpu. preemption: not helpful.")


def selects(s: Scene, key: str = "disk", value: str = "ssd") -> None:
    s.pending("0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector. preemption: not helpful.")
    s.pod()["spec"]["nodeSelector"] = {key: value}


def wants(s: Scene) -> None:
    s.pending("0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector. preemption: not helpful.")
    terms = [{"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}]
    s.pod()["spec"]["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def cordoned(s: Scene) -> None:
    s.pending("0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 2 node(s) were unschedulable. preemption: not helpful.")
    s.pod()["spec"]["nodeSelector"] = {"zone": "one"}
    for node in s.objects["Node"]:
        node["spec"]["unschedulable"] = True


def claim(s: Scene, volume: Json | None, **spec: Any) -> None:
    s.pending("0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: not helpful.", "store")
    s.pod("store")["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "store-data"}}]
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}, "storageClassName": "", **spec}
    s.add("PersistentVolumeClaim", {"metadata": meta("store-data"), "spec": wanted, "status": {"phase": "Pending"}})
    offered = {"capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "", **(volume or {})}
    s.add("PersistentVolume", {"metadata": {"name": "disk-1"}, "spec": offered, "status": {"phase": "Available"}})


def pull(message: str) -> Break:
    def broken(s: Scene) -> None:
        s.waits("ImagePullBackOff", 'Back-off pulling image "registry.example/cart:1.4.2"')
        s.event("Pod", s.pod()["metadata"]["name"], "Failed", f'Failed to pull image "registry.example/cart:1.4.2": {message}')

    return broken


def unhealthy(which: str, message: str, kill: bool = True) -> Break:
    def broken(s: Scene) -> None:
        pod = s.pod()["metadata"]["name"]
        if which == "Liveness":
            s.crashes(137 if "137" in message else 0, "Completed")
            s.event("Pod", pod, "Killing", "Container cart failed liveness probe, will be restarted")
        else:
            s.not_ready()
        s.event("Pod", pod, "Unhealthy", f"{which} probe failed: {message}")

    return broken


def with_probe(which: str, spec: Json, message: str) -> Break:
    def broken(s: Scene) -> None:
        s.box()[f"{which.lower()}Probe"] = spec
        unhealthy(which, message)(s)

    return broken


def at_start(which: str) -> Break:
    """One failed probe while the process started; it is ready since."""
    return lambda s: s.event(
        "Pod", s.pod()["metadata"]["name"], "Unhealthy", f"{which} probe failed: dial tcp 10.0.0.9:8080: connect: connection refused"
    )


def released(s: Scene, minutes: float = 15) -> None:
    old = s.one("ReplicaSet", "cart-")
    template = {
        **old["spec"]["template"],
        "spec": {"containers": [{**old["spec"]["template"]["spec"]["containers"][0], "image": "registry.example/cart:1.5.0"}]},
    }
    owners = old["metadata"]["ownerReferences"]
    new = meta("cart-7d5bb9cc4", ownerReferences=owners, annotations={"deployment.kubernetes.io/revision": "2"}, labels={"app": "cart"})
    s.add(
        "ReplicaSet",
        {"metadata": new | {"creationTimestamp": ago(minutes)}, "spec": {"replicas": 0, "template": template}, "status": {"replicas": 0}},
    )


def stuck(s: Scene) -> None:
    s.one("Deployment", "cart")["status"]["conditions"] = [
        {
            "type": "Progressing",
            "status": "False",
            "reason": "ProgressDeadlineExceeded",
            "message": 'ReplicaSet "cart-7d5bb9cc4" has timed out progressing.',
        }
    ]


def node(name: str, kind: str, status: str, reason: str = "", message: str = "") -> Break:
    def broken(s: Scene) -> None:
        conditions = s.one("Node", name)["status"]["conditions"]
        conditions[:] = [c for c in conditions if c["type"] != kind]
        conditions.append({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": ago(8)})

    return broken


def unit(name: str, node: str) -> Break:
    def broken(s: Scene) -> None:
        s.metrics = [m for m in s.metrics if (m["metric"].get("name"), m["metric"].get("node")) != (f"{name}.service", node)]
        s.unit(node, name, 0)

    return broken


def running_log(line: str, times: int = 5) -> Break:
    def broken(s: Scene) -> None:
        s.says("\n".join(f"{ago(9 - i)} {line}" for i in range(times)))
        s.labels = {"alertname": "HighErrorRate", "namespace": NS, "service": "cart"}

    return broken


def once_long_ago(line: str) -> Break:
    return lambda s: s.says(f"{ago(400)} {line}, retrying\n{ago(399)} connected, all well")


def scaled_down(s: Scene) -> None:
    s.objects["Pod"].remove(s.pod("store"))
    store = s.one("Deployment", "store")
    store["spec"]["replicas"] = 0
    store["status"] = {}
    s.one("ReplicaSet", "store-")["spec"]["replicas"] = 0
    s.one("ReplicaSet", "store-")["status"] = {}
    s.event("Deployment", "store", "ScalingReplicaSet", "Scaled down replica set store-5c9f7d8b6 from 1 to 0", 12)


def parked(s: Scene) -> None:
    """Scaled to zero for long; nobody asks for it."""
    template = {"metadata": {"labels": {"app": "old"}}, "spec": {"containers": []}}
    s.add("Deployment", {"metadata": meta("old"), "spec": {"replicas": 0, "template": template}, "status": {}})


def autoscaler(status: str, reason: str, message: str, kind: str = "ScalingActive") -> Break:
    def broken(s: Scene) -> None:
        spec = {"scaleTargetRef": {"kind": "Deployment", "name": "cart"}, "minReplicas": 1, "maxReplicas": 3}
        conditions = [{"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": ago(30)}]
        s.add("HorizontalPodAutoscaler", {"metadata": meta("cart"), "spec": spec, "status": {"conditions": conditions, "currentReplicas": 3}})

    return broken


def job(failed: bool) -> Break:
    def broken(s: Scene) -> None:
        end = {"type": "Failed" if failed else "Complete", "status": "True", "lastTransitionTime": ago(5)}
        end |= {"reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"} if failed else {}
        s.add("Job", {"metadata": meta("billing"), "spec": {"backoffLimit": 2}, "status": {"failed": 3, "conditions": [end]}})
        s.labels = {"alertname": "KubeJobFailed", "namespace": NS, "job_name": "billing"}

    return broken


def cron(suspended: bool) -> Break:
    def broken(s: Scene) -> None:
        spec = {"schedule": "0 * * * *", "suspend": suspended, "jobTemplate": {"spec": {"template": {"spec": {"containers": []}}}}}
        s.add("CronJob", {"metadata": meta("nightly"), "spec": spec, "status": {"lastScheduleTime": ago(60)}})
        s.labels = {"alertname": "KubeCronJobMissed", "namespace": NS, "cronjob": "nightly"}

    return broken


def service(**spec: Any) -> Break:
    def broken(s: Scene) -> None:
        changed = s.one("Service", "cart")["spec"]
        changed["ports"][0].update({k: v for k, v in spec.items() if k in ("targetPort", "protocol", "port")})
        if "selector" in spec:
            changed["selector"] = spec["selector"]

    return broken


def calls(value: str) -> Break:
    def broken(s: Scene) -> None:
        s.box("web")["env"] = [{"name": "CART_ADDR", "value": value}]

    return broken


def init_fails(s: Scene) -> None:
    s.waits("PodInitializing")
    ended = {"exitCode": 1, "reason": "Error", "finishedAt": ago(3)}
    s.pod()["spec"]["initContainers"] = [{"name": "migrate", "image": "registry.example/migrate:1"}]
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container=migrate"}}
    status = {"name": "migrate", "ready": False, "restartCount": 6, "state": waiting, "lastState": {"terminated": ended}}
    s.pod()["status"]["initContainerStatuses"] = [status]
    s.logs[f"{NS}/{s.pod()['metadata']['name']}/migrate#previous"] = "must be owner of table carts"


def init_done(s: Scene) -> None:
    ended = {"exitCode": 0, "reason": "Completed", "finishedAt": ago(5999)}
    s.pod()["status"]["initContainerStatuses"] = [{"name": "migrate", "ready": True, "restartCount": 0, "state": {"terminated": ended}}]


def warned(reason: str, message: str) -> Break:
    """A pod that cannot be set up."""

    def broken(s: Scene) -> None:
        s.waits("ContainerCreating")
        s.event("Pod", s.pod()["metadata"]["name"], reason, message)

    return broken


def golden(metric: str, before: float, after: float, name: str = "cart", **labels: str) -> Break:
    def broken(s: Scene) -> None:
        labels_of = labels or {"service": name}
        s.series(metric, {"namespace": NS, **labels_of}, before, after)
        s.labels = {"alertname": "HighLatency", "namespace": NS, "service": name}

    return broken


def both(*breaks: Break) -> Break:
    return lambda s: [b(s) for b in breaks]


def throttled(seconds: float) -> Break:
    """A counter of the seconds a container waited for cpu: flat, then growing by so many each second."""

    def broken(s: Scene) -> None:
        labels = {"namespace": NS, "pod": s.pod()["metadata"]["name"], "container": "cart"}
        start = int((NOW - timedelta(minutes=40)).timestamp())
        values = [[start + 30 * i, str(max(0, i - 60) * 30 * seconds)] for i in range(81)]
        s.metrics.append({"metric": {"__name__": "container_cpu_cfs_throttled_seconds_total", **labels}, "values": values})
        s.labels = {"alertname": "HighLatency", "namespace": NS, "service": "cart"}

    return broken


def pressure(kind: str) -> Break:
    return node("worker-a", kind, "True", "Kubelet" + kind, f"kubelet has {kind}")


def scraped(up: int) -> Break:
    def broken(s: Scene) -> None:
        s.series("up", {"namespace": NS, "job": "billing", "instance": "10.0.0.7:9100"}, 1, up)
        s.labels = {"alertname": "TargetDown", "namespace": NS, "job": "billing"}

    return broken
