"""Causes that lie with somebody who is called, as the caller's log tells them."""

from app.diagnosis.causes.rule import CRASHES, DOWNSTREAM, NOT_RUNNING, UNREACHED, CauseRule

_VICTIM = NOT_RUNNING | UNREACHED | CRASHES | DOWNSTREAM
_VAGUER = (
    *("application_crash", "readiness_probe_failing", "liveness_probe_failing", "rollout_stuck", "rollout_regression", "dependency_unavailable"),
    *("slow_dependency", "pod_network_delay", "queue_consumer_lag", "configuration_error"),
)


MAY_BE = ("writes_refused", "connections_full", "connections_refused", "pool_waits")
_FELT = ("errors_rose", "latency_rose", "readiness_failing", "crash_looping", "pod_not_ready", "traffic_fell", "is_target")


# A new password that a release brought is a wrong password; that a configuration changed says less.
_OUTDONE = {"database_credentials_invalid": ("feature_flag_or_config_change",), "database_driver_missing": ("feature_flag_or_config_change",)}


def _told(cause: str, needs: tuple[str, ...], mechanism: str, strength: float = 0.66, **more: dict[str, float]) -> CauseRule:
    """`needs`: what a log says of it first, then what series show of it. What may be in order by itself (a standby that is read-only, a
    pool that is used) counts by series alone only where somebody feels it."""
    logged = tuple(n for n in needs if n not in MAY_BE)
    agreeing = dict.fromkeys(needs[1:], 0.1)
    return CauseRule(
        id=cause,
        needs=needs,
        also=((*logged, *_FELT),) if len(needs) > len(logged) else (),
        strength=strength,
        mechanism=mechanism,
        explains=_VICTIM,
        supports={"readiness_failing": 0.03, "errors_rose": 0.04, "crash_looping": 0.03, "latency_rose": 0.02} | agreeing | more.get("supports", {}),
        against=more.get("against", {}),
        beats=(*(c for c in _VAGUER if c != cause), *_OUTDONE.get(cause, ())),
        actions=("read_log", "describe_workload"),
    )


RULES = (
    CauseRule(
        id="dependency_unavailable",
        needs=("store_loads", "service_outside_silent", "log_connection_refused"),
        strength=0.55,
        mechanism="{pod} cannot reach {host}: it refuses or does not answer",
        supports={"store_loads": 0.25, "service_outside_silent": 0.1, "readiness_failing": 0.08, "errors_rose": 0.05, "crash_looping": 0.05},
        explains=_VICTIM,
        beats=("application_crash", "readiness_probe_failing", "rollout_stuck", "pod_network_delay"),
        actions=("read_log", "show_services"),
    ),
    _told("rate_limited", ("log_rate_limited",), "A dependency of {pod} refuses because of its rate limit", 0.62),
    _told(
        "database_connections_exhausted",
        ("log_connections_exhausted", "connections_full", "connections_refused", "pool_waits"),
        "No connection of the database is free for {pod}",
        0.62,
        supports={"connections_left_open": 0.1},
        against={"queries_slow": 0.15, "log_slow_query": 0.15},
    ),
    _told("database_credentials_invalid", ("log_credentials",), "The database refuses the credentials of {pod}"),
    _told("database_read_only", ("log_read_only_database", "writes_refused"), "The database of {pod} accepts no writes"),
    _told("database_driver_missing", ("log_driver",), "{pod} lacks the database driver it needs"),
    CauseRule(
        id="external_api_unavailable",
        needs=("outside_silent",),
        strength=0.66,
        mechanism="{host}, outside the cluster, refuses or does not answer {pod}",
        supports={"errors_rose": 0.04},
        explains=_VICTIM,
        beats=("dependency_unavailable", "slow_dependency", "application_crash", "queue_consumer_lag", "pod_network_delay"),
        actions=("ask_provider", "show_services"),
    ),
    CauseRule(
        id="database_address_wrong",
        needs=("database_asked_in_vain",),
        strength=0.9,
        mechanism="{variable}={value} names a database that is not there",
        supports={"address_released": 0.03},
        explains=_VICTIM,
        beats=(
            "client_address_wrong",
            "feature_flag_or_config_change",
            "rollout_regression",
            "dependency_unavailable",
            "dns_resolution_failure",
            "application_crash",
            "configuration_error",
            "rollout_stuck",
        ),
        actions=("show_workload_yaml", "show_services", "roll_back"),
    ),
    _told("queue_consumer_lag", ("log_consumer_lag", "backlog_grows"), "{pod} does not keep up with its queue", 0.64, against={"taker_ill": 0.3}),
    _told("replication_lag", ("log_replication_lag", "replica_lags"), "The replica in {pod} is behind its source", 0.64),
    _told("message_broker_partition", ("log_broker_partition", "peers_unseen"), "Nodes of the broker in {pod} do not see one another"),
)
