"""What watches: Prometheus, Alertmanager, their operator and relatives -> a configuration or rule that they refuse, or work they drop,
in the words of their logs. Reads `get_logs` of their pods. Twin: `operations`, which reads their own metrics."""

import re

from app.diagnosis.reading import Reading, Seen, rows
from app.diagnosis.world import RECENT, Found, World, cite, signal
from app.domain.log_times import moment_of
from app.domain.target import ObjectRef

# By the last part of the image's name, which charts and registries keep; or the name label of the usual charts.
PROGRAMS = re.compile(
    r"(prometheus|alertmanager|prometheus-(operator|config-reloader)|thanos|cortex|mimir|victoria-metrics|victoria-logs"
    r"|vm(agent|alert|single|storage|insert|select|operator)|kube-prometheus-stack|configmap-reload)(-.*)?"
)
ALERTS = re.compile(r"^(Prometheus|Alertmanager|Thanos|Cortex|Mimir|VictoriaMetrics|Vm|VM|ConfigReloader|ConcurrentV|TooManyScrapeErrors)")
NAMES = ("app.kubernetes.io/name", "app", "k8s-app")
OBJECTS = ("operator.prometheus.io/name", "prometheus", "alertmanager")  # labels that the operator puts on its pods
_ORDINAL = re.compile(r"-\d+$")

# What their current versions write (slog and go-kit messages of Prometheus 2 and 3, Alertmanager, prometheus-operator, its reloader,
# Thanos, VictoriaMetrics), and how many lines make it more than a moment.
REFUSES = (
    (
        1,
        re.compile(
            r"Error (re)?loading config|couldn't load configuration|Loading configuration file failed|error loading config"
            r"|Failed to apply configuration|failed to (load|parse|unmarshal).{0,30}config|cannot (re)?load .{0,40}config|errors in configuration"
            r"|loading groups failed|error loading rules|(parsing|invalid) rule file|one or more errors occurred while applying"
            r"|(skipping|rejected) .{0,30}(servicemonitor|podmonitor|probe|prometheusrule|alertmanagerconfig|scrapeconfig)"
            r"|provision(ing)? alertmanager configuration.*(fail|err)|selecting \w+ failed",
            re.I,
        ),
    ),
    (2, re.compile(r"trigger reload: received non-200|Failed to trigger reload|function failed\. Retrying in next tick.*reload", re.I)),
    (2, re.compile(r"Evaluating rule failed.*(many-to-many|duplicate series|parse error|same labelset|invalid expression|unknown function)", re.I)),
    (
        2,
        re.compile(
            r"(Notify|notification).{0,60}fail.{0,300}(unexpected status code 4(00|01|03|04)|invalid_auth|channel_not_found|no_service|unauthorized"
            r"|535 |authentication failed|unsupported protocol scheme)",
            re.I,
        ),
    ),
)
DROPS = (
    (
        2,
        re.compile(
            r"query timed out in expression|query processing would load too many samples|too many samples|Maximum concurrency"
            r"|notification queue.{0,20}full|(dropping|dropped) (alerts|notifications|samples|\d+ (samples|alerts))|exceeded sample_?limit"
            r"|(compaction|write to wal|log samples|head GC|snapshot|checkpoint) failed"
            r"|remote.?(write|storage).{0,80}(queue|shards|non-recoverable|dropp)|queue (is )?full|slow down ingestion|too many outstanding requests"
            r"|Ingester.{0,40}limit|per-user series limit|cardinality limit",
            re.I,
        ),
    ),
)

# Reloads that failed, as series of themselves; what is more than 0 when rules, targets or data are lost.
RELOADS = "(prometheus|alertmanager|vm_promscrape|vmalert)_config_last_reload_successful|reloader_last_reload_successful"
LOSSES = (
    *("prometheus_rule_evaluation_failures_total", "prometheus_target_sync_failed_total", "vmalert_execution_errors_total"),
    *("prometheus_rule_group_iterations_missed_total", "prometheus_notifications_dropped_total", "prometheus_remote_storage_samples_failed_total"),
    *("prometheus_tsdb_wal_writes_failed_total", "prometheus_tsdb_compactions_failed_total", "prometheus_target_scrapes_exceeded_sample_limit_total"),
)
WATCHED_QUERY = " or ".join(
    [f'{{__name__=~"{RELOADS}"}} == 0', *(f'label_replace(increase({name}[15m]) > 0, "says", "{name}", "", "")' for name in LOSSES)]
)


def find(world: World) -> Found:
    for reading in world.readings:
        if reading.tool == "get_logs":
            pod = world.get("Pod", str(reading.call.args.get("namespace") or ""), str(reading.result.data.get("pod") or ""))
            if pod is not None and is_watcher(pod):
                yield from _said(world, reading, pod, "watcher_refuses", REFUSES)
                yield from _said(world, reading, pod, "watcher_drops", DROPS)


def is_watcher(pod: Seen) -> bool:
    labels = pod.at("metadata", "labels") or {}
    if any(PROGRAMS.fullmatch(str(labels.get(key) or "")) for key in NAMES):
        return True
    images = [str(c.get("image") or "") for c in rows(pod.at("spec", "containers"))]
    return any(PROGRAMS.fullmatch(i.split("@")[0].rsplit("/", 1)[-1].split(":")[0]) for i in images)


def named(world: World, namespace: str, name: str) -> ObjectRef:
    """The Prometheus (or Alertmanager) that a pod is of: the operator's object where that is known, else the pod's workload."""
    pod = world.get("Pod", namespace, name)
    if pod is None:
        return ObjectRef(kind="Prometheus", namespace=namespace, name=name)
    labels, workload = pod.at("metadata", "labels") or {}, world.workload_of(pod).name
    told = next((str(labels[key]) for key in OBJECTS if labels.get(key)), "")
    evaluating = [str(a.labels.get("prometheus") or "").partition("/") for a in world.case.alerts]
    if not told:  # the operator calls the StatefulSet after the object: prometheus-<name>
        told = next((n for space, _, n in evaluating if n and space == namespace and workload == f"prometheus-{n}"), "")
    return ObjectRef(kind="Prometheus", namespace=namespace, name=told or (_ORDINAL.sub("", name) if workload == name else workload))


def _said(world: World, reading: Reading, pod: Seen, kind: str, table: tuple[tuple[int, re.Pattern[str]], ...]) -> Found:
    """What its log complained of since shortly before the onset."""
    lines = [str(x) for x in reading.result.data.get("lines") or []]
    for least, pattern in table:
        told = [x for x in lines if pattern.search(x) and ((at := moment_of(x, world.now)) is None or at >= world.onset - RECENT)]
        shown = next((x for x in reversed(told) if x in reading.lines), "")
        if len(told) >= least and shown:
            facts = {"instance": pod.name, "told": shown[:160], "pod": pod.name}
            where = named(world, pod.namespace, pod.name)
            yield signal(kind, where, f"{pod.name} logs: {shown[:150]}", cite(reading, (shown,)), moment_of(told[0], world.now), facts)
            return
