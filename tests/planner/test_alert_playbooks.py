"""The playbooks of single alerts: that each default alert has its own, what it answers, and that every step can be made."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser
import pytest

from app.agent.filling import Unfilled, fill
from app.agent.seen import seen
from app.domain.frozen import JsonObject
from app.domain.memory import Recalled
from app.domain.plan import Plan, StepUpdate
from app.planner.alert_playbooks import AlertPlaybook, AlertPlaybooks
from app.planner.playbook import HOLE, LABEL_HOLES, Template, load_playbooks
from app.planner.rules import RulesPlanner
from app.tools.catalogue import ToolsConfig, build_registry
from app.tools.promql import _narrows, _selectors, checked
from tests.planner.cases import a_case, an_alert, an_update

BOOKS = AlertPlaybooks()
RULES = RulesPlanner(load_playbooks())
REGISTRY, _ = build_registry(ToolsConfig())
MOST_STEPS = 7
# One series per target: what is asked about all targets at once needs no narrowing.
PER_TARGET = {"up", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added"}
# Labels as the default rules put them on alerts about each kind of thing.
VALUES = {"instance": "10.0.0.7:9100", "mountpoint": "/var/lib", "job": "node-exporter", "url": "http://remote:9090/write", "To": "8e9e05c52164694d"}


def books() -> list[AlertPlaybook]:
    return [book for name in BOOKS.names if (book := BOOKS.of(name)) is not None]


@cache
def defaults(shared: Path) -> dict[str, dict[str, Any]]:
    rows = [json.loads(line) for line in (shared / "alert_catalogue.jsonl").read_text().splitlines()]
    return {row["alertname"]: row for row in rows if row["source"] in ("kube-prometheus-stack", "kube-prometheus")}


def filled(step: Template) -> dict[str, Any]:
    """Arguments with every hole and every earlier finding filled by a name that fits."""
    args = {name: "x" if isinstance(value, dict) else value for name, value in step.args.items()}
    return {name: HOLE.sub("Pod" if name == "kind" else "x", value) if isinstance(value, str) else value for name, value in args.items()}


def plan(alert: str, /, **labels: str) -> Plan:
    made = an_alert(alert).model_copy(update={"labels": labels, "service": labels.get("service", "")})
    return RULES.plan(a_case(made), Recalled())


@pytest.mark.shared
def test_every_default_alert_has_a_playbook_of_its_own(shared: Path) -> None:
    alerts = defaults(shared)
    own = [name for name in alerts if BOOKS.of(name) is not None]
    print(f"\ndefault alerts with a playbook of their own: {len(own)}/{len(alerts)}")
    assert len(alerts) == 140 and len(own) == 140
    assert set(BOOKS.names) == set(alerts)


@pytest.mark.shared
def test_every_question_of_the_catalogue_is_answered_by_a_step_or_refused_with_a_reason(shared: Path) -> None:
    answered = refused = 0
    for name, row in defaults(shared).items():
        book = BOOKS.of(name)
        assert book is not None
        numbers = set(range(1, len(row["first_checks"]) + 1))
        by_steps = {number for step in book.steps for number in step.answers}
        assert by_steps | set(book.not_done) == numbers, name
        answered += len(by_steps)
        refused += len(numbers - by_steps)
    print(f"\nquestions answered by a step: {answered}, by a written reason alone: {refused}")
    assert answered > 10 * refused


@pytest.mark.shared
def test_where_the_catalogue_asks_for_a_decision_a_step_says_what_each_finding_means(shared: Path) -> None:
    for name, row in defaults(shared).items():
        book = BOOKS.of(name)
        assert book is not None
        for number, question in enumerate(row["first_checks"], start=1):
            if question.startswith(("Decide", "Branch")) and number not in book.not_done:
                assert any(number in step.answers and len(step.tells) >= 2 for step in book.steps), (name, number)


@pytest.mark.shared
def test_an_alert_with_the_labels_of_its_rule_gets_its_own_plan(shared: Path) -> None:
    for name, row in defaults(shared).items():
        labels = {label: VALUES.get(label, f"{label.lower().replace('_', '-')}-1") for label in row["target_labels"]}
        made = plan(name, **labels)
        assert made.playbook == name and 2 <= len(made.steps) <= MOST_STEPS
        assert len(made.steps) >= len(BOOKS.of(name).steps) - 3, (name, made.reasoning)  # type: ignore[union-attr]


def test_no_two_alerts_are_looked_into_by_the_same_steps() -> None:
    steps = [json.dumps([(s.tool, s.args) for s in book.steps], sort_keys=True) for book in books()]
    assert len(set(steps)) == len(steps) == 140
    templates = [re.sub(r"\s", "", json.dumps([(s.tool, s.args, s.reason) for s in book.steps])) for book in books()]
    assert len(set(templates)) == 140


def test_a_first_plan_is_short_and_says_what_each_step_is_for() -> None:
    for book in books():
        assert 2 <= len(book.steps) <= MOST_STEPS, book.id
        assert len({s.reason for s in book.steps}) == len(book.steps), book.id
        assert all(not s.reason.endswith(".") for s in book.steps) and not book.reasoning.endswith("."), book.id


def test_every_step_only_reads_and_is_taken_by_its_tools_own_arguments() -> None:
    writing = {spec.name for spec in REGISTRY.specs() if spec.writes}
    for book in books():
        for step in book.steps:
            tool = REGISTRY.get(step.tool)
            assert tool is not None and step.tool not in writing, (book.id, step.tool)
            tool.arguments.model_validate(filled(step))


def queries() -> Iterator[tuple[str, str]]:
    for book in books():
        for step in book.steps:
            if step.tool == "query_prometheus":
                yield book.id, str(filled(step)["query"])


def test_every_query_parses_and_each_of_its_selectors_narrows() -> None:
    for alert, query in queries():
        checked(query)
        for selector in _selectors(promql_parser.parse(query)):
            assert selector.name in PER_TARGET or any(_narrows(m) for m in selector.matchers.matchers), (alert, query)


def test_every_label_hole_is_used_by_some_query() -> None:
    used = {hole for book in books() for step in book.steps for hole, _ in HOLE.findall(str(step.args.get("query", "")))}
    assert LABEL_HOLES.keys() <= used


def test_an_own_playbook_goes_before_that_of_the_family() -> None:
    made = plan("KubePodCrashLooping", namespace="shop", pod="cart-1", container="app")
    assert made.playbook == "KubePodCrashLooping"
    assert RULES.choose(a_case(an_alert("KubePodCrashLooping", namespace="shop", pod="cart-1"))).id == "crash"


def test_an_own_playbook_that_the_target_cannot_fill_gives_way_to_the_family() -> None:
    assert plan("KubeNodeReadinessFlapping", namespace="shop", pod="cart-1").playbook == "node"


def test_a_step_filled_by_an_earlier_one_names_it_by_its_id_in_the_plan() -> None:
    made = plan("NodeTextFileCollectorScrapeError", instance="10.0.0.7:9100", job="node-exporter")
    log = next(s for s in made.steps if s.tool == "get_logs")
    assert log.args["pod"] == {"from": "s1", "path": "series.0.metric.pod"} and log.depends_on == ("s1",)


def test_a_matcher_that_the_alert_cannot_fill_is_left_out_of_the_query() -> None:
    named = plan("NodeDiskIOSaturation", instance="10.0.0.7:9100", job="node-exporter", device="sda").steps[0].args["query"]
    plain = plan("NodeDiskIOSaturation", instance="10.0.0.7:9100", job="node-exporter").steps[0].args["query"]
    assert 'device="sda"' in named
    assert plain == 'rate(node_disk_io_time_weighted_seconds_total{instance="10.0.0.7:9100"}[5m])'


@pytest.mark.parametrize("device", ['sda"} or vector(1)', "sd a", "sda\n", "{node}", ""])
def test_a_label_of_another_form_fills_no_query(device: str) -> None:
    made = plan("NodeDiskIOSaturation", instance="10.0.0.7:9100", job="node-exporter", device=device)
    assert all("device" not in str(s.args["query"]) for s in made.steps if "disk_written" in str(s.args.get("query")))


def test_the_error_of_a_scrape_is_read_by_the_job_and_the_instance_of_the_alert() -> None:
    both = [s.args for s in plan("TargetDown", job="cart", instance="[::1]:9100", namespace="shop").steps if s.tool == "check_targets"]
    job = [s.args for s in plan("TargetDown", job="cart", namespace="shop").steps if s.tool == "check_targets"]
    assert (both, job) == ([{"job": "cart", "instance": "[::1]:9100"}], [{"job": "cart"}])
    odd = plan("TargetDown", job="ca rt", instance="10.0.0.1:80", namespace="shop")
    assert "check_targets" not in [s.tool for s in odd.steps]


@pytest.mark.parametrize("alert", ["PrometheusRuleFailures", "PrometheusMissingRuleEvaluations", "Watchdog"])
def test_alerts_about_rules_read_the_rules(alert: str) -> None:
    assert "check_rules" in [s.tool for s in plan(alert, namespace="monitoring", pod="prometheus-0").steps]


def test_an_investigation_parses_the_entry_of_its_alert_alone() -> None:
    own = AlertPlaybooks()
    for _ in range(3):
        RulesPlanner(load_playbooks(), own=own).plan(a_case(an_alert("etcdNoLeader", job="etcd")), Recalled())
    assert own.parsed == 1


def test_an_alert_with_two_playbooks_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text("Same:\n  reasoning: long enough text\n  steps: []\n")
    with pytest.raises(ValueError, match="two playbooks, in a and b"):
        AlertPlaybooks(tmp_path)


def test_a_step_that_is_filled_by_one_it_does_not_wait_for_is_refused() -> None:
    with pytest.raises(ValueError, match="filled by"):
        Template(tool="get_logs", reason="r", args={"pod": {"from": "pods", "path": "pods.0.metadata.name"}})


def found(tool: str, data: JsonObject, plan: Plan) -> StepUpdate:
    """The first step of that tool, done, with that data."""
    step = next(s for s in plan.steps if s.tool == tool)
    update = an_update(1, tool, "read", data=data)
    return update.model_copy(update={"step": step})


def test_a_log_is_read_of_the_pod_that_the_series_named_and_that_pod_is_then_in_scope() -> None:
    made = plan("NodeTextFileCollectorScrapeError", instance="10.0.0.7:9100", job="node-exporter")
    labels = {"namespace": "monitoring", "pod": "exporter-x1", "container": "node-exporter", "instance": "10.0.0.7:9100"}
    data: JsonObject = {"series": [{"name": "value", "query": "q", "metric": labels, "values": [[1700000000, "1"]]}]}
    log = next(s for s in made.steps if s.tool == "get_logs")
    done = {"s1": found("query_prometheus", data, made)}
    assert fill(log, done) == {"namespace": "monitoring", "pod": "exporter-x1", "container": "node-exporter"}
    assert "Pod/monitoring/exporter-x1" in {str(ref) for ref in seen(data).refs}


def test_a_branch_that_found_nothing_is_skipped_with_the_reason() -> None:
    made = plan("NodeTextFileCollectorScrapeError", instance="10.0.0.7:9100", job="node-exporter")
    log = next(s for s in made.steps if s.tool == "get_logs")
    with pytest.raises(Unfilled, match=r"series\.0\.metric\.namespace of step s1, whose result has no such part"):
        fill(log, {"s1": found("query_prometheus", {"series": []}, made)})


@pytest.mark.real
def test_prometheus_itself_takes_every_query(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    rules = [{"record": f"r:{number}", "expr": query} for number, (_, query) in enumerate(queries())]
    (tmp_path / "rules.json").write_text(json.dumps({"groups": [{"name": "playbooks", "rules": rules}]}))
    said = subprocess.run([promtool, "check", "rules", str(tmp_path / "rules.json")], capture_output=True, text=True, check=False)
    assert said.returncode == 0 and f"{len(rules)} rules found" in said.stdout, said.stdout + said.stderr
