"""Series that jump by themselves name nothing; what stands out of its own noise does, and measured paths say whose network it is."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.diagnosis.noise import slower, stands_out, wobble
from app.diagnosis.series import Series, Step, when
from app.domain.verdict import Verdict
from tests.diagnosis.breakages import released
from tests.diagnosis.scenes import NOW, NS, Scene
from tests.diagnosis.test_causes import verdict_of

START = (NOW - timedelta(minutes=40)).timestamp()
WILD = [0.2, 0.4, 6.0, 0.3, 1.9, 0.25, 9.0, 0.5, 0.3, 2.4, 0.24, 0.45]
NODES = ("worker-a", "worker-b", "control")


def series(values: list[float], name: str = "latency_p99", **change: Any) -> Series:
    return Series(name, {}, tuple((START + 60.0 * n, v) for n, v in enumerate(values)), change or None)


def rise(at: int, before: float, after: float) -> Step:
    return Step(when(START + 60.0 * at), before, after)


FLAT, FAST, SLOW = [0.1] * 24, [0.05] * 24, [0.05] * 24 + [0.3] * 8


@pytest.mark.parametrize(
    ("values", "change", "typical", "counts"),
    [
        pytest.param(FLAT + [0.5] * 8, rise(24, 0.1, 0.5), FAST, True, id="a quiet tail tells by itself"),
        pytest.param(WILD * 2 + [10.0] * 8, rise(24, 0.4, 10.0), FAST + [0.05] * 8, False, id="a wild tail alone is chance"),
        pytest.param([*FLAT, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], rise(24, 0.1, 0.9), FAST, False, id="an outlier does not last"),
        pytest.param([0.1, 0.2] * 12 + [0.9] * 8, rise(24, 0.14, 0.9), SLOW, True, id="a restless tail with typical requests"),
        pytest.param([0.1, 0.2] * 12 + [0.9] * 8, rise(24, 0.14, 0.9), FAST + [0.05] * 8, False, id="a restless tail without them"),
    ],
)
def test_a_latency_counts_against_its_own_noise(values: list[float], change: Step, typical: list[float], counts: bool) -> None:
    assert slower(series(values), change, [series(typical, "latency_p50")]) is counts


def test_a_spike_that_is_over_is_judged_by_the_time_it_lasted() -> None:
    burst = series(FLAT + [0.9] * 6 + [0.1] * 20, kind="spike")
    assert stands_out(burst, rise(24, 0.1, 0.9))
    assert not stands_out(series(FLAT + [0.9] * 6 + [0.1] * 20), rise(24, 0.1, 0.9))


def test_single_outliers_do_not_make_a_level_restless() -> None:
    assert wobble([*FLAT, 9.0, 9.0]) == 0.0 and wobble(WILD) > 0.5


def put(s: Scene, metric: str, values: list[float], **labels: str) -> None:
    points = [[int(START + 2400 * n / (len(values) - 1)), str(v)] for n, v in enumerate(values)]
    s.metrics.append({"metric": {"__name__": metric, **labels}, "values": points})


def test_a_wild_tail_of_a_healthy_shop_names_no_cause(tmp_path: Path) -> None:
    def restless(s: Scene) -> None:
        for n, name in enumerate(("web", "cart", "store")):
            put(s, "service_latency_seconds", ((WILD[n:] + WILD[:n]) * 7)[:-3] + [9.0] * 3, service=name, namespace=NS, quantile="0.99")
            put(s, "service_latency_seconds", [0.05, 0.051, 0.049] * 27, service=name, namespace=NS, quantile="0.5")
        s.labels = {"alertname": "HighLatency", "namespace": NS, "service": "cart"}

    verdict = verdict_of(tmp_path, restless)
    assert not [h.cause for h in verdict.hypotheses if h.cause.endswith("_delay")], verdict.line


Paths = Callable[[Scene, str, str, list[float], bool], None]


def pinged(metric: str, source: str, target: str) -> Paths:
    def put_path(s: Scene, one: str, other: str, values: list[float], loss: bool) -> None:
        put(s, metric, values, **{source: one, target: other, "job": "mesh"})

    return put_path


def addresses(s: Scene) -> None:
    for number, name in enumerate(NODES):
        s.one("Node", name)["status"]["addresses"] = [{"type": "InternalIP", "address": f"10.9.0.{number}"}]


def by_address(s: Scene, one: str, other: str, values: list[float], loss: bool) -> None:
    put(s, "smokeping_rtt_seconds", values, source=one, host=f"10.9.0.{NODES.index(other)}")


def measured(ill: Callable[[str, str], bool], path: Paths, well: float, bad: float) -> Callable[[Scene], None]:
    def broken(s: Scene) -> None:
        addresses(s)
        for one in NODES:
            for other in NODES:
                if one != other:
                    path(s, one, other, [well] * 60 + [bad if ill(one, other) else well] * 21, False)
        for name in ("store", "cart"):
            s.series("service_latency_seconds", {"namespace": NS, "service": name}, 0.01, 0.2)
        s.series("service_latency_seconds", {"namespace": NS, "service": "web"}, 0.01, 0.011)
        s.labels = {"alertname": "HighLatency", "namespace": NS, "service": "store"}

    return broken


def at_b(one: str, other: str) -> bool:
    return "worker-b" in (one, other)


def first(verdict: Verdict) -> tuple[str, str]:
    return (verdict.hypotheses[0].cause, str(verdict.hypotheses[0].object)) if verdict.hypotheses else ("", "")


@pytest.mark.parametrize(
    "path",
    [
        pinged("ping_rtt_mean_seconds", "source", "target"),  # ping_exporter
        pinged("cilium_node_connectivity_latency_seconds", "source_node_name", "target_node_name"),
        pinged("ping_average_response_ms", "host", "url"),  # telegraf
        by_address,
    ],
    ids=["ping exporter", "cilium", "telegraf", "by address"],
)
def test_a_node_whose_measured_paths_are_slow_is_named(path: Paths, tmp_path: Path) -> None:
    assert first(verdict_of(tmp_path, measured(at_b, path, 0.4, 240.0))) == ("node_network_delay", "Node//worker-b")


@pytest.mark.parametrize("ill", [lambda one, other: True, lambda one, other: (one, other) == ("worker-a", "worker-b")], ids=["all", "one"])
def test_slow_paths_everywhere_or_a_single_one_name_no_node(ill: Callable[[str, str], bool], tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, measured(ill, pinged("ping_rtt_mean_seconds", "source", "target"), 0.0004, 0.24))
    assert "node_network_delay" not in [h.cause for h in verdict.hypotheses], verdict.line


def test_paths_that_lose_packets_name_loss_and_not_delay(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, measured(at_b, pinged("ping_loss_ratio", "source", "target"), 0.0, 0.18))
    assert first(verdict) == ("node_network_packet_loss", "Node//worker-b")


@pytest.mark.parametrize(("a_second", "named"), [(400, True), (0.5, False)])
def test_an_interface_that_loses_frames_is_found_from_an_alert_by_address(a_second: float, named: bool, tmp_path: Path) -> None:
    def broken(s: Scene) -> None:
        addresses(s)
        for number, name in enumerate(NODES):
            for kind in ("errs", "drop"):
                lost = a_second if name == "worker-a" else 0.0
                put(s, f"node_network_receive_{kind}_total", [30 * n * lost for n in range(81)], instance=f"10.9.0.{number}:9100", device="eth0")
        s.labels = {"alertname": "NodeNetworkReceiveErrs", "instance": "10.9.0.0:9100", "device": "eth0", "job": "node-exporter"}

    assert (first(verdict_of(tmp_path, broken)) == ("node_network_packet_loss", "Node//worker-a")) is named


def test_slow_round_trips_of_one_workload_among_well_neighbours_are_its_own(tmp_path: Path) -> None:
    def broken(s: Scene) -> None:
        for name, after in (("cart", 0.2), ("store", 0.0007), ("web", 0.0007)):
            pod = s.pod(name)
            s.series("pod_tcp_rtt_seconds_avg", {"namespace": NS, "pod": pod["metadata"]["name"], "node": pod["spec"]["nodeName"]}, 0.0006, after)
        s.series("service_latency_seconds", {"namespace": NS, "service": "cart"}, 0.01, 0.4)
        s.labels = {"alertname": "HighLatency", "namespace": NS, "service": "cart"}

    verdict = verdict_of(tmp_path, broken)
    assert first(verdict) == ("pod_network_delay", "Deployment/shop/cart")
    assert any("pod_tcp_rtt_seconds_avg" in e.quote for e in verdict.evidence)


@pytest.mark.parametrize(("cpu", "cause"), [("150m", "cpu_throttling"), ("4", "")])
def test_a_release_that_lowers_the_cpu_limit_triggers_throttling_and_is_not_the_cause(cpu: str, cause: str, tmp_path: Path) -> None:
    def broken(s: Scene) -> None:
        released(s, 12)
        old = s.one("ReplicaSet", "cart-5c9f7d8b6")["spec"]["template"]["spec"]["containers"][0]
        old["resources"] = {"limits": {"cpu": "1"}}
        template = s.one("ReplicaSet", "cart-7d5bb9cc4")["spec"]["template"]
        template["spec"] = {"containers": [{**old, "resources": {"limits": {"cpu": cpu}}}]}
        labels = {"namespace": NS, "pod": s.pod()["metadata"]["name"], "container": "cart"}
        for metric, a_second in (("container_cpu_cfs_periods_total", 10.0), ("container_cpu_cfs_throttled_periods_total", 8.0 if cause else 0.1)):
            values = [[START + 1700 + 30 * n, str(30 * n * a_second)] for n in range(24)]
            s.metrics.append({"metric": {"__name__": metric, **labels}, "values": values})
        s.series("service_latency_seconds", {"namespace": NS, "service": "cart"}, 0.01, 0.4)
        s.labels = {"alertname": "HighLatency", "namespace": NS, "service": "cart"}

    verdict = verdict_of(tmp_path, broken)
    assert (first(verdict)[0] == "cpu_throttling") is bool(cause), verdict.line
