"""A running Anthropic server, and planners that talk to it."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from app.planner.asking import Pace
from app.planner.conclusion import Recommend
from app.planner.config import ModelConfig
from app.planner.fallback import FallbackPlanner, ModelAccess
from app.planner.playbook import load_playbooks
from app.planner.questions import Questions
from app.planner.rules import RulesPlanner
from tests.planner.anthropic_server import Anthropic, anthropic_server
from tests.planner.cases import CAUSES, SPECS, spec

KEY = "sk-ant-test-0123456789abcdef"
SECRET = "hunter2-hunter2"


def redact(text: str) -> tuple[str, int]:
    return text.replace(SECRET, "[secret]"), text.count(SECRET)


class Watch:
    """A clock that only pauses move; the pauses are kept."""

    def __init__(self) -> None:
        self.now, self.pauses = 0.0, list[float]()

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    @property
    def pace(self) -> Pace:
        return Pace(clock=lambda: self.now, sleep=self.sleep, jitter=lambda: 0.5)


@pytest.fixture
def serve() -> Iterator[Callable[..., Anthropic]]:
    with anthropic_server() as script:
        yield script


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
async def build(watch: Watch) -> AsyncIterator[Callable[..., FallbackPlanner]]:
    made: list[FallbackPlanner] = []

    def make(api: Anthropic | None, recommend: Recommend | None = None, key: str = KEY, **limits: Any) -> FallbackPlanner:
        rules = RulesPlanner(load_playbooks())
        questions = Questions((*SPECS, spec("restart_pod", "write:pods")), CAUSES, redact)
        access = None
        if api is not None:
            config = ModelConfig(api_key=SecretStr(key), base_url=api.url, **limits)
            access = ModelAccess(config, pace=watch.pace)
        made.append(FallbackPlanner(rules, questions, access, recommend))
        return made[-1]

    yield make
    for planner in made:
        await planner.close()
