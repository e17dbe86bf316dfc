"""Causes that hold a pod or an operator back without a fault of its own: gates, the network of a node, what installs operators."""

from app.diagnosis.causes.rule import DOWNSTREAM, NOT_RUNNING, UNREACHED, CauseRule

_VAGUER = ("rollout_stuck", "rollout_regression", "dependency_unavailable", "readiness_probe_failing", "job_failed")

RULES = (
    CauseRule(
        id="scheduling_gated",
        needs=("scheduling_gate",),
        strength=0.85,
        mechanism="Scheduling gates hold {pod} back until whoever set them takes them off: {gates}",
        explains=NOT_RUNNING | UNREACHED | DOWNSTREAM,
        beats=_VAGUER,
        actions=("describe_pod", "show_workload_yaml"),
    ),
    CauseRule(
        id="pod_network_setup_failed",
        needs=("sandbox_network_failed", "node_network_missing"),
        strength=0.8,
        mechanism="Pods on {node} get no network: {reason}",
        supports={"sandbox_network_failed": 0.04, "node_network_missing": 0.04},
        against={"node_not_ready": 0.4, "runtime_socket_down": 0.4},
        explains=NOT_RUNNING | UNREACHED | DOWNSTREAM,
        beats=_VAGUER,
        actions=("describe_node", "show_pods_of_node", "cordon"),
    ),
    CauseRule(
        id="operator_install_failed",
        needs=("operator_stuck",),
        strength=0.78,
        mechanism="{kind} {name} does not come into its wanted state: {message}",
        explains=frozenset(),
        actions=("describe_workload",),
    ),
)
