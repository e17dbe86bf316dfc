"""Operators that are installed by the lifecycle manager -> those that it cannot install or update. Reads `check_operators`, and
`check_events` for what it warns of."""

import re

from app.diagnosis.kube import moment
from app.diagnosis.world import RECENT, Found, World, cite, signal
from app.domain.target import ObjectRef

# of operators.coreos.com and olm.operatorframework.io
KINDS = ("CatalogSource", "ClusterServiceVersion", "InstallPlan", "Subscription", "OperatorGroup", "ClusterCatalog", "ClusterExtension")
WARNING = tuple(k for k in KINDS if k != "Subscription")  # other software has a kind of that name, and an event does not say whose
_FAILED = re.compile(r"fail|unhealthy|conflict|requirement", re.I)


def find(world: World) -> Found:
    for reading in world.readings:
        for row in reading.items("operators") if reading.tool == "check_operators" else ():
            if problem := str(row.get("problem") or ""):
                where = ObjectRef(kind=str(row["kind"]), namespace=str(row.get("namespace") or ""), name=str(row["name"]))
                source = cite(reading, (where.kind, where.name, problem))
                facts = {"kind": where.kind, "name": where.name, "message": problem}
                yield signal("operator_stuck", where, f"{where.kind} {where.name}: {problem}", source, moment(row.get("since")), facts)
    for event in world.events:
        where, message = world.about(event), str(event.item.get("message"))
        warned = where.kind in WARNING and event.item.get("type") == "Warning" and world.age(event) <= RECENT
        if warned and _FAILED.search(f"{event.item.get('reason')} {message}"):
            facts, when = {"kind": where.kind, "name": where.name, "message": message[:200]}, moment(event.item.get("first"))
            yield signal("operator_stuck", where, f"{where.kind} {where.name}: {message[:160]}", cite(event.reading, (message,)), when, facts)
