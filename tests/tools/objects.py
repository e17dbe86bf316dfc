"""Hand-written API objects for the tests of the tools."""

from typing import Any

Object = dict[str, Any]


def pod(name: str, owner: str = "cart-7d", **more: Any) -> Object:
    ready = more.get("ready", True)
    container = {
        "name": "server",
        "image": "reg.example/cart:1.4",
        "resources": {"limits": {"memory": "256Mi", "cpu": "500m"}, "requests": {"memory": "128Mi"}},
        "ports": [{"containerPort": 8080, "protocol": "TCP", "name": "http"}],
        "env": [
            {"name": "MODE", "value": "fast"},
            {"name": "DB_PASSWORD", "value": "hunter2"},
            {"name": "DB_URL", "value": "postgres://u:hunter2@db/x"},
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "k"}}},
        ],
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"}, "periodSeconds": 5},
    }
    status = {
        "name": "server",
        "ready": ready,
        "restartCount": more.get("restarts", 0),
        "state": more.get("state", {"running": {"startedAt": "2026-01-01T00:00:00Z"}}),
    }
    status["lastState"] = more.get("last", {})
    conditions = more.get("conditions", [{"type": "Ready", "status": "True" if ready else "False"}])
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "labels": {"app": "cart"},
            "managedFields": [{"manager": "x"}],
            "ownerReferences": [{"kind": "ReplicaSet", "name": owner, "controller": True, "uid": "u"}],
        },
        "spec": {"nodeName": more.get("node", "worker-1"), "containers": [container]},
        "status": {"phase": more.get("phase", "Running"), "conditions": conditions, "containerStatuses": [status]},
    }


def template(image: str, **more: Any) -> Object:
    return {"metadata": {"labels": {"app": "cart"}}, "spec": {"containers": [{"name": "server", "image": image, **more}]}}


def replica_set(name: str, revision: int, image: str, created: str, **more: Any) -> Object:
    return {
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "creationTimestamp": created,
            "annotations": {"deployment.kubernetes.io/revision": str(revision), **more.pop("annotations", {})},
            "ownerReferences": [{"kind": "Deployment", "name": "cart", "controller": True}],
        },
        "spec": {"replicas": more.pop("replicas", 0), "template": template(image, **more)},
        "status": {},
    }


def deployment(name: str = "cart", **more: Any) -> Object:
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop", "generation": 2, "annotations": {"deployment.kubernetes.io/revision": "2"}},
        "spec": {"replicas": more.get("replicas", 2), "selector": {"matchLabels": {"app": name}}, "template": template("reg.example/cart:1.4")},
        "status": {"readyReplicas": more.get("ready", 2), "observedGeneration": 2, "conditions": more.get("conditions", [])},
    }


def service(name: str = "cart", target: Any = 8080, selector: dict[str, str] | None = None) -> Object:
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "selector": selector or {"app": "cart"},
            "clusterIP": "10.9.0.7",
            "ports": [{"name": "http", "port": 80, "targetPort": target, "protocol": "TCP"}],
        },
    }


def event(reason: str, message: str, **more: Any) -> Object:
    return {
        "kind": "Event",
        "metadata": {"name": f"e-{reason}-{more.get('last', '')}", "namespace": "shop", "creationTimestamp": "2026-01-01T09:00:00Z"},
        "type": more.get("type", "Warning"),
        "reason": reason,
        "message": message,
        "involvedObject": {"kind": more.get("kind", "Pod"), "namespace": "shop", "name": more.get("name", "cart-7d-a")},
        "count": more.get("count"),
        "firstTimestamp": more.get("first"),
        "lastTimestamp": more.get("last"),
        "eventTime": more.get("event_time"),
    }


def world() -> dict[str, list[Object]]:
    """A shop whose cart is out of memory after revision 2."""
    oom = {"terminated": {"reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-01-01T09:55:00Z"}}
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}}
    return {
        "Pod": [pod("cart-7d-a"), pod("cart-7d-b", ready=False, restarts=6, state=waiting, last=oom)],
        "ReplicaSet": [
            replica_set("cart-5c", 1, "reg.example/cart:1.3", "2025-12-20T10:00:00Z"),
            replica_set(
                "cart-7d",
                2,
                "reg.example/cart:1.4",
                "2026-01-01T09:30:00Z",
                replicas=2,
                annotations={"kubernetes.io/change-cause": "batching"},
                env=[{"name": "BATCH", "value": "on"}],
            ),
        ],
        "Deployment": [deployment(ready=1), deployment("idle", replicas=0, ready=0)],
        "StatefulSet": [],
        "DaemonSet": [],
        "Job": [],
        "Service": [service()],
        "EndpointSlice": [
            {
                "kind": "EndpointSlice",
                "metadata": {"name": "cart-x", "namespace": "shop", "labels": {"kubernetes.io/service-name": "cart"}},
                "ports": [{"port": 8080, "protocol": "TCP"}],
                "endpoints": [
                    {"addresses": ["10.1.0.1"], "conditions": {"ready": True}, "targetRef": {"name": "cart-7d-a"}},
                    {"addresses": ["10.1.0.2"], "conditions": {"ready": False}, "targetRef": {"name": "cart-7d-b"}},
                ],
            }
        ],
        "Event": [
            event(
                "BackOff",
                "Back-off restarting failed container",
                last="2026-01-01T09:55:00Z",
                first="2026-01-01T09:40:00Z",
                count=14,
                name="cart-7d-b",
            ),
            event("Scheduled", "Assigned", type="Normal", event_time="2026-01-01T09:31:00.000000Z"),
        ],
    }
