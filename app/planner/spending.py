"""What an investigation has spent on the model, and whether the next call is still affordable; used by `asking` before
every call and by `fallback`, which fills it from the journal, so that a resumed investigation knows what it spent."""

from collections import OrderedDict

from app.domain.frozen import Frozen
from app.domain.plan import Usage
from app.domain.reason import Reason
from app.planner.config import ModelConfig

# An investigation that never concludes leaves its entry behind; the oldest go first.
REMEMBERED = 1000
# With less time than this left, a call is not worth starting.
LEAST_SECONDS = 1.0


class Spent(Frozen):
    """Tokens and dollars by `usage`; `seconds` of waiting for the model, pauses between tries included."""

    usage: Usage = Usage()
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        return self.usage.prompt_tokens + self.usage.completion_tokens

    def plus(self, other: "Spent") -> "Spent":
        return Spent(usage=self.usage.plus(other.usage), seconds=self.seconds + other.seconds)


def estimate(text: str) -> int:
    """Tokens of a text before it is sent: a quarter of its characters (CTX-01)."""
    return len(text) // 4


def refusal(config: ModelConfig, spent: Spent, prompt_tokens: int) -> tuple[Reason, str] | None:
    """Why another call of that size may not be made, None if it may. The answer is counted at its longest."""
    tokens = spent.tokens + prompt_tokens + config.answer_tokens
    if tokens > config.max_tokens:
        return Reason.TOKEN_LIMIT, f"the call might bring the investigation to {tokens} of {config.max_tokens} tokens"
    dollars = spent.usage.cost_usd + config.price.cost(prompt_tokens, config.answer_tokens)
    if dollars > config.max_dollars:
        return Reason.COST_LIMIT, f"the call might bring the investigation to ${dollars:.4f} of ${config.max_dollars:.2f}"
    if config.max_seconds - spent.seconds < LEAST_SECONDS:
        return Reason.TIME_BUDGET, f"{spent.seconds:.0f} of {config.max_seconds:.0f} s for the model are used up"
    return None


class Spending:
    """Spent per investigation, in this process."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, Spent] = OrderedDict()

    def of(self, investigation_id: str) -> Spent:
        return self._of.get(investigation_id, Spent())

    def add(self, investigation_id: str, spent: Spent) -> None:
        self._of[investigation_id] = self.of(investigation_id).plus(spent)
        while len(self._of) > REMEMBERED:
            self._of.popitem(last=False)

    def close(self, investigation_id: str) -> None:
        self._of.pop(investigation_id, None)
