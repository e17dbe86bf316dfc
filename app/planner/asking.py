"""One question to the model, with budget, deadline and retries -> an `Answer` that the journal keeps; called by
`fallback`. The only layer of retries: the vendor's client does none.

Three tries; a transient failure waits 1 s, then 2 s, with jitter, or as long as the vendor says (ERR-11, decision 10).
A malformed answer is told what was wrong, once.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel

from app.domain.errors import ModelFailure
from app.domain.frozen import Frozen, JsonObject
from app.domain.plan import Usage
from app.domain.reason import Reason
from app.planner.config import ModelConfig
from app.planner.spending import Spent, estimate, refusal

TRIES = 3
FIRST_PAUSE = 1.0


class Purpose(StrEnum):
    PLAN = "plan"
    CONCLUDE = "conclude"


@dataclass(frozen=True)
class Question:
    """`answer` is the type the model must fill; `check` says what is wrong with a filled one beyond its type, "" if
    nothing. Neither text holds secrets: both went through the redactor."""

    purpose: Purpose
    instructions: str
    prompt: str
    answer: type[BaseModel]
    check: Callable[[JsonObject], str]

    @property
    def tokens(self) -> int:
        return estimate(self.instructions) + estimate(self.prompt) + estimate(str(self.answer.model_json_schema()))


class Reply(Frozen):
    """What one call brought. `output` is absent when the answer was malformed; then `complaint` says how. Both are
    billed."""

    output: JsonObject | None = None
    complaint: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    request_id: str = ""


class Model(Protocol):
    async def ask(self, question: Question, complaint: str, timeout: float) -> Reply:
        """One call, at most `timeout` seconds; `complaint` is what was wrong with the answer before, "" at first.
        Raises ModelFailure."""

    async def close(self) -> None: ...


class Answer(Frozen):
    """The journal's row of a question (LOG-06): the output, or the reason why there is none."""

    output: JsonObject | None = None
    reason: Reason | None = None
    detail: str = ""
    model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cost_usd: float = 0.0
    latency_ms: int = 0
    attempts: int = 0
    request_id: str = ""

    @property
    def spent(self) -> Spent:
        return Spent(usage=self.usage, seconds=self.latency_ms / 1000)

    @property
    def usage(self) -> Usage:
        return Usage(prompt_tokens=self.prompt_tokens, completion_tokens=self.completion_tokens, cost_usd=self.cost_usd)


@dataclass(frozen=True)
class Pace:
    """Time and chance as arguments: `clock` counts seconds, `jitter` gives 0..1."""

    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    jitter: Callable[[], float]


class Asking:
    """One question in progress."""

    def __init__(self, config: ModelConfig, model: Model, pace: Pace, spent: Spent) -> None:
        self._config, self._model, self._pace = config, model, pace
        self._before, self._usage = spent, Usage()
        self._began = pace.clock()
        self._attempts, self._request_id = 0, ""

    async def ask(self, question: Question) -> Answer:
        """Never raises ModelFailure: a failure is an answer with a reason, so that the journal keeps it too."""
        complaint, failure = "", ModelFailure(Reason.MODEL_UNAVAILABLE, "")
        while self._attempts < TRIES:
            refused = refusal(self._config, self._spent, question.tokens)
            if refused:
                return self._failed(failure if failure.detail else ModelFailure(*refused))
            try:
                reply = await self._once(question, complaint)
            except ModelFailure as caught:
                failure = caught
                if not caught.transient or not await self._pause(caught):
                    break
                continue
            wrong = reply.complaint if reply.output is None else question.check(reply.output)
            if reply.output is not None and not wrong:
                return self._answer(output=reply.output)
            failure = ModelFailure(Reason.MODEL_ANSWER_MALFORMED, wrong)
            if complaint:
                break
            complaint = wrong
        return self._failed(failure)

    @property
    def _spent(self) -> Spent:
        return self._before.plus(Spent(usage=self._usage, seconds=self._pace.clock() - self._began))

    async def _once(self, question: Question, complaint: str) -> Reply:
        self._attempts += 1
        left = self._config.max_seconds - self._spent.seconds
        reply = await self._model.ask(question, complaint, min(self._config.timeout, left))
        self._usage = self._usage.plus(self._config.usage(reply.prompt_tokens, reply.completion_tokens))
        self._request_id = reply.request_id
        return reply

    async def _pause(self, failure: ModelFailure) -> bool:
        """Wait before the next try; False when there is none, or the wait would outlast the time that is left."""
        own = FIRST_PAUSE * 2 ** (self._attempts - 1) * (0.75 + 0.5 * self._pace.jitter())
        pause = max(own, failure.retry_after)
        if self._attempts >= TRIES or pause >= self._config.max_seconds - self._spent.seconds:
            return False
        await self._pace.sleep(pause)
        return True

    def _failed(self, failure: ModelFailure) -> Answer:
        key = self._config.api_key.get_secret_value()
        detail = failure.detail.replace(key, "[key]") if key else failure.detail
        return self._answer(reason=failure.reason, detail=detail[:300])

    def _answer(self, output: JsonObject | None = None, reason: Reason | None = None, detail: str = "") -> Answer:
        return Answer(
            output=output,
            reason=reason,
            detail=detail,
            model=self._config.model,
            prompt_tokens=self._usage.prompt_tokens,
            completion_tokens=self._usage.completion_tokens,
            total_tokens=self._usage.prompt_tokens + self._usage.completion_tokens,
            cost_usd=self._usage.cost_usd,
            latency_ms=round((self._pace.clock() - self._began) * 1000),
            attempts=self._attempts,
            request_id=self._request_id,
        )
