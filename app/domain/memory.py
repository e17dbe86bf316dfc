"""What is remembered of an investigation, and what recall brings back (EMEM-02..06, WMEM-03)."""

from pydantic import Field

from app.domain.frozen import Frozen, JsonObject, UtcTime


class PastCase(Frozen):
    """An investigation as episode memory keeps it; `id` is the investigation's UUID everywhere (decision 6, 7)."""

    id: str
    task: str
    root_cause: str
    fix: str
    severity: str
    service: str
    alert_type: str
    cause: str = ""
    object: str = ""
    state: str = ""
    duration_s: float = 0.0
    timestamp: UtcTime
    findings_count: int = 0

    @property
    def text(self) -> str:
        """The recall text that is embedded (EMEM-02)."""
        return f"Task: {self.task}\nRoot Cause: {self.root_cause}\nFix: {self.fix}\nSeverity: {self.severity}"


class SimilarCase(Frozen):
    """A recalled case. `relevance` = round(1 - distance/2, 3) (EMEM-05). `same` says whether the same cause was found,
    filled in when the verdict is known."""

    case: PastCase
    relevance: float
    same: bool | None = None


class Recalled(Frozen):
    """What memory said before the plan was made. `recent` is what working memory holds of the same target (at most an
    hour old), None if nothing. `total` counts all past investigations. `available` is false when recall itself failed;
    then `note` says why and the investigation goes on without."""

    recent: JsonObject | None = None
    similar: tuple[SimilarCase, ...] = ()
    total: int = 0
    patterns: tuple[str, ...] = ()
    available: bool = True
    note: str = ""


class RecallQuery(Frozen):
    """What to recall by: the investigation itself is never among the answers. `service` narrows first (decision 8)."""

    investigation_id: str
    task: str
    service: str
    target: str
    alert_type: str
    limit: int = Field(default=3, ge=1)
