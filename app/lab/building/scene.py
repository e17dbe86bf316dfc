"""A story's world while it is being made: adds objects, logs, series and alerts, and writes the snapshot. Called by stories."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from app.domain.frozen import iso
from app.lab.alertmanager_sender import webhook
from app.lab.building import samples, workload
from app.lab.building.workload import Container, Object, PodState, Revision, uid

BORN = timedelta(days=40)


@dataclass(frozen=True)
class Node:
    name: str
    address: str
    zone: str


NODES = tuple(Node(f"node-{letter}", f"10.30.0.{n}", f"eu-1{letter}") for n, letter in enumerate("abc", 11))


@dataclass
class Scene:
    """`now` is where the clock stands, `minutes` how far series reach back."""

    name: str
    namespace: str
    now: datetime
    notes: str
    minutes: int = 75
    objects: dict[str, list[Object]] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    series: list[Object] = field(default_factory=list)
    edges: list[Object] = field(default_factory=list)
    alerts: list[Object] = field(default_factory=list)
    rules: list[Object] = field(default_factory=list)
    group_by: tuple[str, ...] = ("alertname", "namespace")
    expected: Object = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind in ("Pod", "Event", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "HorizontalPodAutoscaler", "Service"):
            self.objects[kind] = []
        for kind in ("EndpointSlice", "NetworkPolicy", "Ingress", "ResourceQuota", "LimitRange", "PersistentVolumeClaim", "ServiceAccount"):
            self.objects[kind] = []
        for name in ("default", "kube-system", self.namespace):
            self.add("Namespace", "v1", name, "", {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}})
        for node in NODES:
            self.node(node)
        self.add("ServiceAccount", "v1", "default", self.namespace, {})

    @property
    def moments(self) -> list[datetime]:
        return samples.times(self.now, self.minutes)

    def add(self, kind: str, version: str, name: str, namespace: str, parts: Object, **meta: Any) -> Object:
        """An object with its metadata; `meta` are further metadata fields (labels, annotations, ownerReferences, born)."""
        born = meta.pop("born", self.now - BORN)
        place = {"namespace": namespace} if namespace else {}
        count = sum(len(items) for items in self.objects.values())
        metadata = {"name": name, **place, "uid": uid(self.namespace, kind, name), "resourceVersion": str(800_000 + count)}
        item = {"apiVersion": version, "kind": kind, "metadata": metadata | {"creationTimestamp": iso(born)} | meta} | parts
        self.objects.setdefault(kind, []).append(item)
        return item

    def node(self, node: Node) -> Object:
        """A healthy node with its lease; change the returned object to make it ill."""
        self.nodes[node.name] = node
        since = iso(self.now - BORN)
        healthy = {
            "MemoryPressure": ("False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            "DiskPressure": ("False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            "PIDPressure": ("False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            "Ready": ("True", "KubeletReady", "kubelet is posting ready status"),
        }
        beat = {"lastHeartbeatTime": iso(self.now - timedelta(seconds=24)), "lastTransitionTime": since}
        conditions = [{"type": kind, "status": s, **beat, "reason": r, "message": m} for kind, (s, r, m) in healthy.items()]
        size = {"cpu": "4", "ephemeral-storage": "83873772Ki", "memory": "16254308Ki", "pods": "110"}
        status = {
            "capacity": size,
            "allocatable": size | {"cpu": "3920m", "memory": "15104308Ki"},
            "conditions": conditions,
            "addresses": [{"type": "InternalIP", "address": node.address}, {"type": "Hostname", "address": node.name}],
            "nodeInfo": {"kubeletVersion": "v1.36.2", "containerRuntimeVersion": "containerd://2.1.4", "osImage": "Debian GNU/Linux 12 (bookworm)"},
        }
        labels = {"kubernetes.io/hostname": node.name, "kubernetes.io/os": "linux", "topology.kubernetes.io/zone": node.zone}
        spec = {"holderIdentity": node.name, "leaseDurationSeconds": 40, "renewTime": iso(self.now - timedelta(seconds=6))}
        self.add("Lease", "coordination.k8s.io/v1", node.name, "kube-node-lease", {"spec": spec})
        return self.add("Node", "v1", node.name, "", {"spec": {}, "status": status}, labels=labels)

    def deployment(self, app: str, revisions: list[Revision], pods: list[PodState], former: list[PodState] | None = None) -> Object:
        """Deployment, its ReplicaSets, the pods of the newest revision and those that the one before still has; all alike
        in labels (`app`). The wanted number is that of the old pods while a rollout goes on."""
        newest, wanted = revisions[-1], len(former or pods)
        for revision in revisions:
            owned = pods if revision is newest else former or [] if revision is revisions[-2] else []
            self._replica_set(app, revision, len(owned), sum(p.ready for p in owned))
            for state in owned:
                self.pod(app, revision, state)
        ready = sum(p.ready for p in (*pods, *(former or [])))
        notes = {"deployment.kubernetes.io/revision": str(newest.number)} | ({"kubernetes.io/change-cause": newest.cause} if newest.cause else {})
        spec = {
            "replicas": wanted,
            "selector": {"matchLabels": {"app": app}},
            "template": workload.template(app, newest.container),
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
        }
        status = self._rollout_status(app, newest, wanted, (len(pods), len(former or []), ready))
        body = {"spec": spec, "status": status}
        return self.add("Deployment", "apps/v1", app, self.namespace, body, generation=newest.number, labels={"app": app}, annotations=notes)

    def _rollout_status(self, app: str, newest: Revision, wanted: int, counts: tuple[int, int, int]) -> Object:
        """`counts`: new pods, old pods, ready pods."""
        new, old, ready = counts
        enough = ready * 4 >= wanted * 3
        times = {"lastUpdateTime": iso(newest.at), "lastTransitionTime": iso(newest.at)}
        reason = "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable"
        words = "Deployment has minimum availability." if enough else "Deployment does not have minimum availability."
        rolled = f'ReplicaSet "{app}-{newest.code}" {"is progressing" if old else "has successfully progressed"}.'
        status: Object = {"observedGeneration": newest.number, "replicas": new + old, "updatedReplicas": new}
        missing = new + old - ready
        status |= {"readyReplicas": ready, "availableReplicas": ready} | ({"unavailableReplicas": missing} if missing else {})
        status["conditions"] = [
            {"type": "Available", "status": str(enough), **times, "reason": reason, "message": words},
            {"type": "Progressing", "status": "True", **times, "reason": "ReplicaSetUpdated" if old else "NewReplicaSetAvailable", "message": rolled},
        ]
        return status

    def _replica_set(self, app: str, revision: Revision, replicas: int, ready: int) -> None:
        labels = {"app": app, "pod-template-hash": revision.code}
        made = workload.template(app, revision.container)
        made["metadata"] = {"labels": labels}
        notes = {"deployment.kubernetes.io/revision": str(revision.number)} | (
            {"kubernetes.io/change-cause": revision.cause} if revision.cause else {}
        )
        owner = self._owner("apps/v1", "Deployment", app)
        status = {"replicas": replicas, "fullyLabeledReplicas": replicas, "readyReplicas": ready, "availableReplicas": ready, "observedGeneration": 1}
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": made}
        body = {"spec": spec, "status": status if replicas else {"replicas": 0, "observedGeneration": 1}}
        name = f"{app}-{revision.code}"
        meta = {"labels": labels, "annotations": notes, "ownerReferences": owner, "born": revision.at}
        self.add("ReplicaSet", "apps/v1", name, self.namespace, body, **meta)

    def _owner(self, version: str, kind: str, name: str) -> list[Object]:
        one = {"apiVersion": version, "kind": kind, "name": name, "uid": uid(self.namespace, kind, name)}
        return [one | {"controller": True, "blockOwnerDeletion": True}]

    def pod(self, app: str, revision: Revision, state: PodState) -> Object:
        name = f"{app}-{revision.code}-{state.suffix}"
        number = len(self.objects["Pod"])
        address = f"10.42.{sum(map(ord, self.namespace)) % 250}.{10 + number}" if "waiting" not in (state.state or {}) or state.restarts else ""
        if state.unschedulable:
            status = workload.unscheduled_status(state)
        else:
            status = workload.pod_status(revision.container, state, self.nodes[state.node].address, address)
        body = {"spec": workload.pod_spec(revision.container, state.node), "status": status}
        labels = {"app": app, "pod-template-hash": revision.code}
        meta = {"generateName": f"{app}-{revision.code}-", "labels": labels, "born": state.started - timedelta(seconds=2)}
        return self.add(
            "Pod", "v1", name, self.namespace, body, ownerReferences=self._owner("apps/v1", "ReplicaSet", f"{app}-{revision.code}"), **meta
        )

    def service(self, app: str, port: int, target: int | str, selector: dict[str, str] | None = None) -> None:
        """The Service and the EndpointSlice that its selector gives."""
        chosen = selector or {"app": app}
        ports = [{"name": "http", "protocol": "TCP", "port": port, "targetPort": target}]
        spec = {"ports": ports, "selector": chosen, "clusterIP": f"10.96.7.{10 + len(self.objects['Service'])}", "type": "ClusterIP"}
        self.add("Service", "v1", app, self.namespace, {"spec": spec, "status": {"loadBalancer": {}}}, labels={"app": app})
        pods = [p for p in self.objects["Pod"] if chosen.items() <= p["metadata"]["labels"].items() and p["spec"].get("nodeName")]
        labels = {"kubernetes.io/service-name": app, "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}
        number = next((c["ports"][0]["containerPort"] for p in pods for c in p["spec"]["containers"]), target if isinstance(target, int) else port)
        body = {"addressType": "IPv4", "endpoints": [_endpoint(p) for p in pods], "ports": [{"name": "http", "protocol": "TCP", "port": number}]}
        owner = self._owner("v1", "Service", app)
        self.add("EndpointSlice", "discovery.k8s.io/v1", f"{app}-x7k2p", self.namespace, body, labels=labels, ownerReferences=owner)

    def log(self, pod: str, container: str, lines: list[str], previous: bool = False) -> None:
        self.logs[f"{self.namespace}/{pod}/{container}" + ("#previous" if previous else "")] = "".join(line + "\n" for line in lines)

    def alert(self, name: str, severity: str, since: datetime, annotations: dict[str, str], **labels: str) -> None:
        named = {"alertname": name, "severity": severity, "cluster": "lab"} | labels
        self.alerts.append({"labels": named, "annotations": annotations, "startsAt": iso(since)})
        firing = [at for at in self.moments if at >= since]
        state = {"alertname": name, **named, "alertstate": "firing"}
        self.series.append(samples.gauge("ALERTS", state, samples.flat(1), firing))
        self.series.append(samples.gauge("ALERTS_FOR_STATE", named, samples.flat(since.timestamp()), firing))

    def rule(self, expression: str, wait: int) -> None:
        """The rule behind the alert told last, with `for: wait` seconds: the alert carries its expression, as Prometheus' do."""
        alert, query = self.alerts[-1], urlencode({"g0.expr": expression, "g0.tab": "1"})
        alert["generatorURL"] = f"http://prometheus.monitoring:9090/graph?{query}"
        labels, now = alert["labels"], iso(self.now)
        active = {"labels": labels, "annotations": alert["annotations"], "state": "firing", "activeAt": alert["startsAt"], "value": "1e+00"}
        said = {"type": "alerting", "name": labels["alertname"], "query": expression, "duration": wait, "state": "firing", "health": "ok"}
        made = {**said, "labels": {"severity": labels["severity"]}, "annotations": alert["annotations"], "alerts": [active]}
        timing = {"evaluationTime": 0.002, "lastEvaluation": now}
        group = {"name": self.namespace, "file": f"/etc/prometheus/rules/{self.namespace}.yaml", "interval": 30, **timing}
        self.rules.append({**group, "rules": [made | timing]})

    def write(self, folder: Path) -> None:
        """The snapshot's files; empty ones are left out."""
        folder.mkdir(parents=True, exist_ok=True)
        world = {"now": iso(self.now), "namespace": self.namespace, "source": "written for sre-agent", "notes": self.notes}
        alert = webhook(self.alerts, self.group_by, "sre-agent", "http://alertmanager.monitoring:9093")
        files: dict[str, Any] = {"alert": alert, "objects": self.objects, "world": world, "expected": self.expected}
        files |= {"logs": self.logs} if self.logs else {}
        files |= {"dependencies": {"edges": self.edges}} if self.edges else {}
        files |= {"rules": {"groups": self.rules}} if self.rules else {}
        for name, content in files.items():
            (folder / f"{name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if self.series:
            rows = ",\n".join(json.dumps(s, separators=(",", ":")) for s in self.series)
            (folder / "metrics.json").write_text(f"[\n{rows}\n]\n", encoding="utf-8")


def _endpoint(pod: Object) -> Object:
    ready = next(c["status"] == "True" for c in pod["status"]["conditions"] if c["type"] == "Ready")
    meta = pod["metadata"]
    return {
        "addresses": [pod["status"].get("podIP") or "10.42.255.1"],
        "conditions": {"ready": ready, "serving": ready, "terminating": False},
        "targetRef": {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]},
        "nodeName": pod["spec"]["nodeName"],
    }


__all__ = ["Container", "Node", "PodState", "Revision", "Scene"]
