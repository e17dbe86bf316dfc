"""What a person would change for each cause: the pod template, an object beside it, a node. `repaired` then lets the cluster
follow. A repair may read the answer of a snapshot: it makes test data and is no code under test."""

import re
from collections.abc import Callable
from typing import Any

Item = dict[str, Any]
Objects = dict[str, list[Item]]
HANDLERS = ("httpGet", "grpc", "tcpSocket", "exec")
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def _without(*keys: str) -> Callable[[Item, Objects], None]:
    def change(spec: Item, objects: Objects) -> None:
        for key in keys:
            spec.pop(key, None)

    return change


def _resources(section: str, **amounts: str) -> Callable[[Item, Objects], None]:
    def change(spec: Item, objects: Objects) -> None:
        for container in spec["containers"]:
            container.setdefault("resources", {}).setdefault(section, {}).update(amounts)

    return change


def _probes(spec: Item, objects: Objects) -> None:
    """Each probe asks the container's first port, in the words of a probe that asks it already, and with patience."""
    for container in spec["containers"]:
        ports = [p["containerPort"] for p in container.get("ports") or []]
        known = [container[p] for p in PROBES if isinstance(container.get(p), dict)]
        for probe in known:
            kind = next((h for h in HANDLERS if h in probe), "exec")
            probe.update({"initialDelaySeconds": 15, "periodSeconds": 10, "failureThreshold": 6, "timeoutSeconds": 2})
            if kind != "exec" and ports:
                probe.pop(kind)
                probe["tcpSocket"] = {"port": ports[0]}


def _addresses(spec: Item, objects: Objects) -> None:
    """Environment values that look like an address name a Service that is there, and a port of it."""
    services = {s["metadata"]["name"]: s for s in objects.get("Service", [])}
    for variable in (v for c in spec["containers"] for v in c.get("env") or []):
        match = re.fullmatch(r"([a-z][a-z0-9.-]*):(\d+)", str(variable.get("value") or ""))
        if match is None:
            continue
        host = match[1].split(".")[0]
        near = host if host in services else max(services, key=lambda name: _alike(name, host))
        ports = [p["port"] for p in services[near]["spec"].get("ports") or []]
        variable["value"] = f"{near}:{int(match[2]) if int(match[2]) in ports else ports[0]}"


def _alike(left: str, right: str) -> int:
    """Length of the common start."""
    return next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))


# Causes that a new revision of the workload removes.
TEMPLATE: dict[str, Callable[[Item, Objects], None]] = {
    "node_selector_mismatch": _without("nodeSelector"),
    "node_affinity_mismatch": _without("affinity"),
    "pod_anti_affinity_conflict": _without("affinity"),
    "insufficient_cpu": _resources("requests", cpu="50m"),
    "insufficient_memory": _resources("requests", memory="64Mi"),
    "oom_killed": _resources("limits", memory="4Gi"),
    "memory_leak": _resources("limits", memory="4Gi"),
    "pod_cpu_saturation": _resources("limits", cpu="4"),
    "client_address_wrong": _addresses,
    **{
        f"{which}_{fault}": _probes
        for which in ("liveness_probe", "readiness_probe")
        for fault in ("wrong_port", "wrong_protocol", "too_strict", "failing")
    },
}
# Causes that going back to the template of the revision before removes, where there is one.
ROLLED_BACK = ("configuration_error", "rollout_regression", "init_container_failed", "application_crash", "image_not_found", "memory_leak")


def nodes(objects: Objects) -> None:
    """No taint, no cordon."""
    for node in objects.get("Node", []):
        node["spec"].pop("taints", None)
        node["spec"].pop("unschedulable", None)


def quotas(objects: Objects) -> None:
    """Room for everything."""
    for quota in objects.get("ResourceQuota", []):
        hard = dict.fromkeys(quota["spec"].get("hard") or quota["status"]["hard"], "5000")
        hard = {k: "5000Gi" if "memory" in k or "storage" in k else v for k, v in hard.items()}
        quota["spec"]["hard"] = quota["status"]["hard"] = hard


def accounts(objects: Objects) -> None:
    """Every account that a template names is there."""
    known = {(a["metadata"]["namespace"], a["metadata"]["name"]) for a in objects.get("ServiceAccount", [])}
    for item in objects.get("Deployment", []) + objects.get("StatefulSet", []):
        where = (item["metadata"]["namespace"], item["spec"]["template"]["spec"].get("serviceAccountName") or "default")
        if where not in known and "ServiceAccount" in objects:
            made = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": where[1], "namespace": where[0]}}
            objects["ServiceAccount"].append(made)


def config_maps(objects: Objects) -> None:
    """Every ConfigMap and key that a template refers to is there."""
    for item in objects.get("Deployment", []) + objects.get("StatefulSet", []):
        namespace, spec = item["metadata"]["namespace"], item["spec"]["template"]["spec"]
        every = [
            v["valueFrom"]["configMapKeyRef"] for c in spec["containers"] for v in c.get("env") or [] if "configMapKeyRef" in v.get("valueFrom", {})
        ]
        for ref in every:
            found = [m for m in objects["ConfigMap"] if (m["metadata"]["namespace"], m["metadata"]["name"]) == (namespace, ref["name"])]
            if not found:
                found = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ref["name"], "namespace": namespace}}]
                objects["ConfigMap"] += found
            found[0].setdefault("data", {}).setdefault(ref["key"], "set")


def scale(objects: Objects) -> None:
    """What was scaled to zero runs once."""
    for kind in ("Deployment", "StatefulSet"):
        for item in objects.get(kind, []):
            item["spec"]["replicas"] = item["spec"].get("replicas") or 1


def storage(objects: Objects) -> None:
    """Every claim that a pod mounts is there and bound to a volume that fits it; every class that one names exists."""
    claims = objects.setdefault("PersistentVolumeClaim", [])
    for pod in objects["Pod"]:
        for volume in pod["spec"].get("volumes") or []:
            name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if name and not any(c["metadata"]["name"] == name for c in claims):
                meta = {"name": name, "namespace": pod["metadata"]["namespace"], "creationTimestamp": pod["metadata"]["creationTimestamp"]}
                spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
                claims.append({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec, "status": {"phase": "Pending"}})
    for claim in claims:
        if claim["status"].get("phase") != "Bound":
            _bind(objects, claim)


def _bind(objects: Objects, claim: Item) -> None:
    spec, meta = claim["spec"], claim["metadata"]
    size = {"storage": spec["resources"]["requests"]["storage"]}
    spec.pop("selector", None)
    spec["volumeName"] = f"pv-of-{meta['name']}"
    claim["status"] = {"phase": "Bound", "accessModes": spec["accessModes"], "capacity": size}
    volume = {"capacity": size, "accessModes": spec["accessModes"], "claimRef": {"kind": "PersistentVolumeClaim", **_named(meta)}}
    wanted = spec.get("storageClassName")
    if wanted:
        volume["storageClassName"] = wanted
        if not any(c["metadata"]["name"] == wanted for c in objects.setdefault("StorageClass", [])):
            made = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": wanted}, "provisioner": "example.com/disk"}
            objects["StorageClass"].append(made)
    made = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": spec["volumeName"]}, "spec": volume, "status": {"phase": "Bound"}}
    objects.setdefault("PersistentVolume", []).append(made)


def _named(meta: Item) -> Item:
    return {"name": meta["name"], "namespace": meta["namespace"]}


def services(objects: Objects) -> None:
    """Every Service selects the pods of the workload it is called after, and sends to what they listen on, in TCP."""
    workloads = {(w["metadata"]["namespace"], w["metadata"]["name"]): w for w in objects.get("Deployment", []) + objects.get("StatefulSet", [])}
    for service in objects.get("Service", []):
        workload = workloads.get((service["metadata"]["namespace"], service["metadata"]["name"]))
        workload = workload or _selected(service, [w for (ns, _), w in workloads.items() if ns == service["metadata"]["namespace"]])
        if workload is None or not service["spec"].get("selector"):
            continue
        template = workload["spec"]["template"]
        service["spec"]["selector"] = dict(workload["spec"]["selector"]["matchLabels"])
        listening = [p for c in template["spec"]["containers"] for p in c.get("ports") or []]
        asked = _asked(objects, service["metadata"]["name"])
        for port in service["spec"].get("ports") or []:
            names = {p.get("name") for p in listening}
            target = port.get("targetPort", port["port"])
            if listening and target not in names and target not in {p["containerPort"] for p in listening}:
                port["targetPort"] = listening[0]["containerPort"]
            if asked and len(service["spec"]["ports"]) == 1:
                port["port"] = asked
            port["protocol"] = listening[0].get("protocol", "TCP") if len(listening) == 1 else port.get("protocol", "TCP")


def _selected(service: Item, workloads: list[Item]) -> Item | None:
    """The workload whose labels share most with the selector, if any."""
    wanted = (service["spec"].get("selector") or {}).items()
    return max(workloads, key=lambda w: len(wanted & w["spec"]["template"]["metadata"]["labels"].items()), default=None)


def _asked(objects: Objects, name: str) -> int | None:
    """The port at which other workloads look for a Service."""
    specs = [w["spec"]["template"]["spec"] for w in objects.get("Deployment", [])]
    values = [str(v.get("value")) for s in specs for c in s["containers"] for v in c.get("env") or []]
    return next((int(m[1]) for value in values if (m := re.fullmatch(rf"{re.escape(name)}:(\d+)", value))), None)


def missing_services(objects: Objects) -> None:
    """Every workload that others look for has a Service."""
    quotas(objects)
    for workload in list(objects.get("Deployment", [])):
        name, namespace = workload["metadata"]["name"], workload["metadata"]["namespace"]
        port = _asked(objects, name)
        if port and not any(_named(s["metadata"]) == {"name": name, "namespace": namespace} for s in objects["Service"]):
            target = workload["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"]
            spec = {"selector": workload["spec"]["selector"]["matchLabels"], "type": "ClusterIP", "clusterIP": "10.68.1.7"}
            spec["ports"] = [{"port": port, "targetPort": target, "protocol": "TCP"}]
            objects["Service"].append({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec})


def _storage_quota(objects: Objects) -> None:
    quotas(objects)
    storage(objects)


# Causes that a change beside the workload removes; the pods that wait then start by themselves.
BESIDE: dict[str, Callable[[Objects], None]] = {
    "taint_not_tolerated": nodes,
    "node_cordoned": nodes,
    **{f"quota_exceeded_{r}": quotas for r in ("cpu", "memory", "pods")},
    "quota_exceeded_services": missing_services,
    "quota_exceeded_storage": _storage_quota,
    "missing_service_account": accounts,
    "missing_config_map": config_maps,
    "zero_replicas": scale,
    **{f"service_{what}_mismatch": services for what in ("selector", "port", "protocol")},
    **{f"pvc_unbound_{what}": storage for what in ("capacity", "access_mode", "selector", "storage_class")},
    "pv_bound_elsewhere": storage,
}
# Causes that end by themselves or outside the cluster: the registry answers again, the node is back, the traffic flows.
OUTSIDE = (
    *("image_not_found", "image_pull_unauthorized", "image_registry_unreachable", "kubelet_unavailable", "kube_proxy_unavailable"),
    *("container_runtime_unavailable", "scheduler_unavailable", "node_not_ready", "node_disk_pressure", "node_network_delay"),
    *("node_network_packet_loss", "pod_network_delay", "dns_resolution_failure", "autoscaler_cannot_read_metrics", "application_crash"),
)
