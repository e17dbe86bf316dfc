"""Untrusted text in, text that cannot leave its place out; used by `render`.

Logs, labels and annotations are written by strangers. In a report they may neither forge a line of ours (`ROOT CAUSE:`),
nor drive a terminal (escape sequences, bidirectional overrides), nor become markup.
"""

import re

# C0 and C1 controls, line and paragraph separators, bidirectional overrides and isolates, zero-width and BOM.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_SPACE = re.compile(r"\s+")
_MARKUP = re.compile(r"([\\`*_\[\]|~$])")
_AT_START = re.compile(r"^([-+#=]|\d+(?=[.)]))")
_RUN = re.compile(r"`+")
_SCHEME = re.compile(r"(?i)\b(https?|ftp|mailto|www)(?=[:.])")


def visible(text: str) -> str:
    """Characters that a reader cannot see become their code (`\\x1b`); tabs and newlines stay."""
    return _UNSAFE.sub(lambda m: f"\\x{ord(m[0]):02x}" if ord(m[0]) < 256 else f"\\u{ord(m[0]):04x}", text)


def one_line(text: str) -> str:
    """Visible, on one line."""
    return visible(_SPACE.sub(" ", text.replace("\x85", " "))).strip()


def prose(text: str) -> str:
    """For running Markdown text: one line, no markup, no HTML, no address or name that turns into a link by itself."""
    plain = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
    plain = _MARKUP.sub(r"\\\1", plain)
    plain = _AT_START.sub(lambda m: f"&#{ord(m[0][0])};{m[0][1:]}", plain)
    return _SCHEME.sub(lambda m: f"{m[0][0]}&#{ord(m[0][1])};{m[0][2:]}", plain)


def _ticks(text: str, least: int) -> str:
    return "`" * max(least, 1 + max((len(run) for run in _RUN.findall(text)), default=0))


def code_span(text: str) -> str:
    """A Markdown code span with more backticks around than the text has inside (CommonMark 6.1)."""
    line = one_line(text) or " "
    ticks = _ticks(line, 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def code_block(text: str) -> str:
    """A fenced block with a longer fence than any run of backticks inside (CommonMark 4.5)."""
    lines = "\n".join(visible(line) for line in text.splitlines())
    fence = _ticks(lines, 3)
    return f"{fence}text\n{lines}\n{fence}"
