"""CronJobs -> those that do not start what is due: suspended, given up by their controller, held by a run that does not end.
Twins: `workloads`, `controllers`. Reads `check_workloads` (with its line about runs that were due) and `check_events`.

Many a CronJob is suspended on purpose: one that is counts where the alert is about it, or tells of what it makes."""

import re
from datetime import timedelta

from app.diagnosis.kube import moment
from app.diagnosis.reading import Seen
from app.diagnosis.world import Found, World, cite, signal
from app.domain.alert import Alert
from app.domain.target import ObjectRef

# What the controller says when it cannot start a run (pkg/controller/cronjob): until 1.21 as the first, later as the second.
_GIVEN_UP = re.compile(r"too many missed start times?|unparse?able schedule|invalid schedule|(unknown|invalid) time ?zone", re.I)
_MISSED = re.compile(r"missed scheduled time to start a job|missed starting window", re.I)
_DUE = re.compile(
    r"^CronJob (?P<name>\S+): (?P<runs>\d+[\w ]*?) runs? due and not started since it was .*? the latest due at \S+?(?:, (?P<why>.*))?$"
)
_STALE = re.compile(
    r"too old|older than|stale|outdated|overdue|\blate\b|missed|missing|fresh|\bage\b|last success|not (been )?\w+(ed|en|ent|one)\b"
    r"|\bno (new )?\w+ (was|were|has|have|for|in|since)|backup|dump|snapshot|archive|export",
    re.I,
)
_SPLIT = re.compile(r"[^a-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
COMMON = frozenset(
    ["cron", "cronjob", "daily", "hourly", "nightly", "weekly", "monthly", "scheduled", "periodic", "task", "runner", "worker", "service"]
)
_JOB_FAILED = re.compile(r"job_?(failed|failing|error)", re.I)
WORD = 4  # letters: shorter parts of names say nothing
LATELY = timedelta(hours=2)


def find(world: World) -> Found:
    for seen in world.of("CronJob"):
        where = ObjectRef(kind="CronJob", namespace=seen.namespace, name=seen.name)
        last = moment(seen.at("status", "lastScheduleTime"))
        for line, due in _due(seen):
            facts = {"state": f"has not started {due['runs']} runs that were due{', ' + due['why'] if due['why'] else ''}"}
            yield signal(
                "cron_job_overdue",
                where,
                f"{due['runs']} runs of CronJob {seen.name} were due and not started",
                cite(seen.reading, (line,)),
                last,
                facts,
            )
        yield from _never(seen, where)
        yield from _told(world, seen, where)
        if any(about(world, seen, alert) for alert in world.case.alerts):
            told = cite(seen.reading, (seen.name, "schedule"), (seen.name,))
            yield signal("cron_job_asked_for", where, f"The alert tells of what CronJob {seen.name} makes", told)


def _due(seen: Seen) -> list[tuple[str, re.Match[str]]]:
    found = [(line, match) for line in seen.reading.lines if (match := _DUE.match(line))]
    return [(line, match) for line, match in found if match["name"] == f"{seen.namespace}/{seen.name}"]


def _never(seen: Seen, where: ObjectRef) -> Found:
    """A schedule that is no date, or that nobody can read: nothing will start."""
    for line in seen.reading.lines:
        if line.startswith(f"CronJob {seen.namespace}/{seen.name}: schedule ") and re.search(r"is never due|cannot be read", line):
            said = line.split(": ", 1)[1]
            source, facts = cite(seen.reading, (line,)), {"state": f"starts nothing: {said}"}
            yield signal("cron_job_given_up", where, f"CronJob {seen.name}: {said}", source, None, facts)


def _told(world: World, seen: Seen, where: ObjectRef) -> Found:
    """What its controller says: that it gives up holds until it starts a run again; one missed start holds while it is due."""
    for event in reversed(world.events_on("CronJob", seen.namespace, seen.name)):
        message = str(event.item.get("message"))
        started, said = moment(seen.at("status", "lastScheduleTime")), moment(event.item.get("last"))
        if event.item.get("type") != "Warning" or world.age(event) > LATELY or (started and said and started > said):
            continue
        if _GIVEN_UP.search(f"{event.item.get('reason')} {message}") or (_MISSED.search(message) and _due(seen)):
            first = moment(event.item.get("first"))
            yield signal(
                "cron_job_given_up",
                where,
                f"CronJob {seen.name}: {message}",
                cite(event.reading, (message,)),
                first,
                {"state": f"is not started by its controller: {message}"},
            )
            return


def about(world: World, seen: Seen, alert: Alert) -> bool:
    """Does an alert about the namespace tell of what this CronJob makes? A word of its name in the alert, or an alert about
    something that is old where this is the only CronJob that stands still."""
    if _JOB_FAILED.search(alert.name):  # tells of one run, not of what the runs make
        return False
    space = alert.labels.get("namespace") or world.case.target.namespace
    if space != seen.namespace:
        return False
    text = " ".join((_CAMEL.sub(" ", alert.name), *alert.annotations.values(), *(v for k, v in alert.labels.items() if k != "namespace")))
    words = {w for w in _SPLIT.split(text.lower()) if w}
    parts = {p for p in _SPLIT.split(seen.name.lower()) if len(p) >= WORD and p not in COMMON and not p.isdigit()}
    if any(w.startswith(p) or (len(w) >= WORD and p.startswith(w)) for p in parts for w in words):
        return True
    still = [c for c in world.of("CronJob") if c.namespace == seen.namespace and _due(c)]
    return bool(_STALE.search(text)) and [c.name for c in still] == [seen.name]
