"""What repeats: past cases of a service -> sentences for the report's `learned_patterns` (LRN-01). Pure.

Called by `memory.py` at recall.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from app.domain.memory import PastCase
from app.domain.verdict import VerdictState

_REPEATS = 2
_AT_MOST = 3
_NO_FIX = ("", "See investigation")  # the second is what a report says when it has none (LOOP-11)
_BELIEVED = (VerdictState.CONFIRMED, VerdictState.LIKELY)


def learned_patterns(cases: Iterable[PastCase], alert_type: str, now: datetime) -> tuple[str, ...]:
    """Sentences, the most frequent first, at most 3; the same cases give the same sentences in any order.

    A cause counts where a verdict stood behind it at least twice; an alert that ended as no problem at least twice is
    a pattern too: of the alert, not of the service.
    """
    found: dict[tuple[str, str, str], list[PastCase]] = defaultdict(list)
    for case in sorted(cases, key=lambda c: (c.timestamp, c.id)):
        if case.state in _BELIEVED and (case.cause or case.root_cause):
            found["cause", case.service, case.cause or case.root_cause].append(case)
        elif case.state == VerdictState.NOT_A_PROBLEM and case.alert_type == alert_type:
            found["noise", case.service, case.alert_type].append(case)
    repeated = [(key, group) for key, group in found.items() if len(group) >= _REPEATS]
    repeated.sort(key=lambda pair: (-len(pair[1]), -pair[1][-1].timestamp.timestamp(), pair[0]))
    return tuple(_sentence(key, group, now) for key, group in repeated[:_AT_MOST])


def _sentence(key: tuple[str, str, str], group: list[PastCase], now: datetime) -> str:
    kind, service, what = key
    often = f"{len(group)} times in {_days(group[0].timestamp, now)}"
    if kind == "noise":
        return f"{service}: {what} was not a problem {often}, last on {group[-1].timestamp:%Y-%m-%d}"
    fix = next((case.fix for case in reversed(group) if case.fix not in _NO_FIX), "")
    return f"{service}: {what} {often}, " + (f"last fixed by: {fix}" if fix else "no fix on record")


def _days(first: datetime, now: datetime) -> str:
    days = max(1, math.ceil((now - first).total_seconds() / 86400))
    return f"{days} day" if days == 1 else f"{days} days"
