"""Latencies of callers and callees, and the nodes they run on -> who is slow by itself, who only waits, and whether a
whole node's traffic is slow or lost. Runs after all families, on their signals and on the series of the world.

A callee accounts for its caller when its typical call, times the calls each request makes, or one call of its slow tail
is a fair part of what the caller lost. A caller that lost far more than its callees can account for is slow by itself,
and slows how its callees' answers are taken."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import median

from app.diagnosis.series import Series, when
from app.diagnosis.signals.metrics import TYPICAL, owner
from app.diagnosis.world import World, cite, signal
from app.domain.case import Signal
from app.domain.target import ObjectRef

RETRANSMITS = "node_netstat_Tcp_RetransSegs"
RETRANSMITS_QUERY = f"rate({RETRANSMITS}[5m])"
FAIR_PART = 0.25
LOST_A_SECOND = 0.5  # fewer retransmitted segments a second than this is what any network does
LOST_TIMES = 5.0  # a node's own usual level times this
APART = 1.5  # and so much more than on any other node that carries the workloads
TOGETHER = 2
MOST = 0.6  # of the measured workloads of a node: those behind a slow one may get no more requests
OWN_REASONS = ("cpu_rose", "throttling_rose", "traffic_rose", "released_before_onset", "crash_looping", "container_oom_killed")


@dataclass(frozen=True, slots=True)
class Slowed:
    """How much longer typical requests and those of the tail take, in seconds, and the signal to quote."""

    object: ObjectRef
    typical: float
    tail: float
    told: Signal

    @property
    def most(self) -> float:
        return self.typical or self.tail


Accounts = Callable[[Slowed, Slowed], bool]  # (callee, caller)


def join(world: World, found: tuple[Signal, ...]) -> Iterator[Signal]:
    slow = _slowed(found)
    rates = _rates(world) if slow else {}
    accounts = partial(_accounts, rates)
    yield from _victims(world, slow, found, accounts)
    yield from _unaccounted(world, slow, accounts)
    alone = [s for s in slow.values() if _by_itself(world, s, slow, accounts, found)]
    losing = tuple(_losing(world, slow))
    yield from losing
    if not losing:  # answers to peers on a node that loses packets are slow wherever they come from
        yield from _together(world, alone, slow)


def _slowed(found: tuple[Signal, ...]) -> dict[str, Slowed]:
    table: dict[str, list[Signal]] = {}
    for one in found:
        if one.kind == "latency_rose":
            table.setdefault(one.object.name, []).append(one)
    return {name: _most(signals) for name, signals in sorted(table.items())}


def _most(signals: list[Signal]) -> Slowed:
    def rise(typical: bool) -> float:
        return max((_rise(s) for s in signals if (_quantile(s) <= TYPICAL) is typical), default=0.0)

    return Slowed(signals[0].object, rise(True), rise(False), max(signals, key=_rise))


def _rise(told: Signal) -> float:
    before, after = told.facts.get("before"), told.facts.get("after")
    return float(after) - float(before) if isinstance(before, int | float) and isinstance(after, int | float) else 0.0


def _quantile(told: Signal) -> float:
    try:
        return float(str(told.facts.get("quantile") or "0.5"))
    except ValueError:
        return 0.5


def _rates(world: World) -> dict[str, float]:
    """Usual requests a second by name of the workload."""
    rates: dict[str, float] = {}
    for _, one in world.series:
        if one.name == "request_rate" and one.values and (who := owner(world, one.labels)):
            rates[who.name] = max(rates.get(who.name, 0.0), median(v for _, v in one.values))
    return rates


def _accounts(rates: dict[str, float], callee: Slowed, caller: Slowed) -> bool:
    mine, its = rates.get(caller.object.name, 0.0), rates.get(callee.object.name, 0.0)
    calls = max(1.0, its / mine) if mine and its else 1.0
    return max(callee.typical * calls, callee.tail) >= FAIR_PART * caller.most


def _victims(world: World, slow: dict[str, Slowed], found: tuple[Signal, ...], accounts: Accounts) -> Iterator[Signal]:
    """A slow workload that calls one that is slow and can account for it, or one short of cpu, is its victim first."""
    throttled = {s.object.name: s for s in found if s.kind == "throttling_rose"}
    for name, caller in slow.items():
        reasons = {n: c.told for n, c in slow.items() if n != name and name in world.callers_of(n) and accounts(c, caller)}
        reasons |= {n: s for n, s in throttled.items() if n != name and name in world.callers_of(n)}
        for callee in sorted(reasons)[:1]:
            claim = f"{name} calls {callee}, which is slow too"
            yield reasons[callee].model_copy(update={"kind": "callee_slow_too", "object": caller.object, "claim": claim})


def _unaccounted(world: World, slow: dict[str, Slowed], accounts: Accounts) -> Iterator[Signal]:
    """Of a caller and its slow callees that cannot account for it."""
    for name, caller in slow.items():
        direct = [slow[n] for n in world.callees.get(name, ()) if n in slow]
        below = [c for n, c in slow.items() if n != name and name in world.callers_of(n)]
        if not direct or any(accounts(c, caller) for c in below):
            continue
        told = ", ".join(sorted(c.object.name for c in direct))
        claim = f"{name} lost {caller.most:.3g} s, more than {told} can account for"
        yield caller.told.model_copy(update={"kind": "slower_than_callees", "claim": claim})
        for callee in direct:
            yield caller.told.model_copy(update={"kind": "caller_slower", "object": callee.object, "claim": claim})


def _by_itself(world: World, one: Slowed, slow: dict[str, Slowed], accounts: Accounts, found: tuple[Signal, ...]) -> bool:
    name = one.object.name
    if any(s.kind in OWN_REASONS and s.object == one.object for s in found):
        return False
    below = [c for n, c in slow.items() if n != name and name in world.callers_of(n)]
    if any(accounts(c, one) for c in below):
        return False
    above = [slow[n] for n, callees in world.callees.items() if name in callees and n in slow]
    return not any(_alone_above(world, caller, slow, accounts) for caller in above)


def _alone_above(world: World, caller: Slowed, slow: dict[str, Slowed], accounts: Accounts) -> bool:
    """Did the caller lose more than all its slow callees account for?"""
    name = caller.object.name
    return not any(accounts(c, caller) for n, c in slow.items() if n != name and name in world.callers_of(n))


def _nodes_of(world: World, ref: ObjectRef) -> set[str]:
    return {str(p.at("spec", "nodeName")) for p in world.pods_of(ref) if p.at("spec", "nodeName")}


def _together(world: World, alone: list[Slowed], slow: dict[str, Slowed]) -> Iterator[Signal]:
    """Several workloads slow by themselves, all of them on one node alone, and most that are measured there; elsewhere
    workloads keep their pace. One that is spread over nodes speaks for none of them."""
    if len(alone) < TOGETHER:
        return
    measured = {w.name: _nodes_of(world, w) for _, one in world.series if one.name.startswith("latency") and (w := owner(world, one.labels))}
    for node in sorted(set.intersection(*(_nodes_of(world, s.object) for s in alone))):
        here = [n for n, nodes in measured.items() if nodes == {node}]
        elsewhere = [n for n, nodes in measured.items() if nodes and node not in nodes]
        ill = [n for n in here if n in slow]
        away = [n for n in elsewhere if n not in slow]
        settled = all(_nodes_of(world, s.object) == {node} for s in alone)
        if here and settled and away and len(ill) >= MOST * len(here) and len(ill) / len(here) > (len(elsewhere) - len(away)) / len(elsewhere):
            names = ", ".join(sorted(s.object.name for s in alone))
            facts = {"node": node, "slow": names}
            where = ObjectRef(kind="Node", name=node)
            for one in alone:
                claim = f"{one.object.name} on node {node} became slow by itself, as did {names}"
                told = {"kind": "slow_together", "object": where, "claim": claim, "facts": {**facts, "query": one.told.facts.get("query")}}
                yield one.told.model_copy(update=told)


def _losing(world: World, slow: dict[str, Slowed]) -> Iterator[Signal]:
    """The one node, of those that carry the slow workloads, whose TCP sends far more again than before and than others."""
    hosts = {n for s in slow.values() for n in _nodes_of(world, s.object)}
    peaks = []
    for reading, one in world.series:
        node = one.labels.get("node") or one.labels.get("instance", "").rsplit(":", 1)[0]
        if reading.tool == "query_prometheus" and RETRANSMITS in str(reading.call.args.get("query")) and node in hosts and one.values:
            peaks.append((max(v for _, v in one.values), node, reading, one))
    peaks.sort(key=lambda p: (-p[0], p[1]))
    if not peaks or peaks[0][0] < LOST_A_SECOND or (len(peaks) > 1 and peaks[0][0] < APART * peaks[1][0]):
        return
    peak, node, reading, one = peaks[0]
    before = _usual(one)
    if peak >= LOST_TIMES * before:
        at = next(t for t, v in one.values if v >= peak / 2)
        levels = f"{before:.3g} to {peak:.3g} a second"
        claim = f"TCP retransmits of node {node} went from {levels}"
        facts = {"node": node, "before": round(before, 3), "after": round(peak, 3), "moved": f"its TCP retransmits went from {levels}"}
        made = signal("retransmits_rose", ObjectRef(kind="Node", name=node), claim, cite(reading, (f'"{node}"',), (node,)), when(at), facts)
        if made is not None:
            yield made


def _usual(one: Series) -> float:
    """The level of the quietest quarter of the series."""
    numbers = sorted(v for _, v in one.values)
    return median(numbers[: max(1, len(numbers) // 4)])
