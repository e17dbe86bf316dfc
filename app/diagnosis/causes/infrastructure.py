"""Causes on nodes: the parts that run there, their pressure, their network."""

from app.diagnosis.causes.rule import CRASHES, DOWNSTREAM, NOT_RUNNING, UNREACHED, CauseRule

_ALL = NOT_RUNNING | UNREACHED | DOWNSTREAM | CRASHES
_PODS = ("rollout_stuck", "dependency_unavailable", "readiness_probe_failing", "liveness_probe_failing", "volume_mount_failed", "application_crash")
_OWN = ("application_crash", "configuration_error", "liveness_probe_failing", "readiness_probe_failing")  # of its own pods

_EVICTED = {"node_memory_pressure": "evicted_for_memory", "node_disk_pressure": "evicted_for_disk", "node_pid_pressure": "evicted_for_pids"}


def _pressure(cause: str, what: str) -> CauseRule:
    return CauseRule(
        id=cause,
        needs=(cause, _EVICTED[cause]),
        strength=0.84,
        mechanism=f"The node runs out of {what} and evicts pods",
        supports={"node_not_ready": 0.03, "node_told": 0.01},
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
        explains=UNREACHED | DOWNSTREAM | CRASHES | {"pod_not_ready"},
        beats=("dependency_unavailable", "dns_resolution_failure", "readiness_probe_failing", "scrape_target_down", *_OWN),
        actions=("describe_node", "restart_unit"),
    ),
    CauseRule(
        id="controller_manager_unavailable",
        needs=("unit_controllers_down",),
        strength=0.86,
        mechanism="kube-controller-manager does not run on {node}: what was written is not acted upon",
        supports={"generation_unobserved": 0.04},
        explains=_ALL | {"generation_unobserved"},
        beats=(*_OWN, "rollout_stuck", "scrape_target_down"),
        actions=("show_nodes", "restart_unit"),
    ),
    CauseRule(
        id="etcd_unhealthy",
        needs=("unit_etcd_down", "etcd_measured", "etcd_told"),
        strength=0.82,
        mechanism="etcd does not keep up or does not run: {reason}",
        supports={"etcd_told": 0.05, "etcd_measured": 0.05, "unit_etcd_down": 0.05},
        explains=_ALL,
        beats=(*_OWN, "api_server_unavailable", "controller_manager_unavailable", "scheduler_unavailable", "scrape_target_down"),
        actions=("show_nodes", "restart_unit"),
    ),
    CauseRule(
        id="api_server_unavailable",
        needs=("unit_api_down", "jobs_api_down", "api_measured", "api_told"),
        strength=0.82,
        mechanism="kube-apiserver does not run or does not keep up: {reason}",
        supports={"api_told": 0.04, "api_measured": 0.04, "unit_api_down": 0.03},
        explains=_ALL,
        beats=(*_OWN, "controller_manager_unavailable", "scheduler_unavailable", "scrape_target_down"),
        actions=("show_nodes", "restart_unit"),
    ),
    CauseRule(
        id="node_clock_skew",
        needs=("clock_off",),
        strength=0.8,
        mechanism="The clock of {node} is {offset} s off",
        explains=DOWNSTREAM,
        beats=("certificate_expired", "certificate_untrusted"),
        actions=("describe_node", "restart_clock"),
    ),
    CauseRule(
        id="node_hardware_fault",
        needs=("hardware_reported",),
        strength=0.84,
        mechanism="{node} reports a fault of its hardware: {reason}",
        supports={"node_not_ready": 0.03},
        explains=_ALL,
        beats=("node_not_ready", *_PODS),
        actions=("describe_node", "show_pods_of_node", "cordon"),
    ),
    CauseRule(
        id="version_skew",
        needs=("versions_apart",),
        also=(("versions_apart",),),
        strength=0.7,
        mechanism="Kubelets of {oldest} and {newest} run in one cluster",
        explains=frozenset(),
        actions=("show_nodes",),
    ),
    CauseRule(
        id="node_not_ready",
        needs=("node_not_ready", "lease_stale"),
        strength=0.86,
        mechanism="The node does not report; why is not known",
        supports={"lease_stale": 0.04, "node_told": 0.01},
        explains=_ALL,
        beats=_PODS,
        actions=("describe_node", "cordon", "show_pods_of_node"),
    ),
    _pressure("node_memory_pressure", "memory"),
    _pressure("node_disk_pressure", "disk"),
    _pressure("node_pid_pressure", "process ids"),
    CauseRule(
        id="node_network_packet_loss",
        needs=("paths_lossy", "frames_lost", "retransmits_rose"),
        also=(("latency_rose", "errors_rose", "traffic_fell", "slow_together", "paths_lossy", "frames_lost"),),
        strength=0.8,
        mechanism="Packets of node {node} are lost: {moved}; other nodes have fewer",
        supports={"slow_together": 0.04, "paths_lossy": 0.04, "frames_lost": 0.04, "retransmits_rose": 0.02},
        explains=DOWNSTREAM,
        beats=("pod_network_delay", "node_network_delay", "slow_dependency", "dependency_unavailable"),
        actions=("describe_node", "show_pods_of_node", "cordon"),
    ),
    CauseRule(
        id="node_network_delay",
        needs=("paths_slow", "slow_together"),
        strength=0.72,
        mechanism="Traffic of node {node} is slow: {slow} became slow by themselves, the others did not",
        supports={"paths_slow": 0.12, "slow_together": 0.0},
        against={"retransmits_rose": 0.2, "paths_lossy": 0.2, "frames_lost": 0.2},
        explains=DOWNSTREAM,
        beats=("pod_network_delay", "slow_dependency", "dependency_unavailable"),
        actions=("describe_node", "show_pods_of_node", "cordon"),
    ),
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
