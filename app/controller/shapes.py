"""Field types and faults that both alert shapes share (`native`, `alertmanager`)."""

import hashlib
import json
from datetime import datetime
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, ValidationError

from app.domain.alert import Mark
from app.domain.errors import Refused
from app.domain.frozen import JsonObject
from app.domain.reason import Reason

MAX_NAME = 255


def _text(value: Any) -> Any:
    """Numbers and truth values of hand-written JSON become the text a label would be."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _texts(value: Any) -> Any:
    """`null` is Go's empty map."""
    if value is None:
        return {}
    return {key: _text(inner) for key, inner in value.items()} if isinstance(value, dict) else value


Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else _text(value))]
Name = Annotated[Text, Field(max_length=MAX_NAME)]
Texts = Annotated[dict[str, str], BeforeValidator(_texts)]
StrictTexts = Annotated[dict[str, str], BeforeValidator(lambda value: {} if value is None else value)]


class Reception(NamedTuple):
    """What a new alert gets from us: its id, and when it came."""

    alert_id: str
    at: datetime


def wrong_shape(error: ValidationError) -> Refused:
    """The first five faults with their places; never the values, which may be secret."""
    named = [f"{'.'.join(str(part) for part in e['loc'])[:80] or 'body'}: {e['msg']}" for e in error.errors(include_input=False)[:5]]
    return Refused(422, Reason.WRONG_SHAPE, "; ".join(named))


def fingerprint_of(labels: dict[str, str]) -> str:
    """Ours, where the sender gives none: SHA-256 over the labels in sorted order, 32 hex digits."""
    canonical = json.dumps(sorted(labels.items()), ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def sent_times(marks: tuple[Mark, ...], **times: Any) -> JsonObject:
    """For `Alert.extra`: the times word for word where they are odd, nothing where they are not."""
    told = {name: value for name, value in times.items() if value is not None}
    return {"sent_times": told} if marks and told else {}
