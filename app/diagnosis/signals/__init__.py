"""All signal families. Each module has one function `find(world)`; a new family is one file and one line here."""

from app.diagnosis.over import over
from app.diagnosis.signals import (
    addresses,
    admission,
    api_versions,
    callees,
    certificates,
    containers,
    control_plane,
    controllers,
    cron_jobs,
    delivery,
    deploys,
    edges,
    entrances,
    gateways,
    held_back,
    http_versions,
    images,
    ingress_words,
    joins,
    log_counts,
    logs,
    metrics,
    monitoring,
    node_logs,
    node_paths,
    nodes,
    operations,
    operators,
    probes,
    quotas,
    reloads,
    sawtooth,
    scheduling,
    services,
    silence,
    since_release,
    slowness,
    storage,
    stores,
    units,
    unknown_names,
    volumes,
    watchers,
    ways,
    workloads,
)
from app.diagnosis.world import World
from app.domain.case import Signal

FAMILIES = (
    containers,
    images,
    scheduling,
    probes,
    admission,
    workloads,
    cron_jobs,
    services,
    addresses,
    nodes,
    node_logs,
    node_paths,
    units,
    control_plane,
    storage,
    volumes,
    quotas,
    deploys,
    logs,
    log_counts,
    metrics,
    monitoring,
    watchers,
    stores,
    sawtooth,
    operations,
    certificates,
    delivery,
    ways,
    entrances,
    gateways,
    held_back,
    controllers,
    operators,
    api_versions,
    http_versions,
    ingress_words,
)
JOINS = (edges, joins, unknown_names, callees, silence, reloads, slowness, since_release, delivery)


def find(world: World) -> tuple[Signal, ...]:
    """Every signal of a world, without repeats, in a fixed order. What has ended is left out, and kept in `world.ended`."""
    found: dict[tuple[str, str, str], Signal] = {}
    for family in FAMILIES:
        for signal in family.find(world):
            if signal is not None:
                found.setdefault((signal.kind, str(signal.object), signal.quote), signal)
    world.ended.clear()
    for key, signal in list(found.items()):
        if reason := over(world, signal):
            world.ended.append((found.pop(key), reason))
    for family in JOINS:
        for signal in family.join(world, tuple(found.values())):
            found.setdefault((signal.kind, str(signal.object), signal.quote), signal)
    return tuple(found.values())
