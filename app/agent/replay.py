"""A trail -> the same investigation once more, over its journal alone, and whether the same report came out.

Called by `cli` and `controller`. No tool, no model, no memory is asked: an answer that the trail does not hold stops the
replay with ReplayDiverged (REPL-02, REPL-04). The same code over the same trail gives the same bytes (REPL-01).
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from app.agent.agent import InfrastructureAgent
from app.agent.journal import MemoryJournal
from app.domain.frozen import Frozen, JsonObject
from app.domain.investigation import Investigation
from app.domain.report import Report
from app.domain.trail import TrailEvent
from app.domain.verdict import as_json

HIGH = frozenset({"verdict", "badges", "causes", "evidence", "do_this_now", "target"})


class Difference(Frozen):
    """A field of the report that came out differently. `significance` is high where it changes what a reader would do."""

    field: str
    recorded: str
    replayed: str
    significance: str


class Replayed(Frozen):
    """`is_exact_match`: the two reports are the same bytes."""

    success: bool
    outcome: Report
    is_exact_match: bool
    differences: tuple[Difference, ...] = ()


async def replay(agent: InfrastructureAgent, investigation: Investigation, events: Iterable[TrailEvent]) -> Replayed:
    """Run again over `events` and compare with the recorded report, if there is one. Raises ReplayDiverged."""
    report = await agent.investigate(investigation, MemoryJournal(investigation.id, lambda: datetime.now(UTC), events, strict=True))
    recorded = Report.model_validate(investigation.report) if investigation.report is not None else report
    differences = tuple(_differences(as_json(recorded), as_json(report)))
    same = recorded.model_dump_json() == report.model_dump_json()
    return Replayed(success=True, outcome=report, is_exact_match=same, differences=differences)


def _differences(recorded: JsonObject, replayed: JsonObject) -> Iterable[Difference]:
    for name in recorded:
        if recorded[name] != replayed[name]:
            significance = "high" if name in HIGH else "low"
            yield Difference(field=name, recorded=str(recorded[name]), replayed=str(replayed[name]), significance=significance)
