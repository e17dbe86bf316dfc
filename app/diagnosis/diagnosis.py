"""The diagnosis as the agent sees it: signals from what was read, causes ranked, the next reads, the verdict.

Pure: every answer is a function of the case file, byte for byte, whatever the hash seed. `conclude` derives its facts
from the case again instead of trusting the assessment, so a stored assessment cannot change a verdict."""

from collections import deque

from app.diagnosis.adaptive import next_steps
from app.diagnosis.causes import CAUSES
from app.diagnosis.conclude import conclude, hypothesis
from app.diagnosis.elsewhere import related
from app.diagnosis.narrative import line
from app.diagnosis.ranking import Candidate, rank
from app.diagnosis.signals import find
from app.diagnosis.world import World
from app.domain.case import CaseFile, Signal
from app.domain.verdict import Assessment, Verdict

SHOWN = 5
KEPT = 4  # investigations that run at the same time


def cause_ids() -> tuple[str, ...]:
    """The closed vocabulary: what a model may name as a cause."""
    return tuple(CAUSES)


Thought = tuple[World, tuple[Signal, ...], tuple[Candidate, ...]]


class RulesDiagnosis:
    """Fills `Diagnosis` of `agent/ports.py`. Keeps what it derived from the last case files, and uses it only for the very
    same objects: case files do not change, so this saves time and alters no answer."""

    def __init__(self) -> None:
        self._kept: deque[tuple[CaseFile, Thought]] = deque(maxlen=KEPT)

    def _think(self, case: CaseFile) -> Thought:
        thought = next((known for of, known in self._kept if of is case), None)
        if thought is None:
            thought = _think(case)
            self._kept.append((case, thought))
        return thought

    def assess(self, case: CaseFile) -> Assessment:
        world, found, ranked = self._think(case)
        return Assessment(
            signals=found,
            hypotheses=tuple(hypothesis(c, {}) for c in ranked[:SHOWN]),
            next_steps=next_steps(world, found, ranked),
            why=line(ranked[0]) if ranked else "nothing found so far speaks for a cause",
        )

    def conclude(self, case: CaseFile, assessment: Assessment) -> Verdict:
        world, found, ranked = self._think(case)
        return conclude(world, found, ranked)


def _think(case: CaseFile) -> Thought:
    world = World(case)
    found = find(world)
    return (world, *related(world, found, rank(world, found)))
