"""Who is called and does not do, as callers' logs and what else is known tell it together: a host outside behind a Service of ours, an
address that a release changed, a queue whose takers stand still. Runs after all families, on their signals."""

import re
from collections.abc import Iterator

from app.diagnosis.causes.rule import CRASHES, NOT_RUNNING
from app.diagnosis.signals.addresses import in_cluster
from app.diagnosis.signals.joins import _DATABASE
from app.diagnosis.world import World
from app.domain.case import Signal
from app.domain.target import ObjectRef

OUTSIDE = {"log_connection_refused": "service_outside_silent", "log_timeout": "service_outside_slow"}
RESTARTED = ("container_restarting", "container_completed", "container_exited_with_error", "container_oom_killed", "crash_looping")
RELEASED = ("config_changed", "released_before_onset")
DOWN = CRASHES | NOT_RUNNING | {"scaled_to_zero", "log_connection_refused", "log_dns_failure", "pods_refused"}
_CHANGED = re.compile(r"env (?P<variable>\S+).* -> (?P<value>\S+)$")


def join(world: World, found: tuple[Signal, ...]) -> Iterator[Signal]:
    yield from _behind_a_service(world, found)
    yield from _changed_address(found)
    yield from _loading(world, found)
    for backlog in (s for s in found if s.kind == "backlog_grows"):
        _feed(world, backlog)
        yield from _taker_ill(world, found, backlog)


def _behind_a_service(world: World, found: tuple[Signal, ...]) -> Iterator[Signal]:
    """A Service without a selector stands for what is outside the cluster (ExternalName, or EndpointSlices written by hand)."""
    for signal in found:
        if signal.kind in OUTSIDE:
            name, namespace = in_cluster(str(signal.facts.get("host") or ""), signal.object.namespace)
            service = world.get("Service", namespace, name)
            if service is not None and not service.at("spec", "selector") and not _runs(world, namespace, name):
                said = "refuses or does not answer" if signal.kind == "log_connection_refused" else "answers too late"
                claim = f"{name}, outside the cluster behind a Service, {said}, says {signal.object.name}"
                where = ObjectRef(kind="Service", namespace=namespace, name=name)
                yield signal.model_copy(update={"kind": OUTSIDE[signal.kind], "object": where, "claim": claim})


def _loading(world: World, found: tuple[Signal, ...]) -> Iterator[Signal]:
    """A store that still loads says so to all who ask, and they seldom name it: the one that all of them call and that was started
    anew, else the only one with data of its own that all of them call."""
    told = [s for s in found if s.kind == "log_peer_loads"]
    called = [set(world.callees.get(s.object.name, ())) for s in told]
    common = set.intersection(*called) if called else set()
    stores = {str(w): w for p in world.of("Pod") if (w := world.workload_of(p)).name in common}
    restarted = [w for w in stores.values() if any(s.object == w and s.kind in RESTARTED for s in found)]
    kept = [w for w in stores.values() if w.kind == "StatefulSet"]
    for where in restarted if len(restarted) == 1 else kept if len(kept) == 1 else []:
        for one in told:
            claim = f"{where.name} still loads its data and answers nothing else, says {one.object.name}"
            yield one.model_copy(update={"kind": "store_loads", "object": where, "claim": claim, "facts": {**one.facts, "host": where.name}})


def _runs(world: World, namespace: str, name: str) -> bool:
    return any(p.namespace == namespace and world.workload_of(p).name == name for p in world.of("Pod"))


def _changed_address(found: tuple[Signal, ...]) -> Iterator[Signal]:
    """A name that does not resolve, or a port that is refused, and that a release has just put into the environment."""
    for signal in (s for s in found if s.kind in ("log_dns_failure", "log_connection_refused") and s.facts.get("host")):
        host = str(signal.facts["host"])
        for release in (s for s in found if s.kind in RELEASED and s.object == signal.object):
            for change in map(str, release.facts.get("changes") or []):
                said = _CHANGED.search(change)
                port = signal.kind == "log_connection_refused" and said is not None and said["value"] == str(signal.facts.get("port"))
                if said is None or not (host in said["value"] or port) or (host in change.split(" -> ")[0] and signal.kind == "log_dns_failure"):
                    continue
                facts = {**signal.facts, "variable": said["variable"], "value": said["value"], "host": host}
                claim = f"{signal.object.name} fails on {host}, which its last release put into {said['variable']}"
                kind = "database_asked_in_vain" if _DATABASE.search(f"{said['variable']}={said['value']}") else "address_released_in_vain"
                yield signal.model_copy(update={"kind": kind, "claim": claim, "facts": facts})
                yield release.model_copy(update={"kind": "address_released", "claim": f"The release of {signal.object.name} changed {change}"[:300]})


def _taker_ill(world: World, found: tuple[Signal, ...], backlog: Signal) -> Iterator[Signal]:
    """A taker that does not run is why its queue grows; the backlog is only what shows of it."""
    takers = {t for t, brokers in world.feeds.items() if str(backlog.facts["broker"]) in brokers}
    ill = next((s for s in found if str(s.object) in takers and s.kind in DOWN), None)
    if ill is not None:
        yield ill.model_copy(update={"kind": "taker_ill", "object": backlog.object, "claim": f"{ill.object.name}, which takes from it: {ill.claim}"})


def _feed(world: World, backlog: Signal) -> None:
    """Whoever takes from the queue is who lets it grow: its trouble shows on the broker."""
    broker = ObjectRef.parse(str(backlog.facts["broker"]))
    brokers = {str(broker), f"Service/{broker.namespace}/{broker.name}"}
    podless = [ObjectRef(kind=k, namespace=w.namespace, name=w.name) for k in ("Deployment", "StatefulSet") for w in world.of(k)]
    for workload in (*map(world.workload_of, world.of("Pod")), *podless):
        if workload == backlog.object or (backlog.object == broker and broker.name in world.callees.get(workload.name, ())):
            world.feeds.setdefault(str(workload), set()).update(brokers)
