"""What an investigation is made of; `main` builds one of these and hands it to `InfrastructureAgent`."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from app.agent.ports import Diagnosis, Executor, Memory, Planner
from app.domain.frozen import Clock
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
