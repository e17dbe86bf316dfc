"""get_logs: the last lines of one container's log, or of its former run, and what they have in common."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from pydantic import AliasChoices, Field, model_validator

from app.domain.errors import ToolFailure
from app.domain.tool import Provenance, ToolContext, ToolResult, ToolStatus, Window
from app.tools.answers import Arguments, Findings, KubeName, Reading, answer, read_spec
from app.tools.kubernetes_client import KubernetesClient
from app.tools.kubernetes_logs import KubernetesLogs
from app.tools.log_findings import anomaly_lines, findings, span
from app.tools.log_source import LogAnswer, LogLine, LogQuery
from app.tools.log_text import digested, shortened

MAX_TAIL = 5_000
DATA_LINES = 1_000
CLOCK_GRACE = timedelta(minutes=10)  # a node's clock may be ahead of ours


class GetLogsArguments(Arguments):
    namespace: KubeName = Field(description="Namespace of the pod.")
    pod: KubeName = Field(description="Name of the pod.", validation_alias=AliasChoices("pod", "pod_name"))
    container: KubeName | None = Field(None, description="Needed when the pod has several containers.")
    previous: bool = Field(False, description="The log of the container's former run.")
    tail_lines: int = Field(200, ge=1, le=MAX_TAIL, description="How many of the last lines.")
    since_minutes: int | None = Field(
        None, ge=1, le=1_440, description="Only lines of the last so many minutes; what as many minutes before them did not say is marked as new."
    )
    compare_previous: bool = Field(False, description="Also read the container's former run, and mark what it did not say as new.")

    @model_validator(mode="after")
    def _one_baseline(self) -> "GetLogsArguments":
        if self.compare_previous and (self.previous or self.since_minutes):
            raise ValueError("compare_previous goes with neither previous nor since_minutes")
        return self


class GetLogs:
    """TOOL-09, and TOOL-03 as get_pod_logs: `No logs` when there are none. What a program wrote is not to be trusted."""

    arguments = GetLogsArguments
    spec = read_spec("get_logs", "Retrieve recent logs of a pod", "kubernetes", "logs", GetLogsArguments, provenance=Provenance.UNTRUSTED)

    def __init__(self, client: KubernetesClient) -> None:
        self._source = KubernetesLogs(client)

    async def run(self, arguments: GetLogsArguments, context: ToolContext) -> ToolResult:
        a = arguments
        query = LogQuery(namespace=a.namespace, pod=a.pod, container=a.container or "", previous=a.previous, limit=a.tail_lines, newest=True)
        read = await self._read(a, query, context)
        lines, long = shortened(read.lines)
        baseline, _ = shortened(read.before)
        found = await digested(lines, baseline, context.now)
        told = findings(a.pod, read.spans[0], lines, found, read.spans[1])
        got, note = read.got, read.note
        status = ToolStatus.NO_DATA if got.status is ToolStatus.OK and not lines else got.status
        of = f"{a.namespace}/{a.pod}" + (f"/{a.container}" if a.container else "") + (" (former run)" if a.previous else "")
        summary = f"{len(lines)} log lines of {of}" if lines else f"No logs of {of}" + (f": {got.note}" if got.note else "")
        summary += f", {len(found.new)} new templates" if baseline and lines else ""
        texts = [line.text for line in lines]
        data = {
            "pod": a.pod,
            "container": a.container or "",
            "previous": a.previous,
            "lines": texts[-DATA_LINES:],
            "logs": texts[-DATA_LINES:] or ["No logs"],
            "total": len(lines),
            "templates": found.data,
            **told,
        }
        reading = Reading(list(got.asked), got.bytes_read, [got.truncated, long, found.left_out], [got.note, note])
        return answer(self.spec, reading, Findings(status, summary, [*found.lines, *anomaly_lines(told)], data))

    async def _read(self, a: GetLogsArguments, query: LogQuery, context: ToolContext) -> "_Read":
        if a.since_minutes:
            begin = context.now - timedelta(minutes=a.since_minutes)
            window = Window(start=begin - timedelta(minutes=a.since_minutes), end=context.now + CLOCK_GRACE)
            limit = min(MAX_TAIL, 5 * a.tail_lines)
            got = await self._source.query(replace(query, window=window, limit=limit))
            lines = [line for line in got.lines if line.at is None or line.at >= begin]
            before = [line for line in got.lines if line.at is not None and line.at < begin]
            note = "" if before or not lines else f"no line of the {a.since_minutes} minutes before to compare with"
            now = span(lines[-a.tail_lines :]) if len(lines) > a.tail_lines else Window(start=begin, end=context.now)
            whole = not got.truncated and len(got.lines) < limit
            then = Window(start=window.start, end=begin) if before and whole else span(before)
            return _Read(got, lines[-a.tail_lines :], before, note, (now, then))
        got = await self._source.query(query)
        if not (a.compare_previous and got.lines):
            return _Read(got, got.lines, spans=(span(got.lines), None))
        try:
            former = await self._source.query(replace(query, previous=True))
        except ToolFailure as failure:
            return _Read(got, got.lines, (), f"the former run could not be read: {failure.detail}", (span(got.lines), None))
        both = replace(got, asked=(*got.asked, *former.asked), bytes_read=got.bytes_read + former.bytes_read)
        note = "" if former.lines else f"no former run to compare with: {former.note}"
        return _Read(both, got.lines, former.lines, note, (span(got.lines), span(former.lines)))


@dataclass(frozen=True)
class _Read:
    """The lines to show and those to compare with, what there is to say about the comparison, and the span of each, None where no
    line has a time."""

    got: LogAnswer
    lines: Sequence[LogLine]
    before: Sequence[LogLine] = ()
    note: str = ""
    spans: tuple[Window | None, Window | None] = (None, None)
