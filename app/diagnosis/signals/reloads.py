"""A process that says it took over another setting or flag while it ran, and whose trouble began right then -> a change of
configuration without a release. Reads `get_logs`; untrusted, as all logs.

No release shows it: the file, the flag service or the config server changed, and the pods stayed. Runs after the families, since a
reload alone means nothing: it must fall on an onset that was measured."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from app.diagnosis.signals.log_templates import classify
from app.diagnosis.signals.store_templates import PATTERNS, WORDS
from app.diagnosis.world import World, cite, signal
from app.domain.case import Signal
from app.domain.log_times import moment_of

BEFORE, AFTER = timedelta(minutes=5), timedelta(minutes=2)  # of the onset: how long a fault takes to show, and what a rate window smears
MEASURED = ("errors_rose", "latency_rose", "memory_grows", "throttling_rose")
_SAYS = re.compile("|".join(PATTERNS["log_config_changed"]), re.I)
_REFUSED = re.compile(r"fail|error|refus|invalid|unable|cannot|could not", re.I)  # a reload that was not taken changed nothing


def join(world: World, found: tuple[Signal, ...]) -> Iterator[Signal]:
    onsets: dict[str, list[Signal]] = {}
    for one in found:
        if one.kind in MEASURED and one.at is not None:
            onsets.setdefault(str(one.object), []).append(one)
    for reading in world.readings:
        pod = world.get("Pod", str(reading.call.args.get("namespace") or ""), str(reading.result.data.get("pod") or ""))
        if reading.tool != "get_logs" or pod is None or reading.call.args.get("previous"):
            continue
        where = world.workload_of(pod)
        dated = sorted(o.at for o in onsets.get(str(where), []) if o.at is not None)
        for line, at in _taken(reading.lines, world.now) if dated else ():
            if any(onset - BEFORE <= at <= onset + AFTER for onset in dated):
                facts = {"change": line[-160:], "pod": pod.name, "line": line[:200]}
                claim = f"{pod.name} took over another setting right before its trouble began"
                made = signal("setting_taken_over", where, claim, cite(reading, (line,)), at, facts)
                yield from [made] if made else []


def _taken(lines: tuple[str, ...], now: datetime) -> Iterator[tuple[str, datetime]]:
    for line in lines:
        lowered = line.lower()
        if any(word in lowered for word in WORDS["log_config_changed"]) and _SAYS.search(line) and not _REFUSED.search(line):
            at = moment_of(line, now)
            if at is not None and classify(line) is None:
                yield line, at
