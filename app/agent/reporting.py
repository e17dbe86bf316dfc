"""Alerts, target, plan, step updates, verdict, recall and clock readings -> the report and the run's own summary.

Pure: the same inputs give the same bytes. Called by `InfrastructureAgent` once the verdict is known.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from app.agent.remembered import asked_beyond
from app.domain.alert import AlertStatus, Source
from app.domain.case import CaseFile
from app.domain.frozen import JsonObject
from app.domain.limits import SessionLimits
from app.domain.memory import PastCase, Recalled, SimilarCase
from app.domain.plan import Plan, StepUpdate, Usage
from app.domain.reason import Reason
from app.domain.redaction import redact
from app.domain.report import Badges, Meta, Report
from app.domain.tool import StepStatus
from app.domain.verdict import NotChecked, Verdict, VerdictState, confidence_word

FAILURES = (StepStatus.FAILED, StepStatus.ERROR)
FOUND = (VerdictState.CONFIRMED, VerdictState.LIKELY)
MOST_ACTIONS = 3


@dataclass(frozen=True)
class Finished:
    """Everything a report is a function of. `reading` is the journal's last: `at`, `elapsed_ms`, `own_ms`."""

    case: CaseFile
    recalled: Recalled
    plan: Plan
    verdict: Verdict
    reading: JsonObject
    iterations: int
    incomplete: Reason | None
    limits: SessionLimits

    @property
    def usage(self) -> Usage:
        return self.plan.usage.plus(self.verdict.usage)


def report_of(run: Finished) -> Report:
    verdict = run.verdict
    return Report(
        verdict=verdict.line,
        badges=_badges(run),
        do_this_now=verdict.actions[:MOST_ACTIONS],
        impact=verdict.impact,
        target=run.case.target,
        causes=verdict.hypotheses,
        evidence=verdict.evidence,
        timeline=verdict.timeline,
        ruled_out=verdict.ruled_out,
        set_aside=verdict.set_aside,
        not_checked=not_checked(verdict, run.case.updates),
        similar_incidents=_compared(run.recalled.similar, verdict),
        learned_patterns=run.recalled.patterns,
        runbook=runbook_of(run.case),
        would_change=verdict.would_change,
        reaches=verdict.reaches,
        accounts_for=verdict.accounts_for,
        meta=_meta(run),
    )


def stamped(report: Report, reading: JsonObject) -> Report:
    """With the journal's last reading of the clocks."""
    times = {"finished_at": datetime.fromisoformat(reading["at"]), "duration_ms": reading["elapsed_ms"], "own_ms": reading["own_ms"]}
    return report.model_copy(update={"meta": report.meta.model_copy(update=times)})


def _badges(run: Finished) -> Badges:
    verdict, alerts = run.verdict, run.case.alerts
    return Badges(
        state=verdict.state,
        confidence=verdict.confidence,
        confidence_word=confidence_word(verdict.confidence),
        confidence_reason=verdict.confidence_reason,
        severity=min(alert.severity for alert in alerts),  # P1 sorts before P4
        still_firing=any(alert.status is AlertStatus.FIRING for alert in alerts),
        decided_by=verdict.decided_by,
        fallback_reason=verdict.fallback_reason or run.plan.fallback_reason,
    )


def not_checked(verdict: Verdict, updates: Iterable[StepUpdate]) -> tuple[NotChecked, ...]:
    """What the diagnosis names, then every tool that brought nothing for another reason; each once."""
    found = {(item.what, item.reason): item for item in verdict.not_checked}
    for update in updates:
        if update.status is not StepStatus.SUCCESS:
            reason = update.outcome.reason.value if update.outcome.reason else update.status.value
            found.setdefault((update.step.tool, reason), NotChecked(what=update.step.tool, reason=reason, detail=update.outcome.note))
    return tuple(found.values())


def _compared(similar: Iterable[SimilarCase], verdict: Verdict) -> tuple[SimilarCase, ...]:
    """Marked same or different by cause and object; left open where this verdict names no cause."""
    if verdict.state not in FOUND or not verdict.hypotheses:
        return tuple(similar)
    top = verdict.hypotheses[0]
    return tuple(past.model_copy(update={"same": (past.case.cause, past.case.object) == (top.cause, str(top.object))}) for past in similar)


def runbook_of(case: CaseFile) -> str:
    """The first runbook that the alerts point to."""
    urls = (alert.annotations.get(name, "") for alert in case.alerts for name in ("runbook_url", "runbook"))
    return next((url for url in urls if url), "")


def _meta(run: Finished) -> Meta:
    updates, limits = run.case.updates, run.limits
    called = [u.outcome for u in updates if u.outcome.reason is not Reason.DEPENDENCY_FAILED]
    return Meta(
        investigation_id=run.case.investigation_id,
        alert_ids=tuple(alert.id for alert in run.case.alerts),
        started_at=run.case.now,
        finished_at=run.reading["at"],
        duration_ms=run.reading["elapsed_ms"],
        own_ms=run.reading["own_ms"],
        iterations=run.iterations,
        tool_calls=len(called),
        tool_failures=sum(outcome.status in FAILURES for outcome in called),
        bytes_read=sum(outcome.result.bytes_read for outcome in called if outcome.result),
        tokens=run.usage.prompt_tokens + run.usage.completion_tokens,
        cost_usd=run.usage.cost_usd,
        budgets={
            "iterations": limits.iterations,
            "actions": limits.actions,
            "tokens": limits.tokens,
            "cost_usd": limits.dollars,
            "seconds": limits.total_seconds,
        },
        redactions=sum(outcome.redactions for outcome in called),
        past_cases_used=len(run.recalled.similar),
        replay=f"sre-agent replay {run.case.investigation_id}",
        incomplete=run.incomplete,
    )


def task_of(case: CaseFile) -> str:
    """The line that past cases are found by: what fired, in the sender's words, without secrets. Not on what: recall looks
    at the service by itself, and its name would outweigh the kind of trouble (measured: 65 % against 27 % found)."""
    alert = case.alert
    words = alert.annotations.get("summary") or alert.annotations.get("description") or ""
    return redact(f"{alert.name}{': ' if words else ''}{words}")[0][:200]


def service_of(case: CaseFile) -> str:
    """What a native caller calls it; a webhook's `service` label may be the exporter's, so there the target's name."""
    native = case.alert.service if case.alert.source is Source.NATIVE else ""
    return native or case.target.workload.name


def past_case_of(run: Finished) -> PastCase:
    """What episode memory keeps (EMEM-02, EMEM-04)."""
    verdict = run.verdict
    top = verdict.hypotheses[0] if verdict.hypotheses and verdict.state in FOUND else None
    return PastCase(
        id=run.case.investigation_id,
        task=task_of(run.case),
        root_cause=(verdict.line if top else "Unknown")[:200],
        fix=("; ".join(action.title for action in verdict.actions) or "See investigation")[:200],
        severity=min(alert.severity for alert in run.case.alerts).value,
        service=service_of(run.case),
        alert_type=run.case.alert.type,
        cause=top.cause if top else "",
        object=str(top.object) if top else "",
        state=verdict.state.value,
        duration_s=round(run.reading["elapsed_ms"] / 1000, 3),
        timestamp=run.reading["at"],
        findings_count=len(verdict.evidence),
    )


def recent_of(run: Finished) -> JsonObject:
    """What the next investigation of this target sees for an hour (WMEM-03)."""
    return {
        "current_alert": {"type": run.case.alert.type, "service": service_of(run.case)},
        "recent_tools_used": list(dict.fromkeys(update.step.tool for update in run.case.updates)),
        "investigation_id": run.case.investigation_id,
        "at": run.reading["at"],
        "state": run.verdict.state.value,
        "verdict": run.verdict.line,
        "asked_beyond": asked_beyond(run.plan, run.case.updates) if run.verdict.state in FOUND else [],
    }
