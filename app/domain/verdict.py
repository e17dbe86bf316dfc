"""What the investigation found: evidence, hypotheses, verdict."""

from enum import StrEnum

from pydantic import Field

from app.domain.case import Signal
from app.domain.frozen import Frozen, JsonObject, UtcTime
from app.domain.plan import DecidedBy, Step, Usage
from app.domain.reason import Reason
from app.domain.target import ObjectRef
from app.domain.tool import Provenance, Window


class VerdictState(StrEnum):
    """Below `confirmed` the words "root cause" do not appear anywhere in a report."""

    CONFIRMED = "confirmed"
    LIKELY = "likely"
    INCONCLUSIVE = "inconclusive"
    NOT_A_PROBLEM = "not_a_problem"


class Level(StrEnum):
    """Evidence level (TRAIL-03): read from a source, said by an agent, derived."""

    VERIFIED = "verified"
    CLAIMED = "claimed"
    INFERRED = "inferred"


class ConfidenceWord(StrEnum):
    """Decision 28: 0.7 and above high, 0.4 medium."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


def confidence_word(value: float) -> ConfidenceWord:
    if value >= 0.7:
        return ConfidenceWord.HIGH
    return ConfidenceWord.MEDIUM if value >= 0.4 else ConfidenceWord.LOW


class Evidence(Frozen):
    """A claim with the text that carries it. `quote` occurs word for word in the text of the result of `call_id`.
    `source` is the tool, `query` the exact invocation, `value` the reading if there is one."""

    id: str
    claim: str
    source: str
    call_id: str
    query: str
    window: Window | None = None
    value: str = ""
    quote: str = Field(min_length=1)
    provenance: Provenance
    level: Level = Level.VERIFIED
    decided_by: DecidedBy = DecidedBy.RULES
    link: str = ""


class Hypothesis(Frozen):
    """One candidate cause. `cause` is an id of the closed list of causes, `object` what is at fault.
    `confidence` is 0..1, `why` its reason in words; `evidence` are evidence ids for it, `against` sentences."""

    cause: str
    object: ObjectRef
    confidence: float = Field(ge=0, le=1)
    mechanism: str
    why: str
    evidence: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    onset: UtcTime | None = None


class RuledOut(Frozen):
    """A hypothesis that a check killed."""

    hypothesis: str
    check: str
    result: str


class NotChecked(Frozen):
    """Something that was not looked at, and why (`reason` is a Reason word)."""

    what: str
    reason: str
    detail: str = ""


class Action(Frozen):
    """Something to do now. `argv` is the exact command, quoted by code; `changes` is false for read-only checks."""

    title: str
    argv: tuple[str, ...] = ()
    changes: bool = False
    effect: str = ""
    undo: str = ""


class Verdict(Frozen):
    """The conclusion. `line` is at most 140 characters: object, mechanism, time. `hypotheses` best first.
    `state` is confirmed or likely only with at least one hypothesis that has evidence. `reaches` are the objects
    (`Kind/namespace/name`) on which the named causes show, `accounts_for` the ids of the alerts that need no other
    explanation."""

    state: VerdictState
    line: str = Field(max_length=140)
    confidence: float = Field(ge=0, le=1)
    confidence_reason: str
    decided_by: DecidedBy = DecidedBy.RULES
    hypotheses: tuple[Hypothesis, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()
    set_aside: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()
    impact: str = ""
    would_change: tuple[str, ...] = ()
    timeline: tuple["Moment", ...] = ()
    reaches: tuple[str, ...] = ()
    accounts_for: tuple[str, ...] = ()
    fallback_reason: Reason | None = None
    usage: Usage = Usage()


class Moment(Frozen):
    """One line of the timeline; `call_id` is "" when the alert itself is the source."""

    at: UtcTime
    what: str
    call_id: str = ""


class Assessment(Frozen):
    """What the diagnosis thinks after a round: facts, ranked hypotheses, and the reads that would separate the leaders
    (empty when nothing would change the answer)."""

    signals: tuple[Signal, ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()
    next_steps: tuple[Step, ...] = ()
    why: str = ""


class ModelConclusion(Frozen):
    """What a model may conclude: a cause of the closed list on an object that was seen, each claim citing evidence."""

    cause: str
    object: str
    confidence: float = Field(ge=0, le=1)
    mechanism: str
    why: str
    cites: tuple[str, ...] = Field(min_length=1)


Verdict.model_rebuild()


def as_json(value: Frozen) -> JsonObject:
    """A JSON object of a value, times as RFC 3339 text."""
    return value.model_dump(mode="json")
