"""Series of a small shop as meshes and tracing write them: web calls cart, cart calls store. From the onset on those that are ill are slow
and fail a third of the calls. One hour, a minute apart; for the lab's Prometheus as a matrix, for a real one as OpenMetrics."""

from collections.abc import Iterator
from typing import Any

SPAN, SCRAPE, ONSET = 3600, 60, 2400
RATE = 10.0
NAMESPACE = "shop"
EDGES = (("web", "cart"), ("cart", "store"))
BOUNDS = (0.05, 0.5, 5.0)  # seconds; before the onset all calls end within the first, then four of five within the last only
Labels = dict[str, str]
Samples = list[tuple[int, float]]
Sick = tuple[str, ...]  # callees


def istio(sick: Sick) -> Iterator[tuple[str, Labels, Samples]]:
    for caller, callee in EDGES:
        ill = callee in sick
        for reporter in ("source", "destination"):
            edge = {"reporter": reporter, "source_workload": caller, "source_workload_namespace": NAMESPACE}
            edge |= {"destination_service_name": callee, "destination_service_namespace": NAMESPACE, "destination_workload": f"{callee}-v1"}
            for code, share in (("200", 2 / 3), ("503", 1 / 3)):
                yield "istio_requests_total", {**edge, "response_code": code}, _part(ill, share, code == "200")
            yield from _buckets("istio_request_duration_milliseconds", edge, ill, 1000)
    tcp = {"reporter": "source", "source_workload": "store", "source_workload_namespace": NAMESPACE, "destination_service_name": "unknown"}
    yield "istio_tcp_sent_bytes_total", {**tcp, "destination_workload": "unknown"}, _part(False, 1, True)
    outside = {**tcp, "destination_service_name": "db", "destination_service_namespace": "data", "destination_workload": "db"}
    yield "istio_tcp_sent_bytes_total", outside, _part(False, 1, True)


def linkerd(sick: Sick) -> Iterator[tuple[str, Labels, Samples]]:
    for caller, callee in EDGES:
        ill = callee in sick
        edge = {"direction": "outbound", "deployment": caller, "namespace": NAMESPACE, "dst_namespace": NAMESPACE, "dst_service": callee}
        edge |= {"dst_statefulset": callee} if callee == "store" else {"dst_deployment": callee}
        yield "request_total", edge, _part(ill, 1, True, whole=True)
        for word, share in (("success", 2 / 3), ("failure", 1 / 3)):
            yield "response_total", {**edge, "classification": word}, _part(ill, share, word == "success")
        yield from _buckets("response_latency_ms", edge, ill, 1000)


def service_graph(sick: Sick) -> Iterator[tuple[str, Labels, Samples]]:
    for caller, callee in EDGES:
        ill = callee in sick
        edge = {"client": caller, "server": callee, "connection_type": ""}
        yield "traces_service_graph_request_total", edge, _part(ill, 1, True, whole=True)
        if ill:
            yield "traces_service_graph_request_failed_total", edge, [s for s in _part(ill, 1 / 3, False) if s[0] > ONSET]
        yield from _buckets("traces_service_graph_request_client_seconds", edge, ill, 1)
        yield from _buckets("traces_service_graph_request_server_seconds", edge, ill, 1)


def spans(sick: Sick) -> Iterator[tuple[str, Labels, Samples]]:
    for caller, callee in EDGES:
        ill = callee in sick
        edge = {"service_name": caller, "peer_service": callee, "span_kind": "SPAN_KIND_CLIENT"}
        for code, share in (("STATUS_CODE_UNSET", 2 / 3), ("STATUS_CODE_ERROR", 1 / 3)):
            yield "traces_span_metrics_calls_total", {**edge, "status_code": code}, _part(ill, share, code != "STATUS_CODE_ERROR")
        yield from _buckets("traces_span_metrics_duration_milliseconds", edge, ill, 1000)


MESHES = {"istio": istio, "linkerd": linkerd, "service graph": service_graph, "span metrics": spans}


def matrix(mesh: str, start: float, sick: Sick = ("store",)) -> list[dict[str, Any]]:
    made = MESHES[mesh](sick)
    return [{"metric": {"__name__": n, **labels}, "values": [[start + t, f"{v:g}"] for t, v in samples]} for n, labels, samples in made if samples]


def openmetrics(mesh: str, start: int) -> str:
    lines: dict[str, list[str]] = {}
    for name, labels, samples in MESHES[mesh](("store",)):
        text = ",".join(f'{k}="{v}"' for k, v in labels.items())
        lines.setdefault(name, []).extend(f"{name}{{{text}}} {v:g} {start + t}" for t, v in samples)
    return "".join(f"# TYPE {n} unknown\n" + "\n".join(rows) + "\n" for n, rows in lines.items()) + "# EOF\n"


def _part(ill: bool, share: float, good: bool, whole: bool = False) -> Samples:
    """A counter of the calls of one outcome: before the onset, and where nothing is ill, all are good."""
    before, after = (1.0 if good else 0.0), (share if ill and not whole else 1.0 if good else 0.0)
    times = range(0, SPAN + 1, SCRAPE)
    return [(t, RATE * (before * min(t, ONSET) + after * max(0, t - ONSET))) for t in times]


def _buckets(name: str, edge: Labels, ill: bool, unit: float) -> Iterator[tuple[str, Labels, Samples]]:
    for bound in BOUNDS:
        quick = 1.0 if not ill or bound == BOUNDS[-1] else 0.2
        samples = [(t, RATE * (min(t, ONSET) + quick * max(0, t - ONSET))) for t in range(0, SPAN + 1, SCRAPE)]
        yield f"{name}_bucket", {**edge, "le": f"{bound * unit:g}"}, samples
    yield f"{name}_bucket", {**edge, "le": "+Inf"}, _part(False, 1, True)
