"""The playbooks and the model's plans against the tools as they are registered: names, argument models, schemas."""

import pytest
from pydantic import SecretStr

from app.agent.ports import Planner
from app.domain.memory import Recalled
from app.planner.answers import PlanCheck
from app.planner.asking import Purpose
from app.planner.config import ModelConfig
from app.planner.fallback import FallbackPlanner, ModelAccess
from app.planner.playbook import load_playbooks
from app.planner.questions import Questions
from app.planner.rules import RulesPlanner
from app.tools.catalogue import ToolsConfig, build_registry
from tests.planner.cases import CAUSES, a_case, an_alert
from tests.planner.test_playbooks import FAMILIES

REGISTRY, _ = build_registry(ToolsConfig())
RULES = RulesPlanner(load_playbooks())


@pytest.mark.parametrize(("name", "labels", "family"), FAMILIES)
def test_every_step_of_the_rules_is_taken_by_the_tools_own_argument_model(name: str, labels: dict[str, str], family: str) -> None:
    made = RULES.plan(a_case(an_alert(name, **labels)), Recalled()).steps
    # what an earlier step fills has a name by then
    steps = [s.model_copy(update={"args": {k: "x" if isinstance(v, dict) else v for k, v in s.args.items()}}) for s in made]
    check = PlanCheck(REGISTRY.specs())
    for step in steps:
        tool = REGISTRY.get(step.tool)
        assert tool is not None, step.tool
        tool.arguments.model_validate(step.args)
    assert check({"tools": [{"name": s.tool, "parameters": s.args, "after": []} for s in steps]}) == ""


def test_every_tool_of_a_playbook_is_registered_under_its_own_name() -> None:
    named = {step.tool for book in load_playbooks() for step in book.steps}
    assert named <= {spec.name for spec in REGISTRY.specs()}


def test_the_question_about_a_plan_stays_within_a_tenth_of_the_token_limit() -> None:
    questions = Questions(REGISTRY.specs(), CAUSES, lambda text: (text, 0))
    case = a_case(an_alert("KubePodCrashLooping", namespace="shop", pod="cart-1"))
    question = questions.plan(case, Recalled(), RULES.plan(case, Recalled()))
    assert question.purpose is Purpose.PLAN and question.tokens < 5000


def test_the_planner_fills_the_agents_port() -> None:
    questions = Questions(REGISTRY.specs(), CAUSES, lambda text: (text, 0))
    planner: Planner = FallbackPlanner(RULES, questions, ModelAccess(ModelConfig(api_key=SecretStr("sk-ant-0123456789"))))
    assert isinstance(planner, FallbackPlanner) and planner.status()["llm_available"] is True


def test_a_model_without_a_price_is_refused_when_it_is_configured() -> None:
    with pytest.raises(ValueError, match="has no price"):
        ModelConfig(api_key=SecretStr("x"), model="unheard-of")
