"""What a notifier is, and what it needs: the rows of the outbox, filled by `store`."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from app.domain.errors import SreAgentError
from app.domain.frozen import JsonObject


class ChannelName(StrEnum):
    """Whom we can tell; a metric label."""

    LOG = "log"
    WEBHOOK = "webhook"


class Result(StrEnum):
    """What became of one attempt; a metric label."""

    DELIVERED = "delivered"
    RETRIED = "retried"
    GIVEN_UP = "given_up"


class OutboxRow(Protocol):
    """One notice that waits. `id` is the same for every attempt; `attempts` counts them, this one included. `payload` is
    what `Notices` made, either the inner document or with its channel around it."""

    @property
    def id(self) -> str: ...

    @property
    def investigation_id(self) -> str: ...

    @property
    def channel(self) -> str: ...

    @property
    def payload(self) -> JsonObject: ...

    @property
    def attempts(self) -> int: ...


class OutboxRows(Protocol):
    """A claimed row is nobody else's for a while; a holder that dies gives it back by doing nothing."""

    async def claim(self, now: datetime, limit: int, holder: str) -> Sequence[OutboxRow]: ...

    async def delivered(self, id: str, /) -> None: ...

    async def retry(self, id: str, /, next_at: datetime, failure: str) -> None: ...

    async def give_up(self, id: str, /, failure: str) -> None: ...


class TransportError(SreAgentError):
    """A notice was not delivered. `permanent`: trying again cannot help. `retry_after_s`: the receiver's own wish."""

    def __init__(self, message: str, permanent: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent
        self.retry_after_s = retry_after_s


class Channel(Protocol):
    """One way to tell somebody. A new one is one file beside `log` and `webhook`, a `ChannelName`, a line in `main`."""

    @property
    def name(self) -> ChannelName: ...

    async def deliver(self, notice_id: str, document: JsonObject) -> None:
        """Returns when the receiver has it. Raises `TransportError`."""
