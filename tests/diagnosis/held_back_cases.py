"""Cases of what holds pods and operators back, and the ways to break the shop like that."""

from typing import Any

from tests.diagnosis.breakages import Break, Case, node, warned
from tests.diagnosis.scenes import NS, Json, Scene, ago, meta

NO_ADDRESS = (
    'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "4d1": plugin type="bridge" failed (add): '
    "failed to allocate for range 0: no IP addresses available in range set: 10.244.1.1-10.244.1.254"
)
NO_RUNTIME = "Failed to create pod sandbox: rpc error: code = Unavailable desc = connection error: dial unix /run/containerd/containerd.sock: refused"


def gated(message: str, gates: bool = True) -> Break:
    def broken(s: Scene) -> None:
        pod = s.pending("")
        pod["spec"]["schedulingGates"] = [{"name": "example.com/queue"}] if gates else []
        told = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated" if gates else "Unschedulable"}
        pod["status"]["conditions"].append(told | ({"message": message} if message else {}))

    return broken


def evicted(message: str, minutes: float = 12) -> Break:
    """A pod that the kubelet ended; another runs in its place."""

    def broken(s: Scene) -> None:
        pod = s.pod()
        gone: Json = {**pod, "metadata": {**pod["metadata"], "name": pod["metadata"]["name"][:-5] + "gone1"}}
        ended = {"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet", "lastTransitionTime": ago(minutes)}
        gone["status"] = {"phase": "Failed", "reason": "Evicted", "conditions": [ended], **({"message": message} if message else {})}
        s.objects["Pod"].append(gone)

    return broken


def operators(*items: Json) -> Break:
    def broken(s: Scene) -> None:
        for item in items:
            s.add(item.pop("kind"), item)
        s.labels = {"alertname": "CsvAbnormalFailedOver2Min", "namespace": NS, "name": "ledger.v1.2.0"}

    return broken


def version(phase: str, **status: Any) -> Json:
    told = {"phase": phase, "lastTransitionTime": ago(30), **status}
    return {"kind": "ClusterServiceVersion", "metadata": meta("ledger.v1.2.0"), "spec": {}, "status": told}


UNMET = {"reason": "RequirementsNotMet", "message": "one or more requirements couldn't be found"}
HELD_BACK = (
    Case("scheduling_gated", gated("Scheduling is blocked due to non-empty scheduling gates"), gated("0/3 nodes are available", gates=False)),
    Case("pod_network_setup_failed", warned("FailedCreatePodSandBox", NO_ADDRESS), warned("FailedCreatePodSandBox", NO_RUNTIME), "Node//worker-b"),
    Case(
        "operator_install_failed",
        lambda s: operators(version("Failed", **UNMET))(s),
        lambda s: operators(version("Succeeded", reason="InstallSucceeded", message="install strategy completed"))(s),
        "ClusterServiceVersion/shop/ledger.v1.2.0",
    ),
)
HEALTHY_NODE = node("worker-a", "NetworkUnavailable", "False", "CalicoIsUp", "Calico is running on this node")
