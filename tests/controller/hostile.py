"""Bodies that nobody should send, with the status and the reason they must get; some are fine and say so with 2xx."""

import gzip
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from app.domain.reason import Reason

JSON = "application/json"
LIMIT = 64 * 1024


class Hostile(NamedTuple):
    """`reason` None: taken (2xx). `headers` go on top of Content-Type."""

    name: str
    body: bytes
    status: int
    reason: Reason | None
    content_type: str | None = JSON
    headers: Mapping[str, str] = MappingProxyType({})


def _nested(depth: int, opening: str, closing: str, middle: str = "1") -> bytes:
    return (opening * depth + middle + closing * depth).encode()


_FINE: dict[str, Any] = {
    "type": "high_memory",
    "service": "web-app",
    "alerts": [{"status": "firing", "labels": {"alertname": "A", "pod": "p"}, "startsAt": "2026-11-20T09:59:00Z"}],
}
FINE = json.dumps(_FINE).encode()


def _with(extra: str) -> bytes:
    """The good body with one more member, given as raw JSON text."""
    return FINE[:-1] + b", " + extra.encode("utf-8", "surrogatepass") + b"}"


_MALFORMED = {
    "nothing": b"",
    "spaces only": b"   \n\t ",
    "a word": b"hello",
    "cut in the middle": FINE[:-9],
    "a comma too many": FINE[:-1] + b",}",
    "single quotes": b"{'type': 'a'}",
    "a comment": b'{"type": "a" /* no */}',
    "two documents": FINE + FINE,
    "text behind the end": FINE + b" x",
    "NaN": _with('"value": NaN'),
    "Infinity": _with('"value": -Infinity'),
    "a raw newline in a string": b'{"type": "a\nb"}',
    "an unknown escape": b'{"type": "\\x41"}',
    "a leading zero": _with('"value": 012'),
    "a hexadecimal number": _with('"value": 0x10'),
    "a lone quote": b'"',
    "an unfinished escape": b'{"type": "\\u12"}',
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "a form": b"type=high_memory&service=web-app",
    "YAML": b"type: high_memory\nservice: web-app\n",
}
_WRONG_SHAPE = {
    "null": b"null",
    "true": b"true",
    "a number": b"3",
    "a string": b'"high_memory"',
    "an array": b"[]",
    "an array of alerts": b"[" + FINE + b"]",
    "an empty object": b"{}",
    "the wrong kinds": b'{"type": {}, "service": [], "alerts": {}}',
    "everything null": b'{"type": null, "service": null, "alerts": null}',
    "alerts that are a string": b'{"type": ["a"], "alerts": "all"}',
    "labels that are a list": b'{"type": "a", "labels": ["b"], "alerts": [{"status": "firing", "labels": ["b"]}]}',
    "labels within labels": b'{"type": "a", "labels": {"b": {"c": "d"}}, "alerts": [{"status": "firing", "labels": {"b": {"c": "d"}}}]}',
    "a status nobody knows": b'{"type": "a", "service": "b", "status": "exploding", "alerts": [{"status": "exploding", "labels": {"a": "b"}}]}',
    "a name without end": json.dumps(
        {"type": "a" * 5000, "service": "b", "alerts": [{"status": "firing", "labels": {"a": "b"}, "fingerprint": "f" * 5000}]}
    ).encode(),
    "prototype keys": b'{"__proto__": {"type": "a"}, "constructor": {"service": "b"}}',
}
_TOO_DEEP = {
    "a hundred arrays": _with(f'"x": {_nested(100, "[", "]").decode()}'),
    "a hundred objects": _with(f'"x": {_nested(100, chr(123) + chr(34) + "a" + chr(34) + ":", "}").decode()}'),
    "thousands of arrays": _nested(30_000, "[", "]"),
    "thousands of objects": _nested(10_000, '{"a":', "}"),
    "thousands of arrays never closed": b"[" * 60_000,
}
_NUMBERS = {
    "a float beyond a double": _with('"value": 1e999'),
    "a negative one": _with('"value": -1e400'),
    "five thousand digits": _with('"value": ' + "9" * 5000),
}
_ENCODING = {
    "Latin-1": '{"type": "später", "service": "a"}'.encode("latin-1"),
    "UTF-16 with a mark": '{"type": "a"}'.encode("utf-16"),
    "half a character": FINE[:-1] + b', "x": "\xe2\x82"}',
    "an overlong slash": FINE[:-1] + b', "x": "\xc0\xaf"}',
    "surrogates as bytes": _with('"x": "\ud800"'),
    "beyond Unicode": FINE[:-1] + b', "x": "\xf5\x80\x80\x80"}',
}
_NUL = {
    "a NUL byte": _with('"x": "a\x00b"'),
    "NULs only": b"\x00" * 100,
    "UTF-16 without a mark": '{"type": "a"}'.encode("utf-16-le"),
    "a NUL escape": _with('"x": "a\\u0000b"'),
    "a NUL in a key": _with('"a\\u0000b": 1'),
    "a NUL deep down": _with('"x": [{"y": ["\\u0000"]}]'),
}
_SURROGATES = {
    "half a pair": _with('"x": "\\ud800"'),
    "the other half": _with('"x": "\\udfff tail"'),
    "a pair in the wrong order": _with('"x": "\\udc00\\ud800"'),
    "half a pair in a key": _with('"\\ud83d": 1'),
}
_DUPLICATES = {
    "a key twice": _with('"type": "other"'),
    "a key twice, once escaped": _with('"t\\u0079pe": "other"'),
    "a key twice inside": _with('"x": {"a": 1, "a": 1}'),
    "alerts twice": _with('"alerts": []'),
    "thousands of keys, the last twice": _with(", ".join(f'"k{n}": 1' for n in [*range(3000), 2999])),
}
_MEDIA: tuple[Hostile, ...] = (
    Hostile("no content type", FINE, 415, Reason.UNSUPPORTED_MEDIA_TYPE, None),
    Hostile("a form's content type", FINE, 415, Reason.UNSUPPORTED_MEDIA_TYPE, "application/x-www-form-urlencoded"),
    Hostile("plain text", FINE, 415, Reason.UNSUPPORTED_MEDIA_TYPE, "text/plain"),
    Hostile("XML's content type", FINE, 415, Reason.UNSUPPORTED_MEDIA_TYPE, "application/xml"),
    Hostile("an upload", FINE, 415, Reason.UNSUPPORTED_MEDIA_TYPE, "multipart/form-data; boundary=x"),
    Hostile("a content type of noise", FINE, 415, Reason.UNSUPPORTED_MEDIA_TYPE, ";;;///"),
    Hostile("another charset", FINE, 415, Reason.WRONG_ENCODING, "application/json; charset=iso-8859-1"),
    Hostile("brotli", FINE, 415, Reason.UNSUPPORTED_MEDIA_TYPE, JSON, {"Content-Encoding": "br"}),
    Hostile("two encodings", FINE, 415, Reason.UNSUPPORTED_MEDIA_TYPE, JSON, {"Content-Encoding": "gzip, gzip"}),
    Hostile("gzip that is none", FINE, 400, Reason.WRONG_ENCODING, JSON, {"Content-Encoding": "gzip"}),
    Hostile("gzip cut off", gzip.compress(FINE)[:-6], 400, Reason.WRONG_ENCODING, JSON, {"Content-Encoding": "gzip"}),
    Hostile("gzip with a tail", gzip.compress(FINE) + b"tail", 400, Reason.WRONG_ENCODING, JSON, {"Content-Encoding": "gzip"}),
    Hostile("a gzip bomb", gzip.compress(b" " * 50_000_000), 413, Reason.TOO_LARGE, JSON, {"Content-Encoding": "gzip"}),
    Hostile("too large", FINE[:-1] + b', "x": "' + b"a" * LIMIT + b'"}', 413, Reason.TOO_LARGE),
    Hostile("far too large", b"a" * (6 * LIMIT), 413, Reason.TOO_LARGE),
    Hostile("an empty key", FINE, 400, Reason.INVALID_PARAMETER, JSON, {"Idempotency-Key": ""}),
    Hostile("a key with a space", FINE, 400, Reason.INVALID_PARAMETER, JSON, {"Idempotency-Key": "a b"}),
    Hostile("a key beyond ASCII", FINE, 400, Reason.INVALID_PARAMETER, JSON, {"Idempotency-Key": "schl\u00fcssel"}),
    Hostile("a key too long", FINE, 400, Reason.INVALID_PARAMETER, JSON, {"Idempotency-Key": "k" * 256}),
)
_HARMLESS: tuple[Hostile, ...] = (
    Hostile("gzip", gzip.compress(FINE), 200, None, JSON, {"Content-Encoding": "gzip"}),
    Hostile("a byte order mark", b"\xef\xbb\xbf" + FINE, 200, None),
    Hostile("a charset in capitals", FINE, 200, None, 'Application/JSON; charset="UTF-8"'),
    Hostile("a vendor's JSON", FINE, 200, None, "application/vnd.alerts+json"),
    Hostile("Go's largest number", _with('"value": 18446744073709552000'), 200, None),
    Hostile("emoji as a pair", _with('"x": "\\ud83d\\ude00"'), 200, None),
    Hostile("terminal colours", _with('"x": "\\u001b[31mred\\u202e"'), 200, None),
    Hostile("markup and templates", _with('"x": "<script>alert(1)</script> {{7*7}} ${jndi:ldap://x} %s%n \'; DROP TABLE alerts;--"'), 200, None),
    Hostile("sixty levels", _with(f'"x": {_nested(60, "[", "]").decode()}'), 200, None),
    Hostile("thousands of fields", _with(", ".join(f'"k{n}": {n}' for n in range(3000))), 200, None),
    Hostile("a key of 255 characters", FINE, 200, None, JSON, {"Idempotency-Key": "k" * 255}),
)


def _all(status: int, reason: Reason, bodies: dict[str, bytes]) -> list[Hostile]:
    return [Hostile(name, body, status, reason) for name, body in bodies.items()]


CASES: tuple[Hostile, ...] = (
    *_all(400, Reason.MALFORMED_JSON, _MALFORMED),
    *_all(422, Reason.WRONG_SHAPE, _WRONG_SHAPE),
    *_all(400, Reason.TOO_DEEP, _TOO_DEEP),
    *_all(400, Reason.NUMBER_OUT_OF_RANGE, _NUMBERS),
    *_all(400, Reason.WRONG_ENCODING, _ENCODING),
    *_all(400, Reason.NUL_CHARACTER, _NUL),
    *_all(400, Reason.LONE_SURROGATE, _SURROGATES),
    *_all(400, Reason.DUPLICATE_KEY, _DUPLICATES),
    *_MEDIA,
    *_HARMLESS,
)
