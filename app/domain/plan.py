"""A plan and what became of its steps (requirements API-06, API-07, EXEC-03..08)."""

from enum import StrEnum

from pydantic import Field

from app.domain.frozen import Frozen, JsonObject
from app.domain.reason import Reason
from app.domain.tool import Outcome, StepStatus


class DecidedBy(StrEnum):
    """Who spoke."""

    RULES = "rules"
    MODEL = "model"


class Usage(Frozen):
    """What model calls used; cost by the configured price table (COST-01)."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0

    def plus(self, other: "Usage") -> "Usage":
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cost_usd=self.cost_usd + other.cost_usd,
        )


class Step(Frozen):
    """One tool call to make. `id` is unique in the plan (`s1`, `s2` ...); `depends_on` names step ids. `optional` steps
    may fail without blocking those that depend on them."""

    id: str
    tool: str
    reason: str
    args: JsonObject = Field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    optional: bool = True


class Plan(Frozen):
    """`reasoning` is one sentence. `fallback_reason` says why the model did not speak although one might have."""

    reasoning: str
    steps: tuple[Step, ...]
    decided_by: DecidedBy
    playbook: str = ""
    fallback_reason: Reason | None = None
    usage: Usage = Usage()


class StepUpdate(Frozen):
    """A finished step. `number` counts from 1 over the whole investigation, in the order the steps were planned."""

    number: int
    step: Step
    outcome: Outcome
    next_action: str = ""

    @property
    def status(self) -> StepStatus:
        return self.outcome.status

    @property
    def result_line(self) -> str:
        """One line of text for API-07."""
        if self.outcome.result is not None:
            return self.outcome.result.summary
        return self.outcome.note or (self.outcome.reason.value if self.outcome.reason else "")
