"""Signals of trouble that has ended -> why they do not count any more. Called by `signals.find` before families are joined;
`setting_aside` tells what was left out.

An alert may go on for minutes after its cause is gone. What the object shows now decides: a series that came back to its
former level, a process that logs on without the complaint, a container that has run longer than it ever did."""

import re
from datetime import datetime, timedelta

from app.diagnosis.kube import condition, is_ready, moment, statuses
from app.diagnosis.reading import Reading, Seen, dig, rows
from app.diagnosis.series import Series
from app.diagnosis.signals.log_templates import classify
from app.diagnosis.signals.metrics import owner
from app.diagnosis.world import RECENT, World
from app.domain.case import Signal
from app.domain.log_times import moment_of

BACK = timedelta(minutes=5)  # a level, or a log without the complaint, that has lasted so long
NEAR = 0.25  # of the way from the usual level to that of the trouble
SILENT = timedelta(minutes=10)  # a log that says nothing at all for so long has not complained either
STEADY = timedelta(minutes=10)  # the kubelet forgets a container's crashes after so long a run (back-off reset)
LONGER = 3  # times the run before
SHORT, MUCH_LONGER = timedelta(minutes=2), 10  # one that died while it started, and has run so long, or so many times longer, is up
SMEARED = timedelta(minutes=2)  # by how much a rate window moves a rise
MEASURED = ("latency_rose", "errors_rose", "traffic_fell", "traffic_rose", "throttling_rose", "cpu_rose")
ENDED = (
    "container_oom_killed",
    "container_exited_with_error",
    "container_killed",
    "container_completed",
    "container_restarting",
    "command_cannot_run",
)
_HEALED = re.compile(
    r"partition (is |has been )?(healed|resolved)|autoheal|\bnode \S+ (is )?up\b|rejoin|Cluster state changed: ok|Expanding ISR|elected", re.I
)
PROBED = ("liveness_", "startup_")


def over(world: World, signal: Signal) -> str:
    """Why a signal tells of something that has ended; "" while it holds."""
    if signal.object.kind == "Job" and signal.kind != "job_failed" and _succeeded(world, signal):
        return "the Job succeeded at a later try"
    if signal.kind == "job_failed" and _later_run(world, signal):
        return "a later run of its CronJob succeeded"
    if signal.kind in ("pod_failed", *ENDED) and _kept_as_record(world, signal):
        return "a pod that ended and was replaced; its workload has all its replicas"
    if signal.kind in MEASURED:
        return _came_back(world, signal)
    if signal.kind.startswith("log_"):
        return _said_no_more(world, signal)
    if signal.kind in ENDED or signal.kind.startswith(PROBED):
        return _runs_on(world, signal)
    return ""


def _succeeded(world: World, signal: Signal) -> bool:
    job = world.objects.get(str(signal.object))
    return job is not None and any((condition(job.item, kind) or {}).get("status") == "True" for kind in ("Complete", "SuccessCriteriaMet"))


def _later_run(world: World, signal: Signal) -> bool:
    """Did the CronJob that made the Job succeed after it failed?"""
    job = world.objects.get(str(signal.object))
    failed = moment((condition(job.item, "Failed") or {}).get("lastTransitionTime")) if job is not None else None
    owner = next((str(o.get("name")) for o in rows(job.at("metadata", "ownerReferences")) if o.get("kind") == "CronJob"), "") if job else ""
    cron = world.get("CronJob", signal.object.namespace, owner)
    succeeded = moment(cron.at("status", "lastSuccessfulTime")) if cron is not None else None
    return failed is not None and succeeded is not None and succeeded > failed


def _kept_as_record(world: World, signal: Signal) -> bool:
    """A pod in phase Failed (evicted, or of a node that was shut down) stays until it is collected. It counts for half an hour."""
    pod = world.get("Pod", signal.object.namespace, str(signal.facts.get("pod") or ""))
    workload = world.objects.get(str(signal.object))
    if pod is None or workload is None or pod.at("status", "phase") != "Failed":
        return False
    ends = [m for s, _ in statuses(pod.item) if (m := moment(dig(s, "state", "terminated", "finishedAt")))]
    ended = max(ends, default=moment(pod.at("metadata", "creationTimestamp")))
    wanted = workload.at("spec", "replicas")
    full = wanted is not None and int(workload.at("status", "readyReplicas") or 0) >= int(wanted)
    return full and ended is not None and world.now - ended > RECENT


def _came_back(world: World, signal: Signal) -> str:
    if signal.kind == "traffic_rose" and signal.at is not None and signal.at > world.onset + SMEARED:
        return "it rose while the alert was on: what had stayed away came back"
    facts = signal.facts
    before, after = facts.get("before"), facts.get("after")
    if not isinstance(before, int | float) or not isinstance(after, int | float) or before == after:
        return ""
    for _, one in world.series:
        same = one.name == facts.get("series") and one.labels.get("quantile") in (None, facts.get("quantile"))
        if same and one.labels.get("pod") == facts.get("pod") and owner(world, one.labels) == signal.object:
            level = _latest(world, one, signal.at)
            if level is None or _far(level, before, after) > NEAR:
                return ""
    return f"its series has been at the former level for {_minutes(BACK)}"


def _far(level: list[float], before: float, after: float) -> float:
    """How far from the usual level three quarters of the values stay, as a share of the way to that of the trouble: single
    slow requests are what any service has."""
    return sorted((v - before) / (after - before) for v in level)[len(level) * 3 // 4]


def _latest(world: World, one: Series, began: datetime | None) -> list[float] | None:
    """The values of the last minutes; None where the trouble began within them, or the series ended before."""
    if not one.values:
        return None
    since = world.now.timestamp() - BACK.total_seconds()
    late = [v for t, v in one.values if t > since]
    if len(late) < 3 or began is None or began.timestamp() > since:
        return None
    return late


def _said_no_more(world: World, signal: Signal) -> str:
    """The pod is ready, and its log has gone on without it, or has been silent for longer."""
    reading = world.calls.get(signal.call_id)
    if reading is None:
        return ""
    pod = world.get("Pod", str(reading.call.args.get("namespace") or ""), str(signal.facts.get("pod") or ""))
    if pod is None or not is_ready(pod.item) or (world.in_trouble(pod) and not _steady(world, pod)):
        return ""
    if reading.call.args.get("previous") and world.in_trouble(pod):
        return "the run before said it; the one since then has lasted much longer"
    if signal.at is not None and world.now - signal.at < BACK:
        return ""
    said, newest = _times(reading, signal.kind, world.now)
    if said is None or newest is None or world.now - said < BACK:
        return ""
    if signal.kind == "log_broker_partition" and not _HEALED.search(reading.result.text):
        return ""  # nodes that have lost one another say so once
    if signal.kind == "log_hang" and newest - said < BACK:
        return ""  # that nothing more is said is the fault itself
    if newest - said >= BACK:
        return f"it was said for the last time {_minutes(world.now - said)} ago, and the log goes on without it"
    return f"the log has been silent for {_minutes(world.now - said)} and the pod is ready" if world.now - said >= SILENT else ""


def _times(reading: Reading, kind: str, now: datetime) -> tuple[datetime | None, datetime | None]:
    """When a complaint of this kind was last said, and the newest time of the log. A line without a time has that of the
    dated line before it."""
    said = newest = None
    for line in reading.result.data.get("lines") or []:
        newest = moment_of(str(line), now) or newest
        if (classed := classify(str(line))) is not None and classed[0].kind == kind:
            said = newest
    return said, newest


def _runs_on(world: World, signal: Signal) -> str:
    pod = world.get("Pod", signal.object.namespace, str(signal.facts.get("pod") or ""))
    if pod is None or not is_ready(pod.item) or not _steady(world, pod):
        return ""
    if signal.kind.startswith(PROBED) and any(world.age(e) < STEADY for e in _probe_failures(world, pod)):
        return ""
    return f"its containers have run longer since than before, at least {_minutes(STEADY)}"


def _probe_failures(world: World, pod: Seen) -> list[Seen]:
    return [e for e in world.events_on("Pod", pod.namespace, pod.name) if str(e.item.get("message")).lower().startswith(("liveness", "startup"))]


def _steady(world: World, pod: Seen) -> bool:
    """Has every container that once ended run for a good time again, and much longer than the run that ended?"""
    for status, init in statuses(pod.item):
        ended, since = dig(status, "lastState", "terminated"), moment(dig(status, "state", "running", "startedAt"))
        if init or not ended:
            continue
        first, last = moment(ended.get("startedAt")), moment(ended.get("finishedAt"))
        made = moment(pod.at("metadata", "creationTimestamp"))
        first = made if first and made and made > first else first  # a container that could not start says 1970
        former = last - first if first and last else timedelta(0)
        longer = LONGER * former
        if status.get("restartCount") == 1 and ended.get("reason") == "Error":
            longer = min(longer, RECENT)  # one exit after days of service does not become a loop; memory fills again
        if since is None or not status.get("ready") or world.now - since < max(min(STEADY, max(SHORT, MUCH_LONGER * former)), longer):
            return False
    return True


def _minutes(span: timedelta) -> str:
    return f"{int(span.total_seconds() // 60)} min"
