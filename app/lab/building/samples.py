"""Curves -> series in Prometheus' matrix form. Called by `scene` and the stories."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

Curve = Callable[[datetime], float]
STEP = timedelta(seconds=60)


def wobble(seed: str, at: datetime, size: float = 0.03) -> float:
    """A factor near 1 that is the same in every run: two sines whose phases come from `seed`."""
    phase = sum(ord(c) * (n + 1) for n, c in enumerate(seed)) % 997
    minute = at.timestamp() / 60
    return 1 + size * (0.6 * math.sin(minute / 3.7 + phase) + 0.4 * math.sin(minute / 1.3 + 2 * phase))


def flat(value: float, seed: str = "", size: float = 0.03) -> Curve:
    return lambda at: value * (wobble(seed, at, size) if seed else 1)


def stepped(before: float, after: float, when: datetime, seed: str = "", over: timedelta = timedelta()) -> Curve:
    """`before` until `when`, then to `after`, linearly within `over`."""

    def value(at: datetime) -> float:
        share = 0.0 if at < when else 1.0 if not over else min(1.0, (at - when) / over)
        return (before + (after - before) * share) * (wobble(seed, at) if seed else 1)

    return value


def times(end: datetime, minutes: int) -> list[datetime]:
    return [end - STEP * n for n in range(minutes, -1, -1)]


def gauge(name: str, labels: dict[str, str], curve: Curve, moments: list[datetime], digits: int = 4) -> dict[str, Any]:
    values = [[at.timestamp(), text(round(curve(at), digits))] for at in moments]
    return {"metric": {"__name__": name, **labels}, "values": values}


def counter(name: str, labels: dict[str, str], per_second: Curve, moments: list[datetime], begin: float = 10_000.0) -> dict[str, Any]:
    """Grows by the curve at each moment times the step before it."""
    total, values = begin, []
    for at in moments:
        total += per_second(at) * STEP.total_seconds()
        values.append([at.timestamp(), text(round(total, 3))])
    return {"metric": {"__name__": name, **labels}, "values": values}


def text(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
