"""Signals -> hypotheses, best first: the cause that explains more of what is wrong with fewer assumptions wins.

Confidence = strength of the rule + what supports it - what speaks against it, corrected by how much of the trouble it
explains and whether it touches what the alert is about. A change before the onset supports, and never decides."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from app.diagnosis.causes import RULES, CauseRule
from app.diagnosis.causes.rule import CRASHES, NOT_RUNNING, SYMPTOMS, UNREACHED
from app.diagnosis.reach import reach
from app.diagnosis.world import World
from app.domain.case import Signal
from app.domain.target import ObjectRef
from app.domain.tool import Provenance

CEILING = 0.97
UNTRUSTED_CEILING = 0.69  # a verdict that rests on untrusted text alone is never more than likely
UNRELATED = 0.12
EXPLAINED = 0.1
BEATEN = 0.45


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rule applied to an object. `signals` carry it, the deciding one first; `explains` are the symptoms it accounts
    for; `beaten_by` names the cause of which it is only a consequence or a vaguer name; `grade` the kind of
    evidence in words, filled by `confidence`."""

    rule: CauseRule
    object: ObjectRef
    signals: tuple[Signal, ...]
    against: tuple[Signal, ...]
    explains: tuple[Signal, ...]
    confidence: float
    score: float
    reaches: frozenset[str]
    untrusted: bool = False
    beaten_by: str = ""
    grade: str = ""

    @property
    def decisive(self) -> Signal:
        return self.signals[0]


def rank(world: World, found: Iterable[Signal]) -> tuple[Candidate, ...]:
    signals = tuple(found)
    by_object: dict[str, list[Signal]] = {}
    for signal in signals:
        by_object.setdefault(str(signal.object), []).append(signal)
    symptoms = tuple(s for s in signals if s.kind in SYMPTOMS)
    candidates = []
    for where, own in by_object.items():
        reached = reach(world, ObjectRef.parse(where))
        near = [s for s in signals if str(s.object) in reached]
        for rule in RULES:
            candidate = _apply(rule, own, near, reached)
            if candidate is not None:
                candidates.append(_weigh(world, candidate, symptoms))
    return tuple(sorted(_beat(candidates), key=lambda c: (-c.score, c.rule.id, str(c.object))))


def _apply(rule: CauseRule, own: list[Signal], near: list[Signal], reached: frozenset[str]) -> Candidate | None:
    deciding = [s for need in rule.needs for s in own if s.kind == need]
    if not deciding or not all(any(s.kind in group for s in near) for group in rule.also):
        return None
    wanted = {kind for group in rule.also for kind in group} | set(rule.supports)
    extra = [s for s in own if s.kind in wanted] + [s for s in near if s.kind in wanted and s not in own]
    against = [s for s in own if s.kind in rule.against]
    return Candidate(rule, own[0].object, _unique([*deciding, *extra]), tuple(against), (), 0.0, 0.0, reached)


def _unique(signals: list[Signal]) -> tuple[Signal, ...]:
    found: dict[tuple[str, str, str], Signal] = {}
    for signal in signals:
        found.setdefault((signal.kind, str(signal.object), signal.quote), signal)
    return tuple(found.values())


def _weigh(world: World, candidate: Candidate, symptoms: tuple[Signal, ...]) -> Candidate:
    rule = candidate.rule
    kinds = {s.kind for s in candidate.signals}
    value = rule.strength + sum(v for k, v in rule.supports.items() if k in kinds)
    value -= sum(v for k, v in rule.against.items() if any(s.kind == k for s in candidate.against))
    explained = tuple(s for s in symptoms if s.kind in rule.explains and str(s.object) in candidate.reaches)
    targets = _targets(world)
    explained = tuple(sorted(explained, key=lambda s: (s.object not in targets, s.object != candidate.object)))  # what the alert is about first
    everything = sum(weight(s) for s in symptoms)
    share = sum(weight(s) for s in explained) / everything if everything else 0.0
    related = touches_target(world, candidate)
    if not related:
        value -= UNRELATED
    untrusted = all(s.provenance is Provenance.UNTRUSTED for s in candidate.signals if s.kind in rule.needs or s.kind in _groups(rule))
    ceiling = UNTRUSTED_CEILING if untrusted else CEILING
    confidence = round(min(max(value, 0.05), ceiling), 3)
    score = confidence + EXPLAINED * share + (0.04 if candidate.object in targets else 0.0)
    return replace(candidate, explains=explained, confidence=confidence, score=round(score, 4), untrusted=untrusted)


def _groups(rule: CauseRule) -> set[str]:
    return {kind for group in rule.also for kind in group}


def weight(symptom: Signal) -> float:
    """How much a symptom matters: what does not run, what cannot be reached, what is only said."""
    if symptom.kind in NOT_RUNNING | {"pods_refused", "job_failed"}:
        return 1.0
    if symptom.kind in UNREACHED | CRASHES:
        return 0.7
    return 0.1 if symptom.kind == "log_error" else 0.4


def _targets(world: World) -> tuple[ObjectRef, ...]:
    target = world.case.target
    return (target.ref, target.workload, *target.owners)


def touches_target(world: World, candidate: Candidate) -> bool:
    """Is what the alerts are about among what the candidate reaches? An alert about a namespace is about all in it."""
    ref = world.case.target.ref
    if ref.kind in ("Namespace", "Cluster") or not ref.name:
        return True
    names = {str(t) for t in _targets(world)}
    if names & candidate.reaches or candidate.object in _targets(world):
        return True
    return any(ref.kind in ("Service", "Workload", "Target") and reached.endswith(f"/{ref.name}") for reached in candidate.reaches)


def _beat(candidates: list[Candidate]) -> list[Candidate]:
    """Take from each candidate that a surer one explains away."""
    result = []
    for weak in candidates:
        winner = next((c for c in candidates if _beats(c, weak)), None)
        if winner is not None:
            weak = replace(
                weak, score=round(weak.score - BEATEN, 4), confidence=round(max(weak.confidence - BEATEN, 0.05), 3), beaten_by=winner.rule.id
            )
        result.append(weak)
    return result


def _beats(strong: Candidate, weak: Candidate) -> bool:
    outdone = any(weak.rule.id in causes and any(s.kind == kind for s in strong.signals) for kind, causes in strong.rule.outdoes.items())
    if not (outdone or weak.rule.id in strong.rule.beats) or strong.confidence < 0.5:
        return False
    if weak.rule.id == strong.rule.id:
        return False
    return str(weak.object) in strong.reaches


def leaders(candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """The first candidate, and those that are faults of their own: as sure, on objects the first does not reach, with
    symptoms it does not explain."""
    if not candidates:
        return ()
    first, found = candidates[0], [candidates[0]]
    for other in candidates[1:]:
        apart = all(str(other.object) not in c.reaches and str(c.object) not in other.reaches for c in found)
        sure = not other.beaten_by and other.confidence >= max(0.75, first.confidence - 0.2)
        more = any(s not in first.explains for s in other.explains) or not other.rule.explains
        if apart and sure and more:
            found.append(other)
    return tuple(found)
