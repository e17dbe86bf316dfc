"""Which series say how a workload, a service, a node or a scrape target is doing: data only.

A signal is asked for only when discovery found all of its metrics for the target. In a query `<sel>` becomes the label
matchers of the target, `<by>` its identifying labels, `<w>` the rate window, `<code>` the label of the status code.
Names: cAdvisor, kube-state-metrics, node-exporter, the client libraries of Prometheus, Istio, gRPC, Spring, OpenTelemetry.
"""

from dataclasses import dataclass

# labels by which a series can belong to a target, best first
POD_LABELS = ("pod", "namespace")
OBJECT_LABELS = ("deployment", "statefulset", "daemonset", "namespace")
SERVICE_LABELS = ("service", "app", "application", "service_name", "job", "workload", "deployment", "pod", "instance", "namespace")
MESH_LABELS = ("destination_workload", "destination_service_name", "destination_canonical_service")
NODE_LABELS = ("node", "instance", "nodename", "kubernetes_node")
CODE_LABELS = ("code", "status", "status_code", "http_status", "response_code", "http_response_status_code")


@dataclass(frozen=True)
class Signal:
    """`metrics` must all exist for the target; `labels` are those that may tie a series to it; `profile` is the family."""

    name: str
    profile: str
    metrics: tuple[str, ...]
    query: str
    labels: tuple[str, ...] = SERVICE_LABELS


@dataclass(frozen=True)
class OwnName:
    """A plain gauge or summary by its name: `pattern` is a whole-name regular expression (RE2), read as it is."""

    name: str
    pattern: str
    labels: tuple[str, ...] = SERVICE_LABELS
    profile: str = "service"


REAL = 'container!="",container!="POD"'


def _rate(name: str, metric: str, by: str = "pod", extra: str = "") -> Signal:
    return Signal(name, "workload", (metric,), f"sum by ({by}) (rate({metric}{_of(extra)}[<w>]))", POD_LABELS)


def _gauge(name: str, metric: str, by: str = "pod, container", extra: str = "", how: str = "max") -> Signal:
    return Signal(name, "workload", (metric,), f"{how} by ({by}) ({metric}{_of(extra)})", POD_LABELS)


def _object(name: str, metric: str, label: str) -> Signal:
    return Signal(name, "workload", (metric,), f"max by (namespace, {label}) ({metric}{_of()})", (label, "namespace"))


def _node(name: str, query: str, *metrics: str) -> Signal:
    return Signal(name, "node", metrics, query, NODE_LABELS)


def _plain(name: str, metric: str, query: str = "max by (<by>) (@)") -> Signal:
    return Signal(name, "service", (metric,), query.replace("@", metric + _of()))


def _requests(metric: str, labels: tuple[str, ...] = SERVICE_LABELS, good: str = '<code>!~"5.."') -> tuple[Signal, Signal]:
    """Rate of all, and the share that failed: one minus the good share, so that it is 0 before the first failure."""
    total = f"sum by (<by>) (rate({metric}{_of()}[<w>]))"
    fine = f"sum by (<by>) (rate({metric}{_of(good)}[<w>]))"
    return (
        Signal("request_rate", "service", (metric,), total, labels),
        Signal("error_rate", "service", (metric,), f"1 - ({fine} / {total})", labels),
    )


def _latency(metric: str, labels: tuple[str, ...] = SERVICE_LABELS) -> tuple[Signal, ...]:
    inner = f"sum by (le, <by>) (rate({metric}_bucket{_of()}[<w>]))"
    quantiles = (("latency_p99", 0.99), ("latency_p50", 0.5))
    return tuple(Signal(name, "service", (f"{metric}_bucket",), f"histogram_quantile({q}, {inner})", labels) for name, q in quantiles)


def _of(extra: str = "") -> str:
    return "{<sel>" + (f",{extra}" if extra else "") + "}"


LIMITS = "kube_pod_container_resource_limits"
THROTTLED = ("container_cpu_cfs_throttled_periods_total", "container_cpu_cfs_periods_total")
SIGNALS: tuple[Signal, ...] = (
    _gauge("memory_working_set", "container_memory_working_set_bytes", extra=REAL, how="sum"),
    _gauge("memory_limit", LIMITS, extra='resource="memory"'),
    _rate("cpu_usage", "container_cpu_usage_seconds_total", "pod, container", REAL),
    _gauge("cpu_limit", LIMITS, extra='resource="cpu"'),
    Signal(
        "cpu_throttled",
        "workload",
        THROTTLED,
        " / ".join(f"sum by (pod, container) (rate({m}{_of(REAL)}[<w>]))" for m in THROTTLED),
        POD_LABELS,
    ),
    _rate("cpu_throttled_seconds", "container_cpu_cfs_throttled_seconds_total", "pod, container", REAL),
    _gauge("restarts", "kube_pod_container_status_restarts_total"),
    _gauge("last_terminated", "kube_pod_container_status_last_terminated_reason", "pod, container, reason"),
    _gauge("ready", "kube_pod_status_ready", "pod", 'condition="true"'),
    _rate("network_receive_bytes", "container_network_receive_bytes_total"),
    _rate("network_transmit_bytes", "container_network_transmit_bytes_total"),
    _rate("network_receive_packets", "container_network_receive_packets_total"),
    _rate("network_transmit_packets", "container_network_transmit_packets_total"),
    _rate("network_receive_dropped", "container_network_receive_packets_dropped_total"),
    _rate("network_transmit_dropped", "container_network_transmit_packets_dropped_total"),
    _gauge("filesystem_usage", "container_fs_usage_bytes", extra=REAL, how="sum"),
    _object("replicas_available", "kube_deployment_status_replicas_available", "deployment"),
    _object("replicas_wanted", "kube_deployment_spec_replicas", "deployment"),
    _object("replicas_ready", "kube_statefulset_status_replicas_ready", "statefulset"),
    *_requests("http_requests_total"),
    *_requests("http_server_requests_seconds_count"),
    *_requests("http_server_request_duration_seconds_count"),
    *_requests("http_request_duration_seconds_count"),
    *_requests("axum_http_requests_duration_seconds_count"),
    *_requests("istio_requests_total", MESH_LABELS, 'response_code!~"5.."'),
    *_requests("grpc_server_handled_total", good='grpc_code!~"Unknown|DeadlineExceeded|Internal|Unavailable|DataLoss|Unimplemented"'),
    *_requests("nginx_ingress_controller_requests", ("exported_service", "ingress", "service"), 'status!~"5.."'),
    *_latency("http_request_duration_seconds"),
    *_latency("http_server_requests_seconds"),
    *_latency("http_server_request_duration_seconds"),
    *_latency("axum_http_requests_duration_seconds"),
    *_latency("istio_request_duration_milliseconds", MESH_LABELS),
    *_latency("grpc_server_handling_seconds"),
    _plain("process_memory", "process_resident_memory_bytes"),
    _plain("process_cpu", "process_cpu_seconds_total", "sum by (<by>) (rate(@[<w>]))"),
    _plain("process_open_fds", "process_open_fds"),
    _plain("process_max_fds", "process_max_fds"),
    _plain("process_started", "process_start_time_seconds"),
    _plain("heap_used", "jvm_memory_used_bytes", "sum by (<by>, area) (@)"),
    _plain("goroutines", "go_goroutines"),
    Signal("up", "target", ("up",), "up{<sel>}"),
    Signal("scrape_seconds", "target", ("scrape_duration_seconds",), "scrape_duration_seconds{<sel>}"),
    Signal("scrape_samples", "target", ("scrape_samples_scraped",), "scrape_samples_scraped{<sel>}"),
    _node("node_cpu", '1 - avg by (instance) (rate(node_cpu_seconds_total{<sel>,mode="idle"}[<w>]))', "node_cpu_seconds_total"),
    _node(
        "node_memory_available",
        "node_memory_MemAvailable_bytes{<sel>} / node_memory_MemTotal_bytes{<sel>}",
        "node_memory_MemAvailable_bytes",
        "node_memory_MemTotal_bytes",
    ),
    _node("node_load", "node_load1{<sel>}", "node_load1"),
    _node(
        "node_filesystem_available",
        'node_filesystem_avail_bytes{<sel>,fstype!~"tmpfs|overlay"} / node_filesystem_size_bytes{<sel>,fstype!~"tmpfs|overlay"}',
        "node_filesystem_avail_bytes",
        "node_filesystem_size_bytes",
    ),
    _node("node_disk_busy", "rate(node_disk_io_time_seconds_total{<sel>}[<w>])", "node_disk_io_time_seconds_total"),
    _node("node_tcp_retransmits", "rate(node_netstat_Tcp_RetransSegs{<sel>}[<w>])", "node_netstat_Tcp_RetransSegs"),
    _node("node_receive_errors", "rate(node_network_receive_errs_total{<sel>}[<w>])", "node_network_receive_errs_total"),
    _node("node_receive_dropped", "rate(node_network_receive_drop_total{<sel>}[<w>])", "node_network_receive_drop_total"),
    _node("node_conntrack_entries", "node_nf_conntrack_entries{<sel>}", "node_nf_conntrack_entries"),
    Signal(
        "node_condition",
        "node",
        ("kube_node_status_condition",),
        'max by (node, condition) (kube_node_status_condition{<sel>,status="true"})',
        ("node",),
    ),
    Signal("unit_state", "node", ("node_systemd_unit_state",), 'node_systemd_unit_state{<sel>,state=~"active|failed"}', NODE_LABELS),
)
OWN_NAMES: tuple[OwnName, ...] = (
    OwnName("latency", "(.+_)?(latency|duration|response_time)_(seconds|milliseconds|ms)"),
    OwnName("success_ratio", "(.+_)?(success|availability)_ratio"),
    OwnName("error_rate", "(.+_)?errors?_(ratio|rate|percent)"),
    OwnName("request_rate", "(.+_)?requests_per_(second|minute)"),
    OwnName("cpu_utilization", "(.+_)?cpu_(utilization|usage)_(ratio|percent)", NODE_LABELS + SERVICE_LABELS, "any"),
    OwnName("memory_utilization", "(.+_)?memory_(utilization|usage)_(ratio|percent)", NODE_LABELS + SERVICE_LABELS, "any"),
    OwnName("queue", "(.+_)?queue_(depth|length|size|lag)"),
    OwnName("connections", "(.+_)?connections?_(active|in_use|used|pending|idle|max)"),
    OwnName("probe", "probe_(success|duration_seconds)", NODE_LABELS + SERVICE_LABELS, "any"),
)
