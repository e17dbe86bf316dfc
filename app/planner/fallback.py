"""Who plans and who concludes: the model where one is configured, affordable and right, else the rules, with the reason.

Fills `Planner` of `agent/ports.py`; built by `main`. The boundary of the planner: whatever goes wrong with a model
becomes a reason, in the trail, the log, the metrics and `/health`; the journal's own failures pass through.
"""

import asyncio
import hashlib
import random
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from pydantic import SecretStr, ValidationError

from app.domain.case import CaseFile
from app.domain.errors import ModelFailure
from app.domain.frozen import JsonObject
from app.domain.memory import Recalled
from app.domain.plan import Plan, Usage
from app.domain.ports import Journal
from app.domain.reason import Reason
from app.domain.trail import EventType
from app.domain.verdict import Verdict, VerdictState, as_json
from app.planner.answers import plan_of
from app.planner.asking import Answer, Asking, Model, Pace, Question
from app.planner.conclusion import Merging, Recommend, conclusion_of
from app.planner.config import ModelConfig, Price
from app.planner.data_block import quotable
from app.planner.prompts import VERSION
from app.planner.questions import Questions
from app.planner.replaying import replayed
from app.planner.rules import RulesPlanner
from app.planner.spending import Spending, refusal
from app.telemetry import metrics

log = structlog.get_logger(__name__)


def open_claude(config: ModelConfig) -> Model:
    """Imports the vendor's client: 1.4 s, so off the event loop and only when it is needed."""
    from app.planner.llm import Claude  # noqa: PLC0415

    return Claude(config)


def _pace() -> Pace:
    return Pace(clock=time.monotonic, sleep=asyncio.sleep, jitter=random.random)


@dataclass(frozen=True)
class ModelAccess:
    """How to reach the model. Tests hand in another `open` or `pace`."""

    config: ModelConfig
    open: Callable[[ModelConfig], Model] = open_claude
    pace: Pace = field(default_factory=_pace)


class Silence(ModelFailure):
    """The model did not speak; `usage` is what the try cost. It never leaves this module."""

    def __init__(self, reason: Reason, detail: str, usage: Usage | None = None) -> None:
        super().__init__(reason, detail)
        self.usage = usage or Usage()


@contextmanager
def _boundary(reason: Reason) -> Iterator[None]:
    """The one place where anything that goes wrong around a model becomes a reason. Cancellation passes."""
    try:
        yield
    except Silence:
        raise
    except Exception as error:
        log.error("planner_error", where=traceback.format_exc(limit=-6))
        raise Silence(reason, f"{type(error).__name__} in the planner") from error


class FallbackPlanner:
    def __init__(self, rules: RulesPlanner, questions: Questions, access: ModelAccess | None = None, recommend: Recommend | None = None) -> None:
        self._rules, self._questions, self._access, self._recommend = rules, questions, access, recommend
        self._spending = Spending()
        self._opening = asyncio.Lock()
        self._model: Model | None = None
        self._last = _unfit(access)
        if self._last is not None:
            _warn(*self._last)

    async def plan(self, case: CaseFile, recalled: Recalled, journal: Journal) -> Plan:
        plan = rules = self._rules.plan(case, recalled)
        detail = ""
        try:
            config = await self._fit(journal)
            with _boundary(Reason.MODEL_UNAVAILABLE):
                question = self._questions.plan(case, recalled, rules)
            answer = await self._ask(case.investigation_id, question, config, journal)
            with _boundary(Reason.MODEL_ANSWER_MALFORMED):
                plan = replayed(plan_of(answer.output or {}, answer.usage).model_copy(update={"playbook": rules.playbook}), case)
        except Silence as silence:
            plan = rules.model_copy(update={"fallback_reason": silence.reason, "usage": silence.usage})
            detail = silence.detail
        decided = _decision(plan.decided_by.value, plan.fallback_reason, detail)
        metrics.planner_decisions_total.labels(metrics.AGENT_NAME, decided["decided_by"], decided["fallback_reason"]).inc()
        await journal.note(EventType.DECISION, "planner:plan", {**decided, "playbook": plan.playbook})
        return plan

    async def conclude(self, case: CaseFile, verdict: Verdict, recalled: Recalled, journal: Journal) -> Verdict:
        """No question is asked where the rules found health, which is not argued with, or where nothing can be cited."""
        final, detail = verdict, ""
        try:
            if verdict.state is not VerdictState.NOT_A_PROBLEM and (verdict.evidence or quotable(case)):
                config = await self._fit(journal)
                with _boundary(Reason.MODEL_UNAVAILABLE):
                    question = self._questions.conclude(case, recalled, verdict)
                answer = await self._ask(case.investigation_id, question, config, journal)
                with _boundary(Reason.MODEL_ANSWER_MALFORMED):
                    final = self._merged(case, verdict, answer)
        except Silence as silence:
            final = verdict.model_copy(update={"fallback_reason": silence.reason, "usage": verdict.usage.plus(silence.usage)})
            detail = silence.detail
        self._spending.close(case.investigation_id)
        decided = _decision(final.decided_by.value, final.fallback_reason, detail)
        await journal.note(EventType.DECISION, "planner:conclude", {**decided, "state": final.state.value})
        return final

    def status(self) -> JsonObject:
        """For `/health` (API-11): the form of the key and how the last call went, no call of its own."""
        reason, detail = (self._last[0].value, self._last[1]) if self._last else ("", "")
        return {"llm_available": not reason, "using_fallback": bool(reason), "fallback_reason": reason, "detail": detail}

    async def close(self) -> None:
        if self._model is not None:
            await self._model.close()
            self._model = None

    async def _fit(self, journal: Journal) -> ModelConfig:
        """Whether a model may be asked is a fact of the first run: a run after it, and a replay where no key is, go by it.
        Raises Silence."""

        async def look() -> JsonObject:
            reason, detail = _unfit(self._access) or ("", "")
            return {"reason": str(reason), "detail": detail, "model": self._access.config.model if self._access else ""}

        said, _ = await journal.call(EventType.DECISION, "planner:model", {}, look)
        if said["reason"]:
            raise Silence(Reason(said["reason"]), said["detail"])
        return self._config(said["model"])

    def _config(self, model: str) -> ModelConfig:
        """Ours if it is of that model; else one that holds its name and no key."""
        if self._access is not None and self._access.config.model == model:
            return self._access.config
        return ModelConfig(SecretStr(""), model, prices={model: Price(prompt=0, completion=0)})

    def _merged(self, case: CaseFile, verdict: Verdict, answer: Answer) -> Verdict:
        said = conclusion_of(answer.output or {})
        if said is None:
            why = f"{verdict.confidence_reason}; the model names no cause"
            return verdict.model_copy(update={"confidence_reason": why, "usage": verdict.usage.plus(answer.usage)})
        return Merging(case, verdict, quotable(case), self._recommend).verdict(said, answer.usage)

    async def _ask(self, investigation_id: str, question: Question, config: ModelConfig, journal: Journal) -> Answer:
        """The model's checked answer, from the journal if it is there. Raises Silence."""
        access = self._access
        spent = self._spending.of(investigation_id)
        refused = refusal(config, spent, question.tokens)
        if refused:
            _warn(*refused)
            raise Silence(*refused)

        async def run() -> JsonObject:
            try:
                if access is None or access.config is not config:
                    raise Silence(Reason.NO_KEY, f"no key is configured for {config.model} any more")
                with _boundary(Reason.MODEL_UNAVAILABLE):
                    asking = Asking(config, await self._opened(access), access.pace, spent)
                    return as_json(await asking.ask(question))
            except Silence as silence:
                return as_json(Answer(reason=silence.reason, detail=silence.detail, model=config.model))

        key, asked = _asked(question, config)
        row, replayed = await journal.call(EventType.LLM_CALL, key, asked, run)
        answer = Answer.model_validate(row)
        self._spending.add(investigation_id, answer.spent)
        _count(answer, replayed)
        if answer.reason is None:
            answer = _checked(question, answer)
        if answer.reason is not None:
            await self._failed(key, answer, journal, replayed)
        elif not replayed:
            self._last = None
        return answer

    async def _failed(self, key: str, answer: Answer, journal: Journal, replayed: bool) -> None:
        reason = answer.reason or Reason.MODEL_UNAVAILABLE
        said = {"reason": reason.value, "detail": answer.detail, "attempts": answer.attempts, "model": answer.model}
        await journal.note(EventType.API_ERROR, f"{key}:error", said)
        if not replayed:
            _warn(reason, answer.detail)
            self._last = (reason, answer.detail)
        raise Silence(reason, answer.detail, answer.usage)

    async def _opened(self, access: ModelAccess) -> Model:
        async with self._opening:
            if self._model is None:
                self._model = await asyncio.to_thread(access.open, access.config)
            return self._model


def _unfit(access: ModelAccess | None) -> tuple[Reason, str] | None:
    """Why no question can be asked at all."""
    if access is None:
        return Reason.NO_KEY, "no key is configured"
    problem = access.config.key_problem()
    return (Reason.MODEL_AUTHENTICATION, problem) if problem else None


def _checked(question: Question, answer: Answer) -> Answer:
    """The answer again, or as a malformed one: a journal's row may be older than the lists it is checked by."""
    try:
        wrong = question.check(question.answer.model_validate(answer.output).model_dump(mode="json"))
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]["msg"]
    return answer.model_copy(update={"reason": Reason.MODEL_ANSWER_MALFORMED, "detail": wrong}) if wrong else answer


def _asked(question: Question, config: ModelConfig) -> tuple[str, JsonObject]:
    """-> (journal key, what the trail keeps of the question). The key changes with anything that is asked."""
    words = "\x00".join((question.instructions, question.prompt, str(question.answer.model_json_schema())))
    digest = hashlib.sha256(words.encode()).hexdigest()[:16]
    asked = {"purpose": question.purpose.value, "model": config.model, "prompt_version": VERSION, "prompt": question.prompt, "digest": digest}
    limits = {"max_tokens": config.answer_tokens, "temperature": config.temperature, "estimated_tokens": question.tokens}
    return f"llm:{question.purpose.value}:{config.model}:{digest}", {**asked, **limits}


def _decision(decided_by: str, reason: Reason | None, detail: str) -> JsonObject:
    said = f"LLM failed: {detail}, using fallback" if reason else ""
    return {"decided_by": decided_by, "fallback_reason": reason.value if reason else "", "detail": said}


def _warn(reason: Reason, detail: str) -> None:
    log.warning(f"LLM failed: {detail or reason.value}, using fallback", reason=reason.value)


def _count(answer: Answer, replayed: bool) -> None:
    """LOG-06, MET-04, MET-05, MET-07; what the journal answered costs nothing a second time. Purpose, tries and cost are in
    the trail."""
    numbers = answer.model_dump(include={"model", "prompt_tokens", "completion_tokens", "total_tokens", "latency_ms"})
    log.info("llm_call", cache_hit=replayed, **numbers)
    if replayed:
        metrics.cache_hits_total.labels(metrics.AGENT_NAME, "exact").inc()
    else:
        metrics.tokens_total.labels(metrics.AGENT_NAME, answer.model, "prompt").inc(answer.prompt_tokens)
        metrics.tokens_total.labels(metrics.AGENT_NAME, answer.model, "completion").inc(answer.completion_tokens)
        metrics.api_cost_dollars.labels(metrics.AGENT_NAME, answer.model).inc(answer.cost_usd)
