"""The one place where parts meet: settings in; everything built, connected, started in order and stopped in reverse.

`build` connects nothing. `Application.start` runs inside the event loop that serves: DBOS must share it.
"""

import functools
import importlib.metadata
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import structlog
from fastapi import FastAPI
from pydantic import SecretStr

from app.agent.agent import InfrastructureAgent
from app.agent.parts import AgentParts
from app.controller.app_factory import create_app
from app.controller.checks import answers, disk_space, no_problem, writable
from app.controller.parts import ControllerParts, Limits
from app.controller.ports import HealthCheck, LlmStatus
from app.diagnosis.causes import CAUSES
from app.diagnosis.diagnosis import RulesDiagnosis
from app.diagnosis.recommend import recommend
from app.domain.errors import CannotStart, blaming
from app.domain.frozen import Clock, NewId
from app.domain.grouping import target_key
from app.domain.limits import SessionLimits
from app.domain.ports import WorkingMemory
from app.domain.reason import Reason
from app.domain.redaction import redact
from app.domain.service_map import read_service_map
from app.domain.tool import ToolSpec
from app.memory.embedder import choose_embedder
from app.memory.episodic import EpisodicMemory
from app.memory.memory import TwoLayerMemory
from app.memory.working_redis import RedisWorkingMemory
from app.memory.working_sqlite import SqliteWorkingMemory
from app.notify.log import LogChannel
from app.notify.notices import Notices
from app.notify.outbox import Drain
from app.notify.ports import Channel
from app.notify.webhook import WebhookChannel, WebhookTarget
from app.planner.config import PRICES, ModelConfig, Price
from app.planner.fallback import FallbackPlanner, ModelAccess
from app.planner.playbook import load_playbooks
from app.planner.questions import Questions
from app.planner.rules import RulesPlanner
from app.runtime.dbos_engine import DbosEngine, EngineOptions
from app.runtime.identity import Identity, identity
from app.runtime.reaper import Reaper
from app.runtime.service import Service
from app.runtime.upkeep import Keep, Upkeep
from app.runtime.workflows import Runner
from app.safety.executor import SafeExecutor, SafetyParts
from app.settings import Settings, variable
from app.store.coverage import Rules
from app.store.stores import Stores
from app.tools.catalogue import Sources, ToolsConfig, build_registry
from app.tools.further_sources import SOURCE_SETTINGS, sources_of
from app.tools.kubernetes_client import KubernetesConfig, check_configuration
from app.tools.prometheus_settings import PROMETHEUS_SETTINGS, prometheus_of
from app.tools.registry import ToolRegistry
from app.tools.search_runbooks import RunbookConfig

log = structlog.get_logger()
VERSION = importlib.metadata.version("sre-agent")


@dataclass(frozen=True)
class World:
    """What makes a run repeatable: time, ids and chance. The lab hands in its own."""

    clock: Clock = lambda: datetime.now(UTC)
    new_id: NewId = lambda: str(uuid.uuid4())
    chance: Callable[[], float] = random.random


def make_usable(folder: Path) -> None:
    with blaming(variable("data_dir")):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").write_text("")


def url_of(settings: Settings) -> str:
    return settings.database_url or f"sqlite:///{(settings.data_dir / 'sre-agent.db').absolute()}"


def working_memory(settings: Settings, clock: Clock) -> SqliteWorkingMemory | RedisWorkingMemory:
    if settings.redis_url:
        return RedisWorkingMemory.connect(settings.redis_url, clock=clock)
    return SqliteWorkingMemory(settings.data_dir / "working-memory.db", clock)


def case_memory(settings: Settings, stores: Stores, working: WorkingMemory, clock: Clock) -> TwoLayerMemory:
    chroma = None if settings.vector_index == "numpy" else settings.chroma_url or settings.data_dir / "chroma"
    return TwoLayerMemory(working, EpisodicMemory(stores.vectors, functools.cache(lambda: choose_embedder(settings.embedder)), chroma), clock)


def tools(settings: Settings) -> tuple[ToolRegistry, Sources]:
    kubernetes = None
    if settings.kubernetes_url or settings.kubeconfig or settings.kube_in_cluster:
        one = {"url": settings.kubernetes_url} if settings.kubernetes_url else {"kubeconfig": settings.kubeconfig} if settings.kubeconfig else {}
        kubernetes = KubernetesConfig(**one, context=settings.kube_context, in_cluster=not one)
        source = "kubernetes_url" if settings.kubernetes_url else "kubeconfig" if settings.kubeconfig else "kube_in_cluster"
        said = (source, "kube_context") if settings.kube_context else (source,)
        with blaming(*map(variable, said)):
            check_configuration(kubernetes)
    with blaming(variable("prometheus_metrics")):
        measured = prometheus_of({name: getattr(settings, name) for name in PROMETHEUS_SETTINGS})
    with blaming(variable("probe_ca_file"), variable("argocd_ca_file")):
        further = sources_of({name: getattr(settings, name) for name in SOURCE_SETTINGS})
    runbooks = RunbookConfig(settings.runbooks_dir, settings.runbook_urls) if settings.runbooks_dir else None
    callees = read_service_map(settings.service_map)
    return build_registry(ToolsConfig(kubernetes, runbooks=runbooks, service_map=callees, **measured, **further))


def model_access(settings: Settings) -> ModelAccess | None:
    """None without a key: then rules plan and conclude, and nothing of the model's client is imported."""
    if not settings.anthropic_api_key.get_secret_value():
        return None
    config = ModelConfig(
        api_key=SecretStr(settings.anthropic_api_key.get_secret_value()),
        model=settings.model,
        base_url=settings.anthropic_base_url,
        prices={settings.model: price_of(settings)},
        timeout=settings.llm_timeout,
    )
    return ModelAccess(config)


def price_of(settings: Settings) -> Price:
    """What the settings say, else the list price. Raises CannotStart: without a price no limit in dollars could be kept."""
    prompt, completion = settings.model_input_price, settings.model_output_price
    if prompt is not None and completion is not None:
        return Price(prompt=prompt, completion=completion)
    if prompt is None and completion is None and settings.model in PRICES:
        return PRICES[settings.model]
    both = f"{variable('model_input_price')} and {variable('model_output_price')}"
    raise CannotStart(f"{variable('model')}={settings.model} has no price: set {both}, or no limit in dollars can be kept")


def planner(settings: Settings, specs: tuple[ToolSpec, ...]) -> FallbackPlanner:
    rules = RulesPlanner(load_playbooks(), settings.default_namespace)
    questions = Questions(specs, {id: cause.means for id, cause in CAUSES.items()}, redact)
    return FallbackPlanner(rules, questions, model_access(settings), recommend)


class Application:
    """Everything of one process. `http` is the ASGI application; its lifespan is `start` and `stop`."""

    def __init__(self, settings: Settings, world: World) -> None:
        self.settings, self.world = settings, world
        make_usable(settings.data_dir)
        self.stores = Stores(url_of(settings), world.clock, world.new_id, World().clock, timedelta(seconds=settings.replica_lease))
        self.working = working_memory(settings, world.clock)
        self.memory = case_memory(settings, self.stores, self.working, world.clock)
        self.registry, self.sources = tools(settings)
        self.planner = planner(settings, self.registry.specs())
        self.limits = SessionLimits(total_seconds=settings.total_timeout, parallel=settings.max_parallel, briefing_seconds=settings.briefing_deadline)
        self.executor = self._executor()
        self.agent = InfrastructureAgent(self._agent_parts())
        self.client = httpx2.AsyncClient(follow_redirects=False)
        self.channels = self._channels()
        self.us = self._identity()
        self.engine, self.service = self._runtime()
        rules = Rules(self.engine.enqueue, target_key, world.new_id, timedelta(seconds=settings.group_window))
        self.ledger = self.stores.ledger(rules)
        self.http = create_app(self._controller_parts(), self._lifespan)
        self._opened = AsyncExitStack()

    def _executor(self) -> SafeExecutor:
        granted = frozenset(p for spec in self.registry.specs() for p in spec.permissions if p.startswith("read:"))
        return SafeExecutor(
            SafetyParts(
                registry=self.registry,
                memory=self.working,
                sources=self.sources.names,
                granted=granted,
                clock=self.world.clock,
                limits=self.limits,
                tool_timeout=self.settings.tool_timeout,
                lot=self.world.chance,
            )
        )

    def _agent_parts(self) -> AgentParts:
        return AgentParts(
            memory=self.memory,
            planner=self.planner,
            diagnosis=RulesDiagnosis(),
            executor=self.executor,
            clock=self.world.clock,
            sources=self.sources.names,
            service_map=read_service_map(self.settings.service_map),
            default_namespace=self.settings.default_namespace,
            limits=self.limits,
        )

    def _channels(self) -> tuple[Channel, ...]:
        if not self.settings.notify_webhook_url:
            return (LogChannel(),)
        target = WebhookTarget(self.settings.notify_webhook_url, self.settings.notify_webhook_secret.get_secret_value())
        return (LogChannel(), WebhookChannel(target, self.client, self.world.clock))

    def _identity(self) -> Identity:
        """With the embedded database one process owns the data, and keeps its name over restarts."""
        return identity(self.world.new_id, None if self.settings.database_url else self.settings.data_dir)

    def _runtime(self) -> tuple[DbosEngine, Service]:
        s, clock = self.stores, self.world.clock
        notices = Notices([c.name for c in self.channels], self.base_url())
        runner = Runner(self.agent, s.investigations, functools.partial(s.journal, told=notices.early), notices)
        options = EngineOptions(concurrency=self.settings.max_concurrent)
        engine = DbosEngine(s.url, self.us.id, runner, s.investigations, s.continuations, options)
        upkeep = Upkeep(s.retention, engine, clock, Keep(age=timedelta(days=self.settings.retention_days)))
        return engine, Service(engine, Reaper(s.replicas, engine, s.investigations, self.us, World().clock), upkeep)

    def base_url(self) -> str:
        return self.settings.public_url or f"http://{self.settings.host}:{self.settings.port}"

    def _controller_parts(self) -> ControllerParts:
        s = self.settings
        return ControllerParts(
            ledger=self.ledger,
            investigations=self.stores.investigations,
            trail=self.stores.trail,
            engine=self.engine,
            clock=self.world.clock,
            new_id=self.world.new_id,
            llm_status=self._llm_status,
            checks=self._checks(),
            limits=Limits(s.max_body_bytes, s.body_timeout, wait_s=max(1.0, s.total_timeout - 10), max_queued=s.max_queued),
            versions={"sre-agent": VERSION},
        )

    def _llm_status(self) -> LlmStatus:
        status = self.planner.status()
        reason = Reason(status["fallback_reason"]) if status["fallback_reason"] else None
        return LlmStatus(llm_available=status["llm_available"], using_fallback=status["using_fallback"], last_fallback_reason=reason)

    def _checks(self) -> tuple[HealthCheck, ...]:
        access, folder = model_access(self.settings), self.settings.data_dir
        return (
            answers("database", self.stores.answers),
            answers("working_memory", lambda: self.working.get("health")),
            disk_space(folder),
            writable(folder),
            no_problem("model_key_format", access.config.key_problem if access else str),
        )

    async def start(self) -> None:
        """In order; what was started is stopped in reverse, also when a later part fails to start. Raises CannotStart."""
        opened, database = self._opened, variable("database_url" if self.settings.database_url else "data_dir")
        opened.callback(self.us.close)
        opened.push_async_callback(self.client.aclose)
        opened.push_async_callback(self.sources.aclose)
        opened.push_async_callback(self.working.close)
        with blaming(variable("redis_url" if self.settings.redis_url else "data_dir")):
            await self.working.get("health")
        with blaming(database):
            await self._begin(self.stores.start, self.stores.stop)
        await self._begin(self.memory.start, self.memory.close)
        opened.push_async_callback(self.planner.close)
        with blaming(database):
            await self._begin(self.service.start, self.service.stop)
        drain = Drain(self.stores.outbox, self.channels, self.world.clock, self.us.id, self.world.chance)
        drain.start()
        opened.push_async_callback(drain.stop)
        facts = {"sources": sorted(self.sources.names), "database": self.stores.engine.url.render_as_string(), "version": VERSION}
        if self.us.file is None and not self.settings.database_url:
            log.warning("data_folder_shared", folder=str(self.settings.data_dir), detail="another process works on it too: better one, or PostgreSQL")
        log.info("service_started", address=self.base_url(), **facts)

    async def _begin(self, start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]) -> None:
        """`stop` copes with a start that went half way."""
        self._opened.push_async_callback(stop)
        await start()

    async def stop(self) -> None:
        await self._opened.aclose()

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        try:
            await self.start()
            yield
        finally:
            await self.stop()


def build(settings: Settings, world: World | None = None) -> Application:
    """Raises CannotStart naming the setting that cannot be used."""
    return Application(settings, world or World())
