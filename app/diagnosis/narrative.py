"""Candidates -> the sentences of a verdict: its line, mechanism, confidence in words, impact, what would change it."""

from datetime import datetime
from string import Formatter

from app.diagnosis.causes import CAUSES
from app.diagnosis.ranking import Candidate
from app.diagnosis.world import World
from app.domain.case import Signal
from app.domain.frozen import iso
from app.domain.target import ObjectRef

LINE = 140


class _Facts(dict[str, object]):
    """Facts of a signal as holes of a sentence; an absent one reads as "unknown"."""

    def __missing__(self, key: str) -> str:
        return "unknown"


def cut(text: str, limit: int) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= limit else plain[: limit - 1].rstrip() + "…"


def mechanism(candidate: Candidate) -> str:
    """The rule's sentence over the facts of the deciding signal; the vocabulary's words where facts are missing."""
    facts = _Facts({"object": str(candidate.object), "pod": candidate.object.name})
    for source in reversed(candidate.signals):
        facts.update({k: v for k, v in source.facts.items() if v not in (None, "")})
    facts.update({k: v for k, v in candidate.decisive.facts.items() if v not in (None, "")})
    asked = [name for _, name, _, _ in Formatter().parse(candidate.rule.mechanism) if name]
    if any(name not in facts for name in asked):
        means = CAUSES[candidate.rule.id].means
        return means[0].upper() + means[1:]
    return cut(candidate.rule.mechanism.format_map(facts), 300)


def onset(candidate: Candidate) -> datetime | None:
    """The earliest time among the signals that carry it, releases left out: they come before, they are not it."""
    times = [s.at for s in candidate.signals if s.at is not None and s.kind not in ("released_before_onset", "release_detail", "config_changed")]
    return min(times, default=None)


def short(ref: ObjectRef) -> str:
    return f"{ref.kind} {ref.namespace}/{ref.name}" if ref.namespace else f"{ref.kind} {ref.name}"


def line(candidate: Candidate) -> str:
    since = onset(candidate)
    tail = f" (since {iso(since.replace(microsecond=0))})" if since else ""
    head = f"{short(candidate.object)}: "
    return cut(head + cut(mechanism(candidate), max(LINE - len(head) - len(tail), 40)), LINE - len(tail)) + tail


def why(candidate: Candidate) -> str:
    """The reason of the confidence, in words."""
    supporting: dict[str, Signal] = {}
    for s in candidate.signals:
        if s.kind in candidate.rule.supports:
            supporting.setdefault(s.kind, s)
    weights = candidate.rule.supports
    strongest = sorted(supporting.values(), key=lambda s: -weights[s.kind])[:2]
    release = [s for s in candidate.signals if s.kind == "released_before_onset"][:1]
    parts = list(dict.fromkeys(s.claim for s in (candidate.decisive, *strongest, *release)))
    if candidate.explains:
        parts.append(f"it explains {len(candidate.explains)} of the symptoms seen")
    parts += [f"against it: {s.claim}" for s in candidate.against[:1]]
    if candidate.untrusted:
        parts.append("it rests on log text alone, which anybody may write, so it is not more than likely")
    if candidate.beaten_by:
        parts.append(f"{candidate.beaten_by} accounts for it")
    return "; ".join(cut(p, 160) for p in (*([candidate.grade] if candidate.grade else []), *parts))


def impact(world: World, candidate: Candidate) -> str:
    short_of = [s for s in candidate.explains if s.kind == "workload_short"]
    without = sorted({str(s.facts.get("service")) for s in candidate.explains if s.kind.startswith("service_without") and s.facts.get("service")})
    parts = [cut(s.claim, 120) for s in short_of[:3]]
    parts += list({s.kind: cut(s.claim, 120) for s in candidate.explains if s.kind in ("errors_rose", "latency_rose")}.values())
    if candidate.object.kind == "Node":
        parts += [n for n in [_on_node(world, candidate.object.name)] if n]
    if without:
        parts.append("no ready endpoint: " + ", ".join(without[:5]))
    callers = world.callers_of(candidate.object.name)[:5]
    if callers:
        parts.append("called by " + ", ".join(callers))
    return "; ".join(parts) or f"seen on {short(candidate.object)}; no other object shows it"


def _on_node(world: World, node: str) -> str:
    """Of a node whose pods were read in all namespaces."""
    told = [r.result.data.get("on_node") for r in world.readings if r.tool == "check_pods"]
    found = next((t for t in told if isinstance(t, dict) and t.get("node") == node), None)
    return f"{found['pods']} pods of {len(found['workloads'])} workloads on this node" if found else ""


def would_change(candidate: Candidate, rest: tuple[Candidate, ...]) -> tuple[str, ...]:
    told = [f"If this were no longer true: {cut(candidate.decisive.claim, 140)}"]
    rivals = [c for c in rest if not c.beaten_by and c.object != candidate.object][:1]
    told += [f"Evidence that {c.rule.id} on {short(c.object)} began earlier" for c in rivals]
    if candidate.untrusted:
        told.append("A source other than the log that says the same would make it more than likely")
    return tuple(told)
