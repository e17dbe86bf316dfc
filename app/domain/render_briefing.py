"""A `Briefing` in, the plain text that people read first out; for notices, the API and terminals. Pure.

As in `render`: every text may repeat what strangers wrote, so all of it is escaped, and `ROOT CAUSE:` stands there only when
the analysis is confirmed. No block is ever silently missing.
"""

from collections.abc import Iterator

from app.domain.briefing import Briefing, Change, Figure
from app.domain.escape import one_line, visible
from app.domain.frozen import iso
from app.domain.render import block, command, past
from app.domain.verdict import Action, VerdictState

_STATE_WORDS = {state: state.value.replace("_", " ") for state in VerdictState}


def briefing_text(briefing: Briefing) -> str:
    a = briefing.analysis
    label = "ROOT CAUSE" if a.state is VerdictState.CONFIRMED else "LIKELY CAUSE SO FAR"
    alert = briefing.alerts[0]
    lines = [
        f"BRIEFING {briefing.channel}: {one_line(alert.name)} on {one_line(str(briefing.target.workload))}",
        f"SEVERITY: {briefing.severity.value}",
        *block("QUICK STATUS", [line for figure in briefing.quick_status for line in _figure(figure)]),
        f"{label}: {one_line(a.line) if a.cause else 'none found so far'}",
        f"CONFIDENCE: {a.confidence:.2f} ({a.confidence_word.value}), {_STATE_WORDS[a.state]}, decided by {a.decided_by.value}",
        f"WHY: {one_line(a.confidence_reason)}",
        *block("EVIDENCE", [line for e in a.evidence for line in (one_line(e.claim), *(f"  | {visible(q)}" for q in e.quote.splitlines()))]),
        *block("RECENT CHANGES", [_change(c) for c in briefing.recent_changes]),
        *block("SIMILAR INCIDENTS", [one_line(past(s)) for s in briefing.similar_incidents]),
        *block("RUNBOOKS", [one_line(f"{r.title}: {r.where} ({r.why})") for r in briefing.runbooks]),
        *block("FIRST STEPS", [line for n, step in enumerate(briefing.first_steps, 1) for line in _step(n, step)]),
        *block("CONTEXT", [one_line(f"{c.source.value}: {c.status.value}; {c.detail}") for c in briefing.context]),
        *block("MISSING", [one_line(f"{m.what}: {m.reason}{'; ' + m.detail if m.detail else ''}") for m in briefing.missing]),
        f"INVESTIGATION: {one_line(briefing.investigation_id)}, goes on; briefed at {iso(briefing.made_at)}, "
        f"{briefing.response_time_seconds:.1f} s after the alert came",
    ]
    return "\n".join(lines) + "\n"


def _figure(figure: Figure) -> Iterator[str]:
    judged = {True: "normal", False: "NOT NORMAL", None: "not read so far"}[figure.ok]
    yield f"{figure.name}: {one_line(figure.value)} ({judged}; normal is {figure.normal})"
    yield from (f"  | {visible(line)}" for line in figure.quote.splitlines())


def _change(change: Change) -> str:
    minutes = round(abs(change.before_alert_s) / 60)
    when = f"{minutes} min {'before' if change.before_alert_s >= 0 else 'after'} the alert began"
    return one_line(f"{iso(change.at)} ({when}) {change.workload}: {change.what}")


def _step(number: int, step: Action) -> Iterator[str]:
    yield f"{number}. {one_line(step.title)}"
    if step.argv:
        yield f"   $ {one_line(command(step))}"
