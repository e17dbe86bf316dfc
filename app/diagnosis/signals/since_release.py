"""Releases held against what was measured -> did the trouble begin with the release, and do only its pods have it? Runs
after all families, on their signals; `rollout_regression` and `memory_leak` stand on it.

A release shortly before is a coincidence until the onset that was measured falls on it, or old pods stay well."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from statistics import median

from app.diagnosis.kube import moment
from app.diagnosis.reading import Reading, Seen
from app.diagnosis.series import Series
from app.diagnosis.signals.metrics import ERRORS
from app.diagnosis.world import World, cite, signal
from app.domain.case import Signal
from app.domain.target import ObjectRef

MEASURED = ("errors_rose", "latency_rose", "memory_grows")
SHARES = ("error_rate", "success_ratio")
FAR_WORSE = 5
EARLY = timedelta(seconds=60)  # by how much an onset may seem to precede its release: rate windows and scrape intervals
LATE = timedelta(minutes=10)  # a fault that needs longer to show is not dated by its release
START = timedelta(seconds=60)  # a younger pod that is not ready may just be starting


def join(world: World, found: tuple[Signal, ...]) -> Iterator[Signal]:
    latest: dict[str, Signal] = {}
    for release in (s for s in found if s.kind == "released_before_onset" and s.at is not None):
        known = latest.get(str(release.object))
        if known is None or (release.at or world.now) > (known.at or world.now):
            latest[str(release.object)] = release
    for where in sorted(latest):
        release = latest[where]
        own = [s for s in found if s.object == release.object and s.kind in MEASURED]
        if not own:
            own = list(_by_revision(world, release))
            yield from own
        yield from _in_time(release, own)
        yield from _in_place(world, release, own)


def _in_time(release: Signal, measured: Sequence[Signal]) -> Iterator[Signal]:
    """Whether the first thing that was measured began with the release or before it."""
    dated = [(s.at, s) for s in measured if s.at is not None]
    if not dated or release.at is None:
        return
    at, first = min(dated, key=lambda d: d[0])
    lag, name = at - release.at, str(first.facts.get("series") or first.claim.split(" ", 1)[0])
    revision = release.facts.get("revision")
    if -EARLY <= lag <= LATE:
        claim = f"{name} of {release.object.name} moved {_apart(lag)} revision {revision} was released"
        yield first.model_copy(update={"kind": "starts_with_release", "claim": claim})
    elif lag < -EARLY:
        claim = f"{name} of {release.object.name} moved {_apart(lag)} revision {revision} was released, so that release did not start it"
        yield first.model_copy(update={"kind": "trouble_before_release", "claim": claim})


def _by_revision(world: World, release: Signal) -> Iterator[Signal]:
    """Pods of the release that answer with errors from their first minute, where those before it did not: no series of one pod
    shows that step."""
    made = {p.name: moment(p.at("metadata", "creationTimestamp")) for p in world.pods_of(release.object)}
    since = (release.at or world.now) - timedelta(seconds=5)
    new, old = list[tuple[Reading, Series, float]](), list[float]()
    for reading, one in world.series:
        pod, namespace = one.labels.get("pod", ""), one.labels.get("namespace") or release.object.namespace
        if one.name not in SHARES or not one.values or namespace != release.object.namespace or not _of(world, release.object, pod):
            continue
        level = median(v for _, v in one.values)
        failed = level if one.name == "error_rate" else 1 - level
        born = made.get(pod)
        if born is not None and born >= since:
            new.append((reading, one, failed))
        elif born is not None or pod not in made:
            old.append(failed)
    if not new or not old or min(f for *_, f in new) < max(ERRORS, FAR_WORSE * max(old)):
        return
    reading, one, failed = max(new, key=lambda n: (n[2], n[1].labels.get("pod", "")))
    pod = one.labels["pod"]
    facts = {"series": one.name, "before": round(max(old), 4), "after": round(failed, 4), "pod": pod}
    claim = f"{100 * failed:.3g} % of the requests to {pod} of the new release fail, {100 * max(old):.2g} % of those to pods before it"
    seen = signal("errors_rose", release.object, claim, cite(reading, (one.name, f'"{pod}"'), (pod,)), release.at, facts)
    yield from [seen] if seen else []


def _of(world: World, workload: ObjectRef, pod: str) -> bool:
    """Is it a pod of the Deployment? One that is gone is known by its name alone: the Deployment's, a digest, five letters."""
    known = world.get("Pod", workload.namespace, pod)
    if known is not None:
        return world.workload_of(known) == workload
    owner = pod.rsplit("-", 1)[0]
    other = any(world.get(kind, workload.namespace, owner) for kind in ("DaemonSet", "Deployment", "StatefulSet"))
    return not other and re.fullmatch(re.escape(workload.name) + r"-[a-z0-9]+-[a-z0-9]{5}", pod) is not None


def _apart(lag: timedelta) -> str:
    seconds = round(abs(lag.total_seconds()))
    span = f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
    return f"{span} {'after' if lag >= timedelta(0) else 'before'}"


def _in_place(world: World, release: Signal, measured: Sequence[Signal]) -> Iterator[Signal]:
    """Whether the pods from before the release have it too. Says nothing where none of them is left."""
    pods = [(p, made) for p in world.pods_of(release.object) if (made := moment(p.at("metadata", "creationTimestamp")))]
    since = (release.at or world.now) - timedelta(seconds=5)
    new, old = [p for p, made in pods if made >= since], [p for p, made in pods if made < since]
    ill = {str(s.facts["pod"]): s for s in measured if s.facts.get("pod")}
    hurt = [p for p in new if p.name in ill or _fails(world, p)]
    if not hurt or not old:
        return
    revision = release.facts.get("revision")
    spoilt = [p for p in old if p.name in ill or _fails(world, p)]
    kind, shown = ("old_pods_too", spoilt[0]) if spoilt else ("only_new_pods", hurt[0])
    claim = f"{len(hurt)} of {len(new)} pods of revision {revision} have it, and {len(spoilt)} of {len(old)} older ones"
    if shown.name in ill:
        yield ill[shown.name].model_copy(update={"kind": kind, "claim": claim})
    else:
        seen = signal(kind, release.object, claim, cite(shown.reading, (shown.name,)), None, {"pod": shown.name})
        yield from [seen] if seen else []


def _fails(world: World, pod: Seen) -> bool:
    made: datetime | None = moment(pod.at("metadata", "creationTimestamp"))
    return world.in_trouble(pod) and (made is None or world.now - made >= START)
