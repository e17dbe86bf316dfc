"""search_logs: the log lines of a service, pod, container or node unit from a log store, and what they have in common."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from app.domain.errors import ToolFailure
from app.domain.frozen import iso
from app.domain.reason import ErrorClass, Reason
from app.domain.tool import Provenance, ToolContext, ToolResult, ToolStatus, Window
from app.tools.answers import Arguments, Findings, KubeName, LooseName, Reading, answer, read_spec
from app.tools.log_findings import anomaly_lines, findings, span
from app.tools.log_source import MAX_LINES, LogQuery, LogSource
from app.tools.log_text import digested, shortened

DATA_LINES = 1_000
UnitName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9:_.\\@-]{0,254}$")]


class SearchLogsArguments(Arguments):
    source: Literal["loki", "elasticsearch"] | None = Field(None, description="Which log store; needed only where both are configured.")
    namespace: KubeName | None = Field(None, description="Namespace of the pods.")
    service: LooseName | None = Field(None, description="Name of the service, as the log store has it.")
    pod: KubeName | None = Field(None, description="Name of a pod.")
    container: KubeName | None = Field(None, description="A container of the pods.")
    node: KubeName | None = Field(None, description="Name of a node, for the log of a unit on it.")
    unit: UnitName | None = Field(None, description="A systemd unit of the node, such as kubelet.service.")
    contains: str | None = Field(None, min_length=1, max_length=200, description="Only lines with this text, word for word.")
    minutes: int | None = Field(None, ge=1, le=1_440, description="How far back; without it, the window of the investigation.")
    new_since_minutes: int | None = Field(
        None, ge=1, le=1_440, description="Show the last so many minutes; what was not said before them is marked as new."
    )
    limit: int = Field(MAX_LINES, ge=1, le=MAX_LINES, description="At most so many lines.")
    newest: bool = Field(False, description="Of more lines than the limit keep the newest instead of the oldest.")

    @model_validator(mode="after")
    def _narrowed(self) -> "SearchLogsArguments":
        if not (self.namespace or self.service or self.pod or self.node):
            raise ValueError("name a namespace, service, pod or node")
        if self.unit and not self.node:
            raise ValueError("a unit is one of a node: name the node")
        if self.contains and ("\n" in self.contains or not self.contains.isprintable()):
            raise ValueError("contains is one line of printable text")
        return self


class SearchLogs:
    """TOOL-15, LOGA-01. What a program wrote is not to be trusted. `sources` are the stores that are configured, by name."""

    arguments = SearchLogsArguments
    spec = read_spec(
        "search_logs",
        "Search the log store for lines of a service, pod or node unit, grouped into templates",
        "logs",
        "logs",
        SearchLogsArguments,
        provenance=Provenance.UNTRUSTED,
        timeout_seconds=20.0,
    )

    def __init__(self, sources: Mapping[str, LogSource]) -> None:
        self._sources = sources

    async def run(self, arguments: SearchLogsArguments, context: ToolContext) -> ToolResult:
        a = arguments
        name: str = a.source or next(iter(self._sources.keys()), "loki")
        if name not in self._sources:
            raise ToolFailure(ErrorClass.CONFIG, Reason.NOT_CONFIGURED, f"{name} is not configured")
        end = context.window.end
        window = Window(start=end - timedelta(minutes=a.minutes), end=end) if a.minutes else context.window
        got = await self._sources[name].query(_query(a, window))
        begin = end - timedelta(minutes=a.new_since_minutes) if a.new_since_minutes else window.start
        whole, long = shortened(got.lines)
        baseline = [line for line in whole if line.at is not None and line.at < begin]
        lines = [line for line in whole if line.at is None or line.at >= begin]
        found = await digested(lines, baseline, context.now)
        what = "/".join(str(v) for v in (a.namespace, a.service, a.pod, a.container, a.node, a.unit) if v)
        status = ToolStatus.NO_DATA if got.status is ToolStatus.OK and not lines else got.status
        summary = f"{len(lines)} log lines of {what} in {name}, {found.errors} tell of errors" if lines else f"No logs of {what} in {name}"
        before = span(baseline) if got.truncated or not baseline else Window(start=window.start, end=begin)
        told = findings(a.service or what, Window(start=max(begin, window.start), end=end), lines, found, before)
        texts = [line.text for line in lines][-DATA_LINES:]
        data = {"source": name, "lines": texts, "total": len(lines), "templates": found.data, **told}
        note = f"no line before {iso(begin)} to compare with" if a.new_since_minutes and lines and not baseline else ""
        reading = Reading(list(got.asked), got.bytes_read, [got.truncated, long, found.left_out], [got.note, note])
        return answer(self.spec, reading, Findings(status, summary, [*found.lines, *anomaly_lines(told)], data, window))


def _query(a: SearchLogsArguments, window: Window) -> LogQuery:
    return LogQuery(
        window=window,
        namespace=a.namespace or "",
        service=a.service or "",
        pod=a.pod or "",
        container=a.container or "",
        node=a.node or "",
        unit=a.unit or "",
        contains=a.contains or "",
        limit=a.limit,
        newest=a.newest or a.new_since_minutes is not None,  # what is shown are the last minutes
    )
