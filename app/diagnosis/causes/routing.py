"""Causes between a client and a pod: selectors, ports, protocols, addresses, names."""

from app.diagnosis.causes.rule import DOWNSTREAM, UNREACHED, CauseRule

_FLOW = DOWNSTREAM | UNREACHED
_VICTIMS = ("dependency_unavailable", "dns_resolution_failure", "readiness_probe_failing")

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
        explains=_FLOW,
        beats=_VICTIMS,
        actions=("show_endpoints", "correct_service_port"),
    ),
    CauseRule(
        id="client_address_wrong",
        needs=("address_near_miss", "address_port_unknown", "address_unknown_host"),
        also=(("address_near_miss", "address_port_unknown", "asks_in_vain"),),
        strength=0.86,
        mechanism="{variable}={value} names what does not exist",
        supports={"asks_in_vain": 0.06, "log_connection_refused": 0.02, "config_changed": 0.03},
        explains=_FLOW | {"crash_looping", "container_restarting", "container_exited_with_error", "pod_not_ready"},
        beats=(*_VICTIMS, "application_crash", "configuration_error", "rollout_stuck"),
        actions=("show_workload_yaml", "show_services", "roll_back"),
    ),
    CauseRule(
        id="dns_resolution_failure",
        needs=("log_dns_failure",),
        strength=0.66,
        mechanism="Names do not resolve for {pod}",
        supports={"errors_rose": 0.05},
        against={"log_connection_refused": 0.02},
        explains=_FLOW,
        beats=("dependency_unavailable",),
        actions=("show_dns", "read_log"),
    ),
)
