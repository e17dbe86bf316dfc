"""Failure conditions of docs/conditions.py that no case of a cause shows: each is seen, and its harmless twin is not."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.diagnosis.signals import find
from app.diagnosis.world import World
from tests.diagnosis.breakages import Break, autoscaler, both, claim, cron, node, pull
from tests.diagnosis.held_back_cases import HEALTHY_NODE, UNMET, evicted, gated, operators, version
from tests.diagnosis.offline import Offline
from tests.diagnosis.scenes import NS, Json, Scene, ago, meta, shop
from tests.diagnosis.wider_breakages import way_in

pytestmark = pytest.mark.slow  # two whole investigations for each row


class Condition(NamedTuple):
    """`kinds` are seen after `broken`, none of them after `near`. `cause` is named first, "" where a signal is all there is."""

    ids: str
    broken: Break
    near: Break
    kinds: tuple[str, ...]
    cause: str = ""


def healthy(s: Scene) -> None:
    """The shop as it is."""


def waits(reason: str, message: str = "") -> Break:
    return lambda s: s.waits(reason, message)


def every(scene: Scene, kind: str, item: Json, alert: str = "IngressErrors", **labels: str) -> None:
    scene.add(kind, item)
    scene.labels = {"alertname": alert, "namespace": NS, **labels}


def daemon_set(ready: int) -> Break:
    status = {"desiredNumberScheduled": 2, "currentNumberScheduled": 2, "numberReady": ready}
    return lambda s: every(s, "DaemonSet", {"metadata": meta("agent"), "spec": {}, "status": status}, "KubeDaemonSetRolloutStuck", daemonset="agent")


def stateful_set(service: str) -> Break:
    labels = {"app": "queue"}
    spec = {"replicas": 1, "serviceName": service, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}}
    status = {"replicas": 1, "readyReplicas": 1}
    return lambda s: every(s, "StatefulSet", {"metadata": meta("queue"), "spec": spec, "status": status}, "Trouble", statefulset="queue")


def member(service: str) -> Break:
    """A queue whose only running member looks for another by the name that the Service should give it."""

    def broken(s: Scene) -> None:
        stateful_set(service)(s)
        owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "queue", "controller": True}
        box = {"name": "queue", "image": "registry.example/queue:3"}
        state = {"name": "queue", "ready": True, "restartCount": 0, "state": {"running": {"startedAt": ago(600)}}}
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [state]}
        pod = {"metadata": meta("queue-0", ownerReferences=[owner], labels={"app": "queue"}), "status": status}
        s.add("Pod", {**pod, "spec": {"nodeName": "worker-a", "containers": [box]}})
        line = "dial tcp: lookup queue-1.queue.shop.svc.cluster.local on 10.96.0.10:53: no such host"
        s.logs[f"{NS}/queue-0/queue"] = "\n".join(f"{ago(9 - i)} {line}" for i in range(8))

    return broken


def told(kind: str, name: str, reason: str, message: str, minutes: float = 3) -> Break:
    return lambda s: s.event(kind, name, reason, message, minutes)


def gateway(condition: str, status: str, reason: str, *listener: Json) -> Break:
    said = {"type": condition, "status": status, "reason": reason, "message": "said by the controller", "lastTransitionTime": ago(20)}
    state = {"conditions": [said], "listeners": [{"name": "https", "conditions": list(listener)}] if listener else []}
    item = {"metadata": meta("edge"), "spec": {"gatewayClassName": "wide", "listeners": []}, "status": state}
    return lambda s: every(s, "Gateway", item, "GatewayNotServing")


def route(*parents: Json, backend: str = "cart", port: int = 8080) -> Break:
    rule = {"matches": [{"path": {"value": "/cart"}}], "backendRefs": [{"name": backend, "port": port}]}
    item = {"metadata": meta("front"), "spec": {"parentRefs": [{"name": "edge"}], "rules": [rule]}, "status": {"parents": list(parents)}}
    return lambda s: every(s, "HTTPRoute", item, "HTTPRouteErrors")


def parent(status: str, reason: str) -> Json:
    said = {"type": "Accepted", "status": status, "reason": reason, "message": "said by the gateway", "lastTransitionTime": ago(20)}
    return {"parentRef": {"name": "edge"}, "conditions": [said]}


def lost(phase: str) -> Break:
    def broken(s: Scene) -> None:
        claim(s, None)
        s.objects["PersistentVolumeClaim"][-1]["status"] = {"phase": phase}
        s.objects["PersistentVolumeClaim"][-1]["spec"]["volumeName"] = "disk-9"

    return broken


def released_volume(phase: str) -> Break:
    """The volume of a former claim of the same name; the new one wants more in the twin."""

    def broken(s: Scene) -> None:
        claim(s, {"claimRef": {"namespace": NS, "name": "store-data"}, **({} if phase == "Released" else {"capacity": {"storage": "1Gi"}})})
        s.objects["PersistentVolume"][-1]["status"] = {"phase": phase}

    return broken


def unprovisioned(reason: str, message: str, **spec: Any) -> Break:
    def broken(s: Scene) -> None:
        claim(s, None, **spec)
        s.objects["PersistentVolume"].clear()
        s.add("StorageClass", {"metadata": {"name": "fast"}, "provisioner": "disk.example"})
        s.event("PersistentVolumeClaim", "store-data", reason, message)

    return broken


def custom(kind: str, *conditions: Json, **status: Any) -> Json:
    return {"kind": kind, "metadata": meta("ledger"), "spec": {}, "status": {"conditions": list(conditions), **status}}


def says(kind: str, status: str, reason: str) -> Json:
    return {"type": kind, "status": status, "reason": reason, "message": "as it says", "lastTransitionTime": ago(30)}


TAKEN = parent("True", "Accepted")
ACCEPTED = {"type": "ResolvedRefs", "status": "True", "reason": "ResolvedRefs"}
UNRESOLVED = {"type": "ResolvedRefs", "status": "False", "reason": "InvalidCertificateRef", "message": "secret shop-tls not found"}
LOW = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 40Mi. Container cart was using 2Gi, request is 128Mi."
PROVISION = 'failed to provision volume with StorageClass "fast": rpc error: code = ResourceExhausted desc = no capacity in zone'
WAITS = "waiting for first consumer to be created before binding"
NO_CLASS = "no persistent volumes available for this claim and no storage class is set"
SECRETS = "Unable to retrieve some image pull secrets (registry-key); attempting to pull the image may not succeed."
STUCK = ("operator_stuck",)
FAILS = "operator_install_failed"
SCALER = "error getting metrics for trigger: connection refused"

CONDITIONS = (
    Condition("002 003", gated(""), gated("", gates=False), ("scheduling_gate",), "scheduling_gated"),
    Condition("004", evicted(LOW, 6), evicted(LOW, 25), ("evicted_for_memory",), "node_memory_pressure"),
    Condition("005", evicted(""), healthy, ("pod_evicted",)),
    Condition("012", waits("PreCreateHookError", "hook failed"), waits("ContainerCreating"), ("container_held_up",)),
    Condition("014", waits("PreStartHookError", "hook failed"), waits("PodInitializing"), ("container_held_up",)),
    Condition(
        "016",
        waits("ImageInspectError", 'Failed to inspect image "registry.example/cart:1.4.2": rpc error: code = Unknown desc = layer does not exist'),
        waits("ContainerCreating"),
        ("image_pull_failing", "image_missing"),
        "image_not_found",
    ),
    Condition(
        "018",
        waits("ErrImageNeverPull", 'Container image "registry.example/cart:1.4.2" is not present with pull policy of Never'),
        waits("ContainerCreating"),
        ("image_pull_failing", "image_missing"),
        "image_not_found",
    ),
    Condition(
        "019",
        waits("InvalidImageName", 'couldn\'t parse image name "Cart:1": invalid reference format: repository name must be lowercase'),
        waits("ContainerCreating"),
        ("image_missing",),
        "image_not_found",
    ),
    Condition(
        "013",
        waits("CreateContainerError", "context deadline exceeded"),
        waits("CreateContainerError", 'failed to generate container spec: exec: "/run": no such file or directory'),
        ("container_held_up",),
    ),
    Condition(
        "015",
        waits("RunContainerError", 'failed to create containerd task: exec: "/run": stat /run: no such file or directory'),
        waits("RunContainerError", "failed to create containerd task: context deadline exceeded"),
        ("command_cannot_run",),
        "container_command_invalid",
    ),
    Condition("027", daemon_set(1), daemon_set(2), ("workload_short",)),
    Condition(
        "028",
        both(pull("401 Unauthorized"), lambda s: s.event("Pod", s.pod()["metadata"]["name"], "FailedToRetrieveImagePullSecret", SECRETS)),
        lambda s: s.event("Pod", s.pod()["metadata"]["name"], "FailedToRetrieveImagePullSecret", SECRETS),
        ("pull_secret_missing", "registry_refuses"),
        "image_pull_unauthorized",
    ),
    Condition("029", stateful_set("queue"), stateful_set(""), ("governing_service_missing",)),
    Condition("029", member("queue"), stateful_set("cart"), ("governing_service_missing", "log_dns_failure"), "dns_resolution_failure"),
    Condition(
        "033",
        unprovisioned("ProvisioningFailed", PROVISION, storageClassName="fast"),
        unprovisioned("WaitForFirstConsumer", WAITS, storageClassName="fast"),
        ("provisioning_failed",),
        "pvc_unbound_storage_class",
    ),
    Condition(
        "045",
        both(cron(False), told("CronJob", "nightly", "UnparseableSchedule", "unparseable schedule: 61 * * * *: end of range above maximum")),
        both(cron(False), told("CronJob", "nightly", "JobAlreadyActive", "Not starting job because prior execution is running")),
        ("cron_job_given_up",),
        "cron_job_suspended_or_missed",
    ),
    Condition(
        "064 067",
        autoscaler("False", "FailedGetScale", 'deployments.apps "cart" not found', "AbleToScale"),
        autoscaler("True", "ReadyForNewScale", "recommended size matches current size", "AbleToScale"),
        ("autoscaler_blind",),
        "autoscaler_cannot_read_metrics",
    ),
    Condition(
        "068",
        autoscaler("False", "FailedGetResourceMetric", "failed to get cpu utilization: missing request for cpu in container cart"),
        autoscaler("True", "ValidMetricFound", "the HPA was able to successfully calculate a replica count"),
        ("autoscaler_blind",),
        "autoscaler_cannot_read_metrics",
    ),
    Condition(
        "118 119 120 121",
        told("ScaledObject", "cart", "KEDAScalerFailed", SCALER),
        told("ScaledObject", "cart", "KEDAScalerFailed", SCALER, 300),
        ("autoscaler_blind",),
        "autoscaler_cannot_read_metrics",
    ),
    Condition(
        "040",
        both(way_in("cart", "public"), told("Ingress", "front", "Rejected", "TLS secret shop-tls is invalid: secret doesn't exist")),
        both(way_in("cart", "public"), told("Ingress", "front", "Sync", "Scheduled for sync")),
        ("entrance_certificate_missing",),
        "ingress_class_or_tls_missing",
    ),
    Condition(
        "075 076 077",
        gateway("Accepted", "Unknown", "Pending"),
        gateway("Accepted", "True", "Accepted"),
        ("gateway_not_taken_up",),
        "ingress_class_or_tls_missing",
    ),
    Condition(
        "078",
        gateway("Programmed", "False", "AddressNotAssigned"),
        gateway("Programmed", "True", "Programmed", ACCEPTED),
        ("gateway_not_taken_up",),
        "ingress_class_or_tls_missing",
    ),
    Condition(
        "040",
        gateway("Programmed", "True", "Programmed", UNRESOLVED),
        gateway("Programmed", "True", "Programmed", ACCEPTED),
        ("entrance_certificate_missing",),
        "ingress_class_or_tls_missing",
    ),
    Condition("079", route(), route(TAKEN), ("route_refused",), "ingress_misrouted"),
    Condition("080 081", route(parent("False", "NotAllowedByListeners")), route(TAKEN), ("route_refused",), "ingress_misrouted"),
    Condition("082", route(TAKEN, backend="carts"), route(TAKEN), ("backend_missing",), "ingress_misrouted"),
    Condition("083", route(TAKEN, port=9090), route(TAKEN), ("backend_missing",), "ingress_misrouted"),
    Condition("052", node("worker-a", "NetworkUnavailable", "True", "NoRouteCreated", "no route"), HEALTHY_NODE, ("node_network_missing",)),
    Condition("086", released_volume("Released"), released_volume("Available"), ("pv_bound_elsewhere",), "pv_bound_elsewhere"),
    Condition("090", lost("Lost"), lost("Bound"), ("claim_lost",), "volume_mount_failed"),
    Condition(
        "092",
        unprovisioned("FailedBinding", NO_CLASS, storageClassName=""),
        unprovisioned("WaitForFirstConsumer", WAITS, storageClassName="fast"),
        ("storage_class_missing",),
        "pvc_unbound_storage_class",
    ),
    Condition(
        "097",
        operators(custom("CatalogSource", connectionState={"lastObservedState": "TRANSIENT_FAILURE"})),
        operators(custom("CatalogSource", connectionState={"lastObservedState": "READY"})),
        STUCK,
        FAILS,
    ),
    Condition(
        "098 099 101",
        operators(custom("ClusterCatalog", says("Serving", "False", "Unavailable"))),
        operators(custom("ClusterCatalog", says("Serving", "True", "Available"))),
        STUCK,
        FAILS,
    ),
    Condition(
        "102",
        operators(custom("ClusterCatalog", says("Progressing", "True", "Retrying"))),
        operators(custom("ClusterCatalog", says("Progressing", "True", "Succeeded"))),
        STUCK,
        FAILS,
    ),
    Condition(
        "103 104 105",
        operators(custom("ClusterExtension", says("Installed", "False", "Absent"))),
        operators(custom("ClusterExtension", says("Installed", "True", "Succeeded"))),
        STUCK,
        FAILS,
    ),
    Condition(
        "106",
        operators(custom("ClusterExtension", says("Progressing", "False", "Blocked"))),
        operators(custom("ClusterExtension", says("Progressing", "True", "RollingOut"))),
        STUCK,
        FAILS,
    ),
    Condition("107", operators(version("Failed", **UNMET)), operators(version("Replacing")), STUCK, FAILS),
    Condition("108", operators(version("Pending")), operators(version("Succeeded")), STUCK, FAILS),
    Condition(
        "109",
        operators(custom("InstallPlan", says("Installed", "False", "InstallComponentFailed"), phase="Failed")),
        operators(custom("InstallPlan", phase="RequiresApproval")),
        STUCK,
        FAILS,
    ),
    Condition(
        "111",
        operators(custom("Subscription", says("ResolutionFailed", "True", "ConstraintsNotSatisfiable"), state="UpgradePending")),
        operators(custom("Subscription", says("ResolutionFailed", "False", ""), state="UpgradePending")),
        STUCK,
        FAILS,
    ),
    Condition(
        "112",
        operators(custom("OperatorGroup"), custom("OperatorGroup") | {"metadata": meta("second")}),
        operators(custom("OperatorGroup")),
        STUCK,
        FAILS,
    ),
)


def seen(folder: Path, broken: Callable[[Scene], Any]) -> tuple[set[str], list[str], str]:
    scene = shop()
    broken(scene)
    verdict, case, _ = asyncio.run(Offline(scene.write(folder)).investigate())
    return {s.kind for s in find(World(case))}, [h.cause for h in verdict.hypotheses], verdict.line


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda c: f"{c.ids} {c.kinds[0]}")
def test_a_condition_is_seen_its_cause_is_named_and_its_twin_is_left_alone(condition: Condition, tmp_path: Path) -> None:
    kinds, causes, line = seen(tmp_path, condition.broken)
    assert set(condition.kinds) <= kinds, sorted(kinds)
    assert causes[:1] == [condition.cause] if condition.cause else True, (causes, line)
    kinds, causes, line = seen(tmp_path, condition.near)
    assert not {condition.kinds[0]} & kinds
    assert not condition.cause or condition.cause not in causes, line
