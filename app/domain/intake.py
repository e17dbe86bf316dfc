"""What `controller` hands to the ledger, and the pages readers get back."""

from pydantic import Field

from app.domain.alert import Alert, Source
from app.domain.frozen import Frozen, UtcTime
from app.domain.investigation import Disposition, Investigation
from app.domain.reason import Reason


class QuarantinedAlert(Frozen):
    """One alert of a webhook that could not be used while the others went on; `raw` is its JSON text as sent."""

    index: int
    raw: str
    reason: Reason
    detail: str


class Intake(Frozen):
    """One request body, parsed. `body` is what was sent, byte for byte. `receiver` is the integration's own name if any."""

    source: Source
    body: bytes
    content_type: str
    received_at: UtcTime
    idempotency_key: str = ""
    alerts: tuple[Alert, ...] = ()
    quarantined: tuple[QuarantinedAlert, ...] = ()


class LedgerEntry(Frozen):
    """One alert instance as the ledger keeps it, with what came of it."""

    alert: Alert
    disposition: Disposition
    nth: int = 1


class LedgerPage(Frozen):
    """Newest first; `next_cursor` is "" on the last page."""

    entries: tuple[LedgerEntry, ...] = Field(default_factory=tuple)
    next_cursor: str = ""


class InvestigationPage(Frozen):
    """Newest first, without reports; `next_cursor` is "" on the last page."""

    investigations: tuple[Investigation, ...] = Field(default_factory=tuple)
    next_cursor: str = ""
