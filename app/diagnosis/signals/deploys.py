"""Releases -> the change that came shortly before the trouble. Reads `get_recent_deploys`."""

import re
from datetime import timedelta

from app.diagnosis.kube import moment, quantity
from app.diagnosis.world import Found, World, cite, signal
from app.domain.target import ObjectRef

BEFORE = timedelta(hours=2)
CPU_LIMIT = re.compile(r"limits cpu (\S+) -> (\S+)")  # as `template_changes` writes it
SAME_IMAGE = re.compile(r"image (\S+):(\S+) -> \1:(\S+)")
AFTER = timedelta(minutes=5)  # an alert's start is rounded to its rule's interval


def _lowered(change: str) -> bool:
    """Does a release allow less cpu than the one before, or set a limit where there was none?"""
    if (told := CPU_LIMIT.search(change)) is None:
        return False
    before, after = quantity(told[1]), quantity(told[2])
    return after is not None and (before is None or after < before)


def find(world: World) -> Found:
    for reading in world.readings:
        for deploy in reading.items("deploys") + reading.items("older"):
            when, name = moment(deploy.get("time")), str(deploy.get("workload") or "")
            changes = [str(c) for c in deploy.get("changes") or []]
            if when is None or name.count("/") < 2 or str(deploy.get("revision")) in ("1", ""):
                continue
            if not world.onset - BEFORE <= when <= max(world.onset + AFTER, world.onset):
                continue
            facts = {"revision": deploy.get("revision"), "version": deploy.get("version"), "changes": changes, "change": "; ".join(changes[:2])}
            facts["changed"] = SAME_IMAGE.sub(r"image \2 -> \3", str(facts["change"])) or "no difference seen"
            claim = f"Revision {deploy.get('revision')} of {name.rsplit('/', 1)[1]} was released: {facts['change'] or 'no difference seen'}"
            short = name.rsplit("/", 1)[1]
            source = cite(reading, (short, str(deploy.get("time"))), (short, str(deploy.get("revision"))), (short,))
            yield signal("released_before_onset", ObjectRef.parse(name), claim, source, when, facts)
            cause = str(deploy.get("change_cause") or "")
            for detail in [c for c in (*changes[:2], cause) if c]:
                yield signal("release_detail", ObjectRef.parse(name), f"Changed: {detail}", cite(reading, (detail,)), when, facts)
            if any(_lowered(c) for c in changes):
                yield signal("cpu_limit_lowered", ObjectRef.parse(name), f"Its cpu limit was lowered: {facts['change']}", source, when, facts)
            image = any("image" in c for c in changes)
            if changes and not image:
                yield signal("config_changed", ObjectRef.parse(name), f"Only configuration changed: {facts['change']}", source, when, facts)
