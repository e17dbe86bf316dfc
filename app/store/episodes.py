"""When one alert's firings are one episode, and when they are two; pure, called by `acceptance` with rows it has read.

An episode is a stretch of time in which (source, fingerprint) fires: from a start to an end, or still open. Messages may
come late, twice and in any order; where they land depends on their times, never on their order:
- a start that was seen before belongs to the episode it was seen in;
- a firing belongs to the first episode that had not ended before it began, else to the open one, else it opens the next;
- a resolved message ends the episode that it overlaps. If starts after that end are in the same episode, they were
  another firing all along: the episode is split there.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.alert import Alert, Mark

STALE = timedelta(days=7)  # an open episode that nobody mentioned for so long has ended; its resolved message was lost


@dataclass
class Episode:
    """A row of `episodes`; changed in place, written back by the caller if `dirty`. `ended_at` None: still firing."""

    id: str
    source: str
    fingerprint: str
    nth: int
    first_start: datetime
    last_start: datetime
    seen_at: datetime
    ended_at: datetime | None = None
    investigation_id: str | None = None
    dirty: bool = False

    def cover(self, start: datetime, seen_at: datetime) -> None:
        """Take a start in."""
        self.first_start, self.last_start = min(self.first_start, start), max(self.last_start, start)
        self.seen_at, self.dirty = max(self.seen_at, seen_at), True

    def end(self, moment: datetime) -> None:
        self.ended_at, self.dirty = max(self.ended_at or moment, moment), True


def began_at(alert: Alert) -> datetime:
    """The start to reckon with: a start in the future cannot be believed, the time of arrival can."""
    return alert.received_at if Mark.STARTS_IN_FUTURE in alert.marks else alert.starts_at


def ended_at(alert: Alert) -> datetime:
    """The end to reckon with for a resolved alert: as sent if it lies between start and arrival."""
    unusable = alert.ends_at is None or {Mark.ENDS_AT_UNSET, Mark.ENDS_BEFORE_START} & set(alert.marks)
    sent = alert.received_at if unusable or alert.ends_at is None else min(alert.ends_at, alert.received_at)
    return max(sent, began_at(alert))


def of_firing(episodes: list[Episode], start: datetime, seen_at: datetime) -> Episode | None:
    """The episode a firing with a new start belongs to; None: it opens the next one. Ended episodes come first, oldest
    end first."""
    for episode in _by_end(episodes):
        if episode.ended_at is not None and start <= episode.ended_at:
            return episode
        if episode.ended_at is None and not (start > episode.seen_at and seen_at - episode.seen_at > STALE):
            return episode
    return None


def of_resolved(episodes: list[Episode], start: datetime, end: datetime) -> Episode | None:
    """The episode a resolved message with a new start speaks of: the one it overlaps; None: one we never heard of."""
    for episode in _by_end(episodes):
        if episode.first_start <= end and (episode.ended_at is None or start <= episode.ended_at):
            return episode
    return None


def needs_split(episode: Episode, end: datetime) -> bool:
    """Whether starts beyond this end are in the episode."""
    return episode.last_start > end and episode.first_start <= end


def _by_end(episodes: list[Episode]) -> list[Episode]:
    open_last = [e for e in episodes if e.ended_at is None]
    ended = [e for e in episodes if e.ended_at is not None]
    return sorted(ended, key=lambda e: e.ended_at or e.seen_at) + open_last
