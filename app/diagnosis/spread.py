"""A verdict -> what it accounts for: the objects on which its causes show, and the alerts of its group that need no other
explanation. Called by `conclude`; the store splits off the alerts that are not accounted for.

A cause reaches its callers (`reach`). What those callers call besides gets less to do, and alerts for that; a network fault
shows at both ends; a workload loads its node: accounted for, as long as nothing of its own is wrong there.
"""

import re
from collections.abc import Iterable

from app.diagnosis.ranking import Candidate, leaders
from app.diagnosis.reach import of_names
from app.diagnosis.reading import Seen
from app.diagnosis.world import World
from app.domain.alert import Alert
from app.domain.case import Signal
from app.domain.grouping import place
from app.domain.resolver import resolve
from app.domain.target import ObjectRef
from app.domain.verdict import Verdict, VerdictState

NAMED = (VerdictState.CONFIRMED, VerdictState.LIKELY)
SUSPECT = 0.4  # from here on another candidate is worth an investigation of its own
# What stands still for a reason of its own; slowness and errors travel.
BROKEN = frozenset({"pod_pending", "pod_failed", "crash_looping", "pods_refused", "node_not_ready", "target_down", "container_oom_killed"})
# Alerts about nodes that a fault elsewhere sets off: cause -> what such alerts are about.
ON_NODES = {
    "node_network_packet_loss": re.compile(r"network|packet|latency|retransmit", re.I),
    "node_network_delay": re.compile(r"network|packet|latency|retransmit", re.I),
    "pod_cpu_saturation": re.compile(r"cpu|load|resource|saturation", re.I),
    "traffic_spike": re.compile(r"cpu|load|resource|saturation|network", re.I),
    "memory_leak": re.compile(r"memory|resource|saturation", re.I),
}
TRAVELS = re.compile(r"latency|slow|error|throughput|traffic|request|rate|quality|anomaly", re.I)


def spread(world: World, found: tuple[Signal, ...], ranked: tuple[Candidate, ...], verdict: Verdict) -> Verdict:
    """The verdict with `reaches`, `accounts_for`, and a sentence for each alert that is not among them."""
    own = place(world.case.target.workload), place(resolve(world.case.alert).ref)
    here = [a for a in world.case.alerts if place(resolve(a).ref) in own]
    reaches: tuple[str, ...] = ()
    named = leaders(ranked) if verdict.state in NAMED else ()
    ill = _own_trouble(found, ranked, named)
    seen = [] if named else [a for a in world.case.alerts if a not in here and _seen_well(world, a, ill)]
    if named:
        reaches = tuple(sorted({text for c in named for text in (*c.reaches, str(c.object))} - ill))
        here += _accounted(world, reaches, ill, named)
    ids = {a.id for a in (*here, *seen)}
    apart = dict.fromkeys((*(_with_it(a) for a in seen), *(_apart(a) for a in world.case.alerts if a.id not in ids)))
    accounts_for = tuple(a.id for a in world.case.alerts if a.id in ids)
    return verdict.model_copy(update={"reaches": reaches, "accounts_for": accounts_for, "set_aside": (*apart, *verdict.set_aside)})


def _seen_well(world: World, alert: Alert, ill: set[str]) -> bool:
    """Was the target read as well as the first alert's, with nothing of its own to show? Looking again would read the same."""
    ref = resolve(alert).ref
    if ref.kind == "Node":
        return world.get("Node", "", ref.name) is not None and str(ref) not in ill and bool(TRAVELS.search(alert.name))
    pods = _pods_on(world, ref)
    names = {str(ref), *(str(world.workload_of(p)) for p in pods)}
    first = world.case.target.ref
    return bool(pods) and not names & ill and (_measured(world, ref) or not _measured(world, first))


def _pods_on(world: World, ref: ObjectRef) -> list[Seen]:
    return [p for p in world.of("Pod") if place(world.workload_of(p)) == place(ref)]


def _measured(world: World, ref: ObjectRef) -> bool:
    names = {ref.name} | {p.name for p in _pods_on(world, ref)}
    return any(not names.isdisjoint(one.labels.values()) for _, one in world.series)


def _with_it(alert: Alert) -> str:
    return f"{alert.name} on {place(resolve(alert).ref)}: looked at with the same reads, nothing of its own was found"


def _apart(alert: Alert) -> str:
    return f"{alert.name} on {place(resolve(alert).ref)}: not accounted for by this verdict, looked into on its own"


def _accounted(world: World, reaches: Iterable[str], ill: set[str], named: tuple[Candidate, ...]) -> list[Alert]:
    """Alerts on what is reached; on what the reached ones call, where the alert is about traffic; on nodes, where the alert is
    about what the cause does to nodes."""
    places = {place(ObjectRef.parse(text)) for text in reaches}
    served = {place(ObjectRef.parse(text)) for text in _served(world, reaches) - ill}
    nodes = [ON_NODES[c.rule.id] for c in named if c.rule.id in ON_NODES]
    found = []
    for alert in world.case.alerts:
        ref = resolve(alert).ref
        travelled = place(ref) in served and TRAVELS.search(alert.name)
        loaded = ref.kind == "Node" and str(ref) not in ill and any(words.search(alert.name) for words in nodes)
        if place(ref) in places or travelled or loaded:
            found.append(alert)
    return found


def _served(world: World, reaches: Iterable[str]) -> set[str]:
    """What the reached ones call, directly or through others."""
    refs = [ObjectRef.parse(text) for text in reaches]
    found: set[str] = set()
    for namespace in sorted({ref.namespace for ref in refs} - {""}):
        names = {ref.name for ref in refs if ref.namespace == namespace}
        todo = sorted(names)
        while todo:
            new = sorted(set(world.case.callees.get(todo.pop(), ())) - names)
            names |= set(new)
            todo += new
        found |= of_names(world, namespace, sorted(names))
    return found


def _own_trouble(found: tuple[Signal, ...], ranked: tuple[Candidate, ...], named: tuple[Candidate, ...]) -> set[str]:
    """Objects with a suspicion that the named causes leave unexplained."""
    explained = {id(s) for c in named for s in (*c.signals, *c.explains)}
    causes = {str(c.object) for c in named}
    suspects = {str(c.object) for c in ranked if c.confidence >= SUSPECT and not c.beaten_by and any(id(s) not in explained for s in c.explains)}
    broken = {str(s.object) for s in found if s.kind in BROKEN and id(s) not in explained}
    return (suspects | broken) - causes
