"""A verdict -> the same with what the alert itself measured: value against threshold, and whether that still holds. Called by
`conclude`.

What an alert's own condition says stands beside every verdict. One that is over supports that nothing is wrong now; one that
holds forbids to say so where only series show what the alert is about (`conclude`)."""

from app.diagnosis.citing import evidence_of
from app.diagnosis.narrative import cut
from app.diagnosis.signals.monitoring import HOLDS, OVER
from app.diagnosis.world import World
from app.domain.case import Signal
from app.domain.frozen import JsonObject
from app.domain.verdict import Evidence, Moment, Verdict, VerdictState

IMPACT = 400


def with_measure(world: World, found: tuple[Signal, ...], verdict: Verdict) -> Verdict:
    own = next((s for s in found if s.kind in (HOLDS, OVER)), None)
    if own is None:
        return verdict
    changed: JsonObject = {"evidence": _with_evidence(world, own, verdict), "timeline": _with_moment(world, own, verdict)}
    if own.kind == HOLDS:
        rest = "nothing that was read suffers from it" if verdict.state is VerdictState.NOT_A_PROBLEM else verdict.impact
        impact = verdict.impact if own.claim in verdict.impact else cut(f"{own.claim}; {rest}", IMPACT)
        return verdict.model_copy(update=changed | {"impact": impact})
    if verdict.state is VerdictState.NOT_A_PROBLEM:
        reason = f"{own.claim}; {verdict.confidence_reason}"
        changed |= {"confidence_reason": cut(reason, 400)}
    return verdict.model_copy(update=changed)


def _with_evidence(world: World, own: Signal, verdict: Verdict) -> tuple[Evidence, ...]:
    """As the last one; instead of a quote from the same call that says less."""
    kept = tuple(e for e in verdict.evidence if e.call_id != own.call_id or any(e.id in h.evidence for h in verdict.hypotheses))
    numbers = [int(e.id[1:]) for e in kept if e.id[1:].isdigit()]
    return (*kept, evidence_of(world, own, f"e{max(numbers, default=0) + 1}"))


def _with_moment(world: World, own: Signal, verdict: Verdict) -> tuple[Moment, ...]:
    if own.at is None:
        return verdict.timeline
    first = Moment(at=own.at, what=f"The condition of {world.case.alert.name} was first met, as far as was looked", call_id=own.call_id)
    return tuple(sorted((*verdict.timeline, first), key=lambda m: (m.at, m.what)))[:20]
