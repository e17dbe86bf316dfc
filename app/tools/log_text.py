"""Log lines -> the text a reader gets: a short log as it is; of a long one the errors with the lines around them, the end, one
line of each kind, and every template with its count (requirement CTX-14). Used by `get_logs` and `search_logs`.

Lines stay word for word, so that what is quoted is in the text."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.domain.frozen import JsonObject, iso
from app.domain.log_templates import LogTemplate, LogTemplates, as_json
from app.tools.log_source import LogLine

SHORT_LINES = 120
SHORT_CHARS = 16_000
SHOWN_LINES = 150
SHOWN_CHARS = 48_000
AROUND = 2  # lines before and after one that tells of an error
END = 20  # the last words are always shown
TEMPLATES = 60
DATA_TEMPLATES = 200
MAX_LINE = 4_000
MARK = " [... {} characters left out]"
LARGE = 500  # lines: some 5 ms


@dataclass(frozen=True)
class Digest:
    """`lines` are the facts of a tool's text, `templates` as in its data. `left_out` says what is not shown, "" if nothing."""

    lines: list[str]
    templates: tuple[LogTemplate, ...]
    left_out: str = ""

    @property
    def data(self) -> list[JsonObject]:
        return [as_json(t) for t in self.templates[:DATA_TEMPLATES]]

    @property
    def new(self) -> list[LogTemplate]:
        return [t for t in self.templates if t.new]

    @property
    def errors(self) -> int:
        """How many lines tell of an error."""
        return sum(t.count for t in self.templates if t.level == "error")


def digest(lines: Sequence[LogLine], baseline: Sequence[LogLine] = (), now: datetime | None = None) -> Digest:
    """`baseline` are lines of before: templates that are not among them are marked as new."""
    mined = LogTemplates(now)
    for line in baseline:
        mined.add(line.text, line.at, baseline=True)
    of_line = [mined.add(line.text, line.at) for line in lines]
    templates = mined.templates()
    texts = written(lines)
    if len(lines) <= SHORT_LINES and sum(map(len, texts)) <= SHORT_CHARS:
        return Digest([*texts, *_told([t for t in templates if t.new])], templates)
    shown = _chosen(of_line, templates, [len(t) for t in texts])
    head = f"{len(lines)} lines of {len(templates)} templates, {len(shown)} lines shown:"
    told = templates[:TEMPLATES]
    rest = f"{len(lines) - len(shown)} of {len(lines)} lines left out of the text"
    rest += f", {len(templates) - len(told)} of {len(templates)} templates" if len(templates) > len(told) else ""
    return Digest([head, *_with_gaps(texts, shown), "templates:", *_told(told)], templates, rest)


async def digested(lines: Sequence[LogLine], baseline: Sequence[LogLine], now: datetime) -> Digest:
    """The same; a large one is made in a thread, so that what else is served goes on meanwhile."""
    if len(lines) + len(baseline) <= LARGE:
        return digest(lines, baseline, now)
    return await asyncio.to_thread(digest, lines, baseline, now)


def shortened(lines: Sequence[LogLine]) -> tuple[list[LogLine], str]:
    """Lines of at most 4,000 characters, mark included, and what there is to say about those that were longer."""
    long = sum(1 for line in lines if len(line.text) > MAX_LINE)
    note = f"{long} lines cut at {MAX_LINE} characters" if long else ""
    return [line if len(line.text) <= MAX_LINE else replace(line, text=_cut(line.text)) for line in lines], note


def _cut(text: str) -> str:
    kept = MAX_LINE - len(MARK) - len(str(len(text)))
    return text[:kept] + MARK.format(len(text) - kept)


def written(lines: Sequence[LogLine]) -> list[str]:
    """With the origin before them where there are several."""
    if len({line.origin for line in lines}) <= 1:
        return [line.text for line in lines]
    return [f"{line.origin}: {line.text}" for line in lines]


def _chosen(of_line: Sequence[int], templates: Sequence[LogTemplate], sizes: Sequence[int]) -> list[int]:
    """Places of the lines to show, in order, within the room there is. Who comes first is served first."""
    kept: set[int] = set()
    room = SHOWN_CHARS
    for place in _wanted(of_line, templates):
        if place in kept or sizes[place] > room:
            continue
        if len(kept) >= SHOWN_LINES:
            break
        kept.add(place)
        room -= sizes[place]
    return sorted(kept)


def _wanted(of_line: Sequence[int], templates: Sequence[LogTemplate]) -> Iterator[int]:
    """The end; then the last and the first line of each error, new ones before others, with those around; then the last, the first
    and the second line of everything else."""
    places: dict[int, list[int]] = {}
    for place, id in enumerate(of_line):
        places.setdefault(id, []).append(place)
    last = len(of_line) - 1
    yield from range(last, max(-1, last - END), -1)
    errors = sorted((t for t in templates if t.level == "error" and t.id in places), key=lambda t: not t.new)
    others = [t for t in templates if t.level != "error" and t.id in places]
    yield from (places[t.id][-1] for t in errors)
    yield from (places[t.id][-1] for t in others if t.level == "warn" or t.new)
    for end in (-1, 0):
        for template in errors:
            at = places[template.id][end]
            yield from (p for p in range(at - AROUND, at + AROUND + 1) if 0 <= p <= last)
    for nth in (-1, 0, 1):
        yield from (places[t.id][nth] for t in (*errors, *others) if len(places[t.id]) > max(nth, 0))


def _with_gaps(texts: Sequence[str], shown: Sequence[int]) -> Iterator[str]:
    before = -1
    for place in shown:
        if place > before + 1:
            yield f"[... {place - before - 1} lines left out]"
        yield texts[place]
        before = place


def _told(templates: Sequence[LogTemplate]) -> Iterator[str]:
    for t in templates:
        level = f" {t.level}" if t.level else ""
        between = f" ({iso(t.first)} to {iso(t.last)})" if t.first and t.last else ""
        yield f"x{t.count}{level}{' NEW' if t.new else ''}: {t.template}{between}"
