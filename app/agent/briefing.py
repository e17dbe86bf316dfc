"""A case file, what memory recalled and the verdict so far -> the briefing (FR-01..03, FR-05).

Pure: the same inputs give the same bytes. Called by `first_response`. Where a source brought nothing, the briefing says so
and holds what the others brought.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.agent.quick_status import quick_status
from app.agent.remembered import place_of
from app.agent.reporting import FOUND, not_checked, runbook_of, service_of
from app.domain.alert import Source
from app.domain.briefing import Analysis, BriefedAlert, Briefing, Change, Context, ContextName, ContextStatus, Occasion, RunbookHit
from app.domain.case import CaseFile
from app.domain.frozen import JsonObject
from app.domain.memory import Recalled
from app.domain.plan import Step, StepUpdate
from app.domain.reason import Reason
from app.domain.redaction import redact_json
from app.domain.tool import StepStatus
from app.domain.verdict import Action, NotChecked, Verdict, confidence_word

MOST_CHANGES, MOST_RUNBOOKS, MOST_STEPS, MOST_EVIDENCE = 5, 3, 3, 5
RECENT = timedelta(days=1)
# Which tools ask a source; one that is not named here is told where it brought nothing, and nowhere else.
ASKED_BY: dict[ContextName, tuple[str, ...]] = {
    ContextName.METRICS: ("get_metrics", "query_prometheus", "get_alerts"),
    ContextName.LOGS: ("get_logs", "search_logs", "get_pod_logs"),
    ContextName.DEPLOYMENTS: ("get_recent_deploys",),
    ContextName.RUNBOOKS: ("search_runbooks",),
    ContextName.SERVICE_INFO: ("check_service_health", "check_services", "check_workloads", "check_pods", "list_pods", "describe_pod"),
}


@dataclass(frozen=True)
class SoFar:
    """What is known when the briefing is made. `pending` are steps that were planned and have no answer yet; `recalled` is None
    while memory has not answered. `reading` is of the clocks: `at`, `elapsed_ms`."""

    case: CaseFile
    pending: tuple[Step, ...]
    recalled: Recalled | None
    verdict: Verdict
    occasion: Occasion
    reading: JsonObject


def briefing_of(known: SoFar) -> Briefing:
    """Without secrets: it leaves the house."""
    case, at = known.case, datetime.fromisoformat(known.reading["at"])
    missing = tuple(_missing(known))
    briefing = Briefing(
        investigation_id=case.investigation_id,
        channel=channel_of(case),
        alerts=tuple(BriefedAlert(id=a.id, name=a.name, fingerprint=a.fingerprint, source=a.source, severity=a.severity) for a in case.alerts),
        target=case.target,
        quick_status=quick_status(case),
        analysis=_analysis(known.verdict),
        recent_changes=_changes(case),
        similar_incidents=known.recalled.similar if known.recalled else (),
        runbooks=tuple(_runbooks(case))[:MOST_RUNBOOKS],
        first_steps=_first_steps(known.verdict, case, missing),
        context=tuple(_context(known, source) for source in ContextName),
        missing=missing,
        occasion=known.occasion,
        made_at=at,
        response_time_seconds=round(max(known.reading["elapsed_ms"] / 1000, (at - case.alert.received_at).total_seconds()), 3),
    )
    return Briefing.model_validate(redact_json(briefing.model_dump(mode="json"))[0])


def channel_of(case: CaseFile) -> str:
    """`inc-<service>-MMDDHHMM` by the start of the investigation in UTC, in the characters that chat systems take (FR-02)."""
    called = service_of(case) if case.alert.source is Source.NATIVE else place_of(case.target).rpartition("/")[2]
    service = re.sub(r"[^a-z0-9]+", "-", called.lower()).strip("-") or "unknown"
    return f"inc-{service[:60].rstrip('-')}-{case.now:%m%d%H%M}"


def _analysis(verdict: Verdict) -> Analysis:
    top = verdict.hypotheses[0] if verdict.hypotheses and verdict.state in FOUND else None
    cited = [e for e in verdict.evidence if top and e.id in top.evidence]
    return Analysis(
        state=verdict.state,
        line=verdict.line,
        cause=top.cause if top else "",
        confidence=verdict.confidence,
        confidence_word=confidence_word(verdict.confidence),
        confidence_reason=verdict.confidence_reason,
        decided_by=verdict.decided_by,
        evidence=tuple(cited[:MOST_EVIDENCE]),
    )


def _of(case: CaseFile, *tools: str) -> Iterator[StepUpdate]:
    return (u for u in case.updates if u.step.tool in tools and u.status is StepStatus.SUCCESS and u.outcome.result is not None)


def _changes(case: CaseFile) -> tuple[Change, ...]:
    """Newest first, each once, each with its line."""
    found: dict[str, Change] = {}
    for update in _of(case, *ASKED_BY[ContextName.DEPLOYMENTS]):
        for deploy in (update.outcome.result.data if update.outcome.result else {}).get("deploys") or ():
            change = _change(deploy, update, case)
            if change is not None:
                found.setdefault(change.quote, change)
    return tuple(sorted(found.values(), key=lambda c: (c.at, c.quote), reverse=True)[:MOST_CHANGES])


def _change(deploy: JsonObject, update: StepUpdate, case: CaseFile) -> Change | None:
    """None for one without a time, without a line of its own, or too old to be told."""
    result, name = update.outcome.result, f"{deploy.get('workload', '')} revision {deploy.get('revision', '')} at {deploy.get('time', '')}"
    quote = result.line_with(f"{name} ") if result else ""
    try:
        at = datetime.fromisoformat(str(deploy.get("time", "")))
    except ValueError:
        return None
    if not quote or at.tzinfo is None or case.now - at > RECENT:
        return None
    return Change(
        at=at,
        workload=str(deploy["workload"]),
        what=quote.removeprefix(name).strip(),
        before_alert_s=round((case.alert.starts_at - at).total_seconds()),
        quote=quote,
        call_id=update.outcome.call.id,
    )


def _runbooks(case: CaseFile) -> Iterator[RunbookHit]:
    """The alert's own one first, then what the search found."""
    if url := runbook_of(case):
        yield RunbookHit(title=case.alert.name, where=url, why="the alert names it")
    for update in _of(case, *ASKED_BY[ContextName.RUNBOOKS]):
        for hit in (update.outcome.result.data if update.outcome.result else {}).get("results") or ():
            yield RunbookHit(title=str(hit.get("title", "")), where=str(hit.get("path", "")), why=str(hit.get("why", "")))


def _first_steps(verdict: Verdict, case: CaseFile, missing: Iterable[NotChecked]) -> tuple[Action, ...]:
    """What the diagnosis would look at, the runbook, then what nobody could look at: never a change."""
    looks = [action for action in verdict.actions if not action.changes]
    looks += [Action(title=f"Read the runbook {hit.where}") for hit in _runbooks(case)]
    gaps = ", ".join(dict.fromkeys(gap.what for gap in missing))
    looks += [Action(title=f"Look by hand at what could not be checked: {gaps}")] if gaps else []
    return tuple(looks[:MOST_STEPS])


def _context(known: SoFar, source: ContextName) -> Context:
    if source is ContextName.SIMILAR:
        return _similar(known.recalled)
    mine = sorted((u for u in known.case.updates if u.step.tool in ASKED_BY[source]), key=lambda u: ASKED_BY[source].index(u.step.tool))
    good = next((u for u in mine if u.status is StepStatus.SUCCESS), None)
    if good is not None:
        return Context(source=source, status=ContextStatus.ANSWERED, detail=good.result_line)
    waiting = [step.tool for step in known.pending if step.tool in ASKED_BY[source]]
    if waiting:
        return Context(source=source, status=ContextStatus.PENDING, detail=f"{waiting[0]} has not answered so far")
    if mine:
        return Context(source=source, status=ContextStatus.FAILED, detail=mine[0].result_line)
    if source is ContextName.RUNBOOKS and (url := runbook_of(known.case)):
        return Context(source=source, status=ContextStatus.ANSWERED, detail=f"the alert names {url}")
    return Context(source=source, status=ContextStatus.NOT_ASKED, detail="not part of the first round")


def _similar(recalled: Recalled | None) -> Context:
    source = ContextName.SIMILAR
    if recalled is None:
        return Context(source=source, status=ContextStatus.PENDING, detail="memory has not answered so far")
    if not recalled.available and not recalled.similar:
        return Context(source=source, status=ContextStatus.FAILED, detail=recalled.note)
    return Context(
        source=source, status=ContextStatus.ANSWERED, detail=f"{len(recalled.similar)} of {recalled.total} past investigations are similar"
    )


def _missing(known: SoFar) -> Iterator[NotChecked]:
    """What brought nothing and why, then what has not answered yet."""
    if known.occasion is Occasion.DEADLINE and not known.case.updates and not known.pending:
        yield NotChecked(what="the first round of reads", reason=Reason.TIMEOUT.value, detail="not begun: memory or the plan has not come so far")
    yield from not_checked(known.verdict, known.case.updates)
    for tool in dict.fromkeys(step.tool for step in known.pending):
        yield NotChecked(what=tool, reason=Reason.TIMEOUT.value, detail="no answer so far; the investigation goes on")
    similar = _similar(known.recalled)
    if similar.status is not ContextStatus.ANSWERED:
        yield NotChecked(what="similar incidents", reason=Reason.UNAVAILABLE.value, detail=similar.detail)
