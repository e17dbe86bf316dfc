"""The masked words of a log line -> its level: what it says itself, else what its words speak of. Used by `log_templates`."""

import re
from collections.abc import Sequence

_SAID = {
    "error": ("error", "err", "severe", "fatal", "critical", "crit", "panic", "alert", "emerg", "emergency"),
    "warn": ("warn", "warning", "wrn"),
    "info": ("info", "inf", "information", "notice", "log"),
    "debug": ("debug", "dbg", "trace", "trc", "verbose", "finest"),
}
LEVELS = {word: level for level, words in _SAID.items() for word in words}
LOOKED_AT = 10  # words in which a level is looked for
_NOT_ALONE = ("log", "alert", "trace", "notice", "information", "verbose", "emergency")  # ordinary words, unless written as a level
_KEYS = ("level=", "severity=", "lvl=", "loglevel=")
_AROUND = "[](){}<>:,|;\"'*-"
_NOTHING = re.compile(r"\berr(?:or)?s?= ?(?:<nil>|nil|null|none|<num>|false|$)", re.IGNORECASE)
_WRONG = re.compile(
    r"\b(?:error|err|exception|fail|fails|failed|failing|failure|fatal|panic|refused|denied|forbidden|unauthorized|timeout(?!=)|unable|cannot|traceback"
    r"|segfault|segmentation fault|oom|out of memory|killed|corrupt|corrupted|unreachable|not found|no such|exhausted|unhandled|uncaught|5xx"
    r"|rejected|expired|invalid|missing|deadlock|crash|crashed|aborted|timed out|could not|couldn't|can't|not set|must be)\b"
    r"|\b(?:econn\w+|enospc|eacces|etimedout|enotfound|emfile|epipe|eai_again|ehostunreach|eaddrinuse|eperm|enoent)\b"
)
_OF_A_CLASS = re.compile(r"[a-z](?:Error|Exception)\b")


def level_of(words: Sequence[str]) -> str:
    """error, warn, info, debug or "". A level in words that are written as one (`INFO`, `[warn]`, `level=error`) decides;
    without one, a line that speaks of something going wrong is an error."""
    for before, word in zip(("", *words), words[:LOOKED_AT], strict=False):
        bare = word.strip(_AROUND)
        plain = bare.lower()
        if plain in LEVELS and (bare != word or bare.isupper() or before.lower() in _KEYS or (not before and plain not in _NOT_ALONE)):
            return LEVELS[plain]
    text = _NOTHING.sub("", " ".join(words))
    return "error" if _WRONG.search(text.lower()) or _OF_A_CLASS.search(text) else ""
