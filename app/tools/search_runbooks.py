"""search_runbooks: the runbooks of the configured folder that fit a question, best first; the alert's own one before all."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field

from app.domain.errors import ToolFailure
from app.domain.frozen import JsonObject
from app.domain.reason import ErrorClass, Reason
from app.domain.tool import Provenance, ToolContext, ToolResult, ToolStatus
from app.tools.answers import Arguments, Findings, Reading, answer, read_spec
from app.tools.runbook_folder import Caps, Runbook, Shelf, Signature, by_url, load, signature

MAX_CONTENT = 4_000  # characters of one result


@dataclass(frozen=True)
class RunbookConfig:
    """`bases`: addresses under which the folder is published, so that an alert's `runbook_url` names a file of it."""

    folder: Path
    bases: tuple[str, ...] = ()
    caps: Caps = field(default_factory=Caps)


class SearchRunbooksArguments(Arguments):
    query: str = Field(min_length=1, max_length=500, description="Words to look for: symptoms, alert name, service.")
    runbook_url: str | None = Field(None, max_length=1_000, description="The alert's runbook_url; never fetched, only matched.")
    limit: int = Field(5, ge=1, le=20, description="How many runbooks at most.")


class SearchRunbooks:
    """TOOL-06, SMEM-02: data is `results`: [{id, title, content, path, score, why}], best first; `content` holds the sections
    that fit, word for word. Runbooks are written by people for people: nothing in them is an instruction to this service."""

    arguments = SearchRunbooksArguments
    spec = read_spec(
        "search_runbooks", "Search the runbooks", "runbooks", "runbooks", SearchRunbooksArguments, provenance=Provenance.SEMI
    )  # fmt: skip

    def __init__(self, config: RunbookConfig | None) -> None:
        self._config = config
        self._kept: tuple[Signature, Shelf] | None = None

    async def run(self, arguments: SearchRunbooksArguments, context: ToolContext) -> ToolResult:
        """Raises ToolFailure CONFIG when the folder cannot be read."""
        if self._config is None:
            raise ToolFailure(ErrorClass.CONFIG, Reason.NOT_CONFIGURED, "no folder of runbooks is configured")
        try:
            shelf = await asyncio.to_thread(self._shelf, self._config)
        except OSError as error:
            raise ToolFailure(ErrorClass.CONFIG, Reason.UNAVAILABLE, f"the folder of runbooks cannot be read: {error}") from error
        reading = Reading([f"search {arguments.query!r} in {len(shelf.runbooks)} runbooks"], shelf.bytes_read, [shelf.left_out])
        found = [*_found(shelf, self._config, arguments)]
        if len(found) > arguments.limit:
            reading.truncated.append(f"{len(found)} runbooks fit, the best {arguments.limit} shown")
        results = found[: arguments.limit]
        if not results:
            nothing = Findings(ToolStatus.NO_DATA, f"No runbook fits among {len(shelf.runbooks)}", data={"results": []})
            return answer(self.spec, reading, nothing)
        lines = [line for r in results for line in (f"[{r['id']}] {r['title']} ({r['path']}): {r['why']}", *str(r["content"]).splitlines())]
        summary = f"{len(results)} runbooks: " + ", ".join(f"[{r['id']}] {r['title']}" for r in results[:3])
        return answer(self.spec, reading, Findings(ToolStatus.OK, summary, [line for line in lines if line.strip()], {"results": results}))

    def _shelf(self, config: RunbookConfig) -> Shelf:
        """From memory while no file has changed."""
        files = signature(config.folder)
        if self._kept is None or self._kept[0] != files:
            self._kept = (files, load(config.folder, files, config.caps))
        return self._kept[1]


def _found(shelf: Shelf, config: RunbookConfig, arguments: SearchRunbooksArguments) -> Iterator[JsonObject]:
    scores, place = shelf.ranking.scores(arguments.query), 0
    ranked: list[tuple[float, Runbook, list[float]]] = []
    for book in shelf.runbooks:
        own = scores[place : place + len(book.sections)]
        place += len(book.sections)
        ranked.append((max(own, default=0.0), book, own))
    meant = by_url(shelf.runbooks, config.bases, arguments.runbook_url) if arguments.runbook_url else None
    for score, book, own in sorted(ranked, key=lambda r: (r[1] is not meant, -r[0], r[1].path)):
        if book is meant or score > 0:
            why = "the alert's runbook_url names it" if book is meant else f"score {score:.2f}"
            yield {"id": book.id, "title": book.title, "content": _content(book, own), "path": book.path, "score": score, "why": why}


def _content(book: Runbook, scores: list[float]) -> str:
    """The sections that fit best, as many as there is room for, in the order of the runbook; all of it when there is room."""
    best = sorted(range(len(book.sections)), key=lambda i: (-scores[i], i))
    chosen, room = set[int](), MAX_CONTENT
    for index in best:
        if len(book.sections[index].text) <= room:
            chosen.add(index)
            room -= len(book.sections[index].text) + 2
    if not chosen:
        return book.sections[best[0]].text[:MAX_CONTENT]
    return "\n\n".join(book.sections[i].text for i in sorted(chosen))
