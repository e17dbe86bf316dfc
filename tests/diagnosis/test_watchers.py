"""What watches is judged by its own words and series, and named by the operator's object or its workload."""

import asyncio
from pathlib import Path

import pytest

from tests.diagnosis.offline import Offline
from tests.diagnosis.scenes import Scene, ago, shop

BAD_YAML = 'time=%s level=ERROR source=main.go:1219 msg="Error reloading config" err="couldn\'t load configuration: invalid duration"'
OLD_FORM = 'ts=%s caller=coordinator.go:118 level=error component=configuration msg="Loading configuration file failed" file=a.yml err="yaml: line 3"'
OPERATOR = 'level=warn ts=%s caller=resource_selector.go:211 msg="skipping servicemonitor" error="it accesses file system" servicemonitor=shop/web'
VMAGENT = "%s error lib/promscrape/scraper.go:183 cannot reload config from /etc/config/scrape.yaml: cannot unmarshal: line 9"
TIMED_OUT = 'time=%s level=WARN msg="Evaluating rule failed" group=apps err="query timed out in expression evaluation"'
DROPPING = 'time=%s level=WARN component=notifier msg="Alert notification queue full, dropping alerts" num_dropped=200'
SCRAPED = 'time=%s level=INFO msg="Completed loading of configuration file" totalDuration=20ms'


def watching(image: str, line: str, minutes: tuple[int, ...], alert: str, name: str = "watch", labels: dict[str, str] | None = None) -> Scene:
    scene = shop()
    pod = scene.pod("cart")
    scene.box()["image"] = f"quay.example/{image}:v3.6.0"
    pod["metadata"]["labels"] |= labels or {}
    scene.says("\n".join(line % ago(m) for m in minutes))
    scene.labels = {"alertname": alert, "namespace": "shop", "pod": pod["metadata"]["name"]}
    return scene


def first(folder: Path, scene: Scene) -> tuple[str, str]:
    verdict = asyncio.run(Offline(scene.write(folder)).investigate())[0]
    return next(((h.cause, str(h.object)) for h in verdict.hypotheses), ("", ""))


@pytest.mark.parametrize(
    ("image", "line", "alert", "cause"),
    [
        ("prometheus/prometheus", BAD_YAML, "PrometheusBadConfig", "monitoring_misconfigured"),
        ("prometheus/alertmanager", OLD_FORM, "AlertmanagerFailedReload", "monitoring_misconfigured"),
        ("prometheus-operator/prometheus-operator", OPERATOR, "PrometheusOperatorRejectedResources", "monitoring_misconfigured"),
        ("victoriametrics/vmagent", VMAGENT, "ConfigurationReloadFailure", "monitoring_misconfigured"),
        ("prometheus/prometheus", TIMED_OUT, "PrometheusRuleFailures", "monitoring_overloaded"),
        ("prometheus/prometheus", DROPPING, "PrometheusNotificationQueueRunningFull", "monitoring_overloaded"),
        ("prometheus/prometheus", SCRAPED, "PrometheusBadConfig", ""),
    ],
)
def test_what_it_refuses_or_drops_is_in_its_log(image: str, line: str, alert: str, cause: str, tmp_path: Path) -> None:
    assert first(tmp_path, watching(image, line, (8, 5, 2), alert))[0] == cause


def test_a_refusal_of_yesterday_is_none_of_today(tmp_path: Path) -> None:
    assert first(tmp_path, watching("prometheus/prometheus", BAD_YAML, (1500, 1490), "PrometheusBadConfig"))[0] == ""


def test_the_same_words_of_another_program_are_not_those_of_the_monitoring(tmp_path: Path) -> None:
    assert first(tmp_path, watching("shop/cart", BAD_YAML, (8, 5, 2), "ServiceUnavailable"))[0] != "monitoring_misconfigured"


def test_it_is_named_after_the_object_of_its_operator(tmp_path: Path) -> None:
    labels = {"operator.prometheus.io/name": "main"}
    scene = watching("prometheus/prometheus", BAD_YAML, (8, 5), "PrometheusBadConfig", labels=labels)
    assert first(tmp_path, scene) == ("monitoring_misconfigured", "Prometheus/shop/main")


def test_missed_evaluations_and_a_busy_process_are_one_overload(tmp_path: Path) -> None:
    scene = watching("prometheus/prometheus", TIMED_OUT, (8, 5, 2), "PrometheusMissingRuleEvaluations")
    name = scene.pod("cart")["metadata"]["name"]
    labels = {"namespace": "shop", "pod": name, "job": "prometheus"}
    scene.series("prometheus_rule_group_iterations_missed_total", labels, 0, 30)
    scene.series("container_cpu_usage_seconds_total", {"namespace": "shop", "pod": name, "container": "cart"}, 0.2, 3.0)
    assert first(tmp_path, scene) == ("monitoring_overloaded", "Prometheus/shop/cart")
