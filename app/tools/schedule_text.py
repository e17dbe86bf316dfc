"""What a CronJob should have done against what it did, in a line of text. Used by check_workloads."""

from datetime import datetime, timedelta

from app.domain.frozen import JsonObject
from app.tools import cron
from app.tools.events import moment

GRACE = timedelta(seconds=100)  # the controller looks every few seconds, a busy one later
MOST = 100  # with more missed runs than this the controller itself gives up


def schedule_lines(item: JsonObject, now: datetime) -> list[str]:
    """`CronJob a/b: 3 runs missed since 2026-...Z (last due ...), not started`, "" when none is; a schedule that cannot be
    read is told. Without `timeZone` the controller's own zone counts, taken to be UTC."""
    meta, spec, status = item["metadata"], item.get("spec", {}), item.get("status", {})
    name = f"CronJob {meta.get('namespace', '')}/{meta['name']}"
    try:
        schedule, zone = cron.parse(str(spec.get("schedule", ""))), cron.zone_of(str(spec.get("timeZone") or ""))
    except ValueError as error:
        return [f"{name}: schedule cannot be read: {error}"]
    if not schedule.comes:
        return [f"{name}: schedule {spec.get('schedule')} is never due: there is no such date"]
    last = str(status.get("lastScheduleTime") or meta.get("creationTimestamp") or "")
    if not moment(last):
        return []
    due = cron.missed(schedule, datetime.fromisoformat(last), now - GRACE, zone, MOST)
    if not due:
        return []
    count = f"{len(due)}{' or more' if len(due) == MOST else ''} run{'s' if len(due) != 1 else ''}"
    word = "suspended" if spec.get("suspend") else "still active" if status.get("active") and spec.get("concurrencyPolicy") == "Forbid" else ""
    why = f", the former run is {word}" if word == "still active" else f", it is {word}" if word else ""
    started = "last scheduled" if status.get("lastScheduleTime") else "created and never scheduled"
    return [f"{name}: {count} due and not started since it was {started} at {last}, the latest due at {due[0]:%Y-%m-%dT%H:%M:%SZ}{why}"]
