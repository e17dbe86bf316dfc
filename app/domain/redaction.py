"""Text and JSON without secrets: the one choke point before store, model, log and notice (requirements SEC-08, SEC-09).

Called by `safety` on every tool answer and by `telemetry.logs` on every line. Pure and deterministic; linear in the
text, because every pattern starts at a fixed word or at the edge of its own alphabet, so no two attempts scan the same
characters. A second pass finds nothing. Left alone: digests, uids, hashes, quantities, paths, ordinary prose.
"""

import re
from collections.abc import Callable
from typing import Any

_MARK = r"\[redacted:"
# Words that follow `password:` in prose and are no password.
_PROSE = (
    r"(?:incorrect|invalid|required|missing|expired|wrong|empty|null|none|true|false|unset|not|failed|failure|rejected|denied|mismatch|"
    r"must|should|is|was|authentication|unauthorized|redacted|hidden|unknown|undefined|changed|provided)(?![\w])"
)
# After a secret's name: optional quote (escaped in JSON within JSON), `:` or `=`, optional quote; not a reference to a value kept elsewhere.
_ASSIGNED = rf"(?P<sep>\\*[\"']?[ \t]*(?::=|=>|[:=])[ \t]*)(?!\\*[\"']?{_MARK})(?!\\*[\"']?(?:\$[{{(]|<|\*+))"
_VALUE = r"(?P<value>\\*\"[^\"\\\n]*\\*\"|\\*'[^'\\\n]*\\*'|[^\s\"'&<>\\]*[^\s\"'&<>\\,;)}\]])"
_PASSWORD = r"password|passwd|passphrase|(?<![a-z])pwd(?=\\*[\"']?[ \t]*[:=][ \t]*[^/\s])"
_SECRET_KEY = (
    r"secret[_-]?access[_-]?key|(?:secret|private|access|encryption|signing|master|account|storage)[_-]?key|(?:client|app|shared|jwt|webhook|consumer)"
    r"[_-]?secret|(?<=[_-])(?<!pull[_-])secret"
)
_API_KEY = r"x-api-key|api[_-]?key|api[_-]?token"
_TOKEN = r"(?:auth|access|refresh|id|session|bearer|bot|deploy)[_-]?token|(?<![a-z])token|(?<=_)token"
_FLAG = r"(?P<sep>[ \t]+)(?!--|\[redacted:|\$[{(]|<)"


def _keep(match: re.Match[str], kind: str, value: str) -> str:
    """The name and its separator stay, the value goes; quotes around it stay, so that JSON in a text stays JSON."""
    quote = re.match(r"\\*[\"']", value)
    open_, close = (quote.group(), quote.group()) if quote else ("", "")
    return match.group()[: match.start("value") - match.start()] + f"{open_}[redacted:{kind}]{close}"


def _assigned(kind: str, least: int, digit: bool = False) -> Callable[[re.Match[str]], str]:
    """Replace a named value of at least `least` characters; with `digit`, one that is no plain word."""

    def replace(match: re.Match[str]) -> str:
        value = match.group("value")
        bare = value.strip("\\\"'")
        if len(bare) < least or (digit and len(bare) < 32 and not any(c.isdigit() for c in bare)):
            return match.group()
        return _keep(match, kind, value)

    return replace


def _whole(kind: str) -> Callable[[re.Match[str]], str]:
    return lambda match: f"[redacted:{kind}]"


def _aws_secret(match: re.Match[str]) -> str:
    """40 characters of base64 that look drawn by lot; a path or a hash in hexadecimal does not."""
    text = match.group()
    drawn = sum(c.isdigit() for c in text) >= 2 and any(c.isupper() for c in text) and any(c.islower() for c in text)
    return "[redacted:aws_secret]" if drawn and not re.search(r"[a-z]{8}", text) else text


def _mixed(kind: str) -> Callable[[re.Match[str]], str]:
    """A prefix that names of pods may have too: secret only if it has capitals and digits."""

    def replace(match: re.Match[str]) -> str:
        text = match.group()
        return f"[redacted:{kind}]" if any(c.isupper() for c in text) and any(c.isdigit() for c in text) else text

    return replace


def _named(names: str, prose: bool = True) -> re.Pattern[str]:
    guard = rf"(?!\\*[\"']?{_PROSE})" if prose else ""
    return re.compile(rf"(?i)(?:{names}){_ASSIGNED}{guard}{_VALUE}")


_PRIVATE_KEY = re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_AUTHORIZATION = re.compile(
    rf"(?i)authorization{_ASSIGNED}(?!\\*[\"']?{_PROSE})\\*[\"']?(?:(?:bearer|basic|token)[ \t]+)?(?!{_MARK})(?P<value>[^\s\"'\\,;]{{6,}})"
)
_PASSWORD_FLAG = re.compile(rf"(?i)(?<!\S)--(?:[\w-]{{0,40}}-)?(?:password|passwd){_FLAG}(?P<value>[^\s\"']+)")
_KEY_LINES = re.compile(r"(?:(?:\s|\\n|\\r)+[A-Za-z0-9+/=]{16,})*")
_RULES: tuple[tuple[tuple[str, ...], re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    # (lower-case words of which one must occur, pattern, replacement); order: whole things before parts of them
    (("://",), re.compile(rf"(?<=://)(?!{_MARK})[^\s/@:\"'<>]*:[^\s/\"'<>?#]+(?=@)"), _whole("url_credentials")),
    (("@tcp(", "@unix("), re.compile(r"(?<![\w.\[-])[\w.-]+:(?!\[redacted:)[^\s@:/\"']+(?=@(?:tcp|unix)\()"), _whole("url_credentials")),
    (("hooks.slack.com/",), re.compile(r"(?<=hooks\.slack\.com/)(?:services|workflows|triggers)/[A-Za-z0-9/_-]{10,}"), _whole("slack_webhook")),
    (("eyj",), re.compile(r"(?<![\w-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"), _whole("jwt")),
    (("sk-ant-",), re.compile(r"(?<![\w-])sk-ant-[A-Za-z0-9_-]{10,}"), _whole("anthropic_key")),
    (("sk-",), re.compile(r"(?<![\w-])sk-[A-Za-z0-9_-]{20,}"), _mixed("openai_key")),
    (("gh", "glpat-"), re.compile(r"(?<![\w-])(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{20,})"), _whole("git_token")),
    (("xox", "xapp-"), re.compile(r"(?<![\w-])(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,}"), _whole("slack_token")),
    (("_live_", "_test_"), re.compile(r"(?<![\w-])(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}"), _whole("stripe_key")),
    (("aiza",), re.compile(r"(?<![\w-])AIza[\w-]{35}(?![\w-])"), _whole("google_key")),
    (("akia", "asia"), re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"), _whole("aws_key")),
    (("authorization",), _AUTHORIZATION, _assigned("authorization", 6)),
    (("bearer",), re.compile(r"(?i)\bbearer[ \t]+(?P<value>[\w.~+/=-]{8,})"), _assigned("bearer_token", 8, digit=True)),
    (("passw", "passphrase", "pwd"), _named(_PASSWORD), _assigned("password", 1)),
    (("--pass", "-pass"), _PASSWORD_FLAG, _assigned("password", 1)),
    (("api",), _named(_API_KEY), _assigned("api_key", 16)),
    (("key", "secret"), _named(_SECRET_KEY), _assigned("secret", 8, digit=True)),
    (("token",), _named(_TOKEN), _assigned("token", 8, digit=True)),
    (("",), re.compile(r"(?<![\w/+=.:-])[A-Za-z0-9/+]{40}(?![\w/+=.:-])"), _aws_secret),
)
_SECRET_FIELD = re.compile(rf"(?i)(?:{_API_KEY}|(?:{_SECRET_KEY})|password|passwd|passphrase|(?:^|[_.-])(?:token|secret|pwd)|[a-z](?:Token|Secret))$")
_REFERENCE = re.compile(r"^\s*$|^\$[({]|^\[redacted:|^<[\w -]+>$|^/[\w./-]+$")

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


def redact(text: str) -> tuple[str, int]:
    """-> (text without secrets, how many were taken out). A second call on the answer takes out none. Terminal colours go
    too: the last letter of their code would hide where a word begins."""
    text, total = _COLOUR.sub("", text) if "\x1b" in text else text, 0
    for _ in range(4):  # a replacement may uncover another; the fourth pass has never found one
        text, found = _pass(text)
        total += found
        if not found:
            break
    return text, total


def _pass(text: str) -> tuple[str, int]:
    text, total = _private_keys(text)
    lowered = text.lower()
    for words, pattern, replacement in _RULES:
        if not any(word in lowered for word in words):
            continue
        before = text
        text = pattern.sub(replacement, text)
        if text != before:
            total += max(1, text.count("[redacted:") - before.count("[redacted:"))
            lowered = text.lower()
    return text, total


def _private_keys(text: str) -> tuple[str, int]:
    """Keys over many lines; a key whose end is missing (a cut log) goes as far as its lines look like one."""
    kept, at, count = [], 0, 0
    while begin := _PRIVATE_KEY.search(text, at):
        end = text.find("-----END", begin.end())
        if end < 0:
            tail = _KEY_LINES.match(text, begin.end())
            stop = tail.end() if tail else begin.end()
        else:
            close = text.find("-----", end + 8)
            stop = close + 5 if close >= 0 else len(text)
        kept += [text[at : begin.start()], "[redacted:private_key]"]
        at, count = stop, count + 1
    return "".join(kept) + text[at:], count


def redact_json(value: Any) -> tuple[Any, int]:
    """The same over every text of a JSON value. A field or an environment variable (`{"name": ..., "value": ...}`) whose
    name says secret loses its value whatever it looks like. Keys are left alone."""
    seen: dict[str, tuple[str, int]] = {}  # sources repeat themselves: each text is looked at once

    def text(value: str) -> tuple[str, int]:
        if value not in seen:
            seen[value] = redact(value)
        return seen[value]

    def walk(value: Any, secret: bool) -> tuple[Any, int]:
        if isinstance(value, str):
            return ("[redacted:secret]", 1) if secret and not _REFERENCE.search(value) else text(value)
        if isinstance(value, dict):
            env = isinstance(value.get("name"), str) and "value" in value and bool(_SECRET_FIELD.search(value["name"]))
            pairs = {k: walk(v, bool(_SECRET_FIELD.search(k)) or (env and k == "value")) for k, v in value.items()}
            return {k: v for k, (v, _) in pairs.items()}, sum(n for _, n in pairs.values())
        if isinstance(value, list | tuple):
            items = [walk(v, secret) for v in value]
            return [v for v, _ in items], sum(n for _, n in items)
        return value, 0

    return walk(value, False)
