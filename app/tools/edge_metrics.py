"""Which series tell who calls whom, and how well the calls go: data only. Read by `edge_reading`.

In a query `<sel>` becomes the label matchers of what is asked about, `<by>` the labels that tell one edge from another, `<w>`
the rate window. What the caller saw is preferred to what the callee saw: it holds the network between them, and calls
that never arrived. Names: Istio's standard metrics, Linkerd's proxy metrics, Cilium's Hubble with workload labels, the
service graph of Tempo and of OpenTelemetry's collector, and span metrics (Jaeger SPM among them) where they carry the peer.
"""

from dataclasses import dataclass

# What proxies write where they know no name, and Istio's clusters for what is not routed
NOBODY = frozenset({"", "unknown", "-", "PassthroughCluster", "InboundPassthroughCluster", "InboundPassthroughClusterIpv4", "BlackHoleCluster"})


@dataclass(frozen=True)
class Measure:
    """`queries` say the same in different ways; for one edge the first that has an answer counts."""

    name: str
    queries: tuple[str, ...]


@dataclass(frozen=True)
class EdgeFamily:
    """`requests` is the metric that has a series for every edge. Of `caller` and `callee` the first label that is filled names
    the end, others are names of it too, as are those of `behind`. `only` narrows every selector. Of the values of `witness`
    the first that an edge has is taken: one call is told by both sides. `spaced`: every series names its namespaces."""

    name: str
    requests: str
    caller: tuple[str, ...]
    callee: tuple[str, ...]
    measures: tuple[Measure, ...]
    caller_space: tuple[str, ...] = ()
    callee_space: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    only: str = ""
    witness: tuple[str, ...] = ()
    spaced: bool = True


def _sum(metric: str, extra: str = "") -> str:
    return f"sum by (<by>) (rate({metric}{{<sel>{',' if extra else ''}{extra}}}[<w>]))"


def _rate(metric: str, name: str = "request_rate") -> Measure:
    return Measure(name, (_sum(metric),))


def _not_good(metric: str, good: str) -> Measure:
    """One minus the good share: 0 before the first failure, 1 where nothing good was ever seen."""
    total = _sum(metric)
    return Measure("error_rate", (f"1 - ({_sum(metric, good)} / {total} or {total} * 0)",))


def _failed(metric: str, total: str) -> Measure:
    """A counter of failures, which is not there before the first."""
    return Measure("error_rate", (f"{_sum(metric)} / {_sum(total)}", f"{_sum(total)} * 0"))


def _latency(*buckets: tuple[str, float]) -> tuple[Measure, ...]:
    """In seconds; `buckets` are histograms with the factor that makes their unit a second."""

    def query(quantile: float, metric: str, factor: float) -> str:
        inner = _sum(metric).replace("<by>", "le, <by>")
        return f"histogram_quantile({quantile}, {inner})" + (f" * {factor:g}" if factor != 1 else "")

    quantiles = (("latency_p95", 0.95), ("latency_p99", 0.99))
    return tuple(Measure(name, tuple(query(q, metric, factor) for metric, factor in buckets)) for name, q in quantiles)


GRPC_BAD = "2|4|12|13|14|15"  # unknown, deadline exceeded, unimplemented, internal, unavailable, data loss
ISTIO_GOOD = f'response_code!~"0|5..",grpc_response_status!~"{GRPC_BAD}"'
GRAPH = "traces_service_graph_request"


def _istio(name: str, requests: str, *measures: Measure) -> EdgeFamily:
    return EdgeFamily(
        name,
        requests,
        ("source_workload",),
        ("destination_service_name",),
        measures,
        ("source_workload_namespace",),
        ("destination_service_namespace", "destination_workload_namespace"),
        behind=("destination_workload",),
        witness=("source", "waypoint", "destination"),
    )


def _spans(prefix: str, *buckets: tuple[str, float], service: str = "service_name") -> EdgeFamily:
    calls = f"{prefix}calls_total"
    peers = ("peer_service", "server_address", "db_system")
    measures = (_rate(calls), _not_good(calls, 'status_code!="STATUS_CODE_ERROR"'), *_latency(*buckets))
    return EdgeFamily("span metrics", calls, (service,), peers, measures, only='span_kind="SPAN_KIND_CLIENT"', spaced=False)


EDGE_FAMILIES: tuple[EdgeFamily, ...] = (
    _istio(
        "istio",
        "istio_requests_total",
        _rate("istio_requests_total"),
        _not_good("istio_requests_total", ISTIO_GOOD),
        *_latency(("istio_request_duration_milliseconds_bucket", 0.001)),
    ),
    _istio(
        "istio tcp",
        "istio_tcp_sent_bytes_total",
        _rate("istio_tcp_connections_opened_total", "connection_rate"),
        _rate("istio_tcp_sent_bytes_total", "sent_bytes_rate"),
    ),
    EdgeFamily(
        "linkerd",
        "request_total",
        ("deployment", "statefulset", "daemonset", "k8s_job"),
        ("dst_deployment", "dst_statefulset", "dst_daemonset", "dst_k8s_job", "dst_service"),
        (_rate("request_total"), _not_good("response_total", 'classification="success"'), *_latency(("response_latency_ms_bucket", 0.001))),
        ("namespace",),
        ("dst_namespace",),
        only='direction="outbound"',
    ),
    EdgeFamily(
        "hubble",
        "hubble_http_requests_total",
        ("source_workload",),
        ("destination_workload",),
        (
            _rate("hubble_http_requests_total"),
            _not_good("hubble_http_requests_total", 'status!~"5.."'),
            *_latency(("hubble_http_request_duration_seconds_bucket", 1)),
        ),
        ("source_namespace",),
        ("destination_namespace",),
        witness=("client", "server"),
    ),
    EdgeFamily(
        "service graph",
        f"{GRAPH}_total",
        ("client",),
        ("server",),
        (
            _rate(f"{GRAPH}_total"),
            _failed(f"{GRAPH}_failed_total", f"{GRAPH}_total"),
            *_latency((f"{GRAPH}_client_seconds_bucket", 1), (f"{GRAPH}_client_milliseconds_bucket", 0.001), (f"{GRAPH}_server_seconds_bucket", 1)),
        ),
        ("client_service_namespace", "client_namespace", "client_k8s_namespace_name"),
        ("server_service_namespace", "server_namespace", "server_k8s_namespace_name"),
        spaced=False,
    ),
    _spans("", ("duration_milliseconds_bucket", 0.001), ("duration_seconds_bucket", 1)),
    _spans("traces_span_metrics_", ("traces_span_metrics_duration_milliseconds_bucket", 0.001), ("traces_span_metrics_duration_seconds_bucket", 1)),
    _spans("traces_spanmetrics_", ("traces_spanmetrics_latency_bucket", 1), service="service"),
)
