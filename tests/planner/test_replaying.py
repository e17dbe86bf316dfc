"""The replay of the alert's own expression stands first in every plan of an alert that carries one."""

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote_plus

import pytest

from app.agent.filling import fill
from app.domain.alert import Alert, Mark
from app.domain.case import CaseFile
from app.domain.memory import Recalled
from app.domain.plan import DecidedBy
from app.planner.fallback import FallbackPlanner
from app.planner.playbook import load_playbooks
from app.planner.replaying import expression_of, replayed
from app.planner.rules import RulesPlanner
from app.tools.catalogue import ToolsConfig, build_registry
from tests.planner.anthropic_server import Anthropic, Say
from tests.planner.cases import MemoryJournal, a_case, an_alert

RULES = RulesPlanner(load_playbooks())
REGISTRY, _ = build_registry(ToolsConfig())
EXPRESSION = 'sum by (service) (rate(http_errors_total{namespace="shop", path=~"/a+b|%"}[5m])) > 0.05'
URL = f"http://prometheus.monitoring:9090/graph?g0.expr={quote_plus(EXPRESSION)}&g0.tab=1"


def alert(url: str = URL, name: str = "HighErrorRate", **labels: str) -> Alert:
    return an_alert(name, **labels or {"service": "cart"}).model_copy(update={"generator_url": url})


def case(of: Alert, *sources: str) -> CaseFile:
    return a_case(of).model_copy(update={"sources": frozenset(sources or ("kubernetes", "prometheus"))})


@pytest.mark.parametrize("name", ["HighErrorRate", "KubePodCrashLooping", "TargetDown", "SomethingOdd"])
def test_every_plan_begins_with_the_alerts_own_expression(name: str) -> None:
    made = RULES.plan(case(alert(name=name, namespace="shop", pod="cart-1", job="cart", container="app")), Recalled())
    first, rest = made.steps[0], made.steps[1:]
    assert (first.tool, first.args["expression"], first.depends_on) == ("replay_alert", EXPRESSION, ())
    assert first.args["starts_at"] == "2024-01-15T10:30:00Z"
    assert rest == RULES.plan(case(alert("", name, namespace="shop", pod="cart-1", job="cart", container="app")), Recalled()).steps
    assert len({s.id for s in made.steps}) == len(made.steps)


def test_the_tool_takes_the_step_as_it_is() -> None:
    step = RULES.plan(case(alert()), Recalled()).steps[0]
    tool = REGISTRY.get(step.tool)
    assert tool is not None
    taken = tool.arguments.model_validate(fill(step, {})).model_dump()
    assert (taken["expression"], taken["labels"], taken["starts_at"]) == (EXPRESSION, {"service": "cart"}, datetime(2024, 1, 15, 10, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://prometheus/graph",
        "http://prometheus/graph?g0.expr=",
        "http://[::1",
        "not an address at all",
        "http://grafana/alerting/abc/view",
        "http://p/graph?" + "&".join(f"a{n}=1" for n in range(50)) + "&g0.expr=up",
        f"http://p/graph?g0.expr={'x' * 5000}",
    ],
)
def test_an_alert_that_carries_no_expression_changes_nothing(url: str) -> None:
    assert expression_of(alert(url)) == ""
    assert RULES.plan(case(alert(url)), Recalled()) == RULES.plan(case(alert("")), Recalled())


def test_only_the_expression_of_the_address_is_used() -> None:
    step = RULES.plan(case(alert("http://attacker:1/x?g0.expr=up+%3D%3D+0&g1.expr=other#f")), Recalled()).steps[0]
    assert step.args["expression"] == "up == 0"
    assert "attacker" not in step.model_dump_json()


def test_where_prometheus_is_not_configured_nothing_is_replayed() -> None:
    assert "replay_alert" not in [s.tool for s in RULES.plan(case(alert(), "kubernetes"), Recalled()).steps]


def test_a_start_that_is_not_known_is_left_out() -> None:
    unknown = alert().model_copy(update={"marks": (Mark.START_UNKNOWN,)})
    assert "starts_at" not in RULES.plan(case(unknown), Recalled()).steps[0].args


def test_a_plan_that_replays_already_is_left_alone() -> None:
    made = RULES.plan(case(alert()), Recalled())
    assert replayed(made, case(alert())) == made


async def test_a_models_plan_begins_with_it_too(serve: Callable[..., Anthropic], build: Callable[..., FallbackPlanner]) -> None:
    said = {"analysis": "Errors rose.", "tools": [{"name": "check_pods", "parameters": {"namespace": "default"}, "purpose": "see them"}]}
    made = await build(serve(Say(said))).plan(case(alert()), Recalled(), MemoryJournal())
    assert made.decided_by is DecidedBy.MODEL
    assert [(s.id, s.tool) for s in made.steps] == [("s0", "replay_alert"), ("s1", "check_pods")]
