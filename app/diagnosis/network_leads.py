"""Leads for slow or lossy traffic and for what a busy node does to its pods. Called by `adaptive`, which drops what was asked."""

import re
from collections import Counter
from collections.abc import Iterator

from app.diagnosis.kube import is_control_plane
from app.diagnosis.leads import Ask
from app.diagnosis.reading import Seen, rows
from app.diagnosis.signals.node_paths import LOST_QUERY, PATHS_QUERY
from app.diagnosis.signals.slowness import RETRANSMITS_QUERY
from app.diagnosis.world import World

_NETWORK = re.compile(r"network|packet|retransmi|receive|transmit|\bping|rtt|round.?trip|unreachable|icmp", re.I)
SPACES = 2
_SYSTEM = ("kube-system", "kube-public", "kube-node-lease")


def about_network(world: World) -> bool:
    """Does an alert speak of the network of a node?"""
    return world.case.target.ref.kind == "Node" and any(_NETWORK.search(a.name) for a in world.case.alerts)


def network(world: World) -> Iterator[Ask]:
    if about_network(world):
        yield Ask("query_prometheus", {"query": LOST_QUERY, "minutes": 60}, "see whose interfaces lose frames")
        yield Ask("check_nodes", {}, "see which node has the address of the alert")
    yield Ask("query_prometheus", {"query": PATHS_QUERY, "minutes": 60}, "see which measured round trips became slow or lossy")


def retransmits() -> Ask:
    return Ask("query_prometheus", {"query": RETRANSMITS_QUERY, "minutes": 60}, "see whether a node loses packets")


def served(world: World) -> Iterator[Ask]:
    """An alert about a node: the series of those who have most pods on it, who would suffer."""
    target = world.case.target.ref
    if target.kind != "Node" or world.case.target.namespace:
        return
    names = {n.name for n in world.of("Node") if target.name in _names(n)} or {target.name}
    here = [p for p in world.of("Pod") if p.at("spec", "nodeName") in names or p.at("status", "hostIP") == target.name]
    counted = Counter(p.namespace for p in here if p.namespace not in _SYSTEM and not is_control_plane(p.item))
    for space, _ in sorted(counted.items(), key=lambda c: (-c[1], c[0]))[:SPACES]:
        yield Ask("get_metrics", {"namespace": space}, "see whether what runs on the node suffers")


def _names(node: Seen) -> set[str]:
    return {node.name, *(str(a.get("address")) for a in rows(node.at("status", "addresses")))}
