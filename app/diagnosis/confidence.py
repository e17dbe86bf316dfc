"""How sure a named cause is, as a share of verdicts of its kind that hold, with the reason in words. Called by `conclude`
after the ranking, which it does not change.

The kind of evidence decides: what the cluster itself states about the object now, seen from a second source or not; what only
follows from series or neighbours; what only text says that anybody may write. Then it falls by what speaks against it, by how
close the next explanation is, and by what could not be read."""

from collections.abc import Iterable
from dataclasses import replace

from app.diagnosis.ranking import UNRELATED, UNTRUSTED_CEILING, Candidate, touches_target
from app.diagnosis.world import World
from app.domain.case import Signal
from app.domain.tool import Provenance

DIRECT = 0.8  # rules from this strength on need a statement that names the cause itself
SEEN_TWICE, STATED = 0.97, 0.94  # a direct statement, with and without a second source
FROM_TEXT = 0.9  # a process names the cause, and the cluster shows what it leads to
FOLLOWS = 0.08  # what a second source adds to a cause that only follows from other facts
CONFIRMED, UNCONFIRMED = 0.75, 0.74  # unconfirmed: a past event that nothing current bears out, or mere agreement
ALONE, ENOUGH_READ = 0.12, 5  # what it adds that so many kinds of checks show no other explanation
CLOSE = 0.1  # scores nearer than this are alternatives
MISSING, MOST_MISSING = 0.01, 0.03  # for each source that gave no answer
LOWEST = 0.05
CLEAR, PER_CHECK, MOST_CLEAR = 0.8, 0.03, 0.95
PAST = frozenset({"check_events"})  # tools that tell what was said, not how things stand


def stated(world: World, ordered: tuple[Candidate, ...], leading: int, unread: int) -> tuple[Candidate, ...]:
    """The candidates with their final confidence and its reason in `grade`, in an order that falls. The first `leading` are
    faults of their own, no alternatives of one another; `unread` sources gave no answer."""
    found: list[Candidate] = []
    for number, candidate in enumerate(ordered):
        rivals = [c for c in ordered[leading:] if c is not candidate and _alternative(candidate, c)] if number < leading else []
        value, reasons = _graded(world, candidate)
        if number < leading and not rivals and _only_follows(candidate) and len({r.tool for r in world.readings}) >= ENOUGH_READ:
            value = _raised(candidate, value + ALONE)
            reasons.append("no other explanation was found")
        gap = min((candidate.score - r.score for r in rivals), default=CLOSE)
        if gap < CLOSE:
            value -= CLOSE - max(gap, 0.0)
            reasons.append(f"{rivals[0].rule.id} explains it nearly as well")
        if unread and number < leading and value < SEEN_TWICE:
            value -= min(MISSING * unread, MOST_MISSING)
            reasons.append(_unread(unread))
        ceiling = found[-1].confidence if found else 1.0
        found.append(replace(candidate, confidence=round(max(min(value, ceiling), LOWEST), 3), grade=", ".join(reasons)))
    return tuple(found)


def _alternative(one: Candidate, other: Candidate) -> bool:
    """Would the other explain the same?"""
    shared = {id(s) for s in one.explains} & {id(s) for s in other.explains}
    return not other.beaten_by and (str(other.object) in one.reaches or str(one.object) in other.reaches or bool(shared))


def _graded(world: World, candidate: Candidate) -> tuple[float, list[str]]:
    if candidate.beaten_by:
        return candidate.confidence, []
    if candidate.untrusted:
        return min(candidate.confidence, UNTRUSTED_CEILING), []
    second = _second(world, candidate)
    said = candidate.decisive.provenance is Provenance.UNTRUSTED
    if candidate.rule.strength < DIRECT:
        value = _raised(candidate, candidate.confidence + FOLLOWS) if second and not candidate.against else candidate.confidence
        return value, [f"it follows from what was read{f', also by {second}' if second else ', from one source alone'}"]
    value = FROM_TEXT if said else SEEN_TWICE if second else STATED
    reasons = [f"{'the process names it' if said else 'stated outright'}{f', borne out by {second}' if second else ', by one source'}"]
    if not second and _tool(world, candidate.decisive) in PAST:
        value, reasons = UNCONFIRMED, ["an event states it and nothing current bears it out"]
    value -= sum(v for k, v in candidate.rule.against.items() if any(s.kind == k for s in candidate.against))
    if not touches_target(world, candidate):
        value -= UNRELATED
        reasons.append("it is not on what the alert is about")
    return value, reasons


def _only_follows(candidate: Candidate) -> bool:
    return candidate.rule.strength < DIRECT and not (candidate.untrusted or candidate.beaten_by or candidate.against)


def _raised(candidate: Candidate, value: float) -> float:
    """Agreement makes a cause that only follows likelier; it does not confirm one that was not."""
    return max(candidate.confidence, min(value, UNCONFIRMED if candidate.confidence < CONFIRMED else FROM_TEXT))


def _second(world: World, candidate: Candidate) -> str:
    """A source other than the deciding one that bears it out, in words; "" if there is none."""
    first = _tool(world, candidate.decisive)
    others = _tools(world, (*candidate.signals, *candidate.explains)) - {first}
    return min(others, default="")


def _tools(world: World, signals: Iterable[Signal]) -> set[str]:
    return {_tool(world, s) for s in signals if s.provenance is not Provenance.UNTRUSTED}


def _tool(world: World, signal: Signal) -> str:
    reading = world.calls.get(signal.call_id)
    return reading.tool if reading else ""


def all_clear(world: World, unread: int) -> tuple[float, str]:
    """How sure it is that nothing is wrong, with the reason: by how many kinds of checks found nothing, whether the trouble was
    seen to end, and what could not be read."""
    tools = sorted({r.tool for r in world.readings})
    value = min(CLEAR + PER_CHECK * len(tools), MOST_CLEAR) - min(MISSING * unread, MOST_MISSING)
    parts = [f"Checked: {', '.join(tools)}; no object shows a current fault"]
    past = [s.claim for s, _ in world.ended if s.kind != "container_completed"]
    if past:
        parts.append(f"what was wrong has ended: {past[0]}")
    if unread:
        parts.append(_unread(unread))
    return round(value, 3), "; ".join(parts)


def _unread(count: int) -> str:
    return f"{count} source{'' if count == 1 else 's'} gave no answer"
