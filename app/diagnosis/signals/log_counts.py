"""Log lines that say the same with a number that only grows -> what piles up. Reads `get_logs`. Untrusted, as all logs; it is
no fault by itself, and supports causes of what runs full."""

import re
from itertools import pairwise

from app.diagnosis.reading import Reading
from app.diagnosis.world import Found, World, cite, signal
from app.domain.log_times import stamp_in
from app.domain.target import ObjectRef

LINES = 6
GROWTH = 1.1
_WARNS = re.compile(r"\b(warn(ing)?|error|crit(ical)?|alert)\b", re.I)
_NUMBER = re.compile(r"(?<![\w.-])\d{2,15}(?![\w.-])")


def find(world: World) -> Found:
    for reading in world.readings:
        if reading.tool == "get_logs":
            yield from _growing(world, reading)


def _growing(world: World, reading: Reading) -> Found:
    pod, namespace = str(reading.result.data.get("pod") or ""), str(reading.call.args.get("namespace") or "")
    seen = world.get("Pod", namespace, pod)
    where = world.workload_of(seen) if seen else ObjectRef(kind="Pod", namespace=namespace, name=pod)
    said: dict[str, list[tuple[str, tuple[int, ...]]]] = {}
    for line in reading.lines:
        if _WARNS.search(line):
            stamp = stamp_in(line)
            bare = line[: stamp[0]] + line[stamp[1] :] if stamp else line
            said.setdefault(_NUMBER.sub("#", bare), []).append((line, tuple(int(n) for n in _NUMBER.findall(bare))))
    for lines in said.values():
        if len(lines) >= LINES and _grows([numbers for _, numbers in lines]):
            last = lines[-1][0]
            claim = f"{pod} says {len(lines)} times the same with a number that only grows"
            yield signal("log_count_grows", where, claim, cite(reading, (last,)), None, {"pod": pod, "line": last[:200]})


def _grows(rows: list[tuple[int, ...]]) -> bool:
    """One of the numbers grows from line to line, by more than a counter of lines does."""
    for column in zip(*rows, strict=True):
        steps = [b - a for a, b in pairwise(column)]
        if min(steps) > 0 and max(steps) > 1 and column[-1] >= GROWTH * column[0]:
            return True
    return False
