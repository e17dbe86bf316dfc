"""A stream of log lines -> templates with counts: a small Drain (He et al., 2017), own because no kept library fits.

Lines are masked (`log_masks`), then sorted by a tree of fixed depth: number of words, then the first three words (those that
vary share one branch). In a leaf a line joins the template that it equals in 60 % of the words at least; words that differ
become `<*>`. Memory is bounded whatever comes: at the greatest number of templates the rarest quarter is dropped (those
that speak of errors last) and its lines are counted under `other`. The same lines give the same answer, to the byte.

Called by the log tools; pure, so that a diagnosis may use it too.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import eq
from typing import Any

from app.domain.frozen import Frozen, JsonObject, UtcTime, iso
from app.domain.log_levels import level_of
from app.domain.log_masks import Masks

DEPTH = 3
SIMILAR = 0.6
MAX_TEMPLATES = 1_000
MAX_CHILDREN = 64
MAX_LEAF = 64
SAMPLES = 3
MAX_SAMPLE = 4_000
MAX_KNOWN = 2_000_000  # characters of masked lines whose template is remembered
ANY = "<*>"
OTHER = -1


class LogTemplate(Frozen):
    """`level` is error, warn, info, debug or "" (unsaid). `count` leaves the lines of the baseline out; `first` and `last`
    are times of counted lines. `new` is None without a baseline, else whether no line of it had this template. `samples` are
    lines word for word (the first 4,000 characters): the first two and the last one. `before` counts the baseline's lines."""

    id: int
    template: str
    level: str
    count: int
    first: UtcTime | None = None
    last: UtcTime | None = None
    new: bool | None = None
    samples: tuple[str, ...] = ()
    before: int = 0


class _Cluster:
    __slots__ = ("before", "count", "first", "id", "last", "latest", "level", "order", "samples", "words")

    def __init__(self, id: int, level: str, words: list[str]) -> None:
        self.id, self.level, self.words = id, level, words
        self.count = self.before = self.order = 0
        self.first: datetime | None = None
        self.last: datetime | None = None
        self.samples: list[str] = []
        self.latest = ""


class LogTemplates:
    """Feed it with `add`; read `templates()` at any time. `now` dates times without a year (klog, syslog)."""

    def __init__(self, now: datetime | None = None, max_templates: int = MAX_TEMPLATES) -> None:
        self._masks, self._max = Masks(now), max(4, max_templates)
        self._clusters: dict[int, _Cluster] = {}
        self._tree: dict[Any, Any] = {}
        self._known: dict[str, _Cluster] = {}
        self._room = MAX_KNOWN
        self._next, self._lines, self._baseline = 0, 0, 0
        self._other = _Cluster(OTHER, "", ["<other>"])

    @property
    def lines(self) -> int:
        """Lines counted, without blank ones and those of the baseline."""
        return self._lines - self._baseline

    @property
    def baseline(self) -> int:
        return self._baseline

    def add_all(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.add(line)

    def add(self, line: str, at: datetime | None = None, baseline: bool = False) -> int:
        """-> id of the line's template, -1 for a blank line. `at` is when the line was received: the time of a line
        that tells none of its own."""
        moment, words = self._masks.words(line)
        if not words:
            return OTHER
        text = " ".join(words)
        cluster = self._known.get(text)
        if cluster is None:
            cluster = self._sorted_in(words)
            if self._room < len(text):
                self._known.clear()
                self._room = MAX_KNOWN
            self._known[text] = cluster
            self._room -= len(text)
        self._lines += 1
        cluster.order = self._lines
        if baseline:
            self._baseline += 1
            cluster.before += 1
            return cluster.id
        cluster.count += 1
        if cluster.count < SAMPLES:
            cluster.samples.append(line[:MAX_SAMPLE])
        else:
            cluster.latest = line[:MAX_SAMPLE]
        moment = moment or at
        if moment is not None:
            if cluster.last is None or cluster.first is None:
                cluster.first = cluster.last = moment
            elif moment > cluster.last:
                cluster.last = moment
            elif moment < cluster.first:
                cluster.first = moment
        return cluster.id

    def templates(self) -> tuple[LogTemplate, ...]:
        """Errors first, then warnings, then by count, then in the order they came; what was dropped is the last."""
        order = {"error": 0, "warn": 1}
        kept = sorted((c for c in self._clusters.values() if c.count), key=lambda c: (order.get(c.level, 2), -c.count, c.id))
        return tuple(self._told(c) for c in (*kept, self._other) if c.count)

    def state(self) -> JsonObject:
        """All of it as JSON: `LogTemplates.of(state)` goes on as if there had been no break."""
        clusters = [_as_json(c) for c in (*self._clusters.values(), self._other)]
        return {"clusters": clusters, "next": self._next, "lines": self._lines, "baseline": self._baseline, "max": self._max}

    @classmethod
    def of(cls, state: JsonObject, now: datetime | None = None) -> "LogTemplates":
        """Raises KeyError, TypeError or ValueError for a state that is none."""
        made = cls(now, int(state["max"]))
        made._next, made._lines, made._baseline = int(state["next"]), int(state["lines"]), int(state["baseline"])
        *kept, made._other = (_from_json(c) for c in state["clusters"])
        made._clusters = {c.id: c for c in kept}
        made._plant()
        return made

    def _told(self, c: _Cluster) -> LogTemplate:
        samples = dict.fromkeys((*c.samples, *([c.latest] if c.latest else ())))
        return LogTemplate(
            id=c.id,
            template=rendered(c.words),
            level=c.level,
            count=c.count,
            first=c.first,
            last=c.last,
            new=c.before == 0 and c.id != OTHER if self._baseline else None,
            samples=tuple(samples),
            before=c.before,
        )

    def _sorted_in(self, words: list[str]) -> _Cluster:
        """The template that fits, made wider where it must be, or a new one. Either forgets which template known texts
        have, so that what is remembered is never other than what the tree would say."""
        level = level_of(words)
        leaf = self._leaf(level, words)
        best, likeness = _best(leaf, words)
        if best is not None and (likeness >= SIMILAR * len(words) or len(leaf) >= MAX_LEAF):
            if likeness < len(words) and any(a != b and a != ANY for a, b in zip(best.words, words, strict=True)):
                best.words = [a if a == b else ANY for a, b in zip(best.words, words, strict=True)]
                self._forget()
            return best
        if len(self._clusters) >= self._max:
            self._drop()
            leaf = self._leaf(level, words)
        made = _Cluster(self._next, level, words)
        self._next += 1
        self._clusters[made.id] = made
        leaf.append(made)
        self._forget()
        return made

    def _forget(self) -> None:
        self._known.clear()
        self._room = MAX_KNOWN

    def _leaf(self, level: str, words: Sequence[str]) -> list[_Cluster]:
        """The leaf a line belongs to; grown if it is not there."""
        node = self._tree.setdefault((level, len(words)), {})
        for word in words[:DEPTH]:
            branch = ANY if "<" in word or not word.isascii() or any(map(str.isdigit, word)) else word
            child = node.get(branch)
            if child is None:
                child = node.setdefault(branch if len(node) < MAX_CHILDREN else ANY, {})
            node = child
        leaf: list[_Cluster] = node.setdefault("", [])
        return leaf

    def _plant(self) -> None:
        """The tree anew, templates in the order they came."""
        self._tree = {}
        for cluster in self._clusters.values():
            self._leaf(cluster.level, cluster.words).append(cluster)
        self._forget()

    def _drop(self) -> None:
        ranked = sorted(self._clusters.values(), key=lambda c: (c.level == "error", c.count + c.before, c.order))
        for cluster in ranked[: max(1, self._max // 4)]:
            del self._clusters[cluster.id]
            _join(self._other, cluster)
        self._plant()


def rendered(words: Sequence[str]) -> str:
    """Words -> the template's text; keys and values, which were taken apart, joined again."""
    parts: list[str] = []
    for word in words:
        if parts and parts[-1].endswith("=") and len(parts[-1]) > 1:
            parts[-1] += word
        else:
            parts.append(word)
    return " ".join(parts)


def _best(leaf: Sequence[_Cluster], words: list[str]) -> tuple[_Cluster | None, int]:
    """The most similar template and how many words are equal; of equals the more exact one, then the older."""
    best, most = None, (-1, 0)
    for cluster in leaf:
        equal = sum(map(eq, cluster.words, words))
        if equal >= most[0]:
            found = (equal, -cluster.words.count(ANY))
            if found > most or best is None:
                best, most = cluster, found
    return best, most[0]


def _join(into: _Cluster, gone: _Cluster) -> None:
    into.count += gone.count
    into.before += gone.before
    into.samples = [*into.samples, *gone.samples][: SAMPLES - 1]
    into.latest = gone.latest or (gone.samples or [into.latest])[-1]
    moments = [m for m in (into.first, into.last, gone.first, gone.last) if m is not None]
    into.first, into.last = (min(moments), max(moments)) if moments else (None, None)


_PLAIN = ("id", "level", "count", "before", "order", "latest")


def _as_json(c: _Cluster) -> JsonObject:
    ends = {"first": c.first.isoformat() if c.first else "", "last": c.last.isoformat() if c.last else ""}
    return {name: getattr(c, name) for name in _PLAIN} | {"words": list(c.words), "samples": list(c.samples)} | ends


def _from_json(told: JsonObject) -> _Cluster:
    made = _Cluster(int(told["id"]), str(told["level"]), [str(w) for w in told["words"]])
    made.count, made.before, made.order = int(told["count"]), int(told["before"]), int(told["order"])
    made.samples, made.latest = [str(s) for s in told["samples"]], str(told["latest"])
    made.first, made.last = (datetime.fromisoformat(told[end]) if told[end] else None for end in ("first", "last"))
    return made


def as_json(template: LogTemplate) -> JsonObject:
    """{template, count, first, last, samples, level}; `new` and `before` where there is a baseline; times as RFC 3339, "" if
    unknown."""
    told: JsonObject = {
        "template": template.template,
        "count": template.count,
        "first": iso(template.first) if template.first else "",
        "last": iso(template.last) if template.last else "",
        "samples": list(template.samples),
        "level": template.level,
    }
    return told if template.new is None else told | {"new": template.new, "before": template.before}
