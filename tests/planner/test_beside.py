"""Reads that only some installations have come into a plan where they are configured, and nowhere else."""

import pytest

from app.domain.memory import Recalled
from app.domain.plan import Step
from app.planner.playbook import load_playbooks
from app.planner.rules import RulesPlanner
from app.tools.catalogue import ToolsConfig, build_registry
from tests.planner.cases import a_case, an_alert
from tests.planner.test_playbooks import FAMILIES, OWN

RULES = RulesPlanner(load_playbooks())
REGISTRY, _ = build_registry(ToolsConfig())
EVERYTHING = frozenset({"kubernetes", "prometheus", "http", "argocd", "github"})
PROBER = {"job": "blackbox", "instance": "https://shop.example/health/"}


def steps(name: str, labels: dict[str, str], sources: frozenset[str] = EVERYTHING) -> tuple[Step, ...]:
    return RULES.plan(a_case(an_alert(name, **labels)).model_copy(update={"sources": sources}), Recalled()).steps


@pytest.mark.parametrize(("name", "labels", "family"), FAMILIES)
def test_records_of_deliveries_are_read_after_the_rollouts_and_only_where_configured(name: str, labels: dict[str, str], family: str) -> None:
    usual, more = steps(name, labels, frozenset({"kubernetes", "prometheus"})), steps(name, labels)
    tools = [s.tool for s in more]
    assert not {"check_argocd", "check_github_deployments"} & {s.tool for s in usual}
    if "get_recent_deploys" in tools and len(usual) <= 10:
        at = tools.index("get_recent_deploys")
        assert tools[at + 1 : at + 3] == ["check_github_deployments", "check_argocd"] or tools[at + 1 : at + 3] == [
            "check_argocd",
            "check_github_deployments",
        ]
    assert len(more) <= 14
    for step in more:
        tool = REGISTRY.get(step.tool)
        assert tool is not None
        tool.arguments.model_validate({k: "x" if isinstance(v, dict) else v for k, v in step.args.items()})
        assert set(step.depends_on) <= {s.id for s in more[: more.index(step)]}


@pytest.mark.parametrize(
    ("name", "labels", "args"),
    [
        ("ProbeFailed", PROBER, {"target": "https://shop.example/health/"}),
        ("BlackboxProbeHttpFailure", PROBER, {"target": "https://shop.example/health/"}),
        ("SSLCertExpiring", PROBER, {"target": "https://shop.example/health/"}),
        (
            "SSLCertExpiring",
            {**PROBER, "service": "cart", "namespace": "shop"},
            {"namespace": "shop", "service": "cart", "target": "https://shop.example/health/"},
        ),
        ("SSLCertExpiring", {"service": "cart", "namespace": "shop"}, {"namespace": "shop", "service": "cart"}),
        ("IngressCertificateExpiry", {"namespace": "shop", "ingress": "front"}, {"namespace": "shop", "service": "front"}),
        ("KubeletClientCertificateExpiration", {"node": "worker-1"}, {"service": "worker-1"}),
        ("KubeletServerCertificateExpiration", {"node": "worker-1"}, {"service": "worker-1"}),
    ],
)
def test_an_alert_about_a_certificate_or_a_prober_asks_the_endpoint_first(name: str, labels: dict[str, str], args: dict[str, str]) -> None:
    probes = [(n, s.args) for n, s in enumerate(steps(name, labels)) if s.tool == "check_http"]
    assert probes == [(0, args)]
    assert [s.args for s in steps(name, labels, frozenset({"http"})) if s.tool == "check_http"] == [args]
    without = steps(name, labels, frozenset({"kubernetes", "prometheus"}))
    assert [s for s in without if s.tool == "check_http"] == [] or "service" in labels


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("KubePodReadinessProbeFailing", {"namespace": "shop", "pod": "cart-1"}),
        ("HighErrorRate", {"service": "cart"}),
        ("ProbeFailed", {"job": "blackbox", "instance": "https://shop.example/?a=b c"}),
    ],
)
def test_other_alerts_and_addresses_that_no_tool_takes_bring_no_probe(name: str, labels: dict[str, str]) -> None:
    assert "check_http" not in [s.tool for s in steps(name, labels)]


def test_an_alert_about_delivery_asks_the_delivery_tool() -> None:
    assert "check_argocd" in [s.tool for s in steps("ArgoCdAppOutOfSync", {"namespace": "argocd"})]


def test_alerts_with_a_playbook_of_their_own_get_the_same_reads() -> None:
    made = {name: [s.tool for s in steps(name, {"namespace": "shop", "deployment": "cart", "pod": "cart-1", "node": "worker-1"})] for name in OWN}
    asked = [name for name, tools in made.items() if "get_recent_deploys" in tools]
    assert asked and all("check_argocd" in made[name] for name in asked if len(made[name]) < 13)
