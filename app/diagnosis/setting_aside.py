"""What a verdict leaves out, each with its reason: causes that a check killed, old warnings, sources not read."""

from app.diagnosis.kube import is_ready
from app.diagnosis.narrative import cut, short
from app.diagnosis.ranking import Candidate
from app.diagnosis.reading import Seen
from app.diagnosis.world import World
from app.domain.case import Signal
from app.domain.frozen import iso
from app.domain.target import ObjectRef
from app.domain.tool import StepStatus
from app.domain.verdict import NotChecked, RuledOut

# Families of causes that one whole reading can rule out: (tool, what it would have shown, kinds that show it, in words).
CHECKS = (
    ("check_pods", "a container killed for memory", ("container_oom_killed", "sandbox_oom"), "no container ended OOMKilled"),
    ("check_pods", "an image that cannot be pulled", ("image_pull_failing",), "no container waits for its image"),
    ("check_pods", "a pod without a node", ("pod_pending", "pending_unnoticed"), "no pod is Pending"),
    ("check_nodes", "a node that is not ready", ("node_not_ready", "lease_stale"), "all nodes report Ready"),
    ("check_services", "a Service that selects nothing", ("selector_near_miss", "selector_meets_nothing"), "every selector meets pods"),
    ("check_quotas", "a quota that refuses", ("pods_refused", "quota_full_pods", "quota_full_cpu", "quota_full_memory"), "no quota is at its limit"),
    ("check_storage", "a claim that is not bound", ("claim_event", "storage_class_missing", "claim_too_large"), "no claim is Pending"),
    ("get_recent_deploys", "a release shortly before", ("released_before_onset",), "no release in the two hours before"),
)
MAX_ASIDE = 10


def ruled_out(world: World, found: tuple[Signal, ...], ranked: tuple[Candidate, ...]) -> tuple[RuledOut, ...]:
    kinds = {s.kind for s in found}
    read = {r.tool: r for r in world.readings}
    out = [
        RuledOut(hypothesis=what, check=read[tool].result.invocation, result=said)
        for tool, what, shows, said in CHECKS
        if tool in read and not kinds & set(shows)
    ]
    beaten = [c for c in ranked if c.beaten_by][:3]
    out += [
        RuledOut(
            hypothesis=f"{c.rule.id} on {short(c.object)}",
            check="ranking by explanation",
            result=f"{c.beaten_by} accounts for it and for more",
        )
        for c in beaten
    ]
    return tuple(out)


def set_aside(world: World, named: tuple[Candidate, ...]) -> tuple[str, ...]:
    """Warnings that were seen and do not count: over, of objects that are gone, or of others than the fault reaches."""
    reached = {r for c in named for r in c.reaches}
    told: dict[tuple[str, str], str] = {}
    for event in world.events:
        if event.item.get("type") != "Warning":
            continue
        ref = world.about(event)
        reason = _why(world, event, ref, reached)
        if reason:
            when = str(event.item.get("last") or "unknown time")
            text = f"{event.item.get('reason')} on {short(ref)} at {when}: {cut(str(event.item.get('message')), 120)} - {reason}"
            told[(str(event.item.get("reason")), str(ref))] = text
    ended = {(s.kind, str(s.object)): f"{cut(s.claim, 160)} - {reason}" for s, reason in world.ended if s.kind != "container_completed"}
    return (*tuple(told.values())[-MAX_ASIDE + min(len(ended), MAX_ASIDE // 2) :], *list(ended.values())[: MAX_ASIDE // 2])


def _why(world: World, event: Seen, ref: ObjectRef, reached: set[str]) -> str:
    seen = world.objects.get(str(ref))
    if ref.kind == "Pod" and seen is None and world.has_read("check_pods", ref.namespace):
        return "the pod no longer exists"
    if ref.kind == "Pod" and seen is not None and is_ready(seen.item) and not world.in_trouble(seen):
        return "the pod is ready now"
    owner = world.workload_of(seen) if seen is not None and ref.kind == "Pod" else world.top(ref)
    if str(ref) in reached or str(owner) in reached:
        return ""
    minutes = int(world.age(event).total_seconds() // 60)
    if minutes > 30:
        return f"{minutes} min before {iso(world.now)}, and not repeated"
    return "the object works now" if ref.kind in ("ReplicaSet", "Node") else ""


def not_checked(world: World) -> tuple[NotChecked, ...]:
    """Steps that brought no answer, with the word for why."""
    missing: dict[tuple[str, str], NotChecked] = {}
    for update in world.case.updates:
        outcome, result = update.outcome, update.outcome.result
        if outcome.status in (StepStatus.SUCCESS, StepStatus.PARTIAL) and (result is None or result.status.value in ("ok", "no_data", "not_found")):
            continue
        reason = outcome.reason.value if outcome.reason else (result.status.value if result else outcome.status.value)
        detail = outcome.note or (result.note if result else "")
        missing[(update.step.tool, reason)] = NotChecked(what=update.step.tool, reason=reason, detail=cut(detail, 200))
    return tuple(missing[k] for k in sorted(missing))
