"""What to read next: follow what was found to its reason, then separate the leading causes, then widen.

Called after each round by `diagnosis`. Never asks for a call that was made, and stops when the leader cannot be
overtaken or the read budget is used."""

import re
from collections.abc import Iterator

from app.diagnosis import asked_elsewhere
from app.diagnosis.enough import is_measured
from app.diagnosis.entrance_leads import entrances, far, follows_controller
from app.diagnosis.kube import is_unhealthy, statuses
from app.diagnosis.leads import (
    Ask,
    effect_logs,
    failing_logs,
    full_nodes,
    log_hangs,
    log_of,
    memory_history,
    named_in_errors,
    node_events,
    told_with,
    unit_logs,
)
from app.diagnosis.leads_stores import follows_work, said_of_store, store_leads
from app.diagnosis.network_leads import about_network, network, retransmits, served
from app.diagnosis.node_leads import machines
from app.diagnosis.plane_leads import plane, watchers
from app.diagnosis.ranking import Candidate, leaders
from app.diagnosis.reading import ALIASES, Seen, dig
from app.diagnosis.signals.nodes import UNIT_QUERY
from app.diagnosis.world import World
from app.domain.case import Signal
from app.domain.frozen import JsonObject
from app.domain.plan import Step
from app.domain.target import ObjectRef

MAX_READS = 15
PER_ROUND = 4
SURE = 0.8
LOGS_PER_ROUND = 3
DNS: JsonObject = {"namespace": "kube-system"}  # its pods are told by their labels; its Service has many names
SOURCES = (
    dict.fromkeys(("get_metrics", "query_prometheus", "get_alerts", "get_service_map"), "prometheus")
    | {"search_logs": "logs"}
    | asked_elsewhere.SOURCES
)
UNHEARD = frozenset({"log_connection_refused", "log_timeout", "log_dns_failure", "errors_rose", "readiness_failing", "liveness_failing"})
_ENTRY = re.compile(r"ingress|gateway|httproute", re.I)


def next_steps(world: World, found: tuple[Signal, ...], ranked: tuple[Candidate, ...]) -> tuple[Step, ...]:
    """Up to four steps, most telling first; () when nothing would change the answer."""
    made = {_key(u.step.tool, u.step.args) for u in world.case.updates}
    room = min(PER_ROUND, MAX_READS - sum(1 for u in world.case.updates if u.outcome.result is not None))
    chosen: list[Ask] = []
    for ask in _asks(world, found, ranked):
        key = _key(ask.tool, ask.args)
        if len(chosen) < room and key not in made and _possible(world, ask):
            made.add(key)
            chosen.append(ask)
    ids = _ids(world, len(chosen))
    return tuple(Step(id=i, tool=a.tool, args=a.args, reason=a.reason) for i, a in zip(ids, chosen, strict=True))


def _key(tool: str, args: JsonObject) -> tuple[str, str]:
    return ALIASES.get(tool, tool), repr(sorted((k, repr(v)) for k, v in args.items() if v not in (None, "", False)))


def _ids(world: World, count: int) -> list[str]:
    """`r<round>-<n>`, unique in the investigation: the round is one more than the highest so far."""
    rounds = [int(u.step.id[1:].split("-")[0]) for u in world.case.updates if u.step.id.startswith("r") and u.step.id[1:].split("-")[0].isdigit()]
    return [f"r{max(rounds, default=1) + 1}-{n}" for n in range(1, count + 1)]


def _possible(world: World, ask: Ask) -> bool:
    source = SOURCES.get(ask.tool, "kubernetes")
    return source in world.case.sources and all(v for k, v in ask.args.items() if k in ("namespace", "pod", "node"))


def _asks(world: World, found: tuple[Signal, ...], ranked: tuple[Candidate, ...]) -> Iterator[Ask]:
    namespace = world.case.target.namespace
    best = ranked[0] if ranked else None
    sure = best is not None and best.confidence >= SURE
    if not sure:
        yield Ask("check_pods", {"namespace": namespace}, "see every pod of the namespace, not only the alert's")
        yield Ask("check_events", {"namespace": namespace}, "see what the control plane says about the namespace")
    yield from _follow(world, found, ranked)
    if not sure and not follows_work(world, found) and not follows_controller(world):
        yield Ask("check_workloads", {"namespace": namespace}, "see what the controllers say")
        yield Ask("check_services", {"namespace": namespace}, "see whether Services meet ready pods")
        yield from _widen(world, namespace)


def _follow(world: World, found: tuple[Signal, ...], ranked: tuple[Candidate, ...]) -> Iterator[Ask]:
    """Leads: each found symptom has the place where its reason is written."""
    kinds, namespace = {s.kind for s in found}, world.case.target.namespace
    if kinds & {"node_not_ready", "lease_stale", "pending_unnoticed", "runtime_socket_down"} or world.case.target.ref.kind == "Node":
        yield Ask("check_nodes", {}, "see which nodes are in trouble and why")
        yield Ask("query_prometheus", {"query": UNIT_QUERY, "minutes": 15}, "see which units of the nodes are down")
    yield from plane(world, found)
    yield from watchers(world)
    yield from unit_logs(world, found)
    yield from node_events(found)
    yield from machines(world, found)
    yield from full_nodes(world, found)
    if any(k.startswith("unschedulable_") for k in kinds):
        yield Ask("check_nodes", {}, "compare what the pod demands with what the nodes offer")
    if kinds & {"unschedulable_claim_unbound", "unschedulable_claim_missing", "volume_not_mounted"}:
        yield Ask("check_storage", {"namespace": namespace}, "see why the claim is not bound")
    if kinds & {"pods_refused", "unschedulable_claim_missing", "service_missing", "limits_required"}:
        yield Ask("check_quotas", {"namespace": namespace}, "see which quota or account refuses")
    if kinds & {"latency_rose", "errors_rose", "traffic_fell", "traffic_rose", "throttling_rose"}:
        yield Ask("get_metrics", {"namespace": namespace}, "see which callee became slow first")
    if kinds & {"latency_rose", "errors_rose"} and not _knows_neighbours(world):
        yield Ask("get_service_map", {"namespace": namespace}, "see who calls whom, and which calls became slow or fail")
    fails = _fails(world, kinds)
    if fails and _unsure(ranked):
        yield from list(failing_logs(world, found))[: LOGS_PER_ROUND if kinds & UNHEARD == {"errors_rose"} else 1]
    yield from () if fails else _paths(world, kinds)
    if kinds & UNHEARD and any(s.reading.tool == "check_services" for s in world.of("NetworkPolicy")):
        yield Ask("check_network_policies", {"namespace": namespace}, "see whether a network policy drops this traffic")
    if "log_dns_failure" in kinds:
        yield Ask("check_pods", DNS, "see whether cluster DNS itself runs")
    if any(_ENTRY.search(a.name) for a in world.case.alerts) or any(s.reading.tool == "check_services" for s in world.of("Ingress")):
        yield Ask("check_ingresses", {"namespace": namespace}, "see whether each way in leads to a ready pod")
    yield from asked_elsewhere.delivered(world)
    yield from entrances(world)
    yield from far(world, found)
    yield from asked_elsewhere.ways_in(world, found)
    yield from asked_elsewhere.operators(world)
    logs = [a for pod in _suspects(world, ranked) for a in _logs(pod)]
    yield from logs[:LOGS_PER_ROUND]
    yield from [log_of(pod, "read what the one that is asked for says") for pod in _asked_pods(world, found)][:LOGS_PER_ROUND]
    if _unsure(ranked):
        yield from told_with(world)
        yield from named_in_errors(world, found)
        yield from store_leads(world, found)
        yield from list(failing_logs(world, found))[:LOGS_PER_ROUND]
    yield from _paths(world, kinds)
    yield from said_of_store(world, ranked)
    yield from effect_logs(world, ranked)
    yield from memory_history(world)
    yield from _releases(world, kinds, namespace)


def _fails(world: World, kinds: set[str]) -> bool:
    """Who fails says why; networks are measured where nobody does, or where all that is heard is that answers are late."""
    late_only = {k for k in kinds if k.startswith("log_")} - {"log_error"} == {"log_timeout"}
    return "errors_rose" in kinds and not late_only and not about_network(world)


def _releases(world: World, kinds: set[str], namespace: str) -> Iterator[Ask]:
    if kinds & {"crash_looping", "container_restarting", "readiness_failing", "rollout_not_progressing", "container_oom_killed", "errors_rose"}:
        yield Ask("get_recent_deploys", {"namespace": namespace}, "see whether a release came before")
        yield from asked_elsewhere.deliveries(world)
        yield Ask("check_workloads", {"namespace": namespace}, "see whether a release is stuck")


def _paths(world: World, kinds: set[str]) -> Iterator[Ask]:
    if "latency_rose" in kinds or about_network(world):
        yield retransmits()
        yield from network(world)


def _unsure(ranked: tuple[Candidate, ...]) -> bool:
    return not ranked or ranked[0].confidence < SURE


def _knows_neighbours(world: World) -> bool:
    name = world.case.target.workload.name
    return any(name == caller or name in callees for caller, callees in world.callees.items())


def _suspects(world: World, ranked: tuple[Candidate, ...]) -> list[Seen]:
    """One pod of each workload whose containers fail by themselves, the leaders' first."""
    order = [str(c.object) for c in leaders(ranked)] + [str(world.case.target.workload)]
    chosen: dict[str, Seen] = {}
    for pod in world.of("Pod"):
        workload = str(world.workload_of(pod))
        if world.in_trouble(pod) and not log_hangs(world, pod) and any(_ran(s) for s, _ in statuses(pod.item)) and _worse(pod, chosen.get(workload)):
            chosen[workload] = pod
    return [chosen[w] for w in sorted(chosen, key=lambda w: (order.index(w) if w in order else len(order), w))]


def _worse(pod: Seen, other: Seen | None) -> bool:
    return other is None or (is_unhealthy(pod.item) and not is_unhealthy(other.item))


def _ran(status: JsonObject) -> bool:
    waits = dig(status, "state", "waiting", "reason") == "CrashLoopBackOff"
    return bool(waits or dig(status, "state", "running") or dig(status, "state", "terminated") or dig(status, "lastState", "terminated"))


def _logs(pod: Seen) -> list[Ask]:
    """The log of the run that ended where there is one, else of the running one; of the container that fails."""
    ill = [s for s, _ in statuses(pod.item) if _ran(s) and (not s.get("ready") or s.get("restartCount"))]
    asks = []
    for status in ill[:1]:
        args: JsonObject = {"namespace": pod.namespace, "pod": pod.name, "container": str(status.get("name"))}
        if dig(status, "lastState", "terminated"):
            asks.append(Ask("get_logs", {**args, "previous": True}, "read what the container said before it ended"))
        else:
            asks.append(Ask("get_logs", args, "read what the container says"))
    return asks


def _widen(world: World, namespace: str) -> Iterator[Ask]:
    """Nothing found yet: the places where quiet faults are written. Where requests suffer, their logs and numbers come first."""
    if is_measured(world) and namespace:
        yield from _target_logs(world)
        yield Ask("get_metrics", {"namespace": namespace}, "see whose requests fail or became slow")
    yield Ask("check_nodes", {}, "see whether a node is in trouble")
    yield Ask("query_prometheus", {"query": UNIT_QUERY, "minutes": 15}, "see which units of the nodes are down")
    yield from served(world)
    yield Ask("check_quotas", {"namespace": namespace}, "see whether a quota is at its limit")
    yield from _target_logs(world)
    yield Ask("get_recent_deploys", {"namespace": namespace}, "see what changed")
    yield from asked_elsewhere.deliveries(world)
    yield Ask("get_metrics", {"namespace": namespace}, "see the golden signals of the namespace around the onset")
    yield Ask("check_storage", {"namespace": namespace}, "see whether claims are bound")


def _asked_pods(world: World, found: tuple[Signal, ...]) -> list[Seen]:
    """A pod of each workload that logs name as not answering."""
    named = dict.fromkeys(str(s.object) for s in found if s.kind == "asked_for")
    return [pods[0] for name in named if (pods := [p for p in world.pods_of(ObjectRef.parse(name)) if not log_hangs(world, p)])]


def _target_logs(world: World) -> Iterator[Ask]:
    """The log of a pod of the target, and of its other pods at once where that said nothing; of those that nobody calls (where
    users enter) when the target is a namespace."""
    target: ObjectRef = world.case.target.workload
    pods = world.pods_of(target) or [p for p in world.of("Pod") if p.name == target.name]
    if not pods and target.kind == "Service":
        pods = [p for p in world.of("Pod") if world.workload_of(p).name == target.name]
    if not pods and world.callees:
        entries = [c for c in world.callees if not world.callers_of(c)]
        pods = [p for p in world.of("Pod") if world.workload_of(p).name in entries]
    chosen = [p for p in pods if not log_hangs(world, p)][:3]
    if any(world.has_log(p) for p in chosen):
        return
    unasked = [p for p in chosen if not world.asked_log(p)]
    for pod in unasked if len(unasked) < len(chosen) else unasked[:1]:
        yield log_of(pod, "read what the target logs")
