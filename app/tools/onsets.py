"""The series that changed -> which moved first. Pure; used by `get_metrics`.

The baseline of a series is the median of what was seen before its own change, over at least three samples of the window.
Two changes whose onsets lie closer than their samples cannot be ordered, and are told as simultaneous.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite

from app.domain.frozen import JsonObject
from app.tools.series_text import clock, labels, short

TOLD = 8


def moved(series: Sequence[JsonObject]) -> list[JsonObject]:
    """[{name, metric, at, before, now, resolution}] of those with a change, earliest onset first. `now` is the last value
    that is a number."""
    found = [
        {
            "name": s["name"],
            "metric": s["metric"],
            "at": s["change"]["at"],
            "before": s["change"]["before"],
            "now": next((n for _, v in reversed(s["values"]) if isfinite(n := float(v))), s["change"]["after"]),
            "resolution": s["change"]["resolution"],
        }
        for s in series
        if "change" in s and s["values"]
    ]
    return sorted(found, key=lambda m: (m["at"], m["name"], sorted(m["metric"].items())))


def order_line(order: Sequence[JsonObject]) -> str:
    """`moved first: a{..} at 03:05:00Z (baseline 3, now 80), together with b .., then c ..`; "" where nothing moved."""
    if not order:
        return ""
    told = [_one(order[0])]
    for before, after in pairwise(order[:TOLD]):
        close = after["at"] - before["at"] <= max(before["resolution"], after["resolution"])
        told.append(f"{'together with' if close else 'then'} {_one(after)}")
    rest = f", and {len(order) - TOLD} more" if len(order) > TOLD else ""
    return f"moved first: {', '.join(told)}{rest}"


def _one(m: JsonObject) -> str:
    return f"{m['name']}{labels(m['metric'])} at {clock(m['at'])} (baseline {short(m['before'])}, now {short(m['now'])})"
