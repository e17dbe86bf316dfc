"""Assessment -> verdict: the state, the leaders with their evidence, what was ruled out, set aside and not checked."""

from app.diagnosis.actions import actions_for
from app.diagnosis.citing import cited, evidence
from app.diagnosis.confidence import CONFIRMED, all_clear, stated
from app.diagnosis.enough import enough, is_measured
from app.diagnosis.measuring import with_measure
from app.diagnosis.narrative import cut, impact, line, mechanism, onset, short, why, would_change
from app.diagnosis.ranking import Candidate, leaders
from app.diagnosis.setting_aside import not_checked, ruled_out, set_aside
from app.diagnosis.spread import spread
from app.diagnosis.witnesses import with_witnesses
from app.diagnosis.world import World
from app.domain.case import Signal
from app.domain.verdict import Action, Evidence, Hypothesis, Moment, NotChecked, Verdict, VerdictState

LIKELY = 0.4
ALTERNATIVES = 3
UNANSWERED = ("timeout", "denied", "unavailable", "invalid", "invalid_response", "tool_error", "time_budget")
MAX_ACTIONS = 3


def conclude(world: World, found: tuple[Signal, ...], ranked: tuple[Candidate, ...]) -> Verdict:
    """The verdict, and which of the alerts that came in one group it accounts for."""
    return spread(world, found, ranked, with_measure(world, found, _verdict(world, found, ranked)))


def _verdict(world: World, found: tuple[Signal, ...], ranked: tuple[Candidate, ...]) -> Verdict:
    strong = [c for c in ranked if c.confidence >= LIKELY and not c.beaten_by]
    if strong:
        return _named(world, found, (*strong, *(c for c in ranked if c not in strong)))
    troubles = [s for s in found if s.kind in TROUBLE or (s.kind == "alert_condition_holds" and is_measured(world))]
    if not troubles and not ranked and enough(world, found):
        return _healthy(world, found)
    return _open(world, found, ranked, troubles)


# Facts about two others that are on the timeline themselves.
COMPARED = ("starts_with_release", "trouble_before_release", "only_new_pods", "old_pods_too")
TROUBLE = {
    "pod_pending",
    "pod_not_ready",
    "pod_failed",
    "workload_short",
    "crash_looping",
    "node_not_ready",
    "service_without_ready_pods",
    "pods_refused",
    "errors_rose",
    "latency_rose",
    "target_down",
    "log_dns_failure",
    "log_connection_refused",
}


def _named(world: World, found: tuple[Signal, ...], ranked: tuple[Candidate, ...]) -> Verdict:
    """At least one cause that evidence carries."""
    leading = leaders(ranked)
    others = tuple(c for c in ranked if c not in leading and c.confidence >= 0.2 and not c.beaten_by)[:ALTERNATIVES]
    unread = not_checked(world)
    graded = stated(world, (*leading, *others), len(leading), _silent(unread))
    named, others = tuple(with_witnesses(world, c) for c in graded[: len(leading)]), graded[len(leading) :]
    first = named[0]
    state = VerdictState.CONFIRMED if first.confidence >= CONFIRMED and not first.untrusted else VerdictState.LIKELY
    quotes, ids = evidence(world, (*named, *others))
    actions = actions_for(first.rule.actions, first.object, _holes(first))
    actions = tuple(a for c in named for a in (actions if c is first else actions_for(c.rule.actions, c.object, _holes(c))[:1]))
    return Verdict(
        state=state,
        line=line(first),
        confidence=first.confidence,
        confidence_reason=cut(why(first), 400),
        hypotheses=tuple(hypothesis(c, ids) for c in (*named, *others)),
        evidence=quotes,
        ruled_out=ruled_out(world, found, ranked),
        not_checked=unread,
        set_aside=set_aside(world, named),
        actions=_few(actions),
        impact=cut(impact(world, first), 400),
        would_change=would_change(first, ranked[1:]),
        timeline=timeline(world, found, named),
    )


def _silent(unread: tuple[NotChecked, ...]) -> int:
    """How many sources were asked and gave no answer."""
    return len({n.what for n in unread if n.reason in UNANSWERED})


def _few(actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """At most three: what to look at first, and at least one change where there is one."""
    checks, changes = [a for a in actions if not a.changes], [a for a in actions if a.changes]
    return tuple((checks[: MAX_ACTIONS - min(len(changes), 2)] + changes)[:MAX_ACTIONS])


def _holes(candidate: Candidate) -> dict[str, str]:
    wanted = ("pod", "container", "node", "what")
    return {k: str(s.facts[k]) for s in reversed(candidate.signals) for k in wanted if isinstance(s.facts.get(k), str)}


def hypothesis(candidate: Candidate, ids: dict[tuple[str, str], str]) -> Hypothesis:
    return Hypothesis(
        cause=candidate.rule.id,
        object=candidate.object,
        confidence=candidate.confidence,
        mechanism=mechanism(candidate),
        why=cut(why(candidate), 400),
        evidence=tuple(dict.fromkeys(ids[k] for s in cited(candidate) if (k := (s.call_id, s.quote)) in ids)),
        against=tuple(cut(s.claim, 160) for s in candidate.against),
        onset=onset(candidate),
    )


def timeline(world: World, found: tuple[Signal, ...], named: tuple[Candidate, ...]) -> tuple[Moment, ...]:
    """What happened when, as far as the leaders' signals and the alerts carry a time."""
    moments = [Moment(at=a.starts_at, what=f"Alert {a.name} began") for a in world.case.alerts]
    about = {str(c.object) for c in named}
    signals = [s for c in named for s in (*c.signals, *c.explains) if s.kind not in COMPARED]
    signals += [s for s in found if s.kind in ("released_before_onset", "scaled_down_recently") and str(s.object) in about]
    moments += [Moment(at=s.at, what=cut(s.claim, 160), call_id=s.call_id) for s in signals if s.at is not None]
    unique = {(m.at, m.what): m for m in moments}
    return tuple(sorted(unique.values(), key=lambda m: (m.at, m.what)))[:20]


def _healthy(world: World, found: tuple[Signal, ...]) -> Verdict:
    tools = sorted({r.tool for r in world.readings})
    text = f"{short(world.case.target.workload)}: nothing is wrong now; {len(tools)} kinds of checks found no fault"
    unread = not_checked(world)
    sure, why_sure = all_clear(world, _silent(unread))
    return Verdict(
        state=VerdictState.NOT_A_PROBLEM,
        line=cut(text, 140),
        confidence=sure,
        confidence_reason=cut(why_sure, 400),
        evidence=_sound(world),
        not_checked=unread,
        set_aside=set_aside(world, ()),
        impact="none seen",
        would_change=("A pod that stops being ready, or an error in the metrics, after this was read",),
        timeline=timeline(world, found, ()),
    )


def _sound(world: World) -> tuple[Evidence, ...]:
    """What shows that all is well: the first line of each reading that says something of the target."""
    name, made = world.case.target.workload.name, list[Evidence]()
    for reading in (r for r in world.readings if r.tool != "replay_alert"):  # that has evidence of its own
        quote = reading.quote((name, "ready"), (name, "Ready"), (name, "Available"), (name,), ("Ready",)) or reading.quote(("/",))
        if quote:
            made.append(
                Evidence(
                    id=f"e{len(made) + 1}",
                    claim=f"{reading.tool} shows no fault",
                    source=reading.result.tool,
                    call_id=reading.call.id,
                    query=reading.result.invocation,
                    window=reading.result.window,
                    quote=quote,
                    provenance=reading.result.provenance,
                )
            )
    return tuple(made[:6])


def _open(world: World, found: tuple[Signal, ...], ranked: tuple[Candidate, ...], troubles: list[Signal]) -> Verdict:
    """Something may be wrong and no cause is carried, or too little could be read."""
    maybe = tuple(c for c in ranked if c.confidence >= 0.3)[:ALTERNATIVES]
    quotes, ids = evidence(world, maybe)
    about = troubles[0].claim if troubles else "too little could be read to say"
    confidence = maybe[0].confidence if maybe else 0.1
    return Verdict(
        state=VerdictState.INCONCLUSIVE,
        line=cut(f"{short(world.case.target.workload)}: no cause found; {about}", 140),
        confidence=confidence,
        confidence_reason="Nothing that was read names a cause with enough weight",
        hypotheses=tuple(hypothesis(c, ids) for c in maybe),
        evidence=quotes,
        ruled_out=ruled_out(world, found, ranked),
        not_checked=not_checked(world),
        set_aside=set_aside(world, ()),
        impact=cut("; ".join(s.claim for s in troubles[:3]) or "not known", 400),
        would_change=("An answer from a source that is listed as not checked",),
        timeline=timeline(world, found, ()),
    )
