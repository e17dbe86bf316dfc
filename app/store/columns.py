"""Column types that mean the same on SQLite and PostgreSQL; used by `tables` only."""

import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import DateTime, Dialect, String, Text
from sqlalchemy.types import TypeDecorator


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime in UTC. SQLite keeps no zone, so it is taken off and put on here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class JsonText(TypeDecorator[Any]):
    """JSON as ASCII text: NUL and lone surrogates stay escaped, which PostgreSQL would refuse as characters."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value, separators=(",", ":"), ensure_ascii=True)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


def storable(text: str) -> str:
    """Without what PostgreSQL cannot keep in text; the body as sent is kept as bytes beside it."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


class PlainText(TypeDecorator[str]):
    """Text from outside."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


def indexed(text: str) -> str:
    """What an index can hold of a text: itself, or its digest if it is too long."""
    short = storable(text)
    return short if len(short) <= 255 else f"sha256:{sha256(short.encode()).hexdigest()}"


class IndexedText(TypeDecorator[str]):
    """Text from outside that is looked up; shortened in the same way on both sides of every comparison."""

    impl = String
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(255)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else indexed(value)
