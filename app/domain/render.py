"""A `Report` in, the form people read out: plain text (terminal, notices, the `answer` field) and Markdown.

Both are made from the report and never from each other. Pure: the same report gives the same characters. Every text of
the report may repeat what strangers wrote, so all of it goes through `escape`. The labelled lines are those of requirement
LOOP-10; `ROOT CAUSE:` stands there only when the verdict is confirmed (design section 1, promise 4).
"""

from collections.abc import Iterator

from app.domain.escape import code_block, code_span, one_line, prose, visible
from app.domain.frozen import iso
from app.domain.memory import SimilarCase
from app.domain.report import Report
from app.domain.verdict import Action, Evidence, Hypothesis, VerdictState

_STATE_WORDS = {
    VerdictState.CONFIRMED: "confirmed",
    VerdictState.LIKELY: "likely",
    VerdictState.INCONCLUSIVE: "inconclusive",
    VerdictState.NOT_A_PROBLEM: "not a problem",
}
NO_LASTING_FIX = "none known; neither a runbook nor a past case names one"


def cause_label(report: Report) -> str:
    return "ROOT CAUSE" if report.badges.state is VerdictState.CONFIRMED else "LIKELY CAUSE"


def cause_sentence(report: Report) -> str:
    """The best cause in words; says so plainly when there is none."""
    if report.badges.state is VerdictState.NOT_A_PROBLEM:
        return f"none: {report.verdict}"
    if not report.causes:
        return "none found"
    best: Hypothesis = report.causes[0]
    since = f", since {iso(best.onset)}" if best.onset else ""
    guess = " (a guess: nothing separates it from the others)" if report.badges.state is VerdictState.INCONCLUSIVE else ""
    return f"{best.object}: {best.mechanism}{since}{guess}"


def lasting_fix(report: Report) -> str:
    """What keeps it from coming back: the runbook, else what fixed the same cause before. Never invented."""
    if report.runbook:
        return report.runbook
    fixed = next((s.case for s in report.similar_incidents if s.same and s.case.fix), None)
    return f"as in case {fixed.id}: {fixed.fix}" if fixed else NO_LASTING_FIX


def command(action: Action) -> str:
    """The command as one would paste it; words with anything but plain characters in single quotes (POSIX 2.2.2)."""
    return " ".join(
        word if word and all(c.isalnum() or c in "-_./:=@%+," for c in word) else "'" + word.replace("'", "'\\''") + "'" for word in action.argv
    )


def _badges(report: Report) -> str:
    b = report.badges
    model = f" (no model: {b.fallback_reason.value})" if b.fallback_reason else ""
    firing = "still firing" if b.still_firing else "no longer firing"
    return f"{_STATE_WORDS[b.state]} · confidence {b.confidence:.2f} ({b.confidence_word.value}) · {firing} · decided by {b.decided_by.value}{model}"


def past(similar: SimilarCase) -> str:
    same = {True: "same cause", False: "another cause", None: "not compared"}[similar.same]
    fix = f"; fixed by: {similar.case.fix}" if similar.case.fix else ""
    return f"{similar.case.id} ({similar.relevance:.2f}, {same}): {similar.case.task}; {similar.case.root_cause}{fix}"


def block(title: str, lines: list[str]) -> Iterator[str]:
    """A block is never silently missing: an empty one says `none`."""
    yield f"{title}:"
    yield from (f"  {line}" for line in lines or ["none"])


def _evidence_text(evidence: Evidence) -> Iterator[str]:
    value = f" = {one_line(evidence.value)}" if evidence.value else ""
    window = f", {iso(evidence.window.start)} to {iso(evidence.window.end)}" if evidence.window else ""
    yield f"[{one_line(evidence.id)}] {one_line(evidence.claim)}{value}"
    yield from (f"    | {visible(line)}" for line in evidence.quote.splitlines())
    yield f"    {one_line(evidence.source)}: {one_line(evidence.query)}{window} ({evidence.provenance.value})"


def _action_text(number: int, action: Action) -> Iterator[str]:
    yield f"{number}. {one_line(action.title)} ({'changes' if action.changes else 'read-only'})"
    if action.argv:
        yield f"   $ {one_line(command(action))}"
    yield from (f"   {word}: {one_line(text)}" for word, text in (("effect", action.effect), ("undo", action.undo)) if text)


def to_text(report: Report) -> str:
    """Plain text, requirement LOOP-10's labelled lines first among the blocks; no line of it is a stranger's from the
    first column on."""
    meta = report.meta
    lines = [
        one_line(report.verdict),
        _badges(report),
        f"SEVERITY: {report.badges.severity.value}",
        f"{cause_label(report)}: {one_line(cause_sentence(report))}",
        f"WHY: {one_line(report.badges.confidence_reason)}",
        f"IMPACT: {one_line(report.impact) or 'not known'}",
        *block("EVIDENCE", [line for e in report.evidence for line in _evidence_text(e)]),
        *block("IMMEDIATE ACTIONS", [line for n, a in enumerate(report.do_this_now, 1) for line in _action_text(n, a)]),
        f"LONG-TERM FIX: {one_line(lasting_fix(report))}",
        *block("TIMELINE", [f"{iso(m.at)} {one_line(m.what)}" for m in report.timeline]),
        *block("RULED OUT", [one_line(f"{r.hypothesis}: {r.check}: {r.result}") for r in report.ruled_out]),
        *block("SET ASIDE", [one_line(s) for s in report.set_aside]),
        *block("NOT CHECKED", [one_line(f"{n.what}: {n.reason}{'; ' + n.detail if n.detail else ''}") for n in report.not_checked]),
        *block("SIMILAR INCIDENTS", [one_line(past(s)) for s in report.similar_incidents]),
        *block("WOULD CHANGE THIS VERDICT", [one_line(w) for w in report.would_change]),
        f"TARGET: {one_line(str(report.target.ref))} ({one_line(report.target.why)})",
        f"INVESTIGATION: {one_line(meta.investigation_id)}, {meta.duration_ms / 1000:.1f} s, {meta.tool_calls} tool calls, "
        f"{meta.tokens} tokens, ${meta.cost_usd:.4f}" + (f", incomplete: {meta.incomplete.value}" if meta.incomplete else ""),
        f"REPLAY: {one_line(meta.replay)}",
    ]
    return "\n".join(lines) + "\n"


def _items(title: str, lines: list[str]) -> Iterator[str]:
    yield f"\n## {title}\n"
    yield from (f"- {line}" for line in lines or ["none"])


def _indented(block: str) -> str:
    return "\n".join(f"  {line}" for line in block.splitlines())


def _evidence_markdown(evidence: Evidence) -> str:
    value = f" = {code_span(evidence.value)}" if evidence.value else ""
    window = f", {iso(evidence.window.start)} to {iso(evidence.window.end)}" if evidence.window else ""
    head = f"**{prose(evidence.id)}** {prose(evidence.claim)}{value}"
    source = f"  {prose(evidence.source)}: {code_span(evidence.query)}{window} ({evidence.provenance.value})"
    return f"{head}\n\n{_indented(code_block(evidence.quote))}\n\n{source}"


def _action_markdown(number: int, action: Action) -> Iterator[str]:
    yield f"{number}. {prose(action.title)} (**{'changes' if action.changes else 'read-only'}**)"
    if action.argv:
        yield f"   {code_span(command(action))}"
    yield from (f"   {word}: {prose(text)}" for word, text in (("effect", action.effect), ("undo", action.undo)) if text)


def to_markdown(report: Report) -> str:
    """CommonMark; quotes stand in fenced blocks, queries and commands in code spans, all else is escaped prose."""
    meta = report.meta
    actions = [line for n, a in enumerate(report.do_this_now, 1) for line in _action_markdown(n, a)]
    lines = [
        f"# {prose(report.verdict)}\n",
        f"{_badges(report)}\n",
        f"**SEVERITY:** {report.badges.severity.value}  ",
        f"**{cause_label(report)}:** {prose(cause_sentence(report))}  ",
        f"**Why:** {prose(report.badges.confidence_reason)}  ",
        f"**Impact:** {prose(report.impact) or 'not known'}",
        "\n## IMMEDIATE ACTIONS\n",
        *(actions or ["- none"]),
        *_items("EVIDENCE", [_evidence_markdown(e) for e in report.evidence]),
        f"\n## LONG-TERM FIX\n\n{prose(lasting_fix(report))}",
        *_items("Timeline", [f"{iso(m.at)} {prose(m.what)}" for m in report.timeline]),
        *_items("Ruled out", [f"{prose(r.hypothesis)}: {prose(r.check)}: {prose(r.result)}" for r in report.ruled_out]),
        *_items("Set aside", [prose(s) for s in report.set_aside]),
        *_items("Not checked", [prose(f"{n.what}: {n.reason}{'; ' + n.detail if n.detail else ''}") for n in report.not_checked]),
        *_items("Similar incidents", [prose(past(s)) for s in report.similar_incidents]),
        *_items("Would change this verdict", [prose(w) for w in report.would_change]),
        f"\nTarget {code_span(str(report.target.ref))}: {prose(report.target.why)}\n",
        f"Investigation {code_span(meta.investigation_id)}: {meta.duration_ms / 1000:.1f} s, {meta.tool_calls} tool calls, "
        f"{meta.tokens} tokens, \\${meta.cost_usd:.4f}" + (f", incomplete: {meta.incomplete.value}" if meta.incomplete else ""),
        f"\nReplay: {code_span(meta.replay)}",
    ]
    return "\n".join(lines) + "\n"
