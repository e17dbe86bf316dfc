"""Which alerts get which first reads, and that the playbooks keep to the tool contract."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.domain.memory import Recalled
from app.domain.plan import DecidedBy, Plan
from app.planner.alert_playbooks import AlertPlaybooks
from app.planner.holes import holes_of
from app.planner.playbook import HOLES, LABEL_HOLES, Playbook, load_playbooks
from app.planner.rules import RulesPlanner
from app.planner.words import words_of
from tests.planner.cases import CONTRACT, a_case, a_past, an_alert

BOOKS = load_playbooks()
OWN = AlertPlaybooks().names
RULES = RulesPlanner(BOOKS, default_namespace="default")
POD = {"namespace": "shop", "pod": "cart-7d9f8b6c5-x2x4z", "container": "app"}
# What decides: words of the name or type, or the kind of the target. One line per family at least.
FAMILIES = [
    ("high_memory", {"service": "web-app"}, "high_memory"),
    ("ContainerHighMemoryUsage", POD, "high_memory"),
    ("high_cpu", {"service": "web-app"}, "high_cpu"),
    ("CPUThrottlingHigh", POD, "high_cpu"),
    ("HighErrorRate", {"service": "web-app"}, "error_rate"),
    ("ServiceErrorSpike", {"namespace": "shop"}, "error_rate"),
    ("TraefikHighHttp5xxErrorRateService", {"service": "web-app"}, "error_rate"),
    ("ServiceLatencyHigh", {"namespace": "shop"}, "latency"),
    ("high_latency", {"service": "web-app"}, "latency"),
    ("KubePodCrashLooping", POD, "crash"),
    ("KubernetesPodCrashLooping", POD, "crash"),
    ("ServiceRestarting", {"namespace": "shop"}, "crash"),
    ("ContainerOomKilled", POD, "oom_killed"),
    ("KubernetesPodImagePullBackOff", POD, "image_pull"),
    ("image_pull_error", POD, "image_pull"),
    ("KubernetesPodPending", POD, "pending"),
    ("PodUnschedulable", POD, "pending"),
    ("KubePodNotReady", POD, "not_ready"),
    ("KubeContainerWaiting", POD, "not_ready"),
    ("NodeNotReady", {"node": "worker-1"}, "node"),
    ("KubeNodeNotReady", {"node": "worker-1"}, "node"),
    ("NodeResourceSaturation", {"namespace": "shop"}, "node"),
    ("HighMemory", {"node": "worker-1"}, "node"),
    ("KubePersistentVolumeFillingUp", {"namespace": "shop", "persistentvolumeclaim": "data-0"}, "volume"),
    ("disk_full", {"service": "web-app"}, "disk"),
    ("TargetDown", {"job": "api", "instance": "10.0.0.1:8080"}, "target_down"),
    ("KubeJobFailed", {"namespace": "shop", "job_name": "import-1"}, "job_failed"),
    ("KubeDeploymentReplicasMismatch", {"namespace": "shop", "deployment": "cart"}, "rollout"),
    ("KubeDeploymentRolloutStuck", {"namespace": "shop", "deployment": "cart"}, "rollout"),
    ("KubeHpaReplicasMismatch", {"namespace": "shop", "horizontalpodautoscaler": "cart"}, "hpa"),
    ("KubeQuotaExceeded", {"namespace": "shop", "resourcequota": "compute"}, "quota"),
    ("ServiceUnavailable", {"namespace": "shop"}, "unavailable"),
    ("ServicePartiallyUnreachable", {"namespace": "shop"}, "unavailable"),
    ("NetworkQualityDegraded", {"namespace": "shop"}, "unavailable"),
    ("TrafficAnomaly", {"namespace": "shop"}, "traffic"),
    ("ServiceThroughputDrop", {"namespace": "shop"}, "traffic"),
    ("SslCertificateExpired", {"service": "web-app"}, "certificate"),
    ("RabbitmqQueueFillingUp", {"service": "web-app"}, "queue"),
    ("KafkaConsumersGroupLag", {"service": "web-app"}, "queue"),
    ("SmartDeviceTemperatureWarning", {"instance": "10.0.0.7:9633", "job": "smartctl-exporter"}, "hardware"),
    ("IpmiFanSpeedZero", {"node": "worker-1"}, "hardware"),
    ("LokiConfigReloadFailure", {"service": "web-app"}, "configuration"),
    ("RedisReplicationBroken", {"service": "web-app"}, "cluster_state"),
    ("ConsulHasNoRaftLeader", {"namespace": "shop"}, "cluster_state"),
    ("MimirIngesterTsdbWalCorrupted", {"namespace": "shop", "pod": "ingester-0"}, "storage_engine"),
    ("JvmThreadsBlocked", {"service": "web-app"}, "saturation"),
    ("CiliumAgentBpfMapPressure", {"namespace": "kube-system"}, "saturation"),
    ("OpentelemetryCollectorExporterFailedSpans", {"service": "web-app"}, "failing_work"),
    ("CiliumAgentEndpointFailures", {"namespace": "kube-system"}, "failing_work"),
    ("SomethingOdd", {"service": "web-app"}, "general"),
    ("KubernetesScheduledHealthCheck", {"namespace": "shop"}, "general"),
]


def plan(name: str, labels: dict[str, str], recalled: Recalled | None = None) -> Plan:
    return RULES.plan(a_case(an_alert(name, **labels)), recalled or Recalled())


@pytest.mark.parametrize(("name", "labels", "family"), FAMILIES)
def test_an_alert_gets_the_playbook_of_its_mechanism(name: str, labels: dict[str, str], family: str) -> None:
    made = plan(name, labels)
    assert RULES.choose(a_case(an_alert(name, **labels))).id == family
    assert (made.playbook, made.decided_by) == (name if name in OWN else family, DecidedBy.RULES)
    assert made.steps


def test_every_playbook_is_met_by_one_of_these_alerts() -> None:
    assert {book.id for book in BOOKS} == {family for _, _, family in FAMILIES}


# covers PLAN-03, PLAN-04
def test_high_memory_is_looked_into_in_exactly_three_steps() -> None:
    made = plan("high_memory", {"service": "web-app"})
    assert [(s.tool, s.reason) for s in made.steps] == [
        ("check_pods", "Verify pod health"),
        ("get_metrics", "Analyze memory usage"),
        ("check_events", "Look for OOM events"),
    ]
    assert made.steps[0].args == {"namespace": "default", "service": "web-app"}
    assert [s.id for s in made.steps] == ["s1", "s2", "s3"]


# covers LOOP-14
def test_an_unknown_alert_is_worked_from_the_outside_in() -> None:
    tools = [s.tool for s in plan("SomethingOdd", POD).steps]
    order = ["check_pods", "describe_pod", "get_logs", "get_recent_deploys", "check_events", "get_metrics"]
    assert [t for t in tools if t in order] == order
    assert plan("SomethingOdd", {"service": "web-app"}).steps[0].tool == "check_service_health"


# covers LOOP-26
def test_latency_goes_through_the_checklist() -> None:
    made = plan("high_latency", {"service": "web-app"})
    said = " ".join([made.reasoning, *(s.reason for s in made.steps)]).lower()
    assert all(word in said for word in ("widespread or one endpoint", "deployment", "database", "dependencies", "cpu", "memory", "connections"))


# covers PLAN-10, API-06
def test_a_plan_is_one_sentence_and_steps_with_tool_and_reason() -> None:
    for name, labels, _ in FAMILIES:
        made = plan(name, labels)
        assert made.reasoning.endswith(".") and ". " not in made.reasoning and "\n" not in made.reasoning
        assert all(s.tool and s.reason for s in made.steps)


# covers LOOP-15
def test_a_close_past_case_is_named_in_the_plan_and_a_distant_one_is_not() -> None:
    near = plan("high_memory", {"service": "web-app"}, a_past(0.93)).reasoning
    assert "0.93" in near and "memory limit too low" in near and "same cause" in near
    assert "past case" not in plan("high_memory", {"service": "web-app"}, a_past(0.4)).reasoning


def test_a_step_that_the_target_cannot_fill_is_left_out_with_a_written_reason() -> None:
    made = plan("SomethingOdd", {"service": "web-app"})
    assert "describe_pod" not in [s.tool for s in made.steps]
    assert "left out describe_pod, get_logs, for the target names no pod" in made.reasoning


def test_an_argument_that_the_target_cannot_fill_makes_the_step_wider() -> None:
    made = plan("ServiceRestarting", {"namespace": "shop"})
    assert made.steps[0].args == {"namespace": "shop"}


def test_the_log_of_the_alerts_own_pod_is_read_instead_of_the_worst_ones() -> None:
    of_pod = [s for s in plan("ConsulAgentUnhealthy", POD).steps if s.tool == "get_logs"]
    of_service = plan("ConsulAgentUnhealthy", {"service": "web-app"})
    worst = [s for s in of_service.steps if s.tool == "get_logs"]
    assert [s.args["pod"] for s in of_pod] == [POD["pod"]]
    assert [s.args["pod"] for s in worst] == [{"from": "s2", "path": "pods.0.metadata.name"}]
    assert "left out" not in of_service.reasoning


def test_a_node_without_a_namespace_is_not_looked_for_in_the_default_namespace() -> None:
    made = plan("NodeNotReady", {"node": "worker-1"})
    assert made.steps[0].args == {"node": "worker-1"}
    assert [s.args for s in made.steps if s.tool == "check_pods"] == [{"node": "worker-1"}]


def test_a_pod_is_read_through_its_workload_when_the_alert_names_it() -> None:
    made = plan("KubePodCrashLooping", {**POD, "deployment": "cart", "pod": "cart-7d9f8b6c5-x2x4z"})
    assert made.steps[0].args == {"namespace": "shop", "workload": "cart"}
    assert next(s for s in made.steps if s.tool == "get_logs").args["previous"] is True


def test_a_label_with_quotes_cannot_leave_its_place_in_a_query() -> None:
    case = a_case(an_alert("ExporterDown", job="api", instance="10.0.0.1:8080"))
    odd = case.target.ref.model_copy(update={"name": 'api"} or vector(1)/x\\'})
    case = case.model_copy(update={"target": case.target.model_copy(update={"ref": odd})})
    queries = [s.args["query"] for s in RULES.plan(case, Recalled()).steps if s.tool == "query_prometheus"]
    assert queries[0] == 'up{job="api\\"} or vector(1)",instance="x\\\\"}'


def test_metrics_are_asked_who_calls_whom_where_the_configured_map_does_not_know_the_target() -> None:
    def asked(name: str, callees: dict[str, tuple[str, ...]], *sources: str) -> bool:
        case = a_case(an_alert(name, service="web-app", namespace="shop")).model_copy(update={"callees": callees, "sources": frozenset(sources)})
        return "get_service_map" in [s.tool for s in RULES.plan(case, Recalled()).steps]

    for name in ("high_latency", "HighErrorRate", "ServiceUnavailable"):
        assert asked(name, {}, "kubernetes", "prometheus")
        assert asked(name, {"front": ("cart",)}, "prometheus")
        assert not asked(name, {"front": ("web-app",)}, "prometheus")
        assert not asked(name, {"web-app": ("store",)}, "prometheus")
        assert not asked(name, {}, "kubernetes")


def test_service_names_never_choose_the_playbook() -> None:
    for name, labels, _ in FAMILIES:
        if "service" in labels:
            assert plan(name, {**labels, "service": "memory-latency-crash-node"}).playbook == plan(name, labels).playbook


def test_the_same_case_gives_the_same_plan_byte_for_byte() -> None:
    for name, labels, _ in FAMILIES:
        again = RulesPlanner(load_playbooks())
        case = a_case(an_alert(name, **labels))
        assert RULES.plan(case, a_past(0.9)).model_dump_json() == again.plan(case, a_past(0.9)).model_dump_json()


def test_every_step_names_a_tool_of_the_contract_and_only_its_arguments() -> None:
    for book in BOOKS:
        for step in book.steps:
            required, other = CONTRACT[step.tool]
            assert set(required) <= set(step.args) <= {*required, *other}, (book.id, step.tool)


def test_no_plan_asks_the_same_thing_twice_and_none_is_longer_than_a_session_allows() -> None:
    for name, labels, _ in FAMILIES:
        asked = [(s.tool, json.dumps(s.args, sort_keys=True)) for s in plan(name, labels).steps]
        assert len(set(asked)) == len(asked) <= 10


def test_every_hole_is_one_that_a_target_may_fill() -> None:
    filled: set[str] = set()
    for name, labels, _ in FAMILIES:
        filled |= set(holes_of(a_case(an_alert(name, **labels)), "default"))
    assert filled - LABEL_HOLES.keys() == HOLES


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id: x\norder: 1\nreasoning: long enough text\nsteps: [{tool: t, reason: r, args: {a: '{podd}'}}]", "unknown holes"),
        ("id: x\norder: 1\nreasoning: long enough text\nsteps: [{tool: t, reason: r, after: [u]}]", "not above it"),
        ("id: x\norder: 1\nreasoning: long enough text\nsteps: []", "at least 1"),
        ("id: x\norder: 1\nreasoning: long enough text\nwods: [a]\nsteps: [{tool: t, reason: r}]", "Extra inputs"),
    ],
)
def test_a_wrong_playbook_is_refused_when_it_is_read(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(ValidationError, match=said):
        load_playbooks(tmp_path)


def test_playbooks_need_a_last_one_for_everything_else(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("id: x\norder: 1\nwords: [a]\nreasoning: long enough text\nsteps: [{tool: t, reason: r}]")
    with pytest.raises(ValueError, match="apply to everything"):
        load_playbooks(tmp_path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("KubePodCrashLooping", {"kube", "pod", "crash", "looping"}),
        ("OOMKilled", {"oom", "killed"}),
        ("high_memory", {"high", "memory"}),
        ("CPUThrottlingHigh", {"cpu", "throttling", "high"}),
        ("Http5xxErrors", {"http", "5xx", "errors"}),
    ],
)
def test_names_of_every_habit_become_words(name: str, words: set[str]) -> None:
    assert words_of(name) == words


# covers PLAN-03
def test_the_rules_import_no_model_client() -> None:
    code = (
        "import sys; from app.planner.fallback import FallbackPlanner; from app.planner.rules import RulesPlanner;"
        "from app.planner.playbook import load_playbooks; RulesPlanner(load_playbooks());"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'anthropic', 'pydantic_ai', 'openai', 'httpx2'}))"
    )
    found = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


# The whole catalogue of public alerts: mechanism words must reach nearly all of them, and no group of rules is left to the general method.
@pytest.mark.shared
def test_most_alerts_of_the_public_catalogue_get_a_playbook_of_their_own(shared: Path) -> None:
    names = {json.loads(line)["alertname"] for line in (shared / "alert_catalogue.jsonl").read_text().splitlines()}
    books = {name: RULES.choose(a_case(an_alert(name, service="x"))) for name in sorted(names)}
    general = [name for name, book in books.items() if book.id == "general"]
    print(f"\nalerts of the catalogue that fall to the general method: {len(general)} of {len(names)}")
    assert len(general) / len(names) < 0.1
    assert [name for name in general if name.startswith("Kube") and name not in OWN] == ["KubernetesApiServerTerminatingRequests"]


def test_a_playbook_without_conditions_applies_to_everything() -> None:
    last = BOOKS[-1]
    assert isinstance(last, Playbook) and last.applies(frozenset(), "Anything")
