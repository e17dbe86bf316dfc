"""What one investigation needs of the rest of the house; `main` hands the parts in."""

from typing import Protocol

from app.domain.case import CaseFile
from app.domain.frozen import JsonObject
from app.domain.memory import PastCase, Recalled, RecallQuery
from app.domain.plan import Plan
from app.domain.ports import Journal
from app.domain.tool import CallContext, Outcome, ToolCall
from app.domain.verdict import Assessment, Verdict


class Memory(Protocol):
    """Working and episode memory as one. Recall never raises: a memory that fails says so in `Recalled.note`."""

    async def recall(self, query: RecallQuery) -> Recalled: ...

    async def remember(self, case: PastCase, target: str, recent: JsonObject) -> None:
        """Store in both layers; idempotent by case id. `recent` is what the next investigation of `target` sees."""


class Planner(Protocol):
    """Model first where one is configured and affordable, else rules. Neither method raises for a model's sake."""

    async def plan(self, case: CaseFile, recalled: Recalled, journal: Journal) -> Plan: ...

    async def conclude(self, case: CaseFile, verdict: Verdict, recalled: Recalled, journal: Journal) -> Verdict:
        """The rules' verdict, or a model's that cites the same evidence; the returned one says who decided."""


class Diagnosis(Protocol):
    """Pure: the same case file gives the same bytes."""

    def assess(self, case: CaseFile) -> Assessment: ...

    def conclude(self, case: CaseFile, assessment: Assessment) -> Verdict: ...


class Executor(Protocol):
    """The one door to tools. Never raises for a tool's or a gate's sake; cancellation passes through."""

    async def execute(self, call: ToolCall, context: CallContext) -> Outcome: ...

    def writes(self, tool: str) -> bool:
        """Whether a call of that name may change something: the journal never runs such a call twice."""
