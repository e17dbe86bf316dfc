"""Deployments, StatefulSets, Jobs, CronJobs and autoscalers -> what they say of themselves. Reads `check_workloads`,
and `check_events` for scale-downs."""

from datetime import datetime, timedelta

from app.diagnosis.kube import condition, moment
from app.diagnosis.reading import Seen
from app.diagnosis.world import Found, World, cite, signal
from app.domain.target import ObjectRef


def ref(seen: Seen, kind: str) -> ObjectRef:
    return ObjectRef(kind=kind, namespace=seen.namespace, name=seen.name)


def find(world: World) -> Found:
    for kind in ("Deployment", "StatefulSet"):
        for seen in world.of(kind):
            yield from _scaled(world, seen, kind)
    for seen in world.of("Deployment"):
        progressing = condition(seen.item, "Progressing") or {}
        if progressing.get("reason") == "ProgressDeadlineExceeded":
            source = cite(seen.reading, (seen.name, "ProgressDeadlineExceeded"), ("ProgressDeadlineExceeded",))
            when = moment(progressing.get("lastTransitionTime") or progressing.get("lastUpdateTime"))
            yield signal("rollout_not_progressing", ref(seen, "Deployment"), f"The release of {seen.name} passed its progress deadline", source, when)
    yield from _jobs(world)
    yield from _autoscalers(world)


def _scaled(world: World, seen: Seen, kind: str) -> Found:
    wanted, ready = seen.at("spec", "replicas"), int(seen.at("status", "readyReplicas") or 0)
    where = ref(seen, kind)
    if wanted == 0:
        source = cite(seen.reading, (f"{kind}/", seen.name, "replicas"), (seen.name, "0"), (seen.name,))
        yield signal("scaled_to_zero", where, f"{kind} {seen.name} is scaled to zero", source, _scaled_down(world, where))
        for event in _scale_downs(world, where):
            message = str(event.item.get("message"))
            yield signal("scaled_down_recently", where, message, cite(event.reading, (message,)), moment(event.item.get("last")))
    elif wanted is not None and ready < int(wanted):
        source = cite(seen.reading, (f"{kind}/", seen.name), (seen.name,))
        claim = f"{kind} {seen.name} has {ready} of {wanted} replicas ready"
        yield signal("workload_short", where, claim, source, None, {"ready": ready, "wanted": wanted})


def _scale_downs(world: World, where: ObjectRef) -> list[Seen]:
    """Events that took pods away in the last two hours: `Scaled down ... to 0`, `delete Pod ... in StatefulSet`."""
    found = []
    for event in world.events_on(where.kind, where.namespace, where.name):
        told = str(event.item.get("reason")), str(event.item.get("message")).lower()
        if world.age(event) <= timedelta(hours=2) and (
            told[0] == "SuccessfulDelete" or (told[0] == "ScalingReplicaSet" and "scaled down" in told[1])
        ):
            found.append(event)
    return found[-1:]


def _scaled_down(world: World, where: ObjectRef) -> datetime | None:
    events = _scale_downs(world, where)
    return moment(events[-1].item.get("last")) if events else None


def _jobs(world: World) -> Found:
    for seen in world.of("Job"):
        failed = condition(seen.item, "Failed")
        if failed and failed.get("status") == "True":
            reason, message = str(failed.get("reason") or ""), str(failed.get("message") or "")
            source = cite(seen.reading, (seen.name, message), (seen.name, reason), (message,), (reason,))
            claim = f"Job {seen.name} failed: {reason} {message}".strip()
            yield signal(
                "job_failed", ref(seen, "Job"), claim, source, moment(failed.get("lastTransitionTime")), {"reason": reason, "message": message}
            )
    for seen in world.of("CronJob"):
        if seen.at("spec", "suspend"):
            source = cite(seen.reading, (seen.name, "suspend"), (seen.name,))
            last = moment(seen.at("status", "lastScheduleTime"))
            yield signal("cron_job_suspended", ref(seen, "CronJob"), f"CronJob {seen.name} is suspended", source, last, {"state": "is suspended"})


def _autoscalers(world: World) -> Found:
    for seen in world.of("HorizontalPodAutoscaler"):
        active = condition(seen.item, "ScalingActive") or {}
        able = condition(seen.item, "AbleToScale") or {}
        scaled = ObjectRef(
            kind=str(seen.at("spec", "scaleTargetRef", "kind") or "Deployment"),
            namespace=seen.namespace,
            name=str(seen.at("spec", "scaleTargetRef", "name") or seen.name),
        )
        bad = next((c for c in (active, able) if c.get("status") == "False" and c.get("reason") not in ("ScalingDisabled", "BackoffDownscale")), None)
        if bad:
            reason, message = str(bad.get("reason") or ""), str(bad.get("message") or "")
            source = cite(seen.reading, (message,), (seen.name, reason), (reason,))
            facts = {"reason": reason, "message": message, "scales": str(scaled)}
            where = ref(seen, "HorizontalPodAutoscaler")
            yield signal("autoscaler_blind", where, f"Autoscaler {seen.name}: {reason}", source, moment(bad.get("lastTransitionTime")), facts)
        limited = condition(seen.item, "ScalingLimited") or {}
        if limited.get("status") == "True" and limited.get("reason") == "TooManyReplicas":
            source = cite(seen.reading, (seen.name, "TooManyReplicas"), ("TooManyReplicas",))
            yield signal(
                "autoscaler_at_maximum", scaled, f"Autoscaler {seen.name} is at its maximum", source, moment(limited.get("lastTransitionTime"))
            )
