"""Pods and their containers -> how they ended, why they wait, what they lack. Reads what `check_pods` and
`describe_pod` returned."""

import re
from datetime import timedelta

from app.diagnosis.kube import PULLING, container_spec, is_done, is_ready, moment, statuses
from app.diagnosis.reading import Seen, dig
from app.diagnosis.world import RECENT, Cite, Found, World, cite, signal
from app.domain.case import Signal
from app.domain.frozen import JsonObject
from app.domain.target import ObjectRef

# Exit codes a shell or runtime gives when the command cannot be executed or does not exist (POSIX shells; runc).
CANNOT_RUN = {126, 127, 128}
CANNOT_RUN_REASONS = ("StartError", "ContainerCannotRun", "RunContainerError", "CreateContainerError")
# What keeps a runtime from creating a container whatever its command is: it is slow, or still holds the former one (containerd, CRI-O).
NOT_THE_COMMAND = re.compile(
    r"deadline ?exceeded|is reserved for|name .{0,80}already in use|no space left on device|(ttrpc|transport).{0,20}clos", re.I
)
# 128 + SIGKILL, 128 + SIGTERM: somebody else ended the process.
KILLED = {137, 143}
AGAIN = 3  # restarts: fewer may be what single requests did
_MEMORY = re.compile(r"memory|oom|restart", re.I)
# What the kubelet says of an object that a container or a volume names (pkg/kubelet: kubelet_pods.go, volume/configmap, volume/secret,
# volume/projected); with the plural where the API server's own words are passed on.
REFERRED = (
    (
        "config_map_missing",
        re.compile(
            r'couldn\'t find key (?P<key>\S+) in ConfigMap (?P<owner>\S+)|configmaps? "(?P<name>[^"]+)" not found'
            r"|(?P<volume>configmap \S+ )?references non-existent config key: \S+",
            re.I,
        ),
    ),
    (
        "secret_missing",
        re.compile(
            r'couldn\'t find key (?P<key>\S+) in Secret (?P<owner>\S+)|secrets? "(?P<name>[^"]+)" not found'
            r'|references non-existent secret key: \S+|secrets "(?P<other>[^"]+)" is forbidden: User "system:node:\S+ cannot get resource',
            re.I,
        ),
    ),
)
_MISSING = (
    *REFERRED,
    (
        "forbidden_user",
        re.compile(r"runAsNonRoot|run as root|non-numeric user|unable to find user \S+: no matching entries in passwd", re.I),
    ),
)


def find(world: World) -> Found:
    for pod in world.of("Pod"):
        if is_done(pod.item):
            continue
        yield _pod_state(world, pod)
        yield _evicted(world, pod)
        for status, init in statuses(pod.item):
            yield from _container(world, pod, status, init)


def _pod_state(world: World, pod: Seen) -> Signal | None:
    if is_ready(pod.item) or not pod.at("status", "phase"):
        return None
    phase = str(pod.at("status", "phase"))
    kind = {"Pending": "pod_pending", "Failed": "pod_failed"}.get(phase, "pod_not_ready")
    started = moment(pod.at("metadata", "creationTimestamp"))
    claim = f"Pod {pod.name} is {phase} and not ready"
    return signal(kind, world.workload_of(pod), claim, cite(pod.reading, (pod.name, phase), (pod.name,)), started, {"pod": pod.name, "phase": phase})


# What the kubelet says when a pod passes its own limit of scratch space (pkg/kubelet/eviction): the container's, the pod's, a volume's.
_FULL = re.compile(
    r"ephemeral local storage usage exceeds|exceeded its local ephemeral storage limit|Usage of EmptyDir volume .{0,80}exceeds the limit"
)


def _evicted(world: World, pod: Seen) -> Signal | None:
    """A pod that was evicted for what it wrote itself; the node had room."""
    message = str(pod.at("status", "message") or "")
    if pod.at("status", "reason") != "Evicted" or not _FULL.search(message):
        return None
    ended = [m for s, _ in statuses(pod.item) if (m := moment(dig(s, "state", "terminated", "finishedAt")))]
    when = max(ended, default=moment(pod.at("metadata", "creationTimestamp")))
    if when is not None and when < min(world.onset, world.now) - 4 * RECENT:
        return None
    claim = f"{pod.name} was evicted: {message.strip()}"
    source = cite(pod.reading, (pod.name, message.strip()), (message.strip(),), (pod.name, "Evicted"))
    return signal("evicted_for_its_storage", world.workload_of(pod), claim, source, when, {"pod": pod.name, "message": message})


def _container(world: World, pod: Seen, status: JsonObject, init: bool) -> Found:
    name = str(status.get("name"))
    where = world.workload_of(pod)
    waiting, ended = dig(status, "state", "waiting") or {}, _ended(world, pod, status)
    facts = {"pod": pod.name, "container": name, "restarts": status.get("restartCount") or 0}
    if waiting:
        yield from _waiting(pod, where, waiting, facts)
    if ended:
        yield _termination(pod, where, ended, facts, init)
    if init and (ended.get("exitCode") or waiting.get("reason") == "CrashLoopBackOff"):
        yield signal("init_container_failing", where, f"Init container {name} of {pod.name} fails", _line(pod, name, ended, waiting), None, facts)
    if not init and status.get("restartCount") and ended:
        claim = f"Container {name} of {pod.name} restarted {status['restartCount']} times"
        yield signal("container_restarting", where, claim, _line(pod, name, ended, waiting), moment(ended.get("finishedAt")), facts)


def _ended(world: World, pod: Seen, status: JsonObject) -> JsonObject:
    """How the container last ended, {} if it did not, or so long ago that the running one has nothing to do with it."""
    ended = dig(status, "state", "terminated") or dig(status, "lastState", "terminated") or {}
    finished = moment(ended.get("finishedAt"))
    if not ended or not status.get("ready"):
        return ended if isinstance(ended, dict) else {}
    late = finished is None or finished >= min(world.onset, world.now) - RECENT
    return ended if late or _comes_again(world, pod, status, ended) else {}


def _comes_again(world: World, pod: Seen, status: JsonObject, ended: JsonObject) -> bool:
    """Was it killed for memory time and again, and is the next time near? Only where the alert is about this workload: the
    end was long ago, and the container is ready."""
    began, finished = moment(ended.get("startedAt")), moment(ended.get("finishedAt"))
    if ended.get("reason") != "OOMKilled" or int(status.get("restartCount") or 0) < AGAIN or began is None or finished is None:
        return False
    asked = world.workload_of(pod) == world.case.target.workload or any(_MEMORY.search(a.name) for a in world.case.alerts)
    return asked and world.now - finished <= min(1.5 * (finished - began), timedelta(days=1))


def _line(pod: Seen, name: str, ended: JsonObject, waiting: JsonObject) -> Cite:
    reason = str(ended.get("reason") or waiting.get("reason") or "")
    return cite(pod.reading, (pod.name, name, reason), (name, reason), (pod.name, reason), (pod.name,))


def _termination(pod: Seen, where: ObjectRef, ended: JsonObject, facts: JsonObject, init: bool) -> Signal | None:
    code, reason, name = ended.get("exitCode"), str(ended.get("reason") or ""), facts["container"]
    limit = dig(container_spec(pod.item, str(name)), "resources", "limits", "memory") or "no limit"
    more = {**facts, "code": code, "reason": reason, "limit": limit}
    if reason == "OOMKilled":
        kind, claim = "container_oom_killed", f"Container {name} was terminated OOMKilled (exit {code}), memory limit {limit}"
    elif code in CANNOT_RUN or reason in CANNOT_RUN_REASONS:
        kind, claim = "command_cannot_run", f"The command of container {name} cannot be executed (exit {code} {reason})"
    elif code in KILLED:
        kind, claim = "container_killed", f"Container {name} was killed from outside (exit {code})"
    elif code:
        kind, claim = ("init_exited" if init else "container_exited_with_error"), f"Container {name} ended by itself with exit code {code}"
    else:
        kind, claim = "container_completed", f"Container {name} ended with exit code 0"
    code_text = str(code)
    source = cite(pod.reading, (pod.name, str(name), reason, code_text), (str(name), reason, code_text), (pod.name, reason), (reason, code_text))
    return signal(kind, where, claim, source, moment(ended.get("finishedAt")), more)


def _waiting(pod: Seen, where: ObjectRef, waiting: JsonObject, facts: JsonObject) -> Found:
    reason, message, name = str(waiting.get("reason") or ""), str(waiting.get("message") or ""), str(facts["container"])
    source = cite(pod.reading, (pod.name, message), (message,), (pod.name, name, reason), (name, reason), (reason,))
    more = {**facts, "reason": reason, "message": message}
    if reason == "CrashLoopBackOff":
        yield signal("crash_looping", where, f"Container {name} of {pod.name} is in CrashLoopBackOff", source, None, more)
    if reason in PULLING:
        more["image"] = container_spec(pod.item, name).get("image", "")
        yield signal("image_pull_failing", where, f"The image of container {name} cannot be pulled ({reason})", source, None, more)
    if reason in CANNOT_RUN_REASONS and not NOT_THE_COMMAND.search(message) and not any(p.search(message) for _, p in _MISSING):
        yield signal("command_cannot_run", where, f"Container {name} cannot be started: {reason}", source, None, more)
    for kind, pattern in _MISSING:
        if match := pattern.search(message):
            yield signal(kind, where, f"Container {name} waits: {message[:160]}", source, None, {**more, "missing": match.group(0)})
