"""The books of one investigation while it runs: what was asked, what came back, what may be touched, what is used up.

Made by `agent.begin`, kept by `engine`. Everything in it comes from the journal or is computed from what does, so a second
run over the same journal keeps the same books.
"""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta

from app.agent.pace import Pace
from app.agent.parts import AgentParts
from app.agent.remembered import place_of, steps_from, still_there
from app.agent.seen import seen
from app.agent.slots import Slots
from app.agent.updates import events_of
from app.domain.alert import Alert, Mark
from app.domain.case import CaseFile
from app.domain.frozen import JsonObject
from app.domain.memory import Recalled
from app.domain.plan import Step, StepUpdate, Usage
from app.domain.ports import Journal
from app.domain.reason import Reason
from app.domain.resolver import resolve
from app.domain.target import ObjectRef, Target
from app.domain.tool import CallContext, StepStatus, ToolCall, Window
from app.domain.trail import EventType
from app.domain.verdict import as_json

# Reasons after which no further round is begun; the report is then marked incomplete.
STOPPING = frozenset(
    {
        Reason.KILL_SWITCH,
        Reason.EMERGENCY_STOP,
        Reason.MAX_ITERATIONS,
        Reason.MAX_ACTIONS,
        Reason.TOKEN_LIMIT,
        Reason.COST_LIMIT,
        Reason.TIME_BUDGET,
        Reason.SESSION_TIMEOUT,
    }
)
LOOK_BACK = timedelta(hours=1)
LONGEST_LOOK_BACK = timedelta(hours=6)
_ODD_STARTS = frozenset({Mark.STARTS_IN_FUTURE, Mark.STARTS_LONG_AGO, Mark.START_UNKNOWN})


class Session:
    def __init__(self, investigation_id: str, alerts: tuple[Alert, ...], now: datetime, journal: Journal, parts: AgentParts) -> None:
        self.id = investigation_id
        self.alerts = alerts
        self.now = now
        self.journal = journal
        self.pace = Pace(parts.clock, parts.stopwatch, parts.cpu_clock)
        self.limits = parts.limits
        self.slots = Slots(parts.limits.parallel, parts.limits.patience_seconds)
        self.done: dict[str, StepUpdate] = {}  # by step id, the latest of that name
        self.numbers: dict[str, int] = {}  # of the steps that run, by step id
        self.iteration = 0
        self.usage = Usage()
        self.stopped: Reason | None = None
        self.remembered: tuple[Step, ...] = ()
        self.recalled: Recalled | None = None
        self.reading: JsonObject = {}  # the last one that the journal holds
        self._parts = parts
        self._window = window_of(alerts, now)
        self._updates: list[StepUpdate] = []
        self._case: CaseFile | None = None
        self._arrived: dict[int, StepUpdate] = {}  # by number, also those that are not booked yet
        self._numbered: dict[int, Step] = {}
        self._planned = 0
        self._asked: set[str] = set()
        self._taken: list[ToolCall] = []
        self._refs: set[ObjectRef] = set()
        self._targets: set[str] = set()
        self._objects: list[JsonObject] = []
        self._derived: list[JsonObject] = []
        self.target = resolve(alerts[0], (), parts.default_namespace)
        self.place = place_of(self.target)
        for alert in alerts:
            self._admit(resolve(alert, (), parts.default_namespace))

    def case(self) -> CaseFile:
        """What the planner and the diagnosis see: steps in the order they were planned. The same object until something was
        read: the diagnosis thinks once about it."""
        if self._case is None:
            self._case = CaseFile(
                investigation_id=self.id,
                alerts=self.alerts,
                target=self.target,
                now=self.now,
                window=self._window,
                updates=self.updates,
                sources=self._parts.sources,
                callees=dict(self._parts.service_map),
            )
        return self._case

    def case_so_far(self) -> tuple[CaseFile, tuple[Step, ...]]:
        """-> (the case with every answer that is there, booked or not; the steps without one)."""
        arrived = tuple(update for _, update in sorted(self._arrived.items()))
        case = self.case() if arrived == self.updates else self.case().model_copy(update={"updates": arrived})
        return case, tuple(s for n, s in sorted(self._numbered.items()) if n not in self._arrived)

    def recall(self, recalled: Recalled) -> None:
        """What memory said, and the steps that it adds."""
        self.recalled, self.remembered = recalled, steps_from(recalled)

    def arrive(self, update: StepUpdate) -> None:
        self._arrived[update.number] = update

    @property
    def updates(self) -> tuple[StepUpdate, ...]:
        return tuple(sorted(self._updates, key=lambda update: update.number))

    def number(self, steps: Iterable[Step]) -> dict[str, Step]:
        """Number the steps that are about to run -> by id. An id that a plan uses twice is told apart by its number."""
        self.numbers = {}
        waiting: dict[str, Step] = {}
        for step in steps:
            self._planned += 1
            own = step if step.id not in waiting else step.model_copy(update={"id": f"{step.id}-{self._planned}"})
            waiting[own.id], self.numbers[own.id] = own, self._planned
            self._numbered[self._planned] = own
            self._asked.add(_question(step))
        return waiting

    def fresh(self, steps: Iterable[Step]) -> tuple[Step, ...]:
        """Those that ask what was not asked yet: asking again would bring the same."""
        return tuple(step for step in steps if _question(step) not in self._asked)

    def remembered_now(self) -> tuple[Step, ...]:
        """The steps that memory adds, once; without those whose objects are gone."""
        steps, self.remembered = self.remembered, ()
        return self.fresh(step for step in steps if still_there(step, self._refs)) if self.stopped is None else ()

    def call_for(self, step: Step, args: JsonObject) -> ToolCall:
        return ToolCall(id=f"c{self.numbers[step.id]}", tool=step.tool, args=args, step_id=step.id)

    def take(self, call: ToolCall) -> CallContext:
        """Count the call -> what the gates judge it by."""
        started_at, deadline = self.pace.bounds(self.limits)
        context = CallContext(
            investigation_id=self.id,
            started_at=started_at,
            now=self.now,
            deadline=deadline,
            window=self._window,
            iteration=self.iteration,
            taken=tuple(self._taken),
            tokens=self.usage.prompt_tokens + self.usage.completion_tokens,
            dollars=self.usage.cost_usd,
            namespaces=frozenset(ref.namespace for ref in self._refs if ref.namespace),
            objects=frozenset(str(ref) for ref in self._refs),
            targets=frozenset(self._targets),
        )
        self._taken.append(call)
        return context

    async def record(self, update: StepUpdate) -> None:
        """Book a finished step, its trouble as an event of its own; what it returned widens the scope of later calls."""
        self._updates.append(update)
        self._case = None
        self.arrive(update)
        self.done[update.step.id] = update
        if update.outcome.reason in STOPPING and self.stopped is None:
            self.stopped = update.outcome.reason
        if update.outcome.result is not None and update.status is StepStatus.SUCCESS:
            found = seen(update.outcome.result.data)
            self._refs |= found.refs
            self._objects += found.objects
            self._derived += found.derived
        for event, data in events_of(update):
            await self.journal.note(event, f"{event.value.lower()}:{update.outcome.call.id}", data)

    async def look_again(self) -> None:
        """Resolve the target with the objects read so far, and note it where that changes the answer."""
        with self.pace.own():
            target = resolve(self.alerts[0], [*self._derived, *self._objects], self._parts.default_namespace)
        if target != self.target:
            self.target, self._case = target, None
            self._admit(target)
            await self.journal.note(EventType.TARGET, f"target:{self.iteration}", as_json(target))

    async def read_the_clock(self, event: EventType, key: str, asked: JsonObject) -> tuple[JsonObject, bool]:
        """Note an event together with the time it is; a second run reads both from the journal -> (reading, replayed)."""

        async def read() -> JsonObject:
            return self.pace.reading()

        reading, replayed = await self.journal.call(event, key, asked, read)
        self.pace.settle(reading, replayed)
        self.reading = reading
        return reading, replayed

    async def must_stop(self) -> bool:
        """Whether another round is out of the question; the reason goes into the trail."""
        self.stopped = self.stopped or self._used_up()
        if self.stopped is None:
            return False
        await self.journal.note(EventType.GUARDRAIL, "stopped", {"reason": self.stopped.value, "cost": self.usage.cost_usd})
        return True

    def _used_up(self) -> Reason | None:
        limits = self.limits
        used = (
            (Reason.MAX_ITERATIONS, self.iteration, limits.iterations),
            (Reason.MAX_ACTIONS, len(self._taken), limits.actions),
            (Reason.TOKEN_LIMIT, self.usage.prompt_tokens + self.usage.completion_tokens, limits.tokens),
            (Reason.COST_LIMIT, self.usage.cost_usd, limits.dollars),
            (Reason.TIME_BUDGET, self.pace.settled, limits.total_seconds),
        )
        return next((reason for reason, amount, limit in used if amount >= limit), None)

    def _admit(self, target: Target) -> None:
        """The target, its owners, the labels it rests on and, by the service map, what they call are in scope."""
        space = target.namespace or self._parts.default_namespace
        self._targets |= {str(target.ref), *map(str, target.owners)}
        self._refs |= {target.ref, *target.owners, ObjectRef(kind="Namespace", namespace=space, name=space)}
        callers = {target.ref.name, *(owner.name for owner in target.owners), *target.believed.values()} - {""}
        called = {name for caller in callers for name in self._parts.service_map.get(caller, ())}
        self._refs |= {ObjectRef(kind="Label", name=name) for name in callers | called}


def window_of(alerts: tuple[Alert, ...], now: datetime) -> Window:
    """From an hour before the first alert began until now, six hours at most; odd starts count from their receipt."""
    begins = [a.received_at if _ODD_STARTS & set(a.marks) else a.starts_at for a in alerts]
    start = min(now, *begins) - LOOK_BACK
    return Window(start=max(start, now - LONGEST_LOOK_BACK), end=now)


def canonical(value: object) -> str:
    """JSON of one spelling: the same question gives the same text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def _question(step: Step) -> str:
    return canonical([step.tool, step.args])
