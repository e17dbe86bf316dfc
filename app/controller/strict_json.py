"""The bytes of a body in, a JSON object out, or `Refused` with the reason; used by both doors for alerts.

Stricter than `json.loads`: UTF-8 only, no NUL, no duplicate keys (which of the two did the sender mean?), no lone
surrogates (no database takes them), no numbers beyond a double, bounded depth.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any, NoReturn

from app.domain.errors import Refused
from app.domain.frozen import JsonObject
from app.domain.reason import Reason

_BOM = b"\xef\xbb\xbf"
_OTHER_MARKS = (b"\xff\xfe", b"\xfe\xff")


def _refuse(reason: Reason, detail: str) -> NoReturn:
    raise Refused(400, reason, detail)


def _decode(body: bytes) -> str:
    if body.startswith(_OTHER_MARKS):
        _refuse(Reason.WRONG_ENCODING, "the body is UTF-16: send UTF-8")
    if b"\x00" in body:
        _refuse(Reason.NUL_CHARACTER, f"byte {body.index(0)} of the body is NUL: send UTF-8 text")
    try:
        return body.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        _refuse(Reason.WRONG_ENCODING, f"byte {error.start} of the body is not UTF-8: send UTF-8")


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = (Counter(key for key, _ in pairs)).most_common(1)[0]
        _refuse(Reason.DUPLICATE_KEY, f"the key {twice[:80]!a} stands twice in one object: send it once")
    return found


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        _refuse(Reason.NUMBER_OUT_OF_RANGE, f"the number {text[:40]} is beyond a 64-bit float")
    return value


def _int(text: str) -> int | float:
    """Whole numbers beyond 64 bits become floats: Go writes large floats without a point."""
    value = _float(text)
    return int(text) if abs(value) < 2**63 else value


def _constant(text: str) -> NoReturn:
    _refuse(Reason.MALFORMED_JSON, f"{text} is not JSON (RFC 8259 section 6)")


def parse_object(body: bytes, max_depth: int) -> JsonObject:
    """Raises `Refused` with WRONG_ENCODING, NUL_CHARACTER, MALFORMED_JSON, DUPLICATE_KEY, NUMBER_OUT_OF_RANGE, TOO_DEEP
    or WRONG_SHAPE. What texts contain is judged by `fault_in`, part by part."""
    text = _decode(body)
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_int=_int, parse_float=_float, parse_constant=_constant)
    except json.JSONDecodeError as error:
        _refuse(Reason.MALFORMED_JSON, f"not JSON at line {error.lineno}, column {error.colno}: {error.msg}")
    except RecursionError:
        _refuse(Reason.TOO_DEEP, "the body is nested too deeply")
    if not isinstance(value, dict):
        raise Refused(422, Reason.WRONG_SHAPE, "the body must be a JSON object")
    _check_depth(value, max_depth)
    return value


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _text_fault(text: str) -> tuple[Reason, str] | None:
    if "\x00" in text:
        return Reason.NUL_CHARACTER, "a text holds the character NUL (\\u0000)"
    if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
        return Reason.LONE_SURROGATE, "a text holds half of a surrogate pair (\\ud800 to \\udfff)"
    return None


def _check_depth(value: Any, max_depth: int) -> None:
    """Level by level, so that no depth exhausts the stack, here or in whoever walks the value later."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > max_depth:
            _refuse(Reason.TOO_DEEP, f"the body is nested deeper than {max_depth} levels")
        level = [child for item in level for child in _children(item) if isinstance(child, dict | list)]


def fault_in(value: Any) -> tuple[Reason, str] | None:
    """What a text or key of a parsed value holds that no database takes: NUL or half a surrogate pair; None if it is
    sound."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        fault = _text_fault(item) if isinstance(item, str) else None
        if fault:
            return fault
        waiting.extend(_children(item))
    return None
