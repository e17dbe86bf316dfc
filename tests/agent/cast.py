"""Small parts for tests of the agent and of the one door: a loop whose time jumps, scripted thinking parts, tiny tools."""

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from app.agent.agent import InfrastructureAgent
from app.agent.journal import MemoryJournal
from app.agent.parts import AgentParts
from app.domain.alert import Alert, Source
from app.domain.case import CaseFile
from app.domain.errors import ToolFailure
from app.domain.frozen import JsonObject
from app.domain.investigation import Investigation, InvestigationStatus
from app.domain.limits import SessionLimits
from app.domain.memory import PastCase, Recalled, RecallQuery, SimilarCase
from app.domain.plan import DecidedBy, Plan, Step, Usage
from app.domain.ports import Journal
from app.domain.reason import ErrorClass, Reason
from app.domain.target import ObjectRef
from app.domain.tool import CallContext, Provenance, Risk, ToolContext, ToolResult, ToolSpec, ToolStatus, Window
from app.domain.trail import TrailEvent
from app.domain.verdict import Assessment, Evidence, Hypothesis, Verdict, VerdictState
from app.safety.executor import SafeExecutor, SafetyParts

NOW = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
T = TypeVar("T")


class _Jump(selectors.DefaultSelector):
    """Instead of waiting for a timer, moves the loop's time to it."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout:
            self.now += timeout
        return super().select(timeout if timeout is None else 0)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.selector = _Jump()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.now


def virtually(main: Coroutine[Any, Any, T]) -> tuple[T, float]:
    """-> (answer, seconds that passed on the loop's clock)."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main), runner.get_loop().time()


def loop_seconds() -> float:
    return asyncio.get_running_loop().time()


def loop_clock() -> datetime:
    return NOW + timedelta(seconds=loop_seconds())


class Switches:
    """Working memory as far as the kill switch asks."""

    def __init__(self, **values: str) -> None:
        self.values = values
        self.reads = 0
        self.broken: type[OSError] | None = None
        self.on_read: Callable[[int], None] = lambda n: None

    async def get(self, key: str) -> str | None:
        self.reads += 1
        self.on_read(self.reads)
        if self.broken is not None:
            raise self.broken("working memory is away")
        return self.values.get(key)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"nothing else of working memory is used here: {name}")


class Anything(BaseModel):
    model_config = ConfigDict(extra="forbid")

    namespace: str = ""
    pod: str = ""
    service: str = ""
    node: str = ""
    workload: str = ""
    pods: tuple[str, ...] = ()
    n: int = 0


def spec(name: str, **more: Any) -> ToolSpec:
    values: dict[str, Any] = {
        "name": name,
        "version": "1.0.0",
        "description": f"reads {name}",
        "source": "kubernetes",
        "permissions": ("read:pods",),
        "risk": Risk.LOW,
        "timeout_seconds": 10.0,
        "retry_count": 2,
        "rate_limit": "100/minute",
        "requires_approval": False,
        "reversible": True,
        "provenance": Provenance.TRUSTED,
        "arguments": Anything.model_json_schema(),
    }
    return ToolSpec(**(values | more))


def result(tool: str, **more: Any) -> ToolResult:
    values: dict[str, Any] = {
        "tool": tool,
        "status": ToolStatus.OK,
        "summary": f"{tool} answered",
        "invocation": f"GET /{tool}",
        "provenance": Provenance.TRUSTED,
        "text": f"{tool} saw OOMKilled",
        "bytes_read": 100,
    }
    return ToolResult(**(values | more))


class Tiny:
    """A tool that does what it is told; counts its calls."""

    arguments = Anything

    def __init__(self, tool_spec: ToolSpec, does: Callable[[Anything], ToolResult] | None = None, takes: float = 0.0) -> None:
        self.spec = tool_spec
        self.calls: list[Anything] = []
        self.takes = takes
        self._does = does

    async def run(self, arguments: Anything, context: ToolContext) -> ToolResult:
        self.calls.append(arguments)
        if self.takes:
            await asyncio.sleep(self.takes)
        return self._does(arguments) if self._does else result(self.spec.name)


def tiny(name: str, does: Callable[[Anything], ToolResult] | None = None, takes: float = 0.0, **more: Any) -> Tiny:
    return Tiny(spec(name, **more), does, takes)


class Box:
    """A registry of a few tools."""

    def __init__(self, *tools: Tiny) -> None:
        self.tools = {tool.spec.name: tool for tool in tools}

    def get(self, name: str) -> Tiny | None:
        return self.tools.get(name)

    def specs(self) -> list[ToolSpec]:
        return [tool.spec for tool in self.tools.values()]


def door(*tools: Tiny, memory: Switches | None = None, virtual: bool = False, **more: Any) -> SafeExecutor:
    """The real executor over tiny tools. `virtual`: waits and time are the loop's."""

    async def no_wait(_: float) -> None: ...

    parts: dict[str, Any] = {
        "registry": Box(*tools),
        "memory": memory or Switches(),
        "sources": frozenset({"kubernetes"}),
        "granted": frozenset({"read:pods"}),
        "clock": loop_clock if virtual else lambda: NOW,
        "stopwatch": loop_seconds if virtual else lambda: 0.0,
        "sleep": asyncio.sleep if virtual else no_wait,
        "lot": lambda: 0.0,
    }
    return SafeExecutor(SafetyParts(**(parts | more)))


def context(**more: Any) -> CallContext:
    values: dict[str, Any] = {
        "investigation_id": "i1",
        "started_at": NOW,
        "now": NOW,
        "deadline": NOW + timedelta(seconds=120),
        "window": Window(start=NOW - timedelta(hours=1), end=NOW),
        "namespaces": frozenset({"shop"}),
        "objects": frozenset({"Deployment/shop/web", "Pod/shop/web-1"}),
    }
    return CallContext(**(values | more))


def alert(**more: Any) -> Alert:
    values: dict[str, Any] = {
        "id": "a1",
        "source": Source.ALERTMANAGER,
        "fingerprint": "f1",
        "name": "KubePodCrashLooping",
        "type": "KubePodCrashLooping",
        "service": "web",
        "labels": {"namespace": "shop", "pod": "web-1", "alertname": "KubePodCrashLooping"},
        "annotations": {"summary": "Pod web-1 restarts", "runbook_url": "https://runbooks.example/crash"},
        "starts_at": NOW - timedelta(minutes=5),
        "received_at": NOW,
    }
    return Alert(**(values | more))


def investigation(*alerts: Alert) -> Investigation:
    return Investigation(
        id="i1",
        status=InvestigationStatus.RUNNING,
        alert_type="KubePodCrashLooping",
        service="web",
        target="web",
        created_at=NOW,
        alerts=alerts or (alert(),),
    )


def step(step_id: str, tool: str, *needs: str, optional: bool = True, **args: Any) -> Step:
    return Step(id=step_id, tool=tool, reason=f"look with {tool}", args=args, depends_on=needs, optional=optional)


@dataclass
class ScriptedPlanner:
    steps: Sequence[Step]
    usage: Usage = field(default_factory=Usage)
    concluded: int = 0

    async def plan(self, case: CaseFile, recalled: Recalled, journal: Journal) -> Plan:
        return Plan(reasoning="as scripted", steps=tuple(self.steps), decided_by=DecidedBy.RULES, playbook="pod_crash", usage=self.usage)

    async def conclude(self, case: CaseFile, verdict: Verdict, recalled: Recalled, journal: Journal) -> Verdict:
        self.concluded += 1
        return verdict


@dataclass
class ScriptedDiagnosis:
    """Asks for `rounds` one after another; blames the target once any text says OOMKilled."""

    rounds: Sequence[Sequence[Step]] = ()
    cases: list[CaseFile] = field(default_factory=list)

    def assess(self, case: CaseFile) -> Assessment:
        self.cases.append(case)
        turn = len(self.cases) - 1
        return Assessment(next_steps=tuple(self.rounds[turn]) if turn < len(self.rounds) else (), why=f"round {turn + 1}")

    def conclude(self, case: CaseFile, assessment: Assessment) -> Verdict:
        told = [u for u in case.updates if u.outcome.result and u.outcome.result.line_with("OOMKilled")]
        if not told:
            return Verdict(state=VerdictState.INCONCLUSIVE, line="Nothing found", confidence=0.1, confidence_reason="no evidence")
        evidence = tuple(
            Evidence(
                id=f"e{u.number}",
                claim="out of memory",
                source=u.step.tool,
                call_id=u.outcome.call.id,
                query=u.outcome.result.invocation if u.outcome.result else "",
                quote="OOMKilled",
                provenance=Provenance.TRUSTED,
            )
            for u in told
        )
        cause = Hypothesis(
            cause="oom", object=case.target.workload, confidence=0.8, mechanism="limit", why="it says so", evidence=tuple(e.id for e in evidence)
        )
        return Verdict(
            state=VerdictState.LIKELY,
            line=f"{case.target.workload} runs out of memory",
            confidence=0.8,
            confidence_reason="one line says so",
            hypotheses=(cause,),
            evidence=evidence,
        )


@dataclass
class ListMemory:
    recalled: Recalled = field(default_factory=Recalled)
    kept: list[tuple[PastCase, str, JsonObject]] = field(default_factory=list)
    asked: list[RecallQuery] = field(default_factory=list)
    fails: bool = False

    async def recall(self, query: RecallQuery) -> Recalled:
        self.asked.append(query)
        return self.recalled

    async def remember(self, case: PastCase, target: str, recent: JsonObject) -> None:
        if self.fails:
            raise OSError("disk full")
        self.kept.append((case, target, recent))


def past(cause: str = "oom", ref: str = "Pod/shop/web-1", **more: Any) -> SimilarCase:
    case = PastCase(
        id="p1", task="t", root_cause="r", fix="f", severity="P3", service="web", alert_type="x", cause=cause, object=ref, timestamp=NOW, **more
    )
    return SimilarCase(case=case, relevance=0.9)


@dataclass
class Stage:
    """Everything one investigation needs; `virtual` by default, so run it with `virtually`."""

    tools: Sequence[Tiny]
    steps: Sequence[Step]
    rounds: Sequence[Sequence[Step]] = ()
    usage: Usage = field(default_factory=Usage)
    switches: Switches = field(default_factory=Switches)
    memory: ListMemory = field(default_factory=ListMemory)
    limits: SessionLimits = field(default_factory=SessionLimits)
    service_map: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def agent(self) -> InfrastructureAgent:
        self.planner = ScriptedPlanner(self.steps, self.usage)
        self.diagnosis = ScriptedDiagnosis(self.rounds)
        self.executor = door(*self.tools, memory=self.switches, virtual=True, limits=self.limits)
        cpu = iter(range(1, 1_000_000))
        return InfrastructureAgent(
            AgentParts(
                memory=self.memory,
                planner=self.planner,
                diagnosis=self.diagnosis,
                executor=self.executor,
                clock=loop_clock,
                sources=frozenset({"kubernetes"}),
                limits=self.limits,
                stopwatch=loop_seconds,
                cpu_clock=lambda: next(cpu) / 1000,
                service_map=self.service_map,
            )
        )

    def journal(self, events: Sequence[TrailEvent] = ()) -> MemoryJournal:
        return MemoryJournal("i1", loop_clock, events)


def flaky(name: str, seed: int, timeouts: float = 0.2, denials: float = 0.1) -> Callable[[Anything], ToolResult]:
    """Fails by lot as TEST-03 has it."""
    lot = random.Random(seed)

    def does(arguments: Anything) -> ToolResult:
        drawn = lot.random()
        if drawn < timeouts:
            raise ToolFailure(ErrorClass.TRANSIENT, Reason.TIMEOUT, "Operation exceeded 10.0 second timeout")
        if drawn < timeouts + denials:
            raise ToolFailure(ErrorClass.CONFIG, Reason.DENIED, "Permission denied: list pods")
        return result(name)

    return does


WEB = ObjectRef(kind="Deployment", namespace="shop", name="web")
