"""One request body inside its transaction: each alert finds its episode, each episode that fires its investigation.

Made and run by `ledger` once per body. Episodes are read once for the whole body and written at its end.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, bindparam, func, insert, select, update

from app.domain.alert import Alert, AlertStatus, Source
from app.domain.grouping import in_turn
from app.domain.reason import Reason
from app.store.columns import indexed
from app.store.coverage import Coverage, Rules
from app.store.episodes import Episode, began_at, ended_at, needs_split, of_firing, of_resolved
from app.store.tables import alerts as a
from app.store.tables import episodes as e

# Alertmanager's own: one says that alerting works, the other exists to inhibit.
_NO_WORK = {"Watchdog": Reason.HEARTBEAT, "InfoInhibitor": Reason.IGNORED}
_CHANGING = ("first_start", "last_start", "seen_at", "ended_at", "investigation_id")
_CHANGE = update(e).where(e.c.id == bindparam("of_id")).values({name: bindparam(f"to_{name}") for name in _CHANGING})
_COVERED = [reason.value for reason in (Reason.NEW_EPISODE, Reason.SAME_TARGET, Reason.SAME_GROUP, Reason.SAME_CAUSE)]
Line: TypeAlias = tuple[str, str]  # source and fingerprint, as stored


class Acceptance:
    def __init__(self, connection: Connection, rules: Rules, body_id: str, received_at: datetime) -> None:
        self._connection = connection
        self._rules = rules
        self._coverage = Coverage(connection, rules, received_at)
        self._body_id = body_id
        self._episodes: dict[Line, list[Episode]] = {}
        self._seen: dict[tuple[Line, datetime], Episode] = {}
        self._added: list[Episode] = []
        self._rows: list[dict[str, Any]] = []

    def take(self, alerts: Sequence[Alert]) -> None:
        """Put every alert into the ledger, at the position it was sent at; the order in which they ask for work is not the sender's."""
        for source in {alert.source for alert in alerts}:
            self._read(source, [alert for alert in alerts if alert.source is source])
        for position, alert in in_turn(alerts):
            row = self._row(position, alert)  # may write, and so begin a new list of rows
            self._rows.append(row)
        self._write()

    def _read(self, source: Source, alerts: list[Alert]) -> None:
        prints = sorted({alert.fingerprint for alert in alerts})
        for row in self._connection.execute(select(e).where(e.c.source == source.value, e.c.fingerprint.in_(prints)).order_by(e.c.nth)):
            self._episodes.setdefault((source.value, row.fingerprint), []).append(Episode(**row._mapping))

    def _known(self, alert: Alert) -> Episode | None:
        """The episode this very start was seen in before, in this body or an earlier one."""
        line = _line(alert)
        episodes = {episode.id: episode for episode in self._episodes.setdefault(line, [])}
        if not episodes or (line, alert.starts_at) in self._seen:
            return self._seen.get((line, alert.starts_at))
        same = (a.c.source == alert.source.value, a.c.fingerprint == alert.fingerprint, a.c.starts_at == alert.starts_at)
        # One row is enough, and an alert that fires for weeks has thousands.
        return episodes.get(self._connection.scalar(select(a.c.episode_id).where(*same).limit(1)) or "")

    def _row(self, position: int, alert: Alert) -> dict[str, Any]:
        """The row of `alerts` for one instance, its episode found and covered."""
        row: dict[str, Any] = {
            "id": alert.id,
            "body_id": self._body_id,
            "position": position,
            "source": alert.source.value,
            "fingerprint": alert.fingerprint,
            "name": alert.name,
            "status": alert.status.value,
            "starts_at": alert.starts_at,
            "began_at": began_at(alert),
            "received_at": alert.received_at,
            "episode_id": "",
            "nth": 1,
            "investigation_id": "",
            "started": False,
            "detail": "",
            "data": alert.model_dump(mode="json"),
        }
        if alert.source is not Source.NATIVE and alert.name in _NO_WORK:
            return row | {"reason": _NO_WORK[alert.name].value}
        episode = self._resolved(alert) if alert.status is AlertStatus.RESOLVED else self._firing(alert)
        row |= {"episode_id": episode.id, "nth": episode.nth}
        if alert.status is AlertStatus.RESOLVED:
            return row | {"reason": Reason.RESOLVED.value, "investigation_id": episode.investigation_id or ""}
        if episode.investigation_id:
            return row | {"reason": Reason.REPEAT.value, "investigation_id": episode.investigation_id}
        return row | self._coverage.cover(alert, episode)

    def _firing(self, alert: Alert) -> Episode:
        line, start = _line(alert), began_at(alert)
        episodes = self._episodes.setdefault(line, [])
        episode = self._known(alert) or of_firing(episodes, start, alert.received_at)
        if episode is None:
            for stale in (known for known in episodes if known.ended_at is None):
                stale.end(stale.seen_at)
            episode = self._open(line, start, alert.received_at)
        return self._placed(alert, episode)

    def _resolved(self, alert: Alert) -> Episode:
        line, start, end = _line(alert), began_at(alert), ended_at(alert)
        episodes = self._episodes.setdefault(line, [])
        episode = self._known(alert) or of_resolved(episodes, start, end)
        if episode is None:
            episode = self._open(line, start, alert.received_at)
        elif needs_split(episode, end):
            self._split(line, episode, end)
        self._placed(alert, episode).end(end)
        return episode

    def _placed(self, alert: Alert, episode: Episode) -> Episode:
        episode.cover(began_at(alert), alert.received_at)
        self._seen[_line(alert), alert.starts_at] = episode
        return episode

    def _open(self, line: Line, start: datetime, seen_at: datetime) -> Episode:
        episodes = self._episodes.setdefault(line, [])
        nth = max((episode.nth for episode in episodes), default=0) + 1
        episode = Episode(self._rules.new_id(), line[0], line[1], nth, start, start, seen_at)
        episodes.append(episode)
        self._added.append(episode)
        return episode

    def _split(self, line: Line, earlier: Episode, end: datetime) -> None:
        """Starts beyond `end` were another firing: they become an episode of their own. The investigation stays with the
        half whose alert it was opened for; the other half gets one for its first firing, which was accepted before."""
        self._write()
        beyond = (a.c.episode_id == earlier.id, a.c.began_at > end)
        within = select(func.max(a.c.began_at)).where(a.c.episode_id == earlier.id, a.c.began_at <= end)
        first = self._connection.scalar(select(func.min(a.c.began_at)).where(*beyond))
        if first is None:
            return
        later = self._open(line, first, earlier.seen_at)
        later.last_start, later.ended_at = earlier.last_start, earlier.ended_at
        earlier.last_start, earlier.ended_at = self._connection.scalar(within) or earlier.first_start, None
        opener = select(a.c.seq).where(*beyond, a.c.reason.in_(_COVERED)).limit(1)
        if self._connection.scalar(opener) is not None:
            later.investigation_id, earlier.investigation_id = earlier.investigation_id, None
        self._connection.execute(update(a).where(*beyond).values(episode_id=later.id, nth=later.nth))
        for half in (earlier, later):
            self._cover_late(half)
        for (of, start), episode in list(self._seen.items()):
            if episode is earlier and start > end:
                self._seen[of, start] = later

    def _cover_late(self, episode: Episode) -> None:
        if episode.investigation_id:
            return
        mine = a.c.episode_id == episode.id
        firing = select(a.c.id, a.c.data).where(mine, a.c.status == AlertStatus.FIRING.value).order_by(a.c.seq).limit(1)
        row = self._connection.execute(firing).one_or_none()
        told = self._coverage.cover(Alert.model_validate(row.data), episode) if row else {"investigation_id": ""}
        self._connection.execute(update(a).where(mine).values(investigation_id=told["investigation_id"]))
        if row:
            self._connection.execute(update(a).where(a.c.id == row.id).values(told))

    def _write(self) -> None:
        """Episodes first: their uniqueness decides between two replicas that accept the same firing."""
        added = {episode.id for episode in self._added}
        if self._added:
            self._connection.execute(insert(e), [_columns(episode) for episode in self._added])
        changed = [episode for episodes in self._episodes.values() for episode in episodes if episode.dirty and episode.id not in added]
        if changed:
            self._connection.execute(_CHANGE, [_change(episode) for episode in changed])
        if self._rows:
            self._connection.execute(insert(a), self._rows)
        for episode in (*self._added, *changed):
            episode.dirty = False
        self._added, self._rows = [], []


def _line(alert: Alert) -> Line:
    return alert.source.value, indexed(alert.fingerprint)


def _columns(episode: Episode) -> dict[str, Any]:
    columns = asdict(episode)
    del columns["dirty"]
    return columns


def _change(episode: Episode) -> dict[str, Any]:
    return {"of_id": episode.id} | {f"to_{name}": getattr(episode, name) for name in _CHANGING}
