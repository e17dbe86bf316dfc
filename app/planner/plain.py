"""Free text of others (a model, an alert, a past case) -> one short plain line that may stand in a report; called by
`rules` and `conclusion`."""

import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
_ROOT_CAUSE = re.compile(r"root[\s_-]*cause", re.IGNORECASE)
_LINK = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)


def plain(text: str, limit: int) -> str:
    """Without line breaks, control and direction characters, links and the words "root cause", which only a confirmed
    verdict may use; cut to `limit` characters, without a full stop."""
    text = _LINK.sub("(link)", _CONTROL.sub(" ", text))
    text = " ".join(_ROOT_CAUSE.sub("cause", text).split()).rstrip(". ")
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
