"""A small healthy shop, written by hand, and the ways to break it: web calls cart, cart calls the database. Tests break
one thing, write the scene as a snapshot folder and run the whole reading over it."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Json = dict[str, Any]
NOW = datetime(2027, 3, 4, 10, 0, tzinfo=UTC)
NS = "shop"


def ago(minutes: float) -> str:
    return (NOW - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def meta(name: str, **more: Any) -> Json:
    return {"name": name, "namespace": NS, "creationTimestamp": ago(6000), **more}


def probe(port: Any, how: str = "httpGet", **more: Any) -> Json:
    return {
        how: {"port": port, **({"path": "/"} if how == "httpGet" else {})},
        "periodSeconds": 10,
        "failureThreshold": 3,
        "timeoutSeconds": 1,
        **more,
    }


@dataclass
class Scene:
    objects: dict[str, list[Json]] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    metrics: list[Json] = field(default_factory=list)
    edges: list[Json] = field(default_factory=list)
    labels: Json = field(default_factory=lambda: {"alertname": "ServiceUnavailable", "namespace": NS})

    def add(self, kind: str, item: Json) -> Json:
        self.objects.setdefault(kind, []).append({"kind": kind, **item})
        return self.objects[kind][-1]

    def one(self, kind: str, name: str) -> Json:
        return next(o for o in self.objects[kind] if o["metadata"]["name"].startswith(name))

    def pod(self, name: str = "cart") -> Json:
        return self.one("Pod", name + "-")

    def box(self, name: str = "cart") -> Json:
        """The container of a workload's pod."""
        found: Json = self.pod(name)["spec"]["containers"][0]
        return found

    def status(self, name: str = "cart") -> Json:
        found: Json = self.pod(name)["status"]["containerStatuses"][0]
        return found

    def event(self, kind: str, name: str, reason: str, message: str, minutes: float = 2) -> None:
        about = {"kind": kind, "namespace": "" if kind == "Node" else NS, "name": name}
        warning = "Normal" if reason in ("Killing", "SuccessfulDelete", "ScalingReplicaSet", "SuccessfulCreate") else "Warning"
        self.add(
            "Event",
            {
                "metadata": meta(f"e{len(self.objects['Event'])}"),
                "involvedObject": about,
                "type": warning,
                "reason": reason,
                "message": message,
                "count": 4,
                "firstTimestamp": ago(minutes + 5),
                "lastTimestamp": ago(minutes),
            },
        )

    def not_ready(self, name: str = "cart", phase: str = "Running") -> Json:
        pod = self.pod(name)
        pod["status"]["phase"] = phase
        pod["status"]["conditions"] = [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]
        for status in pod["status"]["containerStatuses"]:
            status["ready"] = False
        for kind in ("Deployment", "StatefulSet", "ReplicaSet"):
            for workload in self.objects.get(kind, []):
                if workload["metadata"]["name"].startswith(name):
                    workload["status"]["readyReplicas"] = 0
        return pod

    def pending(self, message: str, name: str = "cart") -> Json:
        pod = self.not_ready(name, "Pending")
        pod["spec"].pop("nodeName")
        pod["metadata"]["creationTimestamp"] = ago(10)
        pod["status"].pop("containerStatuses")
        if message:
            self.event("Pod", pod["metadata"]["name"], "FailedScheduling", message)
        return pod

    def refused(self, message: str, name: str = "cart") -> None:
        """The controller cannot create its pod."""
        self.objects["Pod"].remove(self.pod(name))
        replica_set = self.one("ReplicaSet", name + "-")
        replica_set["status"] = {"replicas": 0}
        self.one("Deployment", name)["status"] = {"replicas": 0, "readyReplicas": 0}
        self.event("ReplicaSet", replica_set["metadata"]["name"], "FailedCreate", "Error creating: " + message)

    def waits(self, reason: str, message: str = "", name: str = "cart") -> None:
        self.not_ready(name, "Pending")
        self.status(name)["state"] = {"waiting": {"reason": reason, **({"message": message} if message else {})}}

    def crashes(self, code: int, reason: str = "Error", name: str = "cart", log: str = "") -> None:
        pod = self.not_ready(name)
        ended = {"exitCode": code, "reason": reason, "startedAt": ago(4), "finishedAt": ago(3)}
        state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 2m0s restarting failed container"}}
        self.status(name).update(state=state, lastState={"terminated": ended}, restartCount=5)
        if log:
            self.logs[f"{NS}/{pod['metadata']['name']}/{name}#previous"] = log

    def says(self, log: str, name: str = "cart") -> None:
        self.logs[f"{NS}/{self.pod(name)['metadata']['name']}/{name}"] = log

    def series(self, metric: str, labels: Json, before: float, after: float) -> None:
        """Half an hour at one level, then ten minutes at another."""
        start = (NOW - timedelta(minutes=40)).timestamp()
        values = [[int(start + 30 * i), str(before if i < 60 else after)] for i in range(81)]
        self.metrics.append({"metric": {"__name__": metric, **labels}, "values": values})

    def unit(self, node: str, name: str, active: int) -> None:
        self.series("node_systemd_unit_state", {"node": node, "name": f"{name}.service", "state": "active"}, 1, active)

    def write(self, folder: Path) -> Path:
        alert = {"labels": self.labels, "annotations": {}, "status": "firing", "startsAt": ago(10), "fingerprint": "f"}
        files: dict[str, Any] = {
            "alert.json": {"version": "4", "status": "firing", "receiver": "r", "groupKey": "g", "alerts": [alert]},
            "objects.json": self.objects,
            "logs.json": self.logs,
            "metrics.json": self.metrics,
            "dependencies.json": {"edges": self.edges},
            "world.json": {"now": ago(0), "namespace": NS},
        }
        for name, value in files.items():
            (folder / name).write_text(json.dumps(value), encoding="utf-8")
        return folder


def shop() -> Scene:
    """Everything runs: two workers and a control plane, three Deployments, their Services."""
    scene = Scene(objects={k: [] for k in EMPTY})
    for name in ("worker-a", "worker-b", "control"):
        labels = {"kubernetes.io/hostname": name, "zone": "one"} | ({"node-role.kubernetes.io/control-plane": ""} if name == "control" else {})
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
        room = {"cpu": "4", "memory": "8Gi", "pods": "110"}
        scene.add("Node", {"metadata": {"name": name, "labels": labels}, "spec": {}, "status": {"conditions": [ready], "allocatable": room}})
        lease = {"name": name, "namespace": "kube-node-lease"}
        scene.add("Lease", {"metadata": lease, "spec": {"holderIdentity": name, "renewTime": ago(0.1)}})
    add_workload(scene, "web", 8000, [{"name": "CART_ADDR", "value": "cart:8080"}], "worker-a")
    add_workload(scene, "cart", 8080, [{"name": "STORE_ADDR", "value": "store:5432"}], "worker-b")
    add_workload(scene, "store", 5432, [], "worker-b")
    scene.edges = [{"caller": "web", "callee": "cart"}, {"caller": "cart", "callee": "store"}]
    for name in ("web", "cart", "store"):
        scene.says("listening\nrequest done in 3 ms\nrequest done in 4 ms", name)
    for unit in ("kubelet", "containerd", "kube-proxy"):
        for node in ("worker-a", "worker-b"):
            scene.unit(node, unit, 1)
    scene.unit("control", "kube-scheduler", 1)
    return scene


EMPTY = (
    *("Pod", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "HorizontalPodAutoscaler", "Service", "EndpointSlice"),
    *("Ingress", "NetworkPolicy", "Node", "Lease", "PersistentVolumeClaim", "PersistentVolume", "StorageClass", "ResourceQuota"),
    *("LimitRange", "ServiceAccount", "ControllerRevision", "Event"),
)


def add_workload(scene: Scene, name: str, port: int, env: list[Json], node: str) -> None:
    digest = "5c9f7d8b6"
    labels = {"app": name}
    pod_labels = {**labels, "pod-template-hash": digest}
    box = {
        "name": name,
        "image": f"registry.example/{name}:1.4.2",
        "ports": [{"containerPort": port, "protocol": "TCP"}],
        "env": env,
        "resources": {"limits": {"memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "livenessProbe": probe(port),
        "readinessProbe": probe(port),
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [json.loads(json.dumps(box))]}}
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "controller": True}
    conditions = [{"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"}]
    status = {"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "conditions": conditions}
    revision = {"annotations": {"deployment.kubernetes.io/revision": "1"}}
    scene.add(
        "Deployment",
        {"metadata": meta(name, **revision), "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}, "status": status},
    )
    replica_set = meta(f"{name}-{digest}", ownerReferences=[owner], labels=pod_labels, **revision)
    scene.add("ReplicaSet", {"metadata": replica_set, "spec": {"replicas": 1, "template": template}, "status": {"replicas": 1, "readyReplicas": 1}})
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{name}-{digest}", "controller": True}
    running = {"name": name, "ready": True, "restartCount": 0, "image": box["image"], "state": {"running": {"startedAt": ago(6000)}}, "lastState": {}}
    scene.add(
        "Pod",
        {
            "metadata": meta(f"{name}-{digest}-x2x4q", ownerReferences=[owner], labels=pod_labels),
            "spec": {"nodeName": node, "serviceAccountName": name, "containers": [box]},
            "status": {"phase": "Running", "podIP": "10.0.0.9", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [running]},
        },
    )
    ports = [{"name": "main", "port": port, "targetPort": port, "protocol": "TCP"}]
    scene.add("Service", {"metadata": meta(name), "spec": {"type": "ClusterIP", "selector": labels, "ports": ports}})
    where = {"kind": "Pod", "namespace": NS, "name": f"{name}-{digest}-x2x4q"}
    endpoint = {"addresses": ["10.0.0.9"], "conditions": {"ready": True}, "targetRef": where}
    sliced = meta(f"{name}-abcde", labels={"kubernetes.io/service-name": name})
    scene.add("EndpointSlice", {"metadata": sliced, "addressType": "IPv4", "ports": [{"port": port, "protocol": "TCP"}], "endpoints": [endpoint]})
