"""The rules' verdict and a model's conclusion -> one verdict. Pure; called by `fallback` after the answer was checked.

Who wins: what the rules confirmed, or found healthy, stands. Otherwise the model's cause leads, at most `likely` unless
the rules lead with the same, and lower still if it rests on untrusted text alone. Actions come from the rules or the
catalogue, never from the model.
"""

from collections.abc import Callable, Mapping

from app.domain.case import CaseFile
from app.domain.frozen import JsonObject
from app.domain.grouping import place
from app.domain.plan import DecidedBy, Usage
from app.domain.resolver import resolve
from app.domain.target import ObjectRef
from app.domain.tool import Provenance
from app.domain.verdict import Action, Evidence, Hypothesis, Level, ModelConclusion, Verdict, VerdictState
from app.planner.answers import NO_CAUSE
from app.planner.data_block import Line
from app.planner.plain import plain

Recommend = Callable[[str, ObjectRef, CaseFile], tuple[Action, ...]]
"""Actions of the catalogue for (cause, object); `main` hands it in from the diagnosis."""

# A model's cause that the rules do not lead with is never called high (0.7), and medium at most without trusted text.
MODEL_CAP = 0.69
UNTRUSTED_CAP = 0.5
# Confirmed means more than the model's word: these states of the rules are not overturned by it.
STANDING = frozenset({VerdictState.CONFIRMED, VerdictState.NOT_A_PROBLEM})


def conclusion_of(output: JsonObject) -> ModelConclusion | None:
    """None when the model says that no cause fits."""
    if output["cause"] == NO_CAUSE:
        return None
    return ModelConclusion.model_validate({**output, "mechanism": plain(output["mechanism"], 90), "why": plain(output["why"], 400)})


class Merging:
    """One conclusion meeting one verdict."""

    def __init__(self, case: CaseFile, rules: Verdict, lines: Mapping[str, Line], recommend: Recommend | None) -> None:
        self._case, self._rules, self._lines, self._recommend = case, rules, lines, recommend

    def verdict(self, said: ModelConclusion, usage: Usage) -> Verdict:
        rules, ref = self._rules, ObjectRef.parse(said.object)
        evidence = self._evidence(said)
        if rules.hypotheses and self._same(rules.hypotheses[0], said.cause, ref):
            return self._agreed(said, evidence, usage)
        if rules.state in STANDING or self._ruled_out(said, ref):
            why = f"{rules.confidence_reason}; the model's other reading ({plain(said.cause, 60)}) does not outweigh it"
            return rules.model_copy(update={"confidence_reason": why, "usage": rules.usage.plus(usage)})
        return self._led_by_model(said, ref, evidence, usage)

    def _agreed(self, said: ModelConclusion, evidence: tuple[Evidence, ...], usage: Usage) -> Verdict:
        rules = self._rules
        lead = rules.hypotheses[0]
        lead = lead.model_copy(update={"why": said.why or lead.why, "evidence": _joined(lead.evidence, evidence)})
        return rules.model_copy(
            update={
                "decided_by": DecidedBy.MODEL,
                "hypotheses": (lead, *rules.hypotheses[1:]),
                "evidence": _with(rules.evidence, evidence),
                "confidence_reason": f"{rules.confidence_reason}; rules and model agree",
                "usage": rules.usage.plus(usage),
            }
        )

    def _led_by_model(self, said: ModelConclusion, ref: ObjectRef, evidence: tuple[Evidence, ...], usage: Usage) -> Verdict:
        rules = self._rules
        untrusted = all(e.provenance is Provenance.UNTRUSTED for e in evidence)
        confidence = min(said.confidence, UNTRUSTED_CAP if untrusted else MODEL_CAP)
        rests = "it rests on untrusted text alone" if untrusted else "the rules do not lead with it"
        lead = Hypothesis(
            cause=said.cause,
            object=ref,
            confidence=confidence,
            mechanism=said.mechanism,
            why=said.why,
            evidence=tuple(e.id for e in evidence),
        )
        others = tuple(_below(h, confidence) for h in rules.hypotheses if not self._same(h, said.cause, ref))
        return rules.model_copy(
            update={
                "state": VerdictState.LIKELY,
                "line": self._line(ref, said),
                "confidence": confidence,
                "confidence_reason": f"the model's reading; capped, for {rests}",
                "decided_by": DecidedBy.MODEL,
                "hypotheses": (lead, *others),
                "evidence": _with(rules.evidence, evidence),
                "actions": self._actions(said.cause, ref),
                "reaches": (str(ref),),
                "accounts_for": tuple(a.id for a in self._case.alerts if place(resolve(a).ref) == place(ref)),
                "usage": rules.usage.plus(usage),
            }
        )

    def _line(self, ref: ObjectRef, said: ModelConclusion) -> str:
        """Object, mechanism, time, in 140 characters."""
        since = f", alerting since {self._case.alert.starts_at:%H:%M}Z"
        return plain(f"{ref.kind} {_name(ref)}: {said.mechanism or said.cause}", 140 - len(since)) + since

    def _actions(self, cause: str, ref: ObjectRef) -> tuple[Action, ...]:
        """Of the catalogue for this cause; without a catalogue, the reads that the rules proposed: their changes were
        meant for another cause."""
        if self._recommend is not None:
            return self._recommend(cause, ref, self._case)
        return tuple(a for a in self._rules.actions if not a.changes)

    def _evidence(self, said: ModelConclusion) -> tuple[Evidence, ...]:
        """What was cited: the rules' evidence as it is, a line as evidence of its own."""
        known = {e.id: e for e in self._rules.evidence}
        return tuple(known[c] if c in known else _of_line(c, self._lines[c]) for c in dict.fromkeys(said.cites))

    def _same(self, hypothesis: Hypothesis, cause: str, ref: ObjectRef) -> bool:
        return hypothesis.cause == cause and self._top(hypothesis.object) == self._top(ref)

    def _top(self, ref: ObjectRef) -> ObjectRef:
        """A pod of the target and its owners count as their workload."""
        return self._case.target.workload if ref in (self._case.target.ref, *self._case.target.owners) else ref

    def _ruled_out(self, said: ModelConclusion, ref: ObjectRef) -> bool:
        return any(said.cause in r.hypothesis and ref.name in r.hypothesis for r in self._rules.ruled_out)


def _of_line(cite: str, line: Line) -> Evidence:
    outcome = line.update.outcome
    result = outcome.result
    assert result is not None, "quotable() takes lines of results only"
    return Evidence(
        id=cite,
        claim=plain(line.text, 200) or "cited line",
        source=result.tool,
        call_id=outcome.call.id,
        query=result.invocation,
        window=result.window,
        quote=line.text,
        provenance=result.provenance,
        level=Level.CLAIMED,
        decided_by=DecidedBy.MODEL,
    )


def _joined(ids: tuple[str, ...], evidence: tuple[Evidence, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*ids, *(e.id for e in evidence))))


def _with(old: tuple[Evidence, ...], new: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    have = {e.id for e in old}
    return (*old, *(e for e in new if e.id not in have))


def _below(hypothesis: Hypothesis, confidence: float) -> Hypothesis:
    return hypothesis.model_copy(update={"confidence": min(hypothesis.confidence, confidence)})


def _name(ref: ObjectRef) -> str:
    return f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name
