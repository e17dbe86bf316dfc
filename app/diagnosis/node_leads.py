"""Leads to the machine under the pods: the clock where dates do not agree, the hardware where what runs on one node dies of it.
Called by `adaptive`."""

from collections.abc import Iterator

from app.diagnosis.kube import statuses
from app.diagnosis.leads import Ask
from app.diagnosis.reading import Seen, dig
from app.diagnosis.signals.node_logs import CLOCK_QUERY, FUTURE, HARDWARE_QUERY, asks_for_clock
from app.diagnosis.signals.operations import node_of
from app.diagnosis.world import World
from app.domain.case import Signal

# SIGBUS, SIGILL, SIGSEGV: a page that cannot be read, an instruction that is none, a pointer that was changed.
SIGNALS = (135, 132, 139)
MINUTES = 60
NODES = 2


def machines(world: World, found: tuple[Signal, ...]) -> Iterator[Ask]:
    if asks_for_clock(world) or any(FUTURE.search(line) for r in world.readings if r.tool == "get_logs" for line in r.lines):
        yield Ask("query_prometheus", {"query": CLOCK_QUERY, "minutes": MINUTES}, "see whose clock is off")
        yield Ask("check_nodes", {}, "see which node has the address of the exporter")
    off = [s.object.name for s in found if s.kind in ("clock_off", "clock_unset")]
    target = world.case.target.ref
    off += [node_of(world, {"instance": target.name})] if asks_for_clock(world) and target.kind == "Node" else []
    dying = _dying(world)
    if dying:
        yield Ask("check_events", {"namespace": "default", "kind": "Node", "name": dying[0]}, "read what the cluster says of the node")
        yield Ask("query_prometheus", {"query": HARDWARE_QUERY, "minutes": MINUTES}, "see whether its memory or disks report errors")
    for node in list(dict.fromkeys([*dying, *off]))[:NODES]:
        args = {"node": node, "minutes": MINUTES, "limit": 100, "newest": True}
        yield Ask("search_logs", args, "read what the kernel and the time service of the node say")


def _dying(world: World) -> list[str]:
    """Nodes on which the pods of two workloads were ended by the processor or restart, while their siblings elsewhere run."""
    sick: dict[str, set[str]] = {}
    killed: set[str] = set()
    for pod in world.of("Pod"):
        node = str(pod.at("spec", "nodeName") or "")
        if node and world.in_trouble(pod):
            sick.setdefault(node, set()).add(str(world.workload_of(pod)))
            killed |= {node} if any(code in SIGNALS for code in _codes(pod)) else set()
    both = [n for n, who in sick.items() if len(who) > 1 and (n in killed or _only_here(world, n, who))]
    return sorted(set(both) | {n for n in killed if len(sick) == 1})


def _codes(pod: Seen) -> list[object]:
    return [dig(s, key, "terminated", "exitCode") for s, _ in statuses(pod.item) for key in ("state", "lastState")]


def _only_here(world: World, node: str, workloads: set[str]) -> bool:
    """Each has pods elsewhere, and none of them is in trouble."""
    table: dict[str, list[bool]] = {w: [] for w in workloads}
    for pod in world.of("Pod"):
        if (who := str(world.workload_of(pod))) in table and pod.at("spec", "nodeName") not in (node, None, ""):
            table[who].append(world.in_trouble(pod))
    return all(rows and not any(rows) for rows in table.values())
