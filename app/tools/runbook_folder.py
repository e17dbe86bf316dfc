"""A folder of Markdown -> runbooks in sections. Read by search_runbooks, anew when a file has changed.

Front matter is YAML between two lines of `---`: `id` (e.g. RB-PAY-001), `title`, and `alerts`, `services`, `tags`, whose words
count for the search. Without it the path is the id and the first heading the title.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from app.tools.text_ranking import Ranking, words

HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$")
FENCE = re.compile(r"^\s*(```|~~~)")
NAMING = ("alerts", "services", "tags")
WEIGHT = 3  # how often a word of a title, heading or tag counts against one of the text


@dataclass(frozen=True)
class Caps:
    """What is more is left out and said: files, bytes of one, bytes of all."""

    files: int = 2_000
    file_bytes: int = 256 * 1024
    bytes: int = 16 * 1024 * 1024


@dataclass(frozen=True)
class Section:
    """`text` begins with its heading line, where it has one."""

    heading: str
    text: str


@dataclass(frozen=True)
class Runbook:
    """`path` is relative to the folder, with `/`."""

    id: str
    title: str
    path: str
    named: str
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Shelf:
    """All runbooks, in order of path; the ranking knows their sections in the same order. `left_out` says what was not read."""

    runbooks: tuple[Runbook, ...]
    ranking: Ranking
    bytes_read: int
    left_out: str


Signature = tuple[tuple[str, int, int], ...]


def signature(folder: Path) -> Signature:
    """(path, size, time of change) of each Markdown file below the folder; links out of it are not followed. Raises OSError."""
    root, found = folder.resolve(strict=True), []
    for place, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(files):
            path = Path(place, name)
            if name.lower().endswith(".md") and path.resolve().is_relative_to(root) and path.is_file():
                about = path.stat()
                found.append((path.relative_to(root).as_posix(), about.st_size, about.st_mtime_ns))
    return tuple(sorted(found))


def load(folder: Path, files: Signature, caps: Caps) -> Shelf:
    """Raises OSError when a file that was there cannot be read."""
    chosen: list[Runbook] = []
    size = large = 0
    for path, length, _ in files:
        if length > caps.file_bytes or len(chosen) >= caps.files or size + length > caps.bytes:
            large += 1
            continue
        chosen.append(parse(path, (folder / path).read_bytes().decode("utf-8", "replace")))
        size += length
    texts = [_searched(book, section) for book in chosen for section in book.sections]
    left_out = f"{len(files)} runbooks, {len(chosen)} read" if large else ""
    return Shelf(tuple(chosen), Ranking(texts), size, left_out)


def _searched(book: Runbook, section: Section) -> list[str]:
    return [*words(f"{book.title} {book.named} {section.heading}") * WEIGHT, *words(section.text)]


def parse(path: str, text: str) -> Runbook:
    about, body = _front_matter(text)
    sections = tuple(_sections(body))
    first = next((s.heading for s in sections if s.heading), "")
    stem = path.rsplit(".", 1)[0]
    title = _text(about.get("title")) or first or stem.rsplit("/", 1)[-1]
    named = " ".join(_text(about.get(field)) for field in NAMING)
    return Runbook(_text(about.get("id")) or stem, title, path, f"{named} {stem}".strip(), sections or (Section("", ""),))


def _front_matter(text: str) -> tuple[dict[str, Any], str]:
    """What is no YAML mapping counts as text."""
    head, mark, body = text.removeprefix("\ufeff").partition("\n---")
    if not head.startswith("---\n") or not mark:
        return {}, text
    try:
        about = yaml.BaseLoader(head[4:]).get_single_data()  # every value a text: a date that is none is no error
    except yaml.YAMLError:
        return {}, text
    return (about, body.partition("\n")[2]) if isinstance(about, dict) else ({}, text)


def _text(value: object) -> str:
    """One line; lists become words."""
    joined = " ".join(str(v) for v in value) if isinstance(value, list | tuple) else "" if value is None else str(value)
    return " ".join(joined.split())


def _sections(body: str) -> Iterator[Section]:
    """Cut before every heading that is not inside a fence; headings with nothing below them keep to themselves."""
    heading, lines, fenced = "", list[str](), False
    for line in body.splitlines():
        found = None if fenced else HEADING.match(line)
        fenced ^= bool(FENCE.match(line))
        if found:
            yield from _kept(heading, lines)
            heading, lines = found[2], []
        lines.append(line.rstrip())
    yield from _kept(heading, lines)


def _kept(heading: str, lines: Sequence[str]) -> Iterator[Section]:
    text = "\n".join(lines).strip()
    if text:
        yield Section(heading, text)


def by_url(runbooks: Sequence[Runbook], bases: Sequence[str], url: str) -> Runbook | None:
    """The runbook that is published at this address: the path below a configured base is looked for among the files that
    were read. Nothing is fetched, and no file is opened for it."""
    asked = urlsplit(url)
    for base in bases:
        start = urlsplit(base)
        root = start.path.rstrip("/") + "/"
        if (asked.scheme.lower(), asked.netloc.lower()) == (start.scheme.lower(), start.netloc.lower()) and asked.path.startswith(root):
            rest = unquote(asked.path[len(root) :]).strip("/")
            bare = rest.removesuffix(".html").removesuffix(".md")
            names = [n.lower() for n in (rest, f"{bare}.md", f"{bare}/index.md", f"{bare}/readme.md")]
            found = next((book for name in names for book in runbooks if book.path.lower() == name), None)
            if found is not None:
                return found
    return None
