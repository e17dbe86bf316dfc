"""Causes in what watches and delivers: Prometheus, Alertmanager, the delivery tool."""

from app.diagnosis.causes.rule import NOT_RUNNING, CauseRule

RULES = (
    CauseRule(
        id="monitoring_misconfigured",
        needs=("monitoring_refuses",),
        strength=0.8,
        mechanism="{instance} runs on an old or partial configuration: {metric} is {value}",
        explains=frozenset(),
        actions=("show_monitoring", "correct_monitoring"),
    ),
    CauseRule(
        id="monitoring_overloaded",
        needs=("monitoring_drops",),
        strength=0.78,
        mechanism="{instance} does not keep up: {metric} is {value}",
        explains=frozenset(),
        actions=("show_monitoring", "relieve_monitoring"),
    ),
    CauseRule(
        id="gitops_out_of_sync",
        needs=("delivery_failed",),
        strength=0.78,
        mechanism="The delivery tool cannot apply what is in git: {message}",
        explains=NOT_RUNNING,
        beats=("rollout_stuck",),
        actions=("describe_delivery",),
    ),
)
