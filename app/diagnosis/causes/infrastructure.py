"""Causes on nodes: the parts that run there, their pressure, their network."""

from app.diagnosis.causes.rule import CRASHES, DOWNSTREAM, NOT_RUNNING, UNREACHED, CauseRule

_ALL = NOT_RUNNING | UNREACHED | DOWNSTREAM | CRASHES
_PODS = ("rollout_stuck", "dependency_unavailable", "readiness_probe_failing", "liveness_probe_failing", "volume_mount_failed", "application_crash")


def _pressure(cause: str, what: str) -> CauseRule:
    return CauseRule(
        id=cause,
        needs=(cause,),
        strength=0.84,
        mechanism=f"The node runs out of {what} and evicts pods",
        supports={"node_not_ready": 0.03},
        explains=_ALL,
        beats=("node_not_ready", *_PODS),
        actions=("describe_node", "cordon"),
    )


RULES = (
    CauseRule(
        id="kubelet_unavailable",
        needs=("unit_kubelet_down",),
        strength=0.93,
        mechanism="kubelet is not active on {node}: the node no longer reports and starts nothing",
        supports={"lease_stale": 0.02, "node_not_ready": 0.02},
        explains=_ALL,
        beats=("node_not_ready", "container_runtime_unavailable", *_PODS),
        actions=("describe_node", "restart_unit", "cordon"),
    ),
    CauseRule(
        id="container_runtime_unavailable",
        needs=("unit_runtime_down", "runtime_reported_down", "runtime_socket_down"),
        strength=0.91,
        mechanism="The container runtime of the node does not run: nothing starts there",
        supports={"unit_runtime_down": 0.02, "runtime_socket_down": 0.02, "node_not_ready": 0.01},
        explains=_ALL,
        beats=("node_not_ready", *_PODS),
        actions=("describe_node", "restart_unit", "cordon"),
    ),
    CauseRule(
        id="kube_proxy_unavailable",
        needs=("unit_proxy_down",),
        strength=0.88,
        mechanism="kube-proxy is not active on {node}: its pods reach Services no longer or wrongly",
        explains=UNREACHED | DOWNSTREAM,
        beats=("dependency_unavailable", "dns_resolution_failure", "readiness_probe_failing"),
        actions=("describe_node", "restart_unit"),
    ),
    CauseRule(
        id="controller_manager_unavailable",
        needs=("unit_controllers_down",),
        strength=0.85,
        mechanism="kube-controller-manager is not active on {node}",
        explains=_ALL,
        actions=("show_nodes", "restart_unit"),
    ),
    CauseRule(
        id="etcd_unhealthy",
        needs=("unit_etcd_down",),
        strength=0.85,
        mechanism="etcd is not active on {node}",
        explains=_ALL,
        actions=("show_nodes", "restart_unit"),
    ),
    CauseRule(
        id="node_not_ready",
        needs=("node_not_ready", "lease_stale"),
        strength=0.86,
        mechanism="The node does not report; why is not known",
        supports={"lease_stale": 0.04},
        explains=_ALL,
        beats=_PODS,
        actions=("describe_node", "cordon", "show_pods_of_node"),
    ),
    _pressure("node_memory_pressure", "memory"),
    _pressure("node_disk_pressure", "disk"),
    _pressure("node_pid_pressure", "process ids"),
    CauseRule(
        id="scrape_target_down",
        needs=("target_down",),
        strength=0.7,
        mechanism="The scrape target {instance} of job {job} does not answer",
        against={"pod_not_ready": 0.2, "crash_looping": 0.3},
        explains=frozenset({"target_down"}),
        actions=("show_endpoints", "show_pods_wide"),
    ),
)
