"""What the kubelets measure of volumes -> those that are full, as a fault of the workload that writes to them. Reads `query_prometheus`."""

from collections.abc import Iterator

from app.diagnosis.reading import Reading, dig, rows
from app.diagnosis.series import Series, when
from app.diagnosis.world import Found, World, cite, signal
from app.domain.case import Signal
from app.domain.target import ObjectRef

# What is left of bytes and of inodes (kubelet, server/metrics/collectors/volume_stats.go), and of what.
LEFT = {
    "kubelet_volume_stats_available_bytes": "kubelet_volume_stats_capacity_bytes",
    "kubelet_volume_stats_inodes_free": "kubelet_volume_stats_inodes",
}
FULL = 0.005  # of its size: file systems keep a little for themselves


def find(world: World) -> Found:
    for reading, one in world.series:
        if one.name in LEFT and one.values and _full(world, one):
            name, namespace = one.labels.get("persistentvolumeclaim", ""), one.labels.get("namespace", "")
            for where in _writers(world, namespace, name):
                yield _told(reading, one, name, where)


def _full(world: World, one: Series) -> bool:
    left = one.values[-1][1]
    sizes = [s.values[-1][1] for _, s in world.series if s.name == LEFT[one.name] and s.values and _claim(s) == _claim(one)]
    return left <= FULL * max(sizes, default=0.0)


def _claim(one: Series) -> tuple[str, str]:
    return one.labels.get("namespace", ""), one.labels.get("persistentvolumeclaim", "")


def _told(reading: Reading, one: Series, claim: str, where: ObjectRef) -> Signal | None:
    since = next((t for t, v in one.values if v <= one.values[-1][1]), one.values[-1][0])
    facts = {"pod": where.name, "what": claim, "query": one.query or str(reading.call.args.get("query") or "")}
    says = f"Nothing is left of the volume {claim} of {where.name}"
    return signal("volume_full", where, says, cite(reading, (one.name + "{", f'"{claim}"'), (one.name,)), when(since), facts)


def _writers(world: World, namespace: str, claim: str) -> Iterator[ObjectRef]:
    """The workloads whose pods mount it; the claim itself where none is known."""
    mounted = [p for p in world.of("Pod") if p.namespace == namespace and claim in _claims(p.at("spec", "volumes"))]
    found = list(dict.fromkeys(world.workload_of(p) for p in mounted))
    yield from found or [ObjectRef(kind="PersistentVolumeClaim", namespace=namespace, name=claim)]


def _claims(volumes: object) -> set[str]:
    return {str(dig(v, "persistentVolumeClaim", "claimName")) for v in rows(volumes)}
