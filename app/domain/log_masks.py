"""A log line -> when it was written, and its words with everything that changes from line to line masked.

Masks: `<num>` (with its unit), `<hex>`, `<uuid>`, `<ip>`, `<time>`, `<path>`, `<str>` (quoted text), `<id>` (generated names).
A JSON line is read by its usual keys, so that its words are those of its message. Used by `log_templates`, whose speed
is decided here: words are masked once and remembered, in a table that is emptied when it is full.
"""

import re
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json

from app.domain.log_times import REACH, moment_of, stamp_in

MAX_CHARS = 2_000  # of a line that are looked at
MAX_WORDS = 64
MAX_WORD = 96
MAX_JSON = 64 * 1024
REMEMBERED = 8_192

_KUBE = "bcdfghjklmnpqrstvwxz2456789"  # letters and digits of names that Kubernetes makes up
_VARIABLE = re.compile(
    rf"""
      (?P<uuid>[0-9a-fA-F]{{8}}-[0-9a-fA-F]{{4}}-[0-9a-fA-F]{{4}}-[0-9a-fA-F]{{4}}-[0-9a-fA-F]{{12}})
    | (?P<time>\d{{4}}[-/]\d\d[-/]\d\d(?:T[\d:.,]+)?(?:Z|[+-]\d\d:?\d\d)?(?!\w)|(?<![\w.:])\d\d:\d\d:\d\d(?:[.,]\d+)?Z?(?!\w))
    | (?P<ip>(?<![\w.])\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?::\d+|/\d+)?(?![\w.])|(?<![\w:])(?=[0-9a-fA-F:]*::)[0-9a-fA-F:]{{3,39}}(?![\w:])
        |(?<![\w:])[0-9a-fA-F]{{1,4}}(?::[0-9a-fA-F]{{1,4}}){{7}}(?![\w:]))
    | (?P<id>(?<=[a-z0-9]-)[{_KUBE}]{{8,10}}-[{_KUBE}]{{5}}(?![\w-]))
    | (?P<hex>(?<!\w)0x[0-9a-fA-F]+(?!\w)|(?<![A-Za-z0-9_])(?=[a-fA-F]*\d)(?=\d*[a-fA-F])[0-9a-fA-F]{{8,}}(?![A-Za-z0-9_]))
    | (?P<id2>(?<!\w)(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{{16,}}(?!\w))
    | (?P<path>(?<![\w/.)\]>])[~.]{{0,2}}(?:/[\w.~%@+,*-]+){{2,}}/?(?:\?\S*)?)
    | (?P<num>(?<!\w)\d+(?:[.,]\d+)*(?:e[-+]?\d+)?
        (?:%|[KMGTP]i?[Bb]?|[kB]|bytes|ns|us|µs|ms|s|m|h|d|(?:[dhms]\d+(?:\.\d+)?)+(?:s|ms|m)?)?(?!\w))
    """,
    re.VERBOSE,
)
# A request line of an access log keeps its method and the class of its status; what is said keeps its words.
_QUOTED = re.compile(
    r'"(?P<method>[A-Z]{3,7}) [^"]*" (?P<status>[1-5])\d\d(?!\w)'
    r'|(?P<key>\b(?:msg|message|err|error|reason|cause|exception|level|lvl|severity)=)"(?P<said>[^"\\]*(?:\\.[^"\\]*)*)"'
    r'|"[^"\\]*(?:\\.[^"\\]*)*"'
)
_SINGLE = re.compile(r"(?<!\w)'[^']*'(?!\w)")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NEEDS = re.compile(r"[\d/]")

_SAYS = ("msg", "message", "log", "event", "text", "@message", "short_message", "body")
_LEVEL = ("level", "severity", "lvl", "levelname", "log.level", "@l", "loglevel")
_WRONG = ("error", "err", "exception", "error.message", "cause")
_WHEN = ("ts", "time", "timestamp", "@timestamp", "t", "asctime", "date")
_STATUS = ("status", "status_code", "statusCode", "http_status", "http.resp.status", "http.status_code")
_PINO = {10: "trace", 20: "debug", 30: "info", 40: "warn", 50: "error", 60: "fatal"}
_KLOG = {"I": "info", "W": "warn", "E": "error", "F": "fatal"}


class Masks(dict[str, str]):
    """Word -> masked word, remembered up to a number of words. `words` is called for every line."""

    def __init__(self, now: datetime | None = None) -> None:
        super().__init__()
        self._now = now

    def __missing__(self, word: str) -> str:
        if len(self) >= REMEMBERED:
            self.clear()
        masked = _masked(word[:MAX_WORD]) if _NEEDS.search(word) else word[:MAX_WORD]
        if len(word) > MAX_WORD:
            return masked + "…"
        self[word] = masked
        return masked

    def words(self, line: str) -> tuple[datetime | None, list[str]]:
        """-> (the line's own time, its masked words: at most 64). A blank line has none."""
        moment, text = self._read(line)
        if len(text) > MAX_CHARS:
            text = text[:MAX_CHARS]
        if '"' in text:
            text = _QUOTED.sub(_unquoted, text)
        if text.count("'") > 1:
            text = _SINGLE.sub("<str>", text)
        if "=" in text:
            text = text.replace("=", "= ")  # so that a key stays when its value changes
        words = text.split(None, MAX_WORDS)
        if len(words) > MAX_WORDS:
            words[MAX_WORDS:] = ["…"]
        return moment, [self[word] for word in words]

    def _read(self, line: str) -> tuple[datetime | None, str]:
        """-> (time, the text that is left without it)."""
        if "\x1b" in line:
            line = _ANSI.sub("", line)
        if line.startswith("{") and len(line) <= MAX_JSON:
            said = _from_json(line, self._now)
            if said is not None:
                return said
        line = line[: MAX_CHARS + REACH]
        found = stamp_in(line, self._now)
        if found is None:
            return None, line
        start, end, moment = found
        if start == 0:
            return moment, line[end:]
        if start == 1 and line[0] in _KLOG:
            return moment, _KLOG[line[0]] + line[end:]
        return moment, f"{line[:start]}<time>{line[end:]}"


def _masked(word: str) -> str:
    scheme, found, rest = word.partition("://")
    if found:
        host, _, path = rest.partition("/")
        return f"{scheme}://{_VARIABLE.sub(_mask, host)}" + ("/<path>" if path else "")
    return _VARIABLE.sub(_mask, word)


def _mask(found: re.Match[str]) -> str:
    return f"<{(found.lastgroup or '').rstrip('2')}>"


def _unquoted(found: re.Match[str]) -> str:
    if found["method"]:
        return f"{found['method']} <path> {found['status']}xx"
    return f"{found['key']}{found['said']}" if found["key"] else "<str>"


def _from_json(line: str, now: datetime | None) -> tuple[datetime | None, str] | None:
    """None if it is no JSON object."""
    try:
        fields = from_json(line)
    except ValueError:
        return None
    if not isinstance(fields, dict):
        return None
    parts = [_level(_first(fields, _LEVEL))]
    says = _first(fields, _SAYS)
    if isinstance(says, str):
        wrong = _first(fields, _WRONG)
        wrong = wrong.get("message") if isinstance(wrong, dict) else wrong
        status = _first(fields, _STATUS)
        parts += [says, f"status={str(status)[0]}xx" if _is_status(status) else "", wrong if isinstance(wrong, str) else ""]
    else:
        parts += [f"{k}={v}" for k, v in fields.items() if k not in _WHEN and k not in _LEVEL and isinstance(v, str | int | float)]
    return _moment(_first(fields, _WHEN), now), " ".join(part for part in parts if part)


def _first(fields: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((fields[n] for n in names if n in fields), None)


def _level(value: Any) -> str:
    return value.lower() if isinstance(value, str) else _PINO.get(value, "") if isinstance(value, int) else ""


def _is_status(value: Any) -> bool:
    return len(str(value)) == 3 and str(value).isdecimal()


def _moment(value: Any, now: datetime | None) -> datetime | None:
    """RFC 3339, or seconds, milliseconds, microseconds or nanoseconds since 1970."""
    if isinstance(value, str):
        return moment_of(value, now)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1e20:
        return None
    while value > 1e11:
        value /= 1000
    return datetime.fromtimestamp(value, UTC)
