"""What `main` says about the model: key, id, prices, limits; and whether a key can be one at all (API-14: no call)."""

import re
from dataclasses import dataclass, field

from pydantic import SecretStr

from app.domain.frozen import Frozen
from app.domain.plan import Usage

VENDOR_URL = "https://api.anthropic.com"
_VENDOR_KEY = re.compile(r"sk-ant-[A-Za-z0-9_-]{8,}")
_ANY_KEY = re.compile(r"[\x21-\x7e]+")


class Price(Frozen):
    """US dollars per million tokens (COST-01: 3 and 15; COST-02 per thousand)."""

    prompt: float
    completion: float

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1_000_000


# Public list prices; a model that is not here needs its price in the configuration (decision 1).
PRICES = {
    "claude-sonnet-4-6": Price(prompt=3.0, completion=15.0),
    "claude-sonnet-4-5-20250929": Price(prompt=3.0, completion=15.0),
    "claude-sonnet-4-20250514": Price(prompt=3.0, completion=15.0),
    "claude-haiku-4-5-20251001": Price(prompt=1.0, completion=5.0),
    "claude-opus-4-6": Price(prompt=5.0, completion=25.0),
    "claude-3-haiku-20240307": Price(prompt=0.25, completion=1.25),
    "claude-3-opus-20240229": Price(prompt=15.0, completion=75.0),
}


@dataclass(frozen=True)
class ModelConfig:
    """Raises ValueError when the model has no price: a limit in dollars could not be kept.

    `timeout` is seconds per call; `max_tokens`, `max_dollars`, `max_seconds` are per investigation, over all its calls
    and retries (decisions 13, 14; CB-10). `answer_tokens` and `temperature` are LOOP-05.
    """

    api_key: SecretStr
    model: str = "claude-sonnet-4-6"
    base_url: str = ""
    prices: dict[str, Price] = field(default_factory=lambda: dict(PRICES))
    timeout: float = 30.0
    max_tokens: int = 50_000
    max_dollars: float = 0.50
    max_seconds: float = 60.0
    answer_tokens: int = 2000
    temperature: float = 0.0

    def __post_init__(self) -> None:
        if self.model not in self.prices:
            raise ValueError(f"model {self.model!r} has no price: add it to prices, or the limit of {self.max_dollars} dollars cannot be kept")

    @property
    def price(self) -> Price:
        return self.prices[self.model]

    def usage(self, prompt_tokens: int, completion_tokens: int) -> Usage:
        cost = self.price.cost(prompt_tokens, completion_tokens)
        return Usage(prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, cost_usd=cost)

    def key_problem(self) -> str:
        """Why this key cannot work, "" if it may; only the form is looked at, for readiness (decision 5)."""
        key = self.api_key.get_secret_value()
        if not key:
            return "no key is configured"
        if not _ANY_KEY.fullmatch(key):
            return "the key holds blanks or characters that no key has"
        if not self.base_url and not _VENDOR_KEY.fullmatch(key):
            return "the key does not have the form sk-ant-..."
        return ""
