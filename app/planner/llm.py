"""The model behind pydantic-ai, on the Anthropic Messages API. Imported only when a key is configured (1.4 s of import):
`fallback` opens it on the first question. One call, no retries: those are `asking`'s.
"""

import asyncio
import warnings

import anthropic
import structlog
from anthropic.resources.messages import DEPRECATED_MODELS
from pydantic import BaseModel
from pydantic_ai import Agent, ToolOutput, capture_run_messages
from pydantic_ai.exceptions import (
    AgentRunError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelOverloadedError,
    ModelRateLimitError,
    ModelServerError,
    ModelTimeoutError,
    ModelUnavailableError,
)
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RunUsage, UsageLimits

from app.domain.errors import ModelFailure
from app.domain.frozen import JsonObject
from app.domain.reason import Reason
from app.planner.asking import Question, Reply
from app.planner.config import VENDOR_URL, ModelConfig

log = structlog.get_logger(__name__)
# The first that fits names the failure; the flag says whether trying again may help.
FAILURES: tuple[tuple[type[ModelAPIError], Reason, bool], ...] = (
    (ModelAuthenticationError, Reason.MODEL_AUTHENTICATION, False),
    (ModelRateLimitError, Reason.MODEL_RATE_LIMIT, True),
    (ModelOverloadedError, Reason.MODEL_OVERLOADED, True),
    (ModelTimeoutError, Reason.MODEL_TIMEOUT, True),
    (ModelUnavailableError, Reason.MODEL_UNAVAILABLE, True),
    (ModelServerError, Reason.MODEL_UNAVAILABLE, True),
    (ModelConnectionError, Reason.MODEL_UNAVAILABLE, True),
    (ModelAPIError, Reason.MODEL_UNAVAILABLE, False),
)


class Claude:
    """Fills `Model` of `asking`."""

    def __init__(self, config: ModelConfig) -> None:
        if config.model in DEPRECATED_MODELS:
            # Said once in our log, instead of by the client as a Python warning at every call.
            log.warning("model_deprecated", model=config.model, ends=DEPRECATED_MODELS[config.model])
            warnings.filterwarnings("ignore", message="The model .* is deprecated", category=DeprecationWarning)
        self._client = anthropic.AsyncAnthropic(
            api_key=config.api_key.get_secret_value(), base_url=config.base_url or VENDOR_URL, max_retries=0, timeout=config.timeout
        )
        self._model = AnthropicModel(config.model, provider=AnthropicProvider(anthropic_client=self._client))
        self._settings = ModelSettings(
            max_tokens=config.answer_tokens,
            temperature=config.temperature,
            framing_announcement="never",  # we use none of the library's <system> blocks, so nothing may speak through one
        )

    async def ask(self, question: Question, complaint: str, timeout: float) -> Reply:
        agent: Agent[object, BaseModel] = Agent(
            self._model,
            output_type=ToolOutput(question.answer, name=question.purpose.value, description=question.answer.__doc__),
            instructions=question.instructions,
            model_settings=ModelSettings(**self._settings, timeout=timeout),
            retries=0,
        )
        prompt = f"{question.prompt}\n\nYour last answer was refused: {complaint}" if complaint else question.prompt
        usage = RunUsage()
        with capture_run_messages() as seen:
            try:
                async with asyncio.timeout(timeout):
                    result = await agent.run(prompt, usage=usage, usage_limits=UsageLimits(request_limit=1))
            except TimeoutError as error:
                raise ModelFailure(Reason.MODEL_TIMEOUT, f"no answer within {timeout:g} s", transient=True) from error
            except ModelAPIError as error:
                if type(error) is ModelAPIError:  # no category and no status: the body could not be read
                    return _reply(usage, seen, complaint="the response was no JSON")
                raise failure_of(error) from error
            except AgentRunError as error:
                return _reply(usage, seen, complaint=f"{error.message}: {error.__cause__ or ''}"[:500])
            except (AttributeError, KeyError, TypeError, ValueError) as error:  # JSON, but no message: the client trips over it
                return _reply(usage, seen, complaint=f"the response was no message ({type(error).__name__})")
        return _reply(usage, seen, output=result.output.model_dump(mode="json"))

    async def close(self) -> None:
        await self._client.close()


def _reply(usage: RunUsage, seen: list[ModelMessage], output: JsonObject | None = None, complaint: str = "") -> Reply:
    ids = [m.provider_response_id for m in seen if isinstance(m, ModelResponse)]
    return Reply(
        output=output,
        complaint=complaint,
        prompt_tokens=usage.input_tokens,
        completion_tokens=usage.output_tokens,
        request_id=next((i for i in ids if i), ""),
    )


def failure_of(error: ModelAPIError) -> ModelFailure:
    """The vendor's failure in our words; its own text is not repeated beyond its type, it may echo the prompt."""
    reason, transient = next((r, t) for kind, r, t in FAILURES if isinstance(error, kind))
    status = getattr(error, "status_code", "")
    detail = " ".join(str(part) for part in (reason.value.replace("_", " "), status, error.provider_error_type or "") if part)
    return ModelFailure(reason, detail, transient=transient, retry_after=error.retry_after or 0.0)
