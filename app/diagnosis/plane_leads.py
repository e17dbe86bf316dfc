"""Leads into the control plane: its pods, one measure of all its parts, the words of its logs. Called by `adaptive`."""

from collections.abc import Iterator

from app.diagnosis.kube import is_control_plane
from app.diagnosis.leads import LINES, Ask, log_hangs, log_of
from app.diagnosis.reading import Seen
from app.diagnosis.signals.control_plane import CONTROL_QUERY, PLANE, role_of
from app.diagnosis.world import World
from app.domain.case import Signal

SYSTEM = "kube-system"
# Signals that a part of the control plane would explain: nobody places pods, nobody looks at what was written.
UNATTENDED = frozenset({"pending_unnoticed", "generation_unobserved", "jobs_api_down", "etcd_measured", "api_measured"})
EMBEDDED = {"+k3s": "k3s", "+rke2": "rke2-server", "+k0s": "k0scontroller"}  # distribution in a kubelet's version -> unit of its servers
LOGS = 2


def plane(world: World, found: tuple[Signal, ...]) -> Iterator[Ask]:
    """Where an alert or a finding is about the control plane. Its logs: of the API server and etcd, which the others wait for."""
    asked = [a.name for a in world.case.alerts if PLANE.search(a.name)]
    if not asked and not any(s.kind in UNATTENDED for s in found):
        return
    yield Ask("check_pods", {"namespace": SYSTEM}, "see whether the parts of the control plane run")
    yield Ask("query_prometheus", {"query": CONTROL_QUERY, "minutes": 60}, "see how the API server and etcd do: errors, waits, rejections, disk")
    if any(s.kind in ("unit_proxy_down", "unit_scheduler_down", "unit_controllers_down") for s in found):
        return
    pods = [p for p in world.of("Pod") if role_of(p) in ("etcd", "kube-apiserver") and not log_hangs(world, p)]
    first = _one_each(pods)[:LOGS]
    yield from (log_of(p, "read what this part of the control plane complains of") for p in first)
    if not pods and world.has_read("check_pods", SYSTEM):
        yield Ask("check_nodes", {}, "see where the control plane runs")
        yield from _embedded(world)


def _one_each(pods: list[Seen]) -> list[Seen]:
    """One pod of each role, etcd first: the API server waits for it."""
    chosen: dict[str, Seen] = {}
    for pod in pods:
        chosen.setdefault(role_of(pod), pod)
    return [chosen[r] for r in sorted(chosen)]


def _embedded(world: World) -> Iterator[Ask]:
    """Distributions that run the control plane in one process write one log."""
    for node in (n for n in world.of("Node") if is_control_plane(n.item)):
        version = str(node.at("status", "nodeInfo", "kubeletVersion") or "")
        for mark, unit in EMBEDDED.items():
            if mark in version:
                args = {"node": node.name, "unit": unit, "minutes": 60, "limit": LINES, "newest": True}
                yield Ask("search_logs", args, f"read what {unit} says, which is the control plane here")
                return
