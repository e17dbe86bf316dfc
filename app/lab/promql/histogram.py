"""`histogram_quantile` over classic buckets, as Prometheus computes it. Called by the evaluator."""

import math

from app.lab.promql import labels as lab
from app.lab.promql.labels import Labels, Vector

Bucket = tuple[float, float]


def histogram_quantile(q: float, vector: Vector) -> Vector:
    """Elements without a readable `le` are left out; one result for each set of the other labels."""
    groups: dict[Labels, list[Bucket]] = {}
    for labels, value in vector:
        try:
            bound = float(lab.value_of(labels, "le"))
        except ValueError:
            continue
        groups.setdefault(lab.without(labels, ("le",)), []).append((bound, value))
    return [(labels, _quantile(q, buckets)) for labels, buckets in groups.items()]


def _quantile(q: float, buckets: list[Bucket]) -> float:
    if math.isnan(q):
        return math.nan
    if not 0 <= q <= 1:
        return -math.inf if q < 0 else math.inf
    ordered = _monotonic(_coalesced(sorted(buckets)))
    if not math.isinf(ordered[-1][0]) or len(ordered) < 2 or not ordered[-1][1] > 0:
        return math.nan
    rank = q * ordered[-1][1]
    place = next((n for n, (_, count) in enumerate(ordered[:-1]) if count >= rank), len(ordered) - 1)
    if place == len(ordered) - 1:
        return ordered[-2][0]
    end, count = ordered[place]
    if place == 0 and end <= 0:
        return end
    start = 0.0
    if place:
        start, below = ordered[place - 1]
        count, rank = count - below, rank - below
    return start + (end - start) * (rank / count) if count else math.nan


def _coalesced(buckets: list[Bucket]) -> list[Bucket]:
    """Buckets of one bound are added up."""
    found: dict[float, float] = {}
    for bound, count in buckets:
        found[bound] = found.get(bound, 0.0) + count
    return list(found.items())


def _monotonic(buckets: list[Bucket]) -> list[Bucket]:
    """A bucket holds at least what the one below it holds (scrapes of several targets are not atomic)."""
    found: list[Bucket] = []
    most = -math.inf
    for bound, count in buckets:
        most = max(most, count)
        found.append((bound, most))
    return found
