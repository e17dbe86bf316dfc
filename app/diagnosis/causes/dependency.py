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
)
