"""An outcome -> the same without secrets and within size; the last thing the executor does before anyone sees it."""

from dataclasses import dataclass
from typing import Any

from app.domain.frozen import JsonObject
from app.domain.redaction import redact, redact_json
from app.domain.tool import Outcome, ToolResult


@dataclass(frozen=True)
class Caps:
    """Bytes of text (UTF-8) and entries of a list that one answer may have."""

    text_bytes: int = 256 * 1024
    items: int = 1000
    note_bytes: int = 10_000


def trim(outcome: Outcome, caps: Caps) -> Outcome:
    """Cut first, then redact, so that no time is spent on what is thrown away; a cut never ends within a word, so that no
    half of a secret escapes its pattern."""
    note, found = redact(cut(outcome.note, caps.note_bytes))
    if outcome.result is None:
        return outcome.model_copy(update={"note": note, "redactions": found})
    result, inside = _trim_result(outcome.result, caps)
    return outcome.model_copy(update={"note": note, "result": result, "redactions": found + inside})


def _trim_result(result: ToolResult, caps: Caps) -> tuple[ToolResult, int]:
    text = cut(result.text, caps.text_bytes)
    data, left_out = _shorter(result.data, caps)
    if len(text) < len(result.text):
        left_out.insert(0, f"text {len(text.encode())} of {len(result.text.encode())} bytes")
    clean: dict[str, Any] = {}
    total = 0
    for name, value in (("text", text), ("summary", result.summary), ("note", result.note), ("invocation", result.invocation)):
        clean[name], found = redact(value)
        total += found
    clean["data"], found = redact_json(data)
    clean["truncated"] = "; ".join(part for part in (result.truncated, *left_out) if part)
    return result.model_copy(update=clean), total + found


def _shorter(data: JsonObject, caps: Caps) -> tuple[JsonObject, list[str]]:
    """Top-level lists within the cap, with what was left out in words."""
    long = [name for name, value in data.items() if isinstance(value, list) and len(value) > caps.items]
    shorter = {name: value[: caps.items] if name in long else value for name, value in data.items()}
    return shorter, [f"{name} {caps.items} of {len(data[name])}" for name in long]


def cut(text: str, limit: int) -> str:
    """At most `limit` bytes, whole lines where there are any, else whole words."""
    raw = text.encode()
    if len(raw) <= limit:
        return text
    head = raw[:limit].decode(errors="ignore")
    for edge in ("\n", " "):
        if edge in head:
            return head[: head.rindex(edge)]
    return head
