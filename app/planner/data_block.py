"""What systems and strangers wrote -> fenced blocks of a prompt, redacted, cut, each line with the id it is cited by.

A fence is named after the digest of what is inside, so that no text can close its own fence. Called by `questions`.
"""

import hashlib
import re
from dataclasses import dataclass

from app.domain.case import CaseFile
from app.domain.plan import StepUpdate
from app.domain.ports import Redact

LINE_CHARS = 300
RESULT_LINES = 60
ALL_CHARS = 24_000
# Lines a person would look at first; the others fill the room that is left.
_TELLING = re.compile(
    r"error|fail|warn|fatal|panic|exception|kill|oom|back-?off|refus|timeout|timed out|denied|forbidden|exceed|unhealthy|not ready|unschedul|pending|"
    r"evict|insufficient|cannot|unable|no such|not found|unbound|quota|mismatch|0/|restart|change at|last=",
    re.IGNORECASE,
)

# The client and the model know tags that speak with authority; no text of others may hold one. Another character, because
# the client looks through character references such as &lt;.
_TAG = re.compile(r"<(?=[/!?A-Za-z])")


@dataclass(frozen=True)
class Line:
    """A line of a tool's text; `text` word for word, `update` the step that brought it."""

    text: str
    update: StepUpdate


def fence(label: str, text: str, redact: Redact) -> str:
    inside = _TAG.sub("‹", redact(text)[0])
    mark = hashlib.sha256(inside.encode()).hexdigest()[:12]
    return f"<data {mark} {label}>\n{inside}\n</data {mark}>"


def quotable(case: CaseFile) -> dict[str, Line]:
    """Id -> line, for the lines of all results that fit into a prompt; `r2.7` is line 7 of step 2."""
    results = [u for u in case.updates if u.outcome.result is not None and u.outcome.result.text]
    share = ALL_CHARS // max(1, len(results))
    found: dict[str, Line] = {}
    for update in results:
        found |= _chosen(update, share)
    return found


def _chosen(update: StepUpdate, share: int) -> dict[str, Line]:
    """The telling lines first, within the room; in the order of the text."""
    result = update.outcome.result
    lines = list(enumerate(result.text.splitlines() if result else [], start=1))
    kept: set[int] = set()
    for number, text in sorted(lines, key=lambda nt: (not _TELLING.search(nt[1]), nt[0])):
        size = min(len(text), LINE_CHARS) + 8
        if not text.strip() or size > share or len(kept) >= RESULT_LINES:
            continue
        share -= size
        kept.add(number)
    return {f"r{update.number}.{n}": Line(text, update) for n, text in lines if n in kept}


def results_block(case: CaseFile, lines: dict[str, Line], redact: Redact) -> str:
    """Every step with its status, and its lines in a fence."""
    parts = []
    for update in case.updates:
        own = [f"[{i}] {line.text[:LINE_CHARS]}" for i, line in lines.items() if line.update is update]
        result = update.outcome.result
        told = result.provenance.value if result else "nothing came back"
        total = len(result.text.splitlines()) if result else 0
        parts.append(f"Step {update.number}: {update.step.tool}, {update.status.value}, {told}, {len(own)} of {total} lines")
        if own:
            parts.append(fence(update.step.tool, "\n".join(own), redact))
    return "\n".join(parts)
