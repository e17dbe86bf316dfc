"""Was what the alerts are about looked at? Only then is "nothing is wrong" an answer; what nobody looked at is not known to be
well. Called by `conclude`.

An alert's name says what it measures; each row of the table says what must have answered for an all-clear about that. An
alert whose name says nothing that we can check gets no all-clear, unless its own expression was replayed and is over."""

import re
from typing import NamedTuple

from app.diagnosis.signals.certificates import DATES, dated
from app.diagnosis.world import World
from app.domain.alert import Alert
from app.domain.case import Signal

_SPLIT = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_\W]+")
# Alerts about what only series show: there is no all-clear while the alert's own condition holds. A condition on a cause
# (memory above a share of its limit) may hold while nothing suffers from it.
_MEASURED = re.compile(r"latency|slow|error|throughput|traffic|saturation|degraded|quality|cpu|throttl", re.I)


class Subject(NamedTuple):
    """`words`: of the alert's name. One of `tools` must have answered, or a series whose name or query matches `series`;
    "any" stands for any series of `get_metrics`."""

    words: re.Pattern[str]
    tools: frozenset[str] = frozenset()
    series: str = ""


def _about(words: str, *tools: str, series: str = "") -> Subject:
    return Subject(re.compile(rf"\b(?:{words})", re.I), frozenset(tools), series)


SUBJECTS = (
    _about(r"queue|lag\b|consumer|backlog|outbox|offset|undelivered|unacked", series=r"lag|queue|backlog|outbox|offset|pending|messages"),
    _about(r"replication\b|standby|replica lag", series=r"replicat|replica_lag|standby|slave|seconds_behind|wal_"),
    _about(r"cert|tls\b|ssl\b|x509", "check_http", series=r"cert|x509|ssl"),
    _about(r"clock|ntp\b|time sync|skew\b", series=r"timex|ntp|chrony|clock"),
    _about(r"cron|backup|dump\b|scheduled", "check_workloads"),
    _about(r"ingress|route\b|gateway", "check_ingresses", series="any"),
    _about(r"blackbox|probe\b|synthetic", "check_http", "check_ingresses"),
    _about(r"quota|limit range", "check_quotas"),
    _about(r"persistent volume|pvc\b|storage|filesystem|file system|disk|inode|volume", "check_storage", series=r"filesystem|volume|disk"),
    _about(r"prometheus|alertmanager|rule\b|scrape|target\b|tsdb", "check_targets", "check_rules", series=r"prometheus|alertmanager|\bup\b"),
    _about(r"argo|flux|git ops|sync\b|helm|kustomiz|drift", "check_argocd", "check_github_deployments"),
    _about(r"dns|name resol", series=r"coredns|dns"),
    _about(r"absent\b|no data\b", series=r"\bup\b"),  # what would make the series is scraped, and answers
    _about(r"etcd|kube api|api server|apiserver|controller manager|scheduler\b", series=r"etcd|apiserver|scheduler|workqueue|\bup\b"),
    _about(r"network|packet|receive err|transmit err|retransmi", series=r"network|retrans|rtt|netstat|ping|any"),
    _about(r"memory|oom", "describe_pod", series=r"memory|any"),
    _about(_MEASURED.pattern + r"|\d?xx\b|http|slo\b|burn\b|budget|request|response|failed|failure|failing|duration|availab", series="any"),
    _about(r"node\b|nodes\b|kubelet|version|eviction", "check_nodes"),
    _about(
        r"pod|container|deployment|replica|stateful set|daemon ?set|workload|rollout|crash|restart|image|service|unavailable|namespace|release|"
        r"down\b|unreachable|waiting|pending|hpa\b|autoscal|job\b|batch|health|schedul",
        "check_pods",
    ),
)
_VERSIONS = re.compile(r"version (mismatch|skew)")
SECOND_VIEW = frozenset({"check_events", "check_workloads", "check_services", "check_nodes", "get_metrics"})


def is_measured(world: World) -> bool:
    return any(_MEASURED.search(a.name) for a in world.case.alerts)


def enough(world: World, found: tuple[Signal, ...]) -> bool:
    """Everything that the alerts name was looked at, and for what is about pods a second, independent view was had."""
    tools = {r.tool for r in world.readings}
    over = any(s.kind == "alert_condition_over" for s in found)
    if world.case.target.ref.kind == "Node":
        return "check_nodes" in tools and (not is_measured(world) or "check_pods" in tools)  # what suffers are the node's pods
    if world.case.target.ref.kind == "Cluster" and all(_VERSIONS.search(_words(a)) for a in world.case.alerts):
        return "check_events" in tools and _one_upgrade(world)  # versions are those of nodes: no pod tells of them
    if not (over or all(_looked_at(world, alert, tools) for alert in world.case.alerts)):
        return False
    return bool("check_pods" in tools and SECOND_VIEW & tools) or (is_measured(world) and "get_metrics" in tools)


def _one_upgrade(world: World) -> bool:
    """Every node was read, is ready (else there were a signal), and their kubelets are at most one minor version apart."""
    said = [str(n.at("status", "nodeInfo", "kubeletVersion") or "") for n in world.of("Node")]
    minors = [int(m[1]) for text in said if (m := re.match(r"v?1\.(\d+)", text))]
    return bool(minors) and len(minors) == len(said) and max(minors) - min(minors) <= 1


def _words(alert: Alert) -> str:
    return " ".join(part.lower() for part in _SPLIT.split(alert.name) if part)


def _looked_at(world: World, alert: Alert, tools: set[str]) -> bool:
    name = _words(alert)
    about = [s for s in SUBJECTS if s.words.search(name)]
    narrow = any(s.series not in ("", "any") and _shown(world, s.series) for s in about)  # what it measures was read by its own name
    return bool(about) and all(s.tools & tools or _shown(world, s.series) or (narrow and s.series == "any") for s in about)


def _shown(world: World, wanted: str) -> bool:
    if not wanted:
        return False
    measured = [(r, one) for r, one in world.series if one.values]
    if "x509" in wanted:  # the dates of other certificates say nothing of this one
        measured = [(r, one) for r, one in measured if one.name not in DATES] + dated(world)
    if "any" in wanted and any(r.tool == "get_metrics" for r, _ in measured):
        return True
    return any(re.search(wanted, f"{one.name} {one.of} {one.query or r.call.args.get('query', '')}", re.I) for r, one in measured)
