"""Refused creations and pods that cannot be set up -> the admission or node part that said no. Reads `check_events`,
`describe_pod` and the conditions of `check_workloads`.

A refusal counts only while its controller is still short of pods: they are retried, and the event stays behind."""

import re

from app.diagnosis.kube import condition, is_unhealthy, moment, quantity
from app.diagnosis.reading import Seen, dig
from app.diagnosis.signals.containers import REFERRED
from app.diagnosis.world import RECENT, Found, World, cite, signal
from app.domain.target import ObjectRef

_REFUSALS = (
    ("service_account_missing", re.compile(r'serviceaccount "(?P<what>[^"]+)" not found|error looking up service account (?P<where>\S+):', re.I)),
    (  # Pod Security admission; its forerunner until 1.24; OpenShift's
        "pod_security_refused",
        re.compile(
            r"violates PodSecurity (?P<what>\"[^\"]+\")|unable to validate against any (?P<rules>pod security policy|security context constraint)",
            re.I,
        ),
    ),
    ("webhook_unavailable", re.compile(r'failed calling (?:admission )?webhook "(?P<what>[^"]+)"', re.I)),
    (  # webhooks; policies in CEL (1.26 and later); the image policy plugin
        "webhook_denied",
        re.compile(
            r'admission webhook "(?P<what>[^"]+)" denied|AdmissionPolicy \'(?P<policy>[^\']+)\'.{0,120}denied request'
            r"|(?P<images>image policy webhook) backend denied",
            re.I,
        ),
    ),
    ("limits_required", re.compile(r"must specify (?P<what>[\w.,/ ]+)|(minimum|maximum) \S+ usage per|max limit to request ratio per", re.I)),
)
_QUOTA = re.compile(r"exceeded quota: (?P<quota>\S+?), requested: (?P<asked>\S+), used: (?P<used>\S+), limited: (?P<limit>\S+)")
_SETUP = (
    *REFERRED,
    ("sandbox_oom", re.compile(r"OOM-killed|memory limit too low", re.I)),
    ("runtime_socket_down", re.compile(r"(containerd|crio|docker|cri-dockerd)\S*\.sock|runtime is down|container runtime is not", re.I)),
    ("volume_not_mounted", re.compile(r"MountVolume|AttachVolume|Unable to attach or mount|Multi-Attach", re.I)),
)
_OF_KUBELET = tuple(kind for kind, _ in REFERRED)
_MOUNTS = ("FailedMount", "FailedCreatePodContainer", "Failed", "FailedAttachVolume")


def find(world: World) -> Found:
    for event in reversed(world.events):  # the newest refusal is the one that holds now
        if event.item.get("reason") == "FailedCreate" and still_short(world, event):
            yield from _refusal(world, event, world.top(world.about(event)), str(event.item.get("message")))
        elif event.item.get("reason") != "FailedCreate" and event.item.get("type") == "Warning" and world.age(event) <= RECENT:
            yield from _elsewhere(world, event)
        if event.item.get("type") == "Warning" and world.about(event).kind == "Pod":
            yield from _set_up(world, event)
    for kind in ("Deployment", "ReplicaSet"):
        for seen in world.of(kind):
            failure = condition(seen.item, "ReplicaFailure")
            if failure and failure.get("status") == "True":
                where = world.top(ObjectRef(kind=kind, namespace=seen.namespace, name=seen.name))
                yield from _refusal(world, seen, where, str(failure.get("message") or ""))


def _elsewhere(world: World, event: Seen) -> Found:
    """A refusal that a delivery tool, an operator or a controller of claims passes on in its own event: a quota's alone, which
    counts while it has no room."""
    match = _QUOTA.search(str(event.item.get("message")))
    if "failed calling" in str(event.item.get("message")):
        yield from _refusal(world, event, world.about(event), str(event.item.get("message")))
        return
    known = {q.name: q for q in world.of("ResourceQuota")}
    if match is None or (match["quota"] in known and not _no_room(known[match["quota"]], match["asked"])):
        return
    yield from _refusal(world, event, world.about(event), str(event.item.get("message")))


def _no_room(seen: Seen, asked: str) -> bool:
    used, limit = seen.at("status", "used") or {}, seen.at("status", "hard") or {}
    wanted = [pair.split("=", 1) for pair in asked.split(",") if "=" in pair]
    return any((quantity(a) or 0) + (quantity(used.get(n)) or 0) > (quantity(limit.get(n)) or 0) for n, a in wanted if n in limit)


def still_short(world: World, event: Seen) -> bool:
    """Is the controller that was refused still without all its pods? Where it was not read, a later success says no."""
    ref = world.about(event)
    chain = [world.objects[str(r)] for r in dict.fromkeys((ref, world.top(ref))) if str(r) in world.objects]
    if chain:
        return any(_lacks_pods(seen) for seen in chain)
    if world.has_read("check_workloads", ref.namespace):
        return False
    later = [e for e in world.events_on(ref.kind, ref.namespace, ref.name) if e.item.get("reason") == "SuccessfulCreate"]
    return not any(str(e.item.get("last") or "") >= str(event.item.get("last") or "") for e in later)


def _lacks_pods(seen: Seen) -> bool:
    wanted = seen.at("spec", "replicas") or seen.at("spec", "parallelism") or seen.at("status", "desiredNumberScheduled") or 0
    have = seen.at("status", "replicas") or seen.at("status", "currentNumberScheduled") or seen.at("status", "active") or 0
    return int(have) < int(wanted)


def _refusal(world: World, source: Seen, where: ObjectRef, message: str) -> Found:
    when = moment(source.item.get("first"))
    quote = cite(source.reading, (message,), (message[:80],))
    match = _QUOTA.search(message)
    if match is not None:
        resource = over(match["asked"], match["used"], match["limit"])
        facts = {"quota": match["quota"], "resource": resource, "asked": match["asked"], "used": match["used"], "limit": match["limit"]}
        facts["workload"] = where.name
        claim = f"Quota {match['quota']} refuses pods of {where.name}: requested {match['asked']}, used {match['used']}, limited {match['limit']}"
        target = ObjectRef(kind="Namespace", name=where.namespace)
        yield signal(f"quota_refuses_{family(resource)}", target, claim, quote, when, facts)
        if family(resource) != "services":
            yield signal("pods_refused", where, f"Pods of {where.name} are refused", quote, when, facts)
        return
    for kind, pattern in _REFUSALS:
        found = pattern.search(message)
        if found:
            what = next((g for g in found.groups() if g), "")
            at_fault = ObjectRef(kind="Webhook", name=what) if kind == "webhook_unavailable" else where
            yield signal(kind, at_fault, f"Pods of {where.name} are refused: {message[-160:]}", quote, when, {"what": what, "message": message})
            yield signal("pods_refused", where, f"Pods of {where.name} are refused", quote, when, {"what": what})
            return


def over(asked: str, used: str, limit: str) -> str:
    """Which resource of `a=1,b=2` lists passes its limit; the first when none can be computed."""
    tables = [dict(pair.split("=", 1) for pair in text.split(",") if "=" in pair) for text in (asked, used, limit)]
    for name in sorted(tables[0]):
        values = [quantity(t.get(name)) for t in tables]
        if None not in values and (values[0] or 0) + (values[1] or 0) > (values[2] or 0):
            return name
    return next(iter(sorted(tables[0])), "")


def family(resource: str) -> str:
    """The group of a quota resource name that causes are told apart by."""
    plain = resource.removeprefix("requests.").removeprefix("limits.").removeprefix("count/")
    if plain.startswith("services"):
        return "services"
    if ("storage" in plain and "ephemeral" not in plain) or plain.startswith("persistentvolumeclaims"):
        return "storage"
    return plain if plain in ("cpu", "memory", "pods") else "other"


def _set_up(world: World, event: Seen) -> Found:
    ref, message = world.about(event), str(event.item.get("message"))
    pod = world.objects.get(str(ref))
    if pod is None or not is_unhealthy(pod.item) or world.age(event) > RECENT:
        return
    kind, match = next(((k, m) for k, pattern in _SETUP if (m := pattern.search(message))), ("", None))
    if match is None or (kind in _OF_KUBELET and event.item.get("reason") not in _MOUNTS):
        return
    node = str(pod.at("spec", "nodeName") or "")
    where = ObjectRef(kind="Node", name=node) if kind == "runtime_socket_down" and node else world.workload_of(pod)
    limits = [str((c.get("resources") or {}).get("limits", {}).get("memory")) for c in pod.at("spec", "containers") or []]
    facts = {"pod": pod.name, "node": node, "message": message, "limit": ", ".join(limits), "missing": match[0]}
    facts["container"] = str(dig((pod.at("spec", "containers") or [{}])[0], "name"))
    yield signal(kind, where, f"{pod.name}: {message[:180]}", cite(event.reading, (message,)), moment(event.item.get("first")), facts)
