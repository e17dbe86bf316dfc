"""Leads to what is called and to who takes work off a queue: the series of stores, brokers and pools, the pods of the callers wherever
they run, and what the slow, the store and the takers log. Called by `adaptive`, which drops what was asked.

A series names a store by namespace and pod, a configured service map names callers without one: where they run is asked of the
series that every cluster keeps about its pods."""

import re
from collections.abc import Iterable, Iterator

from app.diagnosis.edges import ADDRESS
from app.diagnosis.leads import Ask, log_hangs, log_of
from app.diagnosis.ranking import Candidate
from app.diagnosis.reading import Seen, rows
from app.diagnosis.signals.store_tables import query
from app.diagnosis.world import World
from app.domain.case import Signal
from app.domain.target import ObjectRef

SPAN = 60  # minutes
TAKERS, LOGS, MUTE, SPACES = 6, 2, 2, 2
TOP_LEVEL = frozenset({"com", "net", "org", "io", "example", "local", "internal", "lan", "dev", "cloud", "app"})
UNHEARD = ("log_connection_refused", "log_timeout", "log_dns_failure")
SHOWN = frozenset({"latency_rose", "errors_rose", "readiness_failing", "log_slow_query", "log_connections_exhausted", "log_credentials"}) | frozenset(
    {"log_read_only_database", "log_consumer_lag", "log_replication_lag", "log_broker_partition", "log_collecting", "log_timeout"}
)
STORED = frozenset({"replica_lags", "backlog_grows", "peers_unseen", "writes_refused", "connections_full", "connections_refused", "queries_slow"})
MEASURED = STORED | {"pool_waits", "collecting_rose", "throttling_rose"}
PILED = frozenset({"backlog_grows", "log_consumer_lag"})
_ALERT = re.compile(
    r"queue|lag\b|lags|lagging|replica(tion)?|standby|backlog|consumer|broker|partition|pool|connection|database|query|queries|"
    r"postgres|pg_|patroni|mysql|mariadb|mongo|redis|valkey|kafka|rabbit|pulsar|nats|sql|oracle|cassandra|elastic|deliver|message|"
    r"bouncer|galera|cockroach|vitess",
    re.I,
)


def store_leads(world: World, found: Iterable[Signal]) -> Iterator[Ask]:
    signals = list(found)
    yield from _series(world, signals)
    yield from _takers(world, signals)
    if _logs_come(world):
        yield from _slow_logs(world, signals)
    yield from _store_logs(world, signals)
    yield from _far_callees(signals)
    if _logs_come(world):
        yield from _below(world, signals)


def follows_work(world: World, found: Iterable[Signal]) -> bool:
    """Is the way to those who take from a queue that grows not gone yet? Then nothing wider is read first."""
    made = [(u.step.tool, dict(u.step.args)) for u in world.case.updates]
    return any((a.tool, dict(a.args)) not in made for a in _takers(world, list(found)))


def _series(world: World, found: list[Signal]) -> Iterator[Ask]:
    told = any(_ALERT.search(a.name) for a in world.case.alerts)
    if (told or any(s.kind in SHOWN for s in found)) and not _asked(world, "kafka_consumergroup_lag_sum"):
        spaces = {world.case.target.namespace, *_named(world)} - {""}
        if spaces:
            yield Ask("query_prometheus", {"query": query(sorted(spaces)), "minutes": SPAN}, "see what stores, queues and pools measure")


def _asked(world: World, part: str) -> bool:
    return any(part in str(u.step.args.get("query")) for u in world.case.updates if u.step.tool == "query_prometheus")


def _named(world: World) -> set[str]:
    """Namespaces that the environment of the target's namespace names: `store.data.svc`, `store.data:5432`."""
    found: set[str] = set()
    for pod in world.of("Pod"):
        if pod.namespace == world.case.target.namespace:
            values = [str(v.get("value") or "") for c in rows(pod.at("spec", "containers")) for v in rows(c.get("env"))]
            found |= {space for value in values for _, space in ADDRESS.findall(value) if space}
    return found - TOP_LEVEL - {"svc"}


def _takers(world: World, found: list[Signal]) -> Iterator[Ask]:
    """Of a queue that grows: those who take from it, by the name of their group or as the callers of the broker."""
    for one in [s for s in found if s.kind in PILED][:1]:
        group = str(one.facts.get("group") or "")
        callers = _callers(world, str(one.facts.get("broker") or one.object).rsplit("/", 1)[-1])
        names = list(dict.fromkeys(n for n in (group, *callers) if re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,60}", n)))[:TAKERS]
        pods = {w.name: world.pods_of(w) for p in world.of("Pod") if (w := world.workload_of(p)).name in names}
        if group not in pods and any(n not in pods for n in names):
            yield from _placed(world, names)
            yield from _podless(world, [n for n in names if n not in pods])
        takers = [group] if group in pods else [n for n in names if n in pods]
        for taker in [*takers, *([one.object.name] if one.object.kind == "Deployment" else [])]:
            for pod in [p for p in pods.get(taker, []) if not log_hangs(world, p)][:1]:
                yield log_of(pod, "read what the one that takes the work says")


def _callers(world: World, name: str) -> list[str]:
    return sorted(caller for caller, callees in world.callees.items() if name in callees)


def _placed(world: World, names: list[str]) -> Iterator[Ask]:
    wanted = "|".join(re.escape(n).replace("\\-", "-") for n in sorted(names)).replace("\\", "\\\\")
    text = f'count by (namespace, pod) (kube_pod_info{{pod=~"({wanted})-.+"}})'
    yield Ask("query_prometheus", {"query": text, "minutes": 5}, "see where those run that call it")
    spaces = sorted({o.labels.get("namespace", "") for r, o in world.series if r.call.args.get("query") == text} - {""})
    for space in spaces[:2]:
        yield Ask("check_pods", {"namespace": space}, "see the pods of those that call it")


def _podless(world: World, names: list[str]) -> Iterator[Ask]:
    """Takers of which no pod is left: the controllers of their namespace say why."""
    for space in sorted({p.namespace for p in world.of("Pod") if world.workload_of(p).name in set(world.callees)}):
        if names and space != world.case.target.namespace and world.has_read("check_pods", space):
            yield Ask("check_events", {"namespace": space}, "see why one that takes the work has no pod")
            yield Ask("check_workloads", {"namespace": space}, "see why one that takes the work has no pod")


def _logs_come(world: World) -> bool:
    """Where logs were asked for twice and none had a line, there are none."""
    read = [r for r in world.readings if r.tool == "get_logs"]
    return len(read) < MUTE or any(r.result.data.get("lines") for r in read)


def _far_callees(found: list[Signal]) -> Iterator[Ask]:
    """The pods of a namespace that a log names as not answering: `store.data.svc`, or `store.data` in front of a port."""
    for one in found:
        parts = str(one.facts.get("host") or "").split(".")
        placed = len(parts) == 2 and one.facts.get("port") and parts[1] not in TOP_LEVEL
        if one.kind in UNHEARD and (placed or parts[2:3] == ["svc"]) and parts[1] != one.object.namespace:
            yield Ask("check_pods", {"namespace": parts[1]}, "see the pods that do not answer")


def _below(world: World, found: list[Signal]) -> Iterator[Ask]:
    """The last in the chain of those who fail or are slow says nothing of why: what it calls, which no series tell of, does."""
    hurt = list(dict.fromkeys(s.object for s in found if s.kind in ("latency_rose", "errors_rose")))
    names = {w.name for w in hurt}
    last = [w for w in hurt if not names & set(world.callees.get(w.name, ()))]
    for where in last[:1]:
        if not any(world.has_log(p) for p in world.pods_of(where)):
            return
        elsewhere = [n for n in world.callees.get(where.name, ()) if not _workloads(world, n)]
        for space in sorted(_named(world) - {where.namespace})[:SPACES] if elsewhere else ():
            yield Ask("check_pods", {"namespace": space}, "see those that it calls in other namespaces")
        for callee in (w for n in world.callees.get(where.name, ()) for w in _workloads(world, n)):
            pods = world.pods_of(callee)
            if not any(world.has_log(p) for p in pods) and not log_hangs(world, pods[0]):
                yield log_of(pods[0], "read what the one that it calls says")


def _slow_logs(world: World, found: list[Signal]) -> Iterator[Ask]:
    """Of those whose answers became slow, and of those a caller waits for: the last in the chain of calls first."""
    slow = list(dict.fromkeys(s.object for s in found if s.kind == "latency_rose"))
    names = {w.name for w in slow}
    last = sorted(slow, key=lambda w: bool(names & set(world.callees.get(w.name, ()))))
    awaited = [w for s in found if s.kind == "log_timeout" for w in _workloads(world, str(s.facts.get("host") or "").split(".")[0])]
    for where in list(dict.fromkeys([*awaited, *last]))[: LOGS + 1]:
        pods = world.pods_of(where)
        if pods and not any(world.has_log(p) for p in pods) and not log_hangs(world, pods[0]):
            yield log_of(pods[0], "read what the one that answers late says")


def _workloads(world: World, name: str) -> list[ObjectRef]:
    found = {str(w): w for w in map(world.workload_of, world.of("Pod")) if name and w.name == name}
    return list(found.values())


def said_of_store(world: World, ranked: tuple[Candidate, ...]) -> Iterator[Ask]:
    """A leader that only series show: what the store says of it, and the last in the chain of those who feel it."""
    if not ranked or ranked[0].beaten_by or ranked[0].decisive.kind not in MEASURED:
        return
    leader = ranked[0]
    failing = {str(s.object): s.object for s in leader.explains if s.kind in ("errors_rose", "latency_rose")}
    names = {w.name for w in failing.values()}
    last = sorted(failing.values(), key=lambda w: bool(names & set(world.callees.get(w.name, ()))))
    own = leader.object if leader.object.kind != "Deployment" or not last else last[0]
    for where in dict.fromkeys([*last[:1], own]):
        pods = [p for p in world.pods_of(where) if not log_hangs(world, p)]
        if pods and not any(world.has_log(p) for p in pods):
            yield log_of(pods[0], "read in words what the series show")
    if own.namespace and not world.pods_of(own):
        yield Ask("check_pods", {"namespace": own.namespace}, "see the pods of the store")


def _moved(one: Signal) -> float:
    after, before = one.facts.get("after"), one.facts.get("before")
    return float(after) - float(before) if isinstance(after, int | float) and isinstance(before, int | float) else 0.0


def _store_logs(world: World, found: list[Signal]) -> Iterator[Ask]:
    """Of a store whose series show trouble: its pods, and what they log."""
    worst: dict[str, Signal] = {}
    for one in (s for s in found if s.kind in STORED and (s.kind not in PILED or s.facts.get("group") in (None, ""))):
        if (known := worst.get(str(one.object))) is None or _moved(one) > _moved(known):
            worst[str(one.object)] = one
    for one in list(worst.values())[:LOGS]:
        where, pod = one.object, str(one.facts.get("pod") or "")
        seen: Seen | None = world.get("Pod", where.namespace, pod) or next(iter(world.pods_of(where)), None)
        if seen is None and where.namespace:
            yield Ask("check_pods", {"namespace": where.namespace}, "see the pods of the store")
        elif seen is not None and not log_hangs(world, seen):
            yield log_of(seen, "read what the store itself says")
