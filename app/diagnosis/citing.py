"""Candidates -> the evidence of a verdict: for each the cause itself, what carries it, and what it does to what the alert is
about, every one in the words of the source. Called by `conclude`."""

from collections.abc import Iterable, Iterator

from app.diagnosis.narrative import cut
from app.diagnosis.ranking import Candidate
from app.diagnosis.world import World
from app.domain.case import Signal
from app.domain.verdict import Evidence, Level

MOST = 12  # quotes of a verdict: more are not read
PER_CAUSE = 8
WITNESSES = frozenset({"said_since", "pressed"})
VAGUE = frozenset({"log_error", "last_words"})  # where the same log says it better


def cited(candidate: Candidate) -> list[Signal]:
    """The signals worth quoting: one of each kind and source first, those of the cause before its effects; then more of each.
    Where there are effects at least one is among them, at what the alert is about if it is seen there."""
    every = list(_without_vague([*candidate.signals, *candidate.against, *candidate.explains]))
    kinds: set[tuple[str, str]] = set()
    first: list[Signal] = []
    for signal in every:
        key = (signal.kind, signal.call_id if signal in candidate.signals else "")
        if key not in kinds:
            kinds.add(key)
            first.append(signal)
    said = [s for s in every if s.kind in WITNESSES]
    first = [s for s in first if s not in said][: PER_CAUSE - len(said)] + said
    rest = [s for s in every if s not in first]
    chosen: dict[str, Signal] = {}
    for signal in [*first, *rest]:
        chosen.setdefault(signal.quote, signal)
    most = list(chosen.values())[:PER_CAUSE]
    effect = next((s for s in chosen.values() if s in candidate.explains), None)
    return most if effect is None or effect in most else [*most[:-1], effect]


def _without_vague(signals: list[Signal]) -> Iterator[Signal]:
    told = {(s.call_id, str(s.object)) for s in signals if s.kind.startswith("log_") and s.kind not in VAGUE}
    return (s for s in signals if s.kind not in VAGUE or (s.call_id, str(s.object)) not in told)


def evidence(world: World, candidates: Iterable[Candidate]) -> tuple[tuple[Evidence, ...], dict[tuple[str, str], str]]:
    """-> (evidence, its id by call and quote). Each candidate has its deciding quote; the first ones fill the room."""
    queue = [cited(c) for c in candidates]
    room = max(MOST, len(queue)) - len(queue)
    chosen: list[Signal] = []
    for signals in queue:
        chosen += signals[: 1 + room]
        room -= len(signals[1 : 1 + room])
    ids: dict[tuple[str, str], str] = {}
    made = []
    for signal in chosen:
        key = (signal.call_id, signal.quote)
        if key not in ids:
            ids[key] = f"e{len(ids) + 1}"
            made.append(evidence_of(world, signal, ids[key]))
    return tuple(made), ids


def evidence_of(world: World, signal: Signal, id: str) -> Evidence:
    result = world.calls[signal.call_id].result
    return Evidence(
        id=id,
        claim=cut(signal.claim, 300),
        source=result.tool,
        call_id=signal.call_id,
        query=str(signal.facts.get("query") or result.invocation),
        window=result.window,
        quote=signal.quote,
        provenance=signal.provenance,
        level=Level.VERIFIED,
    )
