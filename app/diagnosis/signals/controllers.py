"""Controllers beside Deployments and StatefulSets -> what they lack or warn of: DaemonSets, the Service behind a StatefulSet's names,
event-driven autoscalers. Reads `check_workloads`, `check_services` and `check_events`. Twins: `workloads`, `cron_jobs`."""

import re

from app.diagnosis.kube import moment
from app.diagnosis.reading import Seen
from app.diagnosis.signals.workloads import ref
from app.diagnosis.world import RECENT, Found, World, cite, signal
from app.domain.target import ObjectRef

AUTOSCALERS = ("ScaledObject", "ScaledJob")  # of KEDA, which makes an autoscaler of its own for each
_SCALES = re.compile(r"scaler|scal(ed|e)object|scal(ed)?job|target|trigger|hpa|metric|request", re.I)


def find(world: World) -> Found:
    for seen in world.of("DaemonSet"):
        wanted, ready = (int(seen.at("status", n) or 0) for n in ("desiredNumberScheduled", "numberReady"))
        if ready < wanted:
            claim = f"DaemonSet {seen.name} has {ready} of {wanted} pods ready"
            source = cite(seen.reading, ("DaemonSet/", seen.name), (seen.name,))
            yield signal("workload_short", ref(seen, "DaemonSet"), claim, source, None, {"ready": ready, "wanted": wanted})
    for seen in world.of("StatefulSet"):
        yield from _named_by(world, seen)
    for event in world.events:
        if event.item.get("type") == "Warning":
            yield from _warned(world, event)


def _named_by(world: World, seen: Seen) -> Found:
    """Its pods get their names from this Service; an empty one is allowed, and says that nobody asks for them by name."""
    service = str(seen.at("spec", "serviceName") or "")
    if service and world.has_read("check_services", seen.namespace) and not world.get("Service", seen.namespace, service):
        claim = f"StatefulSet {seen.name} takes its pods' names from Service {service}, which does not exist"
        source = cite(seen.reading, (seen.name, f"service {service}"), (seen.name,))
        yield signal("governing_service_missing", ref(seen, "StatefulSet"), claim, source, None, {"service": service})


def _warned(world: World, event: Seen) -> Found:
    where, reason, message = world.about(event), str(event.item.get("reason")), str(event.item.get("message"))
    source, when = cite(event.reading, (message,)), moment(event.item.get("first"))
    if where.kind in AUTOSCALERS and world.age(event) <= RECENT and _SCALES.search(f"{reason} {message}"):
        own = world.get("HorizontalPodAutoscaler", where.namespace, f"keda-hpa-{where.name}")
        target = str(own.at("spec", "scaleTargetRef", "name") or where.name) if own else where.name
        facts = {"reason": reason, "message": message, "scales": str(ObjectRef(kind="Deployment", namespace=where.namespace, name=target))}
        autoscaler = ref(own, "HorizontalPodAutoscaler") if own else where
        yield signal("autoscaler_blind", autoscaler, f"{where.kind} {where.name}: {reason} {message[:140]}", source, when, facts)
