"""Causes that lie with somebody who is called, as the caller's log tells them."""

from app.diagnosis.causes.rule import CRASHES, DOWNSTREAM, NOT_RUNNING, UNREACHED, CauseRule

_VICTIM = NOT_RUNNING | UNREACHED | CRASHES | DOWNSTREAM


def _told(cause: str, need: str, mechanism: str, strength: float = 0.66) -> CauseRule:
    return CauseRule(
        id=cause,
        needs=(need,),
        strength=strength,
        mechanism=mechanism,
        explains=_VICTIM,
        supports={"readiness_failing": 0.03, "errors_rose": 0.04, "crash_looping": 0.03},
        beats=("application_crash", "readiness_probe_failing", "rollout_stuck", "dependency_unavailable"),
        actions=("read_log", "describe_workload"),
    )


RULES = (
    CauseRule(
        id="dependency_unavailable",
        needs=("log_connection_refused",),
        strength=0.55,
        mechanism="{pod} cannot reach {host}: it refuses or does not answer",
        supports={"readiness_failing": 0.08, "errors_rose": 0.05, "crash_looping": 0.05},
        explains=_VICTIM,
        beats=("application_crash", "readiness_probe_failing", "rollout_stuck"),
        actions=("read_log", "show_services"),
    ),
    _told("rate_limited", "log_rate_limited", "A dependency of {pod} refuses because of its rate limit", 0.6),
    _told("database_connections_exhausted", "log_connections_exhausted", "No connection of the database is free for {pod}"),
    _told("database_credentials_invalid", "log_credentials", "The database refuses the credentials of {pod}"),
    _told("database_read_only", "log_read_only_database", "The database that {pod} writes to accepts no writes"),
    _told("database_driver_missing", "log_driver", "{pod} lacks the database driver it needs"),
    CauseRule(
        id="external_api_unavailable",
        needs=("outside_silent",),
        strength=0.66,
        mechanism="{host}, outside the cluster, refuses or does not answer {pod}",
        supports={"errors_rose": 0.04},
        explains=_VICTIM,
        beats=("dependency_unavailable", "slow_dependency", "application_crash"),
        actions=("ask_provider", "show_services"),
    ),
    CauseRule(
        id="database_address_wrong",
        needs=("database_asked_in_vain",),
        strength=0.9,
        mechanism="{variable}={value} names a database that is not there",
        explains=_VICTIM,
        beats=(
            "client_address_wrong",
            "dependency_unavailable",
            "dns_resolution_failure",
            "application_crash",
            "configuration_error",
            "rollout_stuck",
        ),
        actions=("show_workload_yaml", "show_services", "roll_back"),
    ),
    _told("queue_consumer_lag", "log_consumer_lag", "{pod} does not keep up with its queue"),
    _told("replication_lag", "log_replication_lag", "The replica in {pod} is behind its source"),
    _told("message_broker_partition", "log_broker_partition", "Nodes of the broker in {pod} do not see one another"),
)
