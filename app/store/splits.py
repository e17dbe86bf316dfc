"""An investigation has ended: which of the alerts that joined it by group alone were its business?

Those that the cause reaches stay, with that as the reason. Every other gets an investigation of its own, in the transaction
that ends this one, so that none is lost between the two. Called by `investigations`.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update

from app.domain.alert import Alert
from app.domain.reason import Reason
from app.domain.trail import EventType
from app.store.coverage import Coverage, Rules
from app.store.episodes import Episode
from app.store.tables import alerts as a
from app.store.tables import episodes as e
from app.store.tables import investigation_alerts as links
from app.store.trail import append


def split(connection: Connection, rules: Rules, now: datetime, investigation_id: str, accounted: Collection[str]) -> None:
    """`accounted` are target keys and ids of alerts that the verdict accounts for; () when there is none."""
    grouped = select(a).where(a.c.investigation_id == investigation_id, a.c.reason == Reason.SAME_GROUP.value).order_by(a.c.seq)
    coverage = Coverage(connection, rules, now)
    for row in connection.execute(grouped).all():
        alert = Alert.model_validate(row.data)
        key = rules.target_key(alert)
        if key in accounted or alert.id in accounted:
            stays = {"reason": Reason.SAME_CAUSE.value, "detail": f"the cause that was found accounts for {key}"}
            connection.execute(update(a).where(a.c.id == row.id).values(stays))
        else:
            _part(connection, coverage, now, row, alert)


def _part(connection: Connection, coverage: Coverage, now: datetime, row: Any, alert: Alert) -> None:
    whole = row.investigation_id
    found = connection.execute(select(e).where(e.c.id == row.episode_id)).one()
    told = coverage.cover(alert, Episode(**found._mapping), grouped=False)
    told["detail"] = f"split from {whole}, whose verdict does not account for it{'; ' if told['detail'] else ''}{told['detail']}"
    own = told["investigation_id"]
    connection.execute(update(e).where(e.c.id == row.episode_id).values(investigation_id=own))
    connection.execute(update(a).where(a.c.episode_id == row.episode_id, a.c.investigation_id == whole).values(investigation_id=own))
    connection.execute(update(a).where(a.c.id == row.id).values(told))
    for link in connection.execute(select(links).where(links.c.investigation_id == whole, links.c.position > 0)).all():
        if link.data["id"] == alert.id:
            connection.execute(delete(links).where(links.c.investigation_id == whole, links.c.position == link.position))
    append(connection, whole, now, EventType.ALERT_SPLIT, f"split:{alert.id}", {"alert_id": alert.id, "name": alert.name, "investigation_id": own})
