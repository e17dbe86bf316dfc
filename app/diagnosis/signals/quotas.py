"""Quotas at their limit, and claims that a quota leaves no room for. Reads `check_quotas`, `check_pods`, `check_events`."""

import re

from app.diagnosis.kube import moment, quantity
from app.diagnosis.signals.admission import family
from app.diagnosis.world import Found, World, cite, signal
from app.domain.target import ObjectRef

_CLAIM_MISSING = re.compile(r'persistentvolumeclaim "(?P<claim>[^"]+)" not found')


def find(world: World) -> Found:
    for seen in world.of("ResourceQuota"):
        hard, used = seen.at("status", "hard") or seen.at("spec", "hard") or {}, seen.at("status", "used") or {}
        for resource in sorted(hard):
            limit, now = quantity(hard[resource]), quantity(used.get(resource, "0"))
            where = ObjectRef(kind="Namespace", name=seen.namespace)
            facts = {"quota": seen.name, "resource": resource, "limit": hard[resource], "used": used.get(resource, "0")}
            source = cite(seen.reading, (seen.name, resource), (resource, str(hard[resource])))
            if limit is not None and now is not None and now >= limit:
                claim = f"Quota {seen.name} is full: {resource} {facts['used']} of {facts['limit']}"
                yield signal(f"quota_full_{family(resource)}", where, claim, source, None, facts)
            elif family(resource) == "storage":
                claim = f"Quota {seen.name} limits {resource} to {facts['limit']}"
                yield signal("quota_on_storage", where, claim, source, None, facts)
    for event in world.events:
        match = _CLAIM_MISSING.search(str(event.item.get("message")))
        pod = world.objects.get(str(world.about(event)))
        if match and pod is not None and pod.at("status", "phase") == "Pending":
            where = ObjectRef(kind="Namespace", name=pod.namespace)
            message = str(event.item["message"])
            claim = f"Pod {pod.name} waits for claim {match['claim']}, which does not exist"
            facts = {"claim": match["claim"], "pod": pod.name}
            yield signal("claim_never_created", where, claim, cite(event.reading, (message,)), moment(event.item.get("first")), facts)
