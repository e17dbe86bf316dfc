"""Causes between a client and a pod: selectors, ports, protocols, addresses, names."""

from app.diagnosis.causes.rule import CRASHES, DOWNSTREAM, NOT_RUNNING, UNREACHED, CauseRule

_FLOW = DOWNSTREAM | UNREACHED
_VICTIMS = ("dependency_unavailable", "dns_resolution_failure", "readiness_probe_failing")
# A change of configuration that brought it is how it began, not what it is.
_RELEASES = ("feature_flag_or_config_change", "rollout_regression")

RULES = (
    CauseRule(
        id="service_selector_mismatch",
        needs=("selector_near_miss", "selector_meets_nothing"),
        strength=0.88,
        mechanism="Service {service} selects {selector}, which no pod carries",
        supports={"log_connection_refused": 0.02},
        explains=_FLOW,
        beats=_VICTIMS,
        actions=("show_endpoints", "correct_selector"),
    ),
    CauseRule(
        id="service_port_mismatch",
        needs=("target_port_unmet", "service_port_moved"),
        strength=0.87,
        mechanism="Service {service} sends to {target}, the containers listen on {listens}",
        supports={"log_connection_refused": 0.03},
        explains=_FLOW,
        beats=(*_VICTIMS, "client_address_wrong"),
        actions=("show_endpoints", "correct_service_port"),
    ),
    CauseRule(
        id="service_protocol_mismatch",
        needs=("protocol_unmet",),
        strength=0.87,
        mechanism="Service {service} forwards {protocol} to {target}, the containers listen on {listens}",
        supports={"protocol_complaint": 0.03},
        explains=_FLOW,
        beats=_VICTIMS,
        actions=("show_endpoints", "correct_service_port"),
    ),
    CauseRule(
        id="client_address_wrong",
        needs=("asks_for_nobody", "address_near_miss", "address_port_unknown", "address_unknown_host"),
        also=(("asks_for_nobody", "address_near_miss", "address_port_unknown", "asks_in_vain"),),
        strength=0.86,
        mechanism="{variable}={value} names what does not exist",
        supports={"asks_in_vain": 0.06, "log_connection_refused": 0.02, "config_changed": 0.03, "reached_in_vain": 0.01},
        explains=_FLOW | {"crash_looping", "container_restarting", "container_exited_with_error", "pod_not_ready"},
        beats=(*_VICTIMS, "application_crash", "configuration_error", "rollout_stuck", *_RELEASES),
        actions=("show_workload_yaml", "show_services", "roll_back"),
    ),
    CauseRule(
        id="dns_resolution_failure",
        needs=("log_dns_failure",),
        strength=0.66,
        mechanism="Names do not resolve for {pod}",
        supports={"errors_rose": 0.05, "governing_service_missing": 0.1, "asks_other_resolver": 0.15},
        against={"log_connection_refused": 0.02},
        explains=_FLOW,
        beats=("dependency_unavailable",),
        outdoes={"asks_other_resolver": (*_RELEASES, "rollout_stuck", "application_crash", "queue_consumer_lag", "slow_dependency", "dns_outage")},
        actions=("show_dns", "read_log"),
    ),
    CauseRule(
        id="dns_outage",
        needs=("dns_pods_down",),
        strength=0.9,
        mechanism="None of the {pods} pods of cluster DNS is ready: no name resolves",
        supports={"log_dns_failure": 0.04},
        explains=_FLOW | NOT_RUNNING | CRASHES,
        beats=(*_VICTIMS, "client_address_wrong", "application_crash", "rollout_stuck", "liveness_probe_failing"),
        actions=("show_dns", "restart_workload"),
    ),
    CauseRule(
        id="network_policy_blocks",
        needs=("traffic_dropped",),
        also=(("log_connection_refused", "log_timeout", "log_dns_failure", "errors_rose", "readiness_failing", "liveness_failing", "latency_rose"),),
        strength=0.84,
        mechanism="NetworkPolicy {policy} drops what {own} and {peer} need on port {port}",
        explains=_FLOW | NOT_RUNNING | CRASHES,
        beats=(*_VICTIMS, "slow_dependency", "application_crash", "rollout_stuck"),
        actions=("show_policies", "allow_traffic"),
    ),
    CauseRule(
        id="ingress_misrouted",
        needs=("backend_missing", "route_refused", "path_led_elsewhere", "path_unknown_to_backend"),
        strength=0.78,
        mechanism="The way in for path {path} leads wrong: {problem}",
        supports={"errors_rose": 0.05, "path_unknown_to_backend": 0.05, "traffic_fell": 0.02},
        explains=_FLOW,
        actions=("show_ingresses", "correct_backend"),
    ),
    CauseRule(
        id="ingress_class_or_tls_missing",
        needs=("ingress_class_missing", "gateway_not_taken_up", "entrance_certificate_missing"),
        strength=0.8,
        mechanism="The way in is not served as written: {problem}",
        explains=_FLOW,
        actions=("show_ingresses", "correct_backend"),
    ),
)
