"""JSON in, the same JSON with every text passed through the redactor out; used where a value leaves the house (HTTP, notices)."""

from typing import Any

from app.domain.ports import Redact


def scrub(value: Any, redact: Redact) -> Any:
    """Redact string by string, so that the JSON stays JSON. Keys are ours or label names and are left alone."""
    if isinstance(value, str):
        return redact(value)[0]
    if isinstance(value, dict):
        return {key: scrub(inner, redact) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [scrub(inner, redact) for inner in value]
    return value
