"""Failure conditions that rule-based cluster analyzers of the field report, and what this service has for each: the data of
docs/diagnosis.md. Ids are those of a survey of such analyzers (123 rows); the words are our own. `tests/diagnosis/test_coverage.py`
holds every name in here against the code, and the ids against the survey where it lies beside the repository.

`causes` are ids of the vocabulary that a rule names, `signals` kinds that `app/diagnosis/signals` makes, `tools` are read tools whose answer
says it where no rule draws a conclusion from it. What is refused has its reason instead."""

from typing import NamedTuple


class Covered(NamedTuple):
    what: str
    causes: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()


class Refused(NamedTuple):
    what: str
    reason: str


SCHEDULING = (
    *("insufficient_cpu", "insufficient_memory", "insufficient_extended_resource", "node_selector_mismatch", "node_affinity_mismatch"),
    *("pod_anti_affinity_conflict", "topology_spread_conflict", "taint_not_tolerated", "node_cordoned", "too_many_pods_on_node"),
)
PULL = ("image_not_found", "image_pull_unauthorized", "image_registry_unreachable")
PROBES = (
    *("liveness_probe_wrong_port", "liveness_probe_wrong_protocol", "liveness_probe_too_strict", "liveness_probe_failing"),
    *("readiness_probe_wrong_port", "readiness_probe_wrong_protocol", "readiness_probe_failing"),
)
REFUSALS = (
    *("quota_exceeded_cpu", "quota_exceeded_memory", "quota_exceeded_pods", "quota_requires_limits", "pod_security_violation"),
    *("missing_service_account", "admission_webhook_denied", "admission_webhook_unavailable"),
)
ENDS = ("application_crash", "oom_killed", "configuration_error", "container_command_invalid")
POSTURE = "a matter of policy or taste: it explains no alert, and a pod with it works"

PODS: dict[str, Covered | Refused] = {
    "k8sgpt-001": Covered("the scheduler finds no node and says why", SCHEDULING, ("unschedulable_taint", "unschedulable_claim_unbound")),
    "k8sgpt-002": Covered("a scheduling gate holds the pod back, with a message", ("scheduling_gated",), ("scheduling_gate",)),
    "k8sgpt-003": Covered("the same without a message", ("scheduling_gated",), ("scheduling_gate",)),
    "k8sgpt-004": Covered(
        "evicted by the kubelet, with a message", ("node_memory_pressure", "node_disk_pressure", "node_pid_pressure", "disk_full"), ("pod_evicted",)
    ),
    "k8sgpt-005": Covered("evicted without a message", (), ("pod_evicted",), ("check_pods",)),
    "k8sgpt-006": Covered(
        "no sandbox can be made for the pod",
        ("oom_killed", "container_runtime_unavailable", "pod_network_setup_failed"),
        ("sandbox_oom", "runtime_socket_down", "sandbox_network_failed"),
    ),
    "k8sgpt-007": Covered(
        "a volume cannot be mounted or attached", ("volume_mount_failed", "missing_secret", "missing_config_map"), ("volume_not_mounted",)
    ),
    "k8sgpt-008": Covered("crash loop, the former run is known", ENDS, ("crash_looping", "container_exited_with_error", "container_oom_killed")),
    "k8sgpt-009": Covered("crash loop, the former run is not known", ("application_crash",), ("crash_looping", "log_crash")),
    "k8sgpt-010": Covered("backing off from pulling the image", PULL, ("image_pull_failing",)),
    "k8sgpt-011": Covered(
        "the container's configuration cannot be put together",
        ("missing_secret", "missing_config_map", "runs_as_forbidden_user"),
        ("secret_missing",),
    ),
    "k8sgpt-012": Covered("a hook of the kubelet before creation fails", (), ("container_held_up",), ("check_pods",)),
    "k8sgpt-013": Covered("the runtime cannot create the container", ("container_command_invalid",), ("command_cannot_run",)),
    "k8sgpt-014": Covered("a hook of the kubelet before the start fails", (), ("container_held_up",), ("check_pods",)),
    "k8sgpt-015": Covered("the runtime cannot start the container", ("container_command_invalid",), ("command_cannot_run",)),
    "k8sgpt-016": Covered("the image cannot be inspected", ("image_not_found",), ("image_pull_failing",)),
    "k8sgpt-017": Covered("pulling failed", PULL, ("image_pull_failing", "registry_refuses", "registry_unreachable", "image_missing")),
    "k8sgpt-018": Covered("the image is not on the node and may not be pulled", ("image_not_found",), ("image_pull_failing", "image_missing")),
    "k8sgpt-019": Covered("the image's name is none", ("image_not_found",), ("image_pull_failing", "image_missing")),
    "k8sgpt-020": Covered("a container ended with an exit code, reason given", ENDS, ("container_exited_with_error", "container_killed")),
    "k8sgpt-021": Covered("the same without a reason", ENDS, ("container_exited_with_error", "container_killed")),
    "k8sgpt-022": Covered("a probe fails; any of the pod's events, not only the newest", PROBES, ("readiness_failing", "liveness_failing")),
}

WORKLOADS: dict[str, Covered | Refused] = {
    "k8sgpt-023": Covered("pods are refused at creation, all or some of them", REFUSALS, ("pods_refused",)),
    "k8sgpt-024": Covered("fewer ready replicas than wanted", ("rollout_stuck",), ("workload_short",)),
    "k8sgpt-025": Covered("more pods than wanted while a release or a scale-down runs: normal, counted, never a cause", tools=("check_workloads",)),
    "k8sgpt-026": Covered("a release passed its progress deadline", ("rollout_stuck", "rollout_regression"), ("rollout_not_progressing",)),
    "k8sgpt-027": Covered("a DaemonSet lacks ready pods", signals=("workload_short",)),
    "k8sgpt-028": Covered("a pull secret that is not there, by the kubelet's word", ("image_pull_unauthorized",), ("pull_secret_missing",)),
    "k8sgpt-029": Covered("the Service that gives a StatefulSet its names is not there", ("dns_resolution_failure",), ("governing_service_missing",)),
    "k8sgpt-030": Covered("the storage class of a claim template does not exist", ("pvc_unbound_storage_class",), ("storage_class_missing",)),
    "k8sgpt-031": Covered("a StatefulSet's first pod is refused", REFUSALS, ("pods_refused", "workload_short")),
    "k8sgpt-032": Covered("a StatefulSet's pod does not run; every one of them is read", ENDS, ("workload_short", "pod_pending", "pod_failed")),
    "k8sgpt-033": Covered(
        "the provisioner of a claim fails", ("pvc_unbound_storage_class", "quota_exceeded_storage"), ("claim_event", "provisioning_failed")
    ),
    "k8sgpt-041": Covered("a Job is suspended, as queues do it: told, never a cause", tools=("check_workloads",)),
    "k8sgpt-042": Covered(
        "pods of a Job failed and it has not completed", ("job_failed", "application_crash"), ("job_failed", "container_exited_with_error")
    ),
    "k8sgpt-043": Covered("a Job passed its back-off limit or its deadline", ("job_failed",), ("job_failed",)),
    "k8sgpt-044": Covered("a CronJob is suspended", ("cron_job_suspended_or_missed",), ("cron_job_suspended",)),
    "k8sgpt-045": Covered(
        "a schedule that cannot be read, by the controller's word", ("cron_job_suspended_or_missed",), ("cron_job_given_up",), ("check_workloads",)
    ),
    "k8sgpt-046": Covered("a negative starting deadline: the API server admits none; it is shown", tools=("check_workloads",)),
    "k8sgpt-063": Covered("an autoscaler is at its maximum; at its minimum is rest", ("too_few_replicas",), ("autoscaler_at_maximum",)),
    "k8sgpt-064": Covered("an autoscaler cannot scale", ("autoscaler_cannot_read_metrics",), ("autoscaler_blind",)),
    "k8sgpt-065": Covered("an autoscaler has no metrics", ("autoscaler_cannot_read_metrics",), ("autoscaler_blind",)),
    "k8sgpt-066": Covered(
        "a kind that cannot be scaled: whether it can is what the autoscaler says, not a list of kinds",
        ("autoscaler_cannot_read_metrics",),
        ("autoscaler_blind",),
    ),
    "k8sgpt-067": Covered("what an autoscaler scales does not exist", ("autoscaler_cannot_read_metrics",), ("autoscaler_blind",)),
    "k8sgpt-068": Covered(
        "no requests to compare use with, where the autoscaler misses them", ("autoscaler_cannot_read_metrics",), ("autoscaler_blind",)
    ),
    "k8sgpt-069": Covered("a disruption budget lets no pod go, and drains wait", tools=("check_workloads",)),
    "k8sgpt-118": Covered("an event-driven autoscaler refuses the kind it is to scale", ("autoscaler_cannot_read_metrics",), ("autoscaler_blind",)),
    "k8sgpt-119": Covered("what it is to scale does not exist", ("autoscaler_cannot_read_metrics",), ("autoscaler_blind",)),
    "k8sgpt-120": Covered("it misses requests of the containers", ("autoscaler_cannot_read_metrics",), ("autoscaler_blind",)),
    "k8sgpt-121": Covered("it warns of anything else", ("autoscaler_cannot_read_metrics",), ("autoscaler_blind",)),
}

ROUTING: dict[str, Covered | Refused] = {
    "k8sgpt-034": Covered(
        "a Service selects nothing; one finding for one fault, from EndpointSlices and pods",
        ("service_selector_mismatch", "zero_replicas"),
        ("selector_near_miss", "selector_meets_nothing", "service_without_pods"),
    ),
    "k8sgpt-035": Covered("endpoints of a Service are not ready", PROBES, ("service_without_ready_pods", "pod_not_ready")),
    "k8sgpt-036": Covered("warnings about a Service, by kind and name: a load balancer's, an address's", tools=("check_events",)),
    "k8sgpt-037": Covered("an Ingress without a class where none is the default", ("ingress_class_or_tls_missing",), ("ingress_class_missing",)),
    "k8sgpt-038": Covered("the class of an Ingress does not exist", ("ingress_class_or_tls_missing",), ("ingress_class_missing",)),
    "k8sgpt-039": Covered("a path leads to a Service or port that is not there", ("ingress_misrouted",), ("backend_missing",)),
    "k8sgpt-040": Covered(
        "the Secret of a certificate is not there: by the controller's word and by what is served, Secrets are never read",
        ("ingress_class_or_tls_missing", "certificate_untrusted"),
        ("entrance_certificate_missing", "endpoint_certificate_untrusted"),
    ),
    "k8sgpt-054": Covered("the Service of a validating webhook does not exist", ("admission_webhook_unavailable",), ("webhook_unavailable",)),
    "k8sgpt-055": Covered(
        "no pod behind a validating webhook; it counts where objects are refused for it, so failurePolicy Ignore is no fault",
        ("admission_webhook_unavailable",),
        ("webhook_unavailable",),
    ),
    "k8sgpt-056": Covered("a pod behind a validating webhook does not answer", ("admission_webhook_unavailable",), ("webhook_unavailable",)),
    "k8sgpt-057": Covered("the Service of a mutating webhook does not exist", ("admission_webhook_unavailable",), ("webhook_unavailable",)),
    "k8sgpt-058": Covered("no pod behind a mutating webhook", ("admission_webhook_unavailable",), ("webhook_unavailable",)),
    "k8sgpt-059": Covered("a pod behind a mutating webhook does not answer", ("admission_webhook_unavailable",), ("webhook_unavailable",)),
    "k8sgpt-070": Refused(
        "a policy that selects all pods of a namespace", "an empty selector is how default-deny is written; what a policy drops is judged instead"
    ),
    "k8sgpt-071": Covered("a policy selects no pod", tools=("check_network_policies",)),
    "k8sgpt-075": Covered("a gateway class is not accepted: seen at its gateways", ("ingress_class_or_tls_missing",), ("gateway_not_taken_up",)),
    "k8sgpt-076": Covered("the class of a gateway does not exist: nobody accepts it", ("ingress_class_or_tls_missing",), ("gateway_not_taken_up",)),
    "k8sgpt-077": Covered("a gateway is not accepted", ("ingress_class_or_tls_missing",), ("gateway_not_taken_up",)),
    "k8sgpt-078": Covered("a gateway is not programmed; its listeners too", ("ingress_class_or_tls_missing",), ("gateway_not_taken_up",)),
    "k8sgpt-079": Covered("a route's gateway does not exist", ("ingress_misrouted",), ("route_refused",)),
    "k8sgpt-080": Covered("a gateway admits no routes of this namespace, by its own word", ("ingress_misrouted",), ("route_refused",)),
    "k8sgpt-081": Covered(
        "a gateway admits only namespaces with other labels, by its own word: labels of the route have no part in it",
        ("ingress_misrouted",),
        ("route_refused",),
    ),
    "k8sgpt-082": Covered("a route leads to a Service that does not exist", ("ingress_misrouted",), ("backend_missing",)),
    "k8sgpt-083": Covered("a route leads to a port that its Service has not", ("ingress_misrouted",), ("backend_missing",)),
}

NODES: dict[str, Covered | Refused] = {
    "k8sgpt-047": Covered("a node says that it is not ready", ("node_not_ready",), ("node_not_ready",)),
    "k8sgpt-048": Covered("a node is not heard of", ("node_not_ready", "kubelet_unavailable"), ("node_not_ready", "lease_stale")),
    "k8sgpt-049": Covered("memory pressure; unknown where the node is not heard of", ("node_memory_pressure",), ("node_memory_pressure",)),
    "k8sgpt-050": Covered("disk pressure", ("node_disk_pressure",), ("node_disk_pressure",)),
    "k8sgpt-051": Covered("pressure of process ids", ("node_pid_pressure",), ("node_pid_pressure",)),
    "k8sgpt-052": Covered("the network of a node is not set up", ("pod_network_setup_failed",), ("node_network_missing",)),
    "k8sgpt-053": Covered(
        "a condition of a problem detector, where it is true and tells of a fault", ("node_hardware_fault",), ("hardware_reported",)
    ),
}

CONFIGURATION: dict[str, Covered | Refused] = {
    "k8sgpt-060": Refused("a ConfigMap that no pod names", "it may be read through the API, and harms nobody"),
    "k8sgpt-061": Covered("an empty ConfigMap, where a pod names it; a key that is missing", ("missing_config_map",), tools=("check_config",)),
    "k8sgpt-062": Refused("a ConfigMap of more than 1 MiB", "the API server admits none"),
    "k8sgpt-084": Refused("a storage class without a provisioner", "it is the normal class of local volumes"),
    "k8sgpt-085": Covered("two default storage classes: each is shown as default; the newest counts", tools=("check_storage",)),
    "k8sgpt-086": Covered("a volume still belongs to a claim that is gone", ("pv_bound_elsewhere",), ("pv_bound_elsewhere",)),
    "k8sgpt-087": Covered("a volume could not be reclaimed, with its message", tools=("check_storage",)),
    "k8sgpt-088": Refused("a volume smaller than 1 GiB", POSTURE),
    "k8sgpt-089": Covered(
        "a claim waits",
        ("pvc_unbound_storage_class", "pvc_unbound_capacity", "pvc_unbound_access_mode", "pvc_unbound_selector"),
        ("claim_event", "unschedulable_claim_unbound"),
    ),
    "k8sgpt-090": Covered("the volume of a claim is gone", ("volume_mount_failed",), ("claim_lost",)),
    "k8sgpt-091": Refused("a claim smaller than 1 GiB", POSTURE),
    "k8sgpt-092": Covered("a claim without a class where none is the default", ("pvc_unbound_storage_class",), ("storage_class_missing",)),
    "k8sgpt-093": Refused("pods that use the default account", POSTURE),
    "k8sgpt-094": Refused("roles with wildcards", POSTURE),
    "k8sgpt-095": Refused("privileged containers", POSTURE),
    "k8sgpt-096": Refused("pods without a security context", POSTURE),
}

_OPERATORS = ("operator_install_failed",)
_STUCK = ("operator_stuck",)
OBSERVING: dict[str, Covered | Refused] = {
    "k8sgpt-072": Covered(
        "complaints in a log, by classes of messages over the lines read, each with its own meaning",
        ENDS,
        ("log_error", "log_crash", "log_connection_refused", "log_configuration"),
    ),
    "k8sgpt-073": Covered("the same in the log of the run that ended", ENDS, ("log_crash", "last_words"), ("get_logs",)),
    "k8sgpt-074": Covered("a log that cannot be read: a missing source, named in the verdict", tools=("get_logs",)),
    "k8sgpt-113": Covered("Prometheus cannot read its configuration", ("monitoring_misconfigured",), ("monitoring_refuses",)),
    "k8sgpt-114": Covered(
        "a configuration that does not hold together: what Prometheus refused", ("monitoring_misconfigured",), ("monitoring_refuses",)
    ),
    "k8sgpt-115": Covered("no scrape configuration: Prometheus has no target", tools=("check_targets",)),
    "k8sgpt-116": Refused("relabelling rules, shown for explanation", "no fault; targets that they drop are counted by check_targets"),
    "k8sgpt-117": Refused("health issues of a managed control plane", "the cloud's own API is no source; api_server_unavailable sees its effect"),
    "k8sgpt-122": Refused("results of policy reports", "audit harms nobody; a policy that is enforced is seen as admission_webhook_denied"),
    "k8sgpt-123": Refused("vulnerabilities in cluster policy reports", "a finding of a scanner explains no alert"),
    "k8sgpt-097": Covered("a catalogue of operators does not answer", _OPERATORS, _STUCK),
    "k8sgpt-098": Covered("the image reference of a cluster catalogue is none", _OPERATORS, _STUCK),
    "k8sgpt-099": Covered("a cluster catalogue resolved no image", _OPERATORS, _STUCK),
    "k8sgpt-100": Covered("a cluster catalogue that is not pinned by digest", tools=("check_operators",)),
    "k8sgpt-101": Covered("a cluster catalogue is not served", _OPERATORS, _STUCK),
    "k8sgpt-102": Covered("a cluster catalogue does not progress", _OPERATORS, _STUCK),
    "k8sgpt-103": Covered("an extension with an unknown upgrade policy: not installed", _OPERATORS, _STUCK),
    "k8sgpt-104": Covered("an extension with an unknown source: not installed", _OPERATORS, _STUCK),
    "k8sgpt-105": Covered("an extension is not installed", _OPERATORS, _STUCK),
    "k8sgpt-106": Covered("an extension does not progress", _OPERATORS, _STUCK),
    "k8sgpt-107": Covered("an operator's version did not succeed, with the reason", _OPERATORS, _STUCK),
    "k8sgpt-108": Covered("the same without a condition", _OPERATORS, _STUCK),
    "k8sgpt-109": Covered("an install plan did not complete, with the reason", _OPERATORS, _STUCK),
    "k8sgpt-110": Covered("an install plan waits for approval: told, never a cause", tools=("check_operators",)),
    "k8sgpt-111": Covered(
        "a subscription is not at its newest version; unhealthy catalogues or a failed resolution are the cause", _OPERATORS, _STUCK
    ),
    "k8sgpt-112": Covered("several operator groups in a namespace", _OPERATORS, _STUCK),
}

CONDITIONS: dict[str, Covered | Refused] = dict(sorted((PODS | WORKLOADS | ROUTING | NODES | CONFIGURATION | OBSERVING).items()))
