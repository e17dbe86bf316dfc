"""Facts that only two families together show: who asks in vain for whom, what the alert is about. Runs after all
families, on their signals."""

from collections.abc import Iterator

from app.diagnosis.signals.addresses import in_cluster
from app.diagnosis.world import World
from app.domain.case import Signal
from app.domain.target import ObjectRef

ASKED = ("log_connection_refused", "log_dns_failure")
TARGETED = ("scaled_to_zero", "autoscaler_blind", "cron_job_suspended", "cpu_rose")
ADDRESSES = ("address_near_miss", "address_unknown_host", "address_port_unknown")


def join(world: World, found: tuple[Signal, ...]) -> Iterator[Signal]:
    yield from _asked_for(world, found)
    yield from _asks_in_vain(world, found)
    yield from _slow_callees(world, found)
    for signal in found:
        if signal.object in (world.case.target.workload, world.case.target.ref) and signal.kind in TARGETED:
            yield signal.model_copy(update={"kind": "is_target", "claim": f"The alert is about {signal.object}"})


def _slow_callees(world: World, found: tuple[Signal, ...]) -> Iterator[Signal]:
    """A slow workload that calls a slow or throttled one is its victim first of all."""
    slow = {s.object.name: s for s in found if s.kind in ("latency_rose", "throttling_rose")}
    told: set[str] = set()
    for signal in found:
        if signal.kind == "latency_rose" and signal.object.name not in told:
            callees = [n for n in sorted(slow) if n != signal.object.name and signal.object.name in world.callers_of(n)]
            if callees:
                told.add(signal.object.name)
                claim = f"{signal.object.name} calls {callees[0]}, which is slow too"
                cause = slow[callees[0]]
                yield cause.model_copy(update={"kind": "callee_slow_too", "object": signal.object, "claim": claim})


def _host(world: World, signal: Signal) -> str:
    return in_cluster(str(signal.facts.get("host") or ""), signal.object.namespace)[0]


def _asked_for(world: World, found: tuple[Signal, ...]) -> Iterator[Signal]:
    """Logs that name a host: the workload behind it is asked for and does not answer."""
    for signal in found:
        host = _host(world, signal) if signal.kind in ASKED else ""
        for kind in ("Deployment", "StatefulSet", "DaemonSet"):
            if host and world.get(kind, signal.object.namespace, host):
                where = ObjectRef(kind=kind, namespace=signal.object.namespace, name=host)
                claim = f"{signal.object.name} asks for {host} and gets no answer"
                yield signal.model_copy(update={"kind": "asked_for", "object": where, "claim": claim})


def _asks_in_vain(world: World, found: tuple[Signal, ...]) -> Iterator[Signal]:
    """A client whose log fails on the very address its environment names."""
    for address in found:
        if address.kind in ADDRESSES:
            for signal in found:
                told = signal.kind in ("log_dns_failure", "log_connection_refused", "log_error", "log_crash")
                if told and signal.object == address.object and str(address.facts["host"]) in signal.quote:
                    claim = f"{address.object.name} fails on {address.facts['host']}"
                    yield signal.model_copy(update={"kind": "asks_in_vain", "claim": claim})
