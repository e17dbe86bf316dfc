"""Causes between a pod and its node: what keeps the scheduler from placing it."""

from app.diagnosis.causes.rule import CauseRule

_VAGUER = ("rollout_stuck", "rollout_regression", "dependency_unavailable", "readiness_probe_failing", "job_failed")


def _unplaced(cause: str, need: str, mechanism: str, *actions: str) -> CauseRule:
    return CauseRule(
        id=cause,
        needs=(f"unschedulable_{need}",),
        strength=0.92,
        mechanism=mechanism,
        supports={f"demands_{need}": 0.02},
        beats=_VAGUER,
        actions=actions,
    )


def _unbound(cause: str, need: str, mechanism: str, *more: str) -> CauseRule:
    return CauseRule(
        id=cause,
        needs=(need, *more),
        strength=0.88,
        mechanism=mechanism,
        supports={"unschedulable_claim_unbound": 0.05, "claim_event": 0.02},
        beats=(*_VAGUER, "volume_mount_failed"),
        actions=("show_claims", "show_volumes", "describe_workload"),
    )


RULES = (
    _unplaced("insufficient_cpu", "insufficient_cpu", "No node has the {demand} of {pod} free", "show_nodes_use", "lower_requests", "add_node"),
    _unplaced("insufficient_memory", "insufficient_memory", "No node has the {demand} of {pod} free", "show_nodes_use", "lower_requests", "add_node"),
    _unplaced("insufficient_extended_resource", "insufficient_extended", "No node has {what} free for {pod}", "show_nodes_use", "add_node"),
    _unplaced(
        "node_selector_mismatch", "selector_labels", "No node carries the labels that {pod} selects ({demand})", "show_node_labels", "roll_back"
    ),
    _unplaced(
        "node_affinity_mismatch", "selector_affinity", "No node satisfies the required node affinity of {pod}", "show_node_labels", "roll_back"
    ),
    _unplaced("pod_anti_affinity_conflict", "anti_affinity", "Required pod (anti-)affinity leaves no node for {pod}", "show_pods_wide", "roll_back"),
    _unplaced("topology_spread_conflict", "topology", "Topology spread constraints leave no node for {pod}", "show_pods_wide", "roll_back"),
    _unplaced("taint_not_tolerated", "taint", "Every node {pod} could use has a taint it does not tolerate {what}", "show_taints", "roll_back"),
    _unplaced("node_cordoned", "cordoned", "The nodes {pod} may use are cordoned", "show_nodes", "uncordon"),
    CauseRule(
        id="too_many_pods_on_node",
        needs=("unschedulable_too_many_pods", "node_full_of_pods"),
        also=(("unschedulable_too_many_pods", "is_target"),),
        strength=0.84,
        mechanism="The nodes are at their number of pods",
        supports={"unschedulable_too_many_pods": 0.08},
        beats=_VAGUER,
        actions=("show_nodes_use", "add_node"),
    ),
    _unbound("pvc_unbound_storage_class", "storage_class_missing", "Claim {claim} names {fault}", "provisioning_failed"),
    _unbound("pvc_unbound_capacity", "claim_too_large", "Claim {claim} asks {size}, volume {volume} has {capacity}"),
    _unbound("pvc_unbound_access_mode", "access_mode_unmet", "Claim {claim} wants {modes}, volume {volume} offers {offers}"),
    _unbound("pvc_unbound_selector", "volume_selector_unmet", "No volume carries the labels claim {claim} selects"),
    _unbound("pv_bound_elsewhere", "pv_bound_elsewhere", "Volume {volume}, wanted by claim {claim}, is bound to {bound_to}"),
    CauseRule(
        id="scheduler_unavailable",
        needs=("unit_scheduler_down",),
        strength=0.93,
        mechanism="kube-scheduler is not active on {node}: new pods stay Pending and nothing is said about them",
        supports={"part_said": 0.02, "pending_unnoticed": 0.03},
        explains=CauseRule("", (), 0, "").explains | {"pending_unnoticed"},
        beats=(*_VAGUER, "application_crash", "configuration_error", "scrape_target_down"),
        actions=("show_scheduler", "restart_unit"),
    ),
)
