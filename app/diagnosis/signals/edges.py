"""Edges that meshes and traces measured -> callees that became slow or fail, seen by those that call them. Reads
`get_service_map`. Joined to the others after what has ended was left out: whether an edge is well again stands in its own
measures."""

from collections.abc import Iterator

from app.diagnosis.reading import Reading, rows
from app.diagnosis.series import Step, when
from app.diagnosis.signals.metrics import leap, named, told
from app.diagnosis.world import Found, World, cite, signal
from app.domain.case import Signal
from app.domain.frozen import JsonObject, iso
from app.domain.target import ObjectRef

MEASURES = {"error_rate": "", "latency_p99": "0.99", "latency_p95": "0.95"}  # and the quantile of each
BACK = 0.25  # of the way from the usual level to that of the trouble: less is well again


def join(world: World, _: tuple[Signal, ...]) -> Iterator[Signal]:
    return (s for s in _found(world) if s is not None)


def _found(world: World) -> Found:
    for reading in world.readings:
        for edge in rows(reading.result.data.get("edges")):
            where = _callee(world, edge)
            if where is not None:
                for name in MEASURES:
                    yield from _moved(reading, edge, name, where)


def _callee(world: World, edge: JsonObject) -> ObjectRef | None:
    space = str(edge.get("callee_namespace") or world.case.target.namespace)
    names = [str(n) for n in (edge.get("callee"), *(edge.get("also") or ())) if n]
    found = (named(world, space, w) for n in names for w in (n, *sorted(world.behind.get((space, n), ()))))
    return next((f for f in found if f is not None), None)


def _moved(reading: Reading, edge: JsonObject, name: str, where: ObjectRef) -> Found:
    one = (edge.get("measures") or {}).get(name) or {}
    if not all(isinstance(one.get(key), int | float) for key in ("before", "after", "at")):
        return
    step = Step(when(one["at"]), one["before"], one["after"])
    kind = leap(name, step)
    if kind and abs(one.get("now", step.after) - step.before) > BACK * abs(step.after - step.before):
        facts: JsonObject = {"before": round(step.before, 4), "after": round(step.after, 4), "series": name, "at": iso(step.at)}
        facts |= {"caller": edge.get("caller"), "query": one.get("query")} | ({"quantile": MEASURES[name]} if MEASURES[name] else {})
        claim = f"{name} of calls from {edge.get('caller')} to {where.name} went from {told(name, step.before)} to {told(name, step.after)}"
        ends = [f"{edge.get('caller')} -> ", f"{edge.get('callee')}", f"[{edge.get('source')}]"]
        yield signal(kind, where, claim, cite(reading, tuple(ends)), step.at, facts)
