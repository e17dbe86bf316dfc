"""Causes in what watches and delivers: Prometheus, Alertmanager, the delivery tool."""

from app.diagnosis.causes.rule import NOT_RUNNING, CauseRule

_SAID = frozenset({"log_error"})
# What a program that watches looks like from outside while it refuses or drops its work.
_WORK = ("pod_cpu_saturation", "cpu_throttling", "pod_network_delay", "slow_dependency", "configuration_error", "scrape_target_down")

RULES = (
    CauseRule(
        id="monitoring_misconfigured",
        needs=("monitoring_refuses", "watcher_refuses"),
        strength=0.8,
        mechanism="{instance} runs on an old or partial configuration: {told}",
        supports={"watcher_refuses": 0.05, "monitoring_refuses": 0.02},
        against={"watcher_drops": 0.2},
        explains=_SAID,
        beats=_WORK,
        actions=("show_monitoring", "correct_monitoring"),
    ),
    CauseRule(
        id="monitoring_overloaded",
        needs=("monitoring_drops", "watcher_drops"),
        strength=0.78,
        mechanism="{instance} does not keep up: {told}",
        supports={"watcher_drops": 0.05},
        explains=_SAID,
        beats=(*_WORK, "memory_leak"),
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
