"""What an investigation is made of; `main` builds one of these and hands it to `InfrastructureAgent`."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace

from app.agent.ports import Diagnosis, Executor, Memory, Planner
from app.domain.frozen import Clock, JsonObject
from app.domain.limits import SessionLimits


@dataclass(frozen=True)
class AgentParts:
    """`clock` is the time of the world that is looked at; `stopwatch` gives seconds that only go forward, `cpu_clock` those
    of this thread's processor time. `sources` are the configured ones, `service_map` who calls whom (name -> names)."""

    memory: Memory
    planner: Planner
    diagnosis: Diagnosis
    executor: Executor
    clock: Clock
    sources: frozenset[str]
    service_map: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default_namespace: str = "default"
    limits: SessionLimits = field(default_factory=SessionLimits)
    stopwatch: Callable[[], float] = time.monotonic
    cpu_clock: Callable[[], float] = time.thread_time


def surroundings(parts: AgentParts) -> JsonObject:
    """What of the configuration an investigation depends on; journalled at its start, so that a later run, also one under
    other settings, looks at the same."""
    return {
        "default_namespace": parts.default_namespace,
        "sources": sorted(parts.sources),
        "service_map": {caller: list(callees) for caller, callees in sorted(parts.service_map.items())},
        "limits": asdict(parts.limits),
    }


def within(parts: AgentParts, found: JsonObject) -> AgentParts:
    """The parts under the surroundings that the journal holds; as they are where it holds none."""
    if not found:
        return parts
    return replace(
        parts,
        default_namespace=found["default_namespace"],
        sources=frozenset(found["sources"]),
        service_map={caller: tuple(callees) for caller, callees in found["service_map"].items()},
        limits=SessionLimits(**found["limits"]),
    )
