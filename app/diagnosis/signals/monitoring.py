"""What Prometheus says of the alert itself and of its scrapes -> whether the alert's own condition holds, with value and
threshold, and which targets are down, in the words of the scrape. Reads `replay_alert` and `check_targets`."""

from app.diagnosis.kube import moment
from app.diagnosis.reading import Reading
from app.diagnosis.world import Found, World, cite, signal
from app.domain.case import Signal
from app.domain.frozen import JsonObject
from app.domain.target import ObjectRef

HOLDS, OVER = "alert_condition_holds", "alert_condition_over"
SAID = {HOLDS: "the condition still holds", OVER: "the condition no longer holds"}  # as `replay_alert` writes it
STATES = {"holds": HOLDS, "over": OVER}
# Alerts that are meant to fire all the time: a heartbeat, an inhibitor (kube-prometheus gives them this severity).
ALWAYS = "none"


def find(world: World) -> Found:
    for reading in world.readings:
        if reading.tool == "replay_alert":
            yield _alert(world, reading)
        elif reading.tool == "check_targets":
            yield from (_down(reading, t) for t in reading.items("targets") if t.get("health") == "down")


def _alert(world: World, reading: Reading) -> Signal | None:
    """None where the series are not the alert's own, or where what was measured is gone: that says nothing."""
    data, rows = reading.result.data, reading.items("replay")
    kind = STATES.get(str(data.get("state")))
    if kind is None or not rows or not data.get("own") or world.case.alert.labels.get("severity") == ALWAYS:
        return None
    value = compared(rows[0], data)
    claim = f"{world.case.alert.name}: {SAID[kind]}{f' ({value})' if value else ''}"
    began = None if rows[0].get("held_before_window") else moment(rows[0].get("first"))
    facts = {"value": rows[0].get("value"), "threshold": rows[0].get("threshold"), "first": rows[0].get("first")}
    return signal(kind, world.case.target.workload, claim, cite(reading, ("now ", SAID[kind])), began, facts)


def compared(row: JsonObject, data: JsonObject) -> str:
    """`80 > 50`, `3, not > 50`; "" where no number was compared with another."""
    value, limit, comparison = row.get("value"), row.get("threshold"), data.get("comparison")
    op = str(comparison.get("op") or "") if isinstance(comparison, dict) else ""
    if not op or not isinstance(value, int | float) or not isinstance(limit, int | float):
        return ""
    return f"{value:.6g} {op} {limit:.6g}" if row.get("state") == "holds" else f"{value:.6g}, not {op} {limit:.6g}"


def _down(reading: Reading, target: JsonObject) -> Signal | None:
    labels = target.get("metric") if isinstance(target.get("metric"), dict) else {}
    job, instance = str((labels or {}).get("job") or ""), str((labels or {}).get("instance") or "")
    error = str(target.get("lastError") or "")
    where = ObjectRef(kind="Target", name=f"{job}/{instance}")
    claim = f"Scrape target {instance} of job {job} is down" + (f": {error}" if error else "")
    quote = cite(reading, (f'instance="{instance}"', "is down"))
    return signal("target_down", where, claim, quote, moment(target.get("lastScrape")), {"job": job, "instance": instance, "error": error})
