"""The base of everything we persist: immutable, strict about unknown fields, JSON both ways."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict

JsonObject: TypeAlias = dict[str, Any]
Clock: TypeAlias = Callable[[], datetime]
NewId: TypeAlias = Callable[[], str]


class Frozen(BaseModel):
    """An immutable value. Fields of type dict are never changed after construction, by convention."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time needs a zone: append Z or an offset")
    return value.astimezone(UTC)


UtcTime: TypeAlias = Annotated[datetime, AfterValidator(_aware)]


def iso(moment: datetime) -> str:
    """RFC 3339 in UTC with Z, milliseconds only where there are any (`2024-01-15T10:30:00Z`)."""
    spec = "milliseconds" if moment.microsecond else "seconds"
    return moment.astimezone(UTC).isoformat(timespec=spec).replace("+00:00", "Z")
