"""Round trips and losses measured between nodes, and packets that interfaces drop -> the node whose paths are slow or lossy, or
the workload whose pods are. Reads `query_prometheus`.

Which end is at fault follows from many paths: nearly all to and from one node are ill, nearly none of the others. Labels of
such series differ with the exporter, so every label value that names a node, its address or a pod counts as an end of the path.
Known: ping_exporter, smokeping_prober, blackbox exporter (icmp), telegraf ping, goldpinger, Cilium, etcd peers, and exporters of
TCP round trips by eBPF (coroot, retina and their like)."""

import re
from dataclasses import dataclass, field
from statistics import median

from app.diagnosis.kube import is_ready
from app.diagnosis.noise import parts, stands_out
from app.diagnosis.reading import Reading, rows
from app.diagnosis.series import Series, Step, step, when
from app.diagnosis.world import Cite, Found, World, cite, signal
from app.domain.target import ObjectRef

_PATH = "(.*_)?(ping|rtt|icmp|round_trip|roundtrip|node_connectivity|node_health|peers_response|smokeping|packet_loss)(_.*)?"
_NOT = ".*_(total|bucket|sum|count|created|info|min|max|best|worst|std_?dev.*|mdev|jitter|ttl|up|status)"
PATHS_QUERY = f'{{__name__=~"{_PATH}",__name__!~"{_NOT}"}} or (rate({{__name__=~"{_PATH}_sum"}}[5m]) / rate({{__name__=~"{_PATH}_count"}}[5m]))'
# What the interfaces of a node could not take or send, by node: errors are frames spoilt on the wire, drops those for which no room was left.
LOST_QUERY = "rate(node_network_receive_errs_total[5m]) + rate(node_network_receive_drop_total[5m])"
_MEASURES_LOSS = re.compile(r"loss|lost")
_INTERFACE = re.compile(r"node_network_(receive|transmit)_(errs|drop)_total")
SLOWER = 3.0  # a round trip that takes so many times what it did
MORE = 0.001  # and longer by a millisecond, whatever the unit: round trips in milliseconds are larger anyway
LOSSY = 0.01  # share of packets lost that any program notices
NEARLY_ALL, NEARLY_NONE = 0.75, 0.1
SPOILT = 10.0  # frames a second that an interface loses: a network at its usual loses none
TIMES = 5.0  # and so many times what other nodes lose


@dataclass(slots=True)
class _Path:
    """A measured path: its ends, and the change where it became ill."""

    reading: Reading
    series: Series
    nodes: frozenset[str]
    pods: frozenset[str]
    loss: bool
    change: Step | None = field(default=None)


def find(world: World) -> Found:
    asked = [(r, s) for r, s in world.series if r.tool == "query_prometheus" and s.values]
    paths = [p for r, s in asked if _is_path(r, s) and (p := _path(world, r, s)) is not None] if asked else []
    for loss in (False, True):
        yield from _nodes(world, [p for p in paths if p.loss is loss], loss)
    yield from _workloads(world, [p for p in paths if not p.loss and p.pods])
    yield from _interfaces(world, [(r, s) for r, s in asked if _INTERFACE.search(str(r.call.args.get("query")))])


def _is_path(reading: Reading, one: Series) -> bool:
    name = one.labels.get("__name__", "")
    return re.fullmatch(_PATH, name) is not None if name else str(reading.call.args.get("query")) == PATHS_QUERY


def _path(world: World, reading: Reading, one: Series) -> _Path | None:
    nodes, pods = _ends(world, one.labels)
    if not nodes and not pods:
        return None
    loss = bool(_MEASURES_LOSS.search(one.labels.get("__name__", "")))
    return _Path(reading, one, nodes, pods, loss, _ill(one, loss))


def _ends(world: World, labels: dict[str, str]) -> tuple[frozenset[str], frozenset[str]]:
    """Nodes and pods (`namespace/name`) at the ends of a path. A pod of a DaemonSet stands for its node: it only measures."""
    known = _places(world)
    values = {v.rsplit(":", 1)[0] if v.count(":") == 1 else v for k, v in labels.items() if k not in ("__name__", "job", "pod")}
    nodes = {known[v] for v in values if v in known}
    pod = world.get("Pod", labels.get("namespace") or world.case.target.namespace, labels.get("pod", ""))
    if pod is None:
        return frozenset(nodes), frozenset()
    where = str(pod.at("spec", "nodeName") or "")
    nodes |= {where} - {""}
    about_pod = world.workload_of(pod).kind != "DaemonSet" and len(nodes) <= 1
    return frozenset(nodes), frozenset({f"{pod.namespace}/{pod.name}"}) if about_pod else frozenset()


def _places(world: World) -> dict[str, str]:
    """Names and addresses of nodes -> their names."""
    found = {n.name: n.name for n in world.of("Node")}
    for node in world.of("Node"):
        found |= {str(a.get("address")): node.name for a in rows(node.at("status", "addresses"))}
    for pod in world.of("Pod"):
        if name := pod.at("spec", "nodeName"):
            found |= {str(key): str(name) for key in (name, pod.at("status", "hostIP")) if key}
    return found


def _ill(one: Series, loss: bool) -> Step | None:
    told = one.change
    moved = Step(when(float(told["at"])), float(told["before"]), float(told["after"])) if isinstance(told, dict) and told.get("at") else step(one)
    late = median(v for _, v in one.values[-3:])
    if loss:
        share = LOSSY * (100 if "percent" in one.labels.get("__name__", "") else 1)
        since = moved if moved is not None and moved.after > 2 * moved.before else Step(when(one.values[0][0]), late, late)
        return since if late >= share else None
    if moved is None or moved.after < SLOWER * moved.before or moved.after - moved.before < MORE or not stands_out(one, moved):
        return None
    before, _ = parts(one, moved)
    return moved if not before or late >= SLOWER * median(before) else None


def _nodes(world: World, paths: list[_Path], loss: bool) -> Found:
    """The one node with nearly all its paths ill, where nearly none of those between others are."""
    if not any(p.change for p in paths):
        return
    blamed = []
    for name in sorted({n for p in paths for n in p.nodes}):
        touching, others = [p for p in paths if name in p.nodes], [p for p in paths if name not in p.nodes]
        ill = [p for p in touching if p.change]
        if others and len(ill) >= 2 and len(ill) >= NEARLY_ALL * len(touching) and sum(1 for p in others if p.change) <= NEARLY_NONE * len(others):
            blamed.append((name, ill, len(touching), len(others)))
    if len(blamed) != 1:
        return
    name, ill, all_of, apart = blamed[0]
    first = min(ill, key=lambda p: p.change.at if p.change else world.now)
    assert first.change is not None
    what = "lose packets" if loss else "are slow"
    levels = f"{first.change.before:.3g} to {first.change.after:.3g}"
    claim = f"{len(ill)} of {all_of} measured paths of node {name} {what} ({levels}), hardly any of {apart} others"
    facts = {"node": name, "before": first.change.before, "after": first.change.after, "slow": f"{len(ill)} of {all_of} measured paths of this node"}
    facts |= {
        "moved": _moved("the share of packets lost on its paths", first.change.before, first.change.after),
        "query": str(first.reading.call.args.get("query")),
    }
    yield signal("paths_lossy" if loss else "paths_slow", ObjectRef(kind="Node", name=name), claim, _line(first), first.change.at, facts)


def _moved(measure: str, before: float, after: float) -> str:
    """In words; what was so all the time that was looked at has no onset."""
    return f"{measure} went from {before:.3g} to {after:.3g}" if after > 1.5 * before else f"{measure}: {after:.3g}"


def _line(path: _Path) -> Cite:
    telling = [f'"{v}"' for k, v in sorted(path.series.labels.items()) if k not in ("__name__", "job", "namespace")]
    return cite(path.reading, (path.series.name, *telling), tuple(telling), (path.series.name,))


def _workloads(world: World, paths: list[_Path]) -> Found:
    """A workload all of whose ready pods have slow round trips wherever they run, while others on the same nodes do not."""
    table: dict[str, list[_Path]] = {}
    for path in paths:
        space, name = min(path.pods).split("/", 1)
        seen = world.get("Pod", space, name)
        if seen is not None and is_ready(seen.item):
            table.setdefault(str(world.workload_of(seen)), []).append(path)
    ill = [w for w, own in table.items() if all(p.change for p in own)]
    well = [p for w, own in table.items() if w not in ill for p in own if not p.change]
    for name in sorted(ill):
        first = min(table[name], key=lambda p: p.change.at if p.change else world.now)
        nodes = {n for p in table[name] for n in p.nodes}
        if first.change is not None and (len(nodes) > 1 or any(p.nodes & nodes for p in well)):
            where = ObjectRef.parse(name)
            claim = f"Round trips of {where.name} went from {first.change.before:.3g} to {first.change.after:.3g}, those of its neighbours did not"
            facts = {"before": first.change.before, "after": first.change.after, "query": str(first.reading.call.args.get("query"))}
            yield signal("round_trips_slow", where, claim, _line(first), first.change.at, facts)


def _interfaces(world: World, asked: list[tuple[Reading, Series]]) -> Found:
    """The node whose interface loses many frames a second, and other nodes hardly any."""
    places = _places(world)
    worst: dict[str, tuple[float, Reading, Series]] = {}
    for reading, one in asked:
        value = one.labels.get("node") or one.labels.get("instance", "")
        node = places.get(value) or places.get(value.rsplit(":", 1)[0])
        late = median(v for _, v in one.values[-3:])
        if node and late > worst.get(node, (-1.0, reading, one))[0]:
            worst[node] = (late, reading, one)
    for node, (late, reading, one) in sorted(worst.items()):
        if late >= SPOILT and all(late >= TIMES * other for name, (other, _, _) in worst.items() if name != node):
            before = min(v for _, v in one.values)
            began = next((t for t, v in one.values if v >= late / 2), one.values[0][0])
            facts = {"node": node, "moved": _moved("frames its interface loses a second", before, late), "query": str(reading.call.args.get("query"))}
            claim = f"The interface of node {node} loses {late:.4g} frames a second"
            needles = tuple(f'"{one.labels[k]}"' for k in ("instance", "node", "device") if one.labels.get(k))
            yield signal(
                "frames_lost", ObjectRef(kind="Node", name=node), claim, cite(reading, needles, needles[:1], ("/s",), ("last",)), when(began), facts
            )
