"""The leader of a verdict -> lines of logs and events that were read of it and say in words what it does, beyond those that made a
signal. Called by `conclude`; they carry nothing and are quoted beside what does.

A line counts when its writer marks it as trouble, when it is not said before the onset in the same form, and when it is of the leader,
of one that it explains, or names it. The form most often said comes first."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from app.diagnosis.citing import cited
from app.diagnosis.ranking import Candidate
from app.diagnosis.reading import Reading
from app.diagnosis.world import RECENT, World, cite, signal
from app.domain.case import Signal
from app.domain.log_times import moment_of
from app.domain.target import ObjectRef

MOST = 3
LEAST = 12  # characters: shorter lines prove nothing
# Levels as loggers write them: words, klog, Ruby's letter, pino's and bunyan's numbers; and what is never a level of routine.
_MARKED = re.compile(
    r"\b(WARN(ING)?|ERR(OR)?|FATAL|CRIT(ICAL)?|PANIC|SEVERE|EMERG)\b|^[EWF]\d{4} |^[EWF], |\"level\": ?\"?(4|5|6)0\b|\[(WRN|ERR|FTL)\]"
    r"|\d{2}:\d{2}:\d{2} (WRN|ERR|FTL)\]|panic|Exception\b|Out of memory|rejected",
    re.I,
)
_FRAME = re.compile(r"\s*(--- End of |at [\w.$<>`]+\(|\.\.\. \d+ more)")
_VARIES = re.compile(r"[0-9a-f]{8,}|\d+")
# What the kubelet records of a node short of something, and of a pod it put out for it (kubelet events/event.go, eviction/helpers.go).
_SHORT = re.compile(r"NodeHas(InsufficientMemory|DiskPressure|InsufficientPID)|The node was low on resource")


def with_witnesses(world: World, leader: Candidate) -> Candidate:
    forms = {_form(s.quote) for s in cited(leader)}
    told: list[Signal] = []
    for one in _told(world, leader):
        if _form(one.quote) not in forms and len(told) < MOST:
            forms.add(_form(one.quote))
            told.append(one)
    return replace(leader, signals=(*leader.signals, *told)) if told else leader


def _form(line: str) -> str:
    return _VARIES.sub("#", line)


def _told(world: World, leader: Candidate) -> Iterator[Signal]:
    if leader.object.kind == "Node":
        yield from _pressed(world, leader.object)
    own, hurt = {str(leader.object)}, {str(s.object) for s in leader.explains}
    logs = [(r, where) for r in world.readings if r.tool in ("get_logs", "search_logs") for where in [_whose(world, r)]]
    for wanted in (own, hurt - own, set[str]()):
        for reading, where in logs:
            if str(where) in wanted:
                yield from _of(world, reading, where, "")
            elif not wanted and str(where) not in own | hurt:
                yield from _of(world, reading, where, leader.object.name)


def _whose(world: World, reading: Reading) -> ObjectRef:
    args = reading.call.args
    if args.get("node"):
        return ObjectRef(kind="Node", name=str(args["node"]))
    namespace, name = str(args.get("namespace") or ""), str(reading.result.data.get("pod") or args.get("pod") or "unknown")
    seen = world.get("Pod", namespace, name)
    return world.workload_of(seen) if seen else ObjectRef(kind="Pod", namespace=namespace, name=name)


def _of(world: World, reading: Reading, where: ObjectRef, naming: str) -> Iterator[Signal]:
    """The two forms said most since shortly before the onset and not earlier; `naming`: only lines with that name."""
    edge, late, early = world.onset - RECENT, Counter[str](), set[str]()
    lines: dict[str, str] = {}
    name = re.compile(rf"(?<![\w.-]){re.escape(naming)}(?![\w.-])") if naming else None
    for line in reading.lines:
        if len(line.strip()) < LEAST or _FRAME.match(line) or not (name.search(line) if name else _MARKED.search(line)):
            continue
        form, at = _form(line), moment_of(line, world.now)
        if at is not None and at < edge:
            early.add(form)
        else:
            late[form] += 1
            lines.setdefault(form, line)
    for form, count in [(f, n) for f, n in late.most_common() if f not in early][:2]:
        claim = f"{where.name} logs it since then ({count} x)"
        made = signal("said_since", where, claim, cite(reading, (lines[form],)), None, {"count": count})
        if made is not None:
            yield made


def _pressed(world: World, node: ObjectRef) -> Iterator[Signal]:
    for reading in world.readings:
        if reading.tool in ("check_events", "check_pods"):
            for line in reading.lines:
                if (said := _SHORT.search(line)) and (node.name in line or "evicted" in line.lower()):
                    made = signal("pressed", node, f"The kubelet of {node.name} says it is short", cite(reading, (line,)), None, {"what": said[0]})
                    if made is not None:
                        yield made
                    break
