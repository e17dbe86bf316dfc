"""Memory that climbs in every run of a container and comes down only by a restart -> a leak, whatever the limit is. Reads
series of the working set that span several runs (`query_prometheus`, `get_metrics`), restarts beside them.

No leak: memory that falls while the container runs on (a batch, a garbage collector), that levels off (a cache that is
warm), or that stood still until one large request."""

from itertools import pairwise
from statistics import fmean

from app.diagnosis.kube import moment, statuses
from app.diagnosis.reading import Reading, dig
from app.diagnosis.series import Series
from app.diagnosis.signals.metrics import owner
from app.diagnosis.world import Found, World, cite, signal

WORKING_SET = ("memory_working_set", "container_memory_working_set_bytes", "process_memory", "process_resident_memory_bytes")
RESTARTS = ("restarts", "kube_pod_container_status_restarts_total")
RUNS = 2
FALL = 0.7  # what a restart leaves of the level before, at most
PARTS = 6
LEAST = 12  # points of a run: two for each part
GROWTH = 1.2
LATE = 0.05  # share of the climb that falls into the last part: less is a plateau
BURST = 0.6  # share of the climb that one part may have: more is one event
Points = tuple[tuple[float, float], ...]


def find(world: World) -> Found:
    for reading, one in world.series:
        if one.name in WORKING_SET and len(one.values) >= RUNS * LEAST:
            yield from _sawtooth(world, reading, one)


def _sawtooth(world: World, reading: Reading, one: Series) -> Found:
    where = owner(world, one.labels)
    runs = _runs(one.values)
    long = [r for r in runs if len(r) >= LEAST]
    far = [r for r in long if r[-1][1] >= GROWTH * r[0][1]]  # the first and the last run are seen in part
    if where is None or len(far) < RUNS or not all(climbs(r) for r in long) or not _all_restarts(world, one, runs):
        return
    low, high = min(v for _, v in one.values) / 2**20, max(v for _, v in one.values) / 2**20
    pod = one.labels.get("pod") or where.name
    claim = f"Memory of {pod} climbs from {low:.0f} to {high:.0f} MiB in each of {len(long)} runs, and only a restart brings it back"
    facts = {"pod": pod, "runs": len(long), "container": one.labels.get("container", ""), **({"query": one.query} if one.query else {})}
    yield signal("memory_sawtooth", where, claim, cite(reading, (one.name, f'"{pod}"'), (one.name,)), None, facts)


def _runs(values: Points) -> list[Points]:
    """Cut where the level falls at once by a third."""
    cuts = [i + 1 for i, (a, b) in enumerate(pairwise(values)) if b[1] < FALL * a[1]]
    return [values[i:j] for i, j in pairwise([0, *cuts, len(values)])]


def climbs(run: Points) -> bool:
    """Does it rise through all of its parts, in none of them by itself, and to the end?"""
    size = len(run) / PARTS
    levels = [fmean(v for _, v in run[round(i * size) : round((i + 1) * size)]) for i in range(PARTS)]
    rise = levels[-1] - levels[0]
    steps = [b - a for a, b in pairwise(levels)]
    return min(steps) > 0 and steps[-1] >= LATE * rise and max(steps) <= BURST * rise


def _all_restarts(world: World, one: Series, runs: list[Points]) -> bool:
    """Was the container started again at every fall? The last one may be told by the pod's status alone."""
    known = _restarts(world, one)
    for before, after in pairwise(runs):
        step = max(60.0, one.values[1][0] - one.values[0][0])
        if not any(before[-1][0] - 3 * step <= at <= after[0][0] + 3 * step for at in known):
            return False
    return True


def _restarts(world: World, one: Series) -> list[float]:
    pod, container = one.labels.get("pod", ""), one.labels.get("container", "")
    told = [s for _, s in world.series if s.name in RESTARTS and s.labels.get("pod") == pod and s.labels.get("container", container) == container]
    times = [b[0] for s in told for a, b in pairwise(s.values) if b[1] > a[1]]
    seen = world.get("Pod", one.labels.get("namespace") or world.case.target.namespace, pod)
    for status, _ in statuses(seen.item) if seen else ():
        ended = moment(dig(status, "lastState", "terminated", "finishedAt"))
        if ended is not None and (not container or status.get("name") == container):
            times.append(ended.timestamp())
    return times
