"""Processes that run and do nothing: no cpu, no requests, no line in their log while work piles up, or two that wait for each other's
lock -> `went_silent`. Runs after all families. Probes that only open a connection pass all the while.

Silence alone says nothing: whoever is not asked is silent too. So it counts only where work waits for just this one."""

import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from statistics import median

from app.diagnosis.kube import is_ready
from app.diagnosis.reading import Reading
from app.diagnosis.world import World, cite, signal
from app.domain.case import Signal
from app.domain.log_times import moment_of
from app.domain.target import ObjectRef

SILENT = timedelta(minutes=5)
OFTEN = 5  # times longer than the usual pause between its lines
FEWEST = 5
STOPPED = 0.05  # of what it served before
_LOCKS = re.compile(
    r"\b(acquired|holds?|holding|locked|got)\b (the )?(lock (on )?)?(?P<has>[\w.:-]+)"
    r".{0,40}\bwait(s|ing)? (for|on|to lock) (the )?(?P<wants>[\w.:-]+)",
    re.I,
)


def join(world: World, found: tuple[Signal, ...]) -> Iterator[Signal]:
    piled = {str(s.object) for s in found if s.kind == "backlog_grows"}  # one that says itself that it is behind is not silent
    piled -= {str(s.object) for s in found if s.kind == "log_consumer_lag"}
    stopped = {str(s.object) for s in found if s.kind == "traffic_fell" and _to_nothing(s)}
    for reading in world.readings:
        pod = next((p for p in world.of("Pod") if p.name == reading.result.data.get("pod")), None) if reading.tool == "get_logs" else None
        if pod is None or not is_ready(pod.item) or reading.call.args.get("previous"):
            continue
        where, lines = world.workload_of(pod), [str(x) for x in reading.result.data.get("lines") or []]
        waits = str(where) in piled or (str(where) in stopped and _callers_wait(world, found, where))
        crossed = _crossed(lines)
        if crossed or (waits and _ends(world, lines)):
            shown = crossed or lines[-1]
            said = "two of its threads wait for each other's lock" if crossed else "its log ends while work waits for it"
            seen = _seen(reading, where, pod.name, shown, f"{pod.name} runs and does nothing: {said}", world)
            yield from [seen] if seen and (crossed is None or waits or _ends(world, lines)) else []


def _seen(reading: Reading, where: ObjectRef, pod: str, shown: str, claim: str, world: World) -> Signal | None:
    return signal("went_silent", where, claim, cite(reading, (shown,)), moment_of(shown, world.now), {"pod": pod})


def _to_nothing(fell: Signal) -> bool:
    before, after = fell.facts.get("before"), fell.facts.get("after")
    return isinstance(before, int | float) and isinstance(after, int | float) and after <= STOPPED * before


def _callers_wait(world: World, found: tuple[Signal, ...], where: ObjectRef) -> bool:
    """Those who call it ask in vain: had they stopped asking, its silence would be theirs."""
    callers = world.callers_of(where.name)
    return any(s.object.name in callers and s.kind in ("errors_rose", "latency_rose", "log_timeout") for s in found)


def _ends(world: World, lines: list[str]) -> bool:
    """Is the last line far longer ago than lines used to be apart?"""
    times = [at for x in lines if (at := moment_of(x, world.now))]
    if len(times) < FEWEST:
        return False
    pauses = [(b - a).total_seconds() for a, b in pairwise(times) if b >= a]
    return world.now - times[-1] >= max(SILENT, timedelta(seconds=OFTEN * median(pauses or [0])))


def _crossed(lines: list[str]) -> str | None:
    """The line of one that has what another wants, and wants what the other has."""
    held = [(m["has"].lower(), m["wants"].lower(), x) for x in lines[-FEWEST:] if (m := _LOCKS.search(x))]
    return next((x for has, wants, x in held if has != wants and any((wants, has) == (h, w) for h, w, _ in held)), None)
