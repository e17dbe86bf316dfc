"""Parts of a workload as complete API objects, with the defaults a real API server fills in. Called by `scene`."""

import hashlib
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from app.domain.frozen import iso

Object = dict[str, Any]
NAMESPACE_OF_IDS = uuid.UUID("6f1c7c0e-3b2a-5d61-9a54-0d4c8f1f2b7e")
TOLERATIONS = [
    {"key": f"node.kubernetes.io/{why}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for why in ("not-ready", "unreachable")
]


def uid(*parts: str) -> str:
    return str(uuid.uuid5(NAMESPACE_OF_IDS, "/".join(parts)))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Container:
    """One container of a template. Quantities as Kubernetes writes them; probe paths are HTTP."""

    name: str
    image: str
    port: int
    env: dict[str, str] = field(default_factory=dict)
    cpu: str = "100m"
    memory: str = "256Mi"
    memory_limit: str = "512Mi"
    cpu_limit: str = ""
    ready_path: str = "/ready"
    live_path: str = "/healthz"
    live_port: int | str = "http"

    def tagged(self, tag: str, **env: str) -> "Container":
        """The same container of another release."""
        return replace(self, image=f"{self.image.rsplit(':', 1)[0]}:{tag}", env=self.env | env)

    @property
    def resources(self) -> Object:
        limits = {"memory": self.memory_limit} | ({"cpu": self.cpu_limit} if self.cpu_limit else {})
        return {"limits": limits, "requests": {"cpu": self.cpu, "memory": self.memory}}

    def spec(self) -> Object:
        return {
            "name": self.name,
            "image": self.image,
            "ports": [{"name": "http", "containerPort": self.port, "protocol": "TCP"}],
            "env": [{"name": name, "value": value} for name, value in self.env.items()],
            "resources": self.resources,
            "livenessProbe": self._probe(self.live_path, 10, self.live_port),
            "readinessProbe": self._probe(self.ready_path, 5),
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "imagePullPolicy": "IfNotPresent",
        }

    def _probe(self, path: str, delay: int, port: int | str = "http") -> Object:
        get = {"path": path, "port": port, "scheme": "HTTP"}
        return {"httpGet": get, "initialDelaySeconds": delay, "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}


@dataclass(frozen=True)
class Revision:
    """One release of a Deployment: `code` is the template hash in names, `cause` the change-cause annotation."""

    number: int
    code: str
    at: datetime
    container: Container
    cause: str = ""


@dataclass(frozen=True)
class PodState:
    """How one pod is. `state` and `last` as in containerStatuses; None means running since `started`. A pod with
    `unschedulable` (the scheduler's words) waits for a node; its `node` is ""."""

    suffix: str
    node: str
    started: datetime
    ready: bool = True
    restarts: int = 0
    state: Object | None = None
    last: Object | None = None
    unready_since: datetime | None = None
    phase: str = "Running"
    unschedulable: str = ""


def terminated(code: int, reason: str, started: datetime, finished: datetime) -> Object:
    return {"terminated": {"exitCode": code, "reason": reason, "startedAt": iso(started), "finishedAt": iso(finished)}}


def waiting(reason: str, message: str = "") -> Object:
    return {"waiting": {"reason": reason} | ({"message": message} if message else {})}


def pod_spec(container: Container, node: str) -> Object:
    return {
        "containers": [container.spec()],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default",
        "serviceAccount": "default",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "tolerations": TOLERATIONS,
        "priority": 0,
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
    } | ({"nodeName": node} if node else {})


def template(app: str, container: Container) -> Object:
    spec = {k: v for k, v in pod_spec(container, "").items() if k not in ("tolerations", "priority", "enableServiceLinks", "preemptionPolicy")}
    return {"metadata": {"labels": {"app": app}}, "spec": spec}


def pod_status(container: Container, state: PodState, host: str, address: str) -> Object:
    since = iso(state.started)
    changed = iso(state.unready_since or state.started)
    unready: Object = {"reason": "ContainersNotReady", "message": f"containers with unready status: [{container.name}]"}
    conditions: list[Object] = [
        {"type": "PodReadyToStartContainers", "status": "True", "lastProbeTime": None, "lastTransitionTime": since},
        {"type": "Initialized", "status": "True", "lastProbeTime": None, "lastTransitionTime": since},
        *(
            {"type": kind, "status": str(state.ready), "lastProbeTime": None, "lastTransitionTime": changed} | ({} if state.ready else unready)
            for kind in ("Ready", "ContainersReady")
        ),
        {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": since},
    ]
    return {
        "phase": state.phase,
        "conditions": conditions,
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": since,
        "containerStatuses": [_container_status(container, state)],
        "qosClass": "Burstable",
    }


def unscheduled_status(state: PodState) -> Object:
    """A pod that the scheduler found no node for: one condition, no addresses, no containers."""
    why = {"reason": "Unschedulable", "message": state.unschedulable}
    condition = {"type": "PodScheduled", "status": "False", "lastProbeTime": None, "lastTransitionTime": iso(state.started), **why}
    return {"phase": "Pending", "conditions": [condition], "qosClass": "Burstable"}


def _container_status(container: Container, state: PodState) -> Object:
    pulled = "waiting" not in (state.state or {}) or state.restarts > 0
    image_id = f"{container.image.rsplit(':', 1)[0]}@sha256:{digest(container.image)}" if pulled else ""
    return {
        "name": container.name,
        "state": state.state or {"running": {"startedAt": iso(state.started)}},
        "lastState": state.last or {},
        "ready": state.ready,
        "started": "waiting" not in (state.state or {}),
        "restartCount": state.restarts,
        "image": container.image,
        "imageID": image_id,
        "containerID": f"containerd://{digest(container.image + state.suffix)}" if pulled else "",
    }
