"""Facts that only two families together show: who asks in vain for whom, what the alert is about. Runs after all
families, on their signals."""

import re
from collections.abc import Iterator

from app.diagnosis.signals.addresses import in_cluster
from app.diagnosis.world import World
from app.domain.case import Signal
from app.domain.target import ObjectRef

ASKED = ("log_connection_refused", "log_dns_failure")
TARGETED = ("scaled_to_zero", "autoscaler_blind", "cron_job_suspended", "cron_job_overdue", "cpu_rose", "node_full_of_pods")
_PUBLIC = re.compile(r"(?!.*\.(local|internal|lan|svc|cluster)$)([a-z0-9-]+\.)+[a-z]{2,}", re.I)
_DATABASE = re.compile(
    r"^(\w*_)?(DB|DATABASE|DATASOURCE|POSTGRES|POSTGRESQL|PG|MYSQL|MARIADB|MONGO|MONGODB|ORACLE|MSSQL|SQL|CONNECTIONSTRINGS?)(_|HOST|URL|=)|"
    r"=(jdbc:|r2dbc:|postgres|mysql|mariadb|mongodb|sqlserver|oracle|cockroach)|=.*\b(initial catalog|database)=",
    re.I,
)
ADDRESSES = ("address_near_miss", "address_unknown_host", "address_port_unknown")


def join(world: World, found: tuple[Signal, ...]) -> Iterator[Signal]:
    yield from _asked_for(world, found)
    yield from _asks_in_vain(world, found)
    yield from _outside(world, found)
    for signal in found:
        if signal.object in (world.case.target.workload, world.case.target.ref) and signal.kind in TARGETED:
            yield signal.model_copy(update={"kind": "is_target", "claim": f"The alert is about {signal.object}"})


def _host(world: World, signal: Signal) -> str:
    return _place(signal)[0]


def _place(signal: Signal) -> tuple[str, str]:
    return in_cluster(str(signal.facts.get("host") or ""), signal.object.namespace)


def _asked_for(world: World, found: tuple[Signal, ...]) -> Iterator[Signal]:
    """Logs that name a host: the workload behind it is asked for and does not answer."""
    for signal in found:
        host, namespace = _place(signal) if signal.kind in ASKED else ("", "")
        for kind in ("Deployment", "StatefulSet", "DaemonSet"):
            if host and world.get(kind, namespace, host):
                where = ObjectRef(kind=kind, namespace=namespace, name=host)
                claim = f"{signal.object.name} asks for {host} and gets no answer"
                yield signal.model_copy(update={"kind": "asked_for", "object": where, "claim": claim})


def _outside(world: World, found: tuple[Signal, ...]) -> Iterator[Signal]:
    """Logs that name a host outside the cluster, whose name does resolve: it refuses, or answers too late."""
    for signal in found:
        host = str(signal.facts.get("host") or "") if signal.kind in ("log_connection_refused", "log_timeout", "log_peer_unavailable") else ""
        if _PUBLIC.fullmatch(host) and not _host(world, signal):
            claim = f"{signal.object.name} gets no answer from {host}, which is outside the cluster"
            yield signal.model_copy(update={"kind": "outside_silent", "object": ObjectRef(kind="External", name=host), "claim": claim})


def _asks_in_vain(world: World, found: tuple[Signal, ...]) -> Iterator[Signal]:
    """A client whose log fails on the very address its environment names."""
    for address in found:
        if address.kind in ADDRESSES:
            for signal in found:
                told = signal.kind in ("log_dns_failure", "log_connection_refused", "log_error", "log_crash")
                if told and signal.object == address.object and str(address.facts["host"]) in signal.quote:
                    claim = f"{address.object.name} fails on {address.facts['host']}"
                    yield signal.model_copy(update={"kind": "asks_in_vain", "claim": claim})
                    if _DATABASE.search(f"{address.facts['variable']}={address.facts['value']}"):
                        yield address.model_copy(update={"kind": "database_asked_in_vain", "claim": claim})
