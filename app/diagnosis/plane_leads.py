"""Leads into what the cluster itself runs: the control plane, and what watches. Their pods, one measure of all their parts, the words of
their logs. Called by `adaptive`."""

from collections.abc import Iterator

from app.diagnosis.kube import is_control_plane
from app.diagnosis.leads import LINES, Ask, log_hangs, log_of
from app.diagnosis.reading import Seen
from app.diagnosis.signals.control_plane import CONTROL_QUERY, PLANE, role_of
from app.diagnosis.signals.watchers import ALERTS, WATCHED_QUERY, is_watcher
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


def watchers(world: World) -> Iterator[Ask]:
    """Where an alert is about what watches: what it says of itself, by its series and in its log."""
    own = [p for p in world.pods_of(world.case.target.workload) if is_watcher(p)]
    if not own and not any(ALERTS.search(a.name) for a in world.case.alerts):
        return
    yield Ask("query_prometheus", {"query": WATCHED_QUERY, "minutes": 60}, "see whether it refused a configuration, or drops work")
    yield Ask("check_pods", {"namespace": world.case.target.namespace}, "see the pods of what watches")
    others = [p for p in world.of("Pod") if p.namespace == world.case.target.namespace and is_watcher(p)]
    for pod in (own or others)[:LOGS]:
        if not log_hangs(world, pod):
            yield log_of(pod, "read what it refuses or drops")


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
