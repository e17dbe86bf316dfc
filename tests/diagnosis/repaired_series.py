"""Series of a fault -> the same series that go on at their former level after the repair. Called by `repaired`."""

from itertools import pairwise
from typing import Any

SERVED = {"kube_pod_status_ready": "1", "up": "1"}
COUNTERS = ("_total", "_count", "_sum", "_bucket", "RetransSegs")


def resumed(series: list[dict[str, Any]], at: float, now: float, pods: set[str]) -> None:
    """Each series holds its last level until `at`, then its first quarter's again until `now`. Series of pods that are
    gone end where they ended."""
    for one in series:
        metric, values = one["metric"], one["values"]
        if not values or (metric.get("pod") and metric["pod"] not in pods):
            continue
        step = max(values[1][0] - values[0][0], 5) if len(values) > 1 else 60
        usual, late = _level(metric, values, early=True), _level(metric, values, early=False)
        counter = metric["__name__"].endswith(COUNTERS)
        last, when, n = float(values[-1][1]), values[-1][0], 0
        while (when := when + step) <= now:
            level = usual if when >= at else late
            told = level[n % len(level)]
            last = last + told if counter else told
            values.append([when, f"{last:.6g}" if not counter else f"{last:.3f}"])
            n += 1


def _level(metric: dict[str, str], values: list[list[Any]], early: bool) -> list[float]:
    """The values (of a counter its increases) of the first or of the last quarter."""
    name = metric["__name__"]
    if early and name == "node_systemd_unit_state":
        return [1.0 if metric.get("state") == "active" else 0.0]
    if early and name in SERVED:
        return [float(SERVED[name])]
    numbers = [float(v) for _, v in values]
    if name.endswith(COUNTERS):
        numbers = [max(b - a, 0.0) for a, b in pairwise(numbers)] or [0.0]
    quarter = max(1, len(numbers) // 4)
    return numbers[:quarter] if early else numbers[-quarter:]
