"""The `scale` subresource: a workload as a `Scale` object, and back. Called by reads and writes."""

from typing import Any

from app.lab.kubernetes.status import invalid

Object = dict[str, Any]
SCALED = ("Deployment", "ReplicaSet", "StatefulSet")


def scale(item: Object) -> Object:
    """-> the `Scale` of a workload; zero replicas are left out of its `spec`, as the real server does."""
    meta = {n: v for n, v in item["metadata"].items() if n in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")}
    labels = item.get("spec", {}).get("selector", {}).get("matchLabels") or {}
    status = {"replicas": item.get("status", {}).get("replicas", 0), "selector": ",".join(f"{k}={v}" for k, v in sorted(labels.items()))}
    replicas = item.get("spec", {}).get("replicas", 0)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": meta,
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def scaled(item: Object, wanted: Object) -> Object:
    """The workload with the replicas of a `Scale`. Raises ApiError 422 for less than none."""
    replicas = int((wanted.get("spec") or {}).get("replicas") or 0)
    if replicas < 0:
        message = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise invalid("Scale", "autoscaling", item["metadata"]["name"], ("spec.replicas", "FieldValueInvalid", message))
    return item | {"spec": item["spec"] | {"replicas": replicas}}
