"""get_logs: the last lines of one container's log, or of its former run, and what they have in common."""

from dataclasses import replace
from datetime import timedelta

from pydantic import AliasChoices, Field, model_validator

from app.domain.errors import ToolFailure
from app.domain.tool import Provenance, ToolContext, ToolResult, ToolStatus, Window
from app.tools.answers import Arguments, Findings, KubeName, Reading, answer, read_spec
from app.tools.kubernetes_client import KubernetesClient
from app.tools.kubernetes_logs import KubernetesLogs
from app.tools.log_source import LogAnswer, LogLine, LogQuery
from app.tools.log_text import digested

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
        got, lines, baseline, note = await self._read(a, query, context)
        found = await digested(lines, baseline, context.now)
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
        }
        reading = Reading(list(got.asked), got.bytes_read, [got.truncated, found.left_out], [got.note, note])
        return answer(self.spec, reading, Findings(status, summary, found.lines, data))

    async def _read(self, a: GetLogsArguments, query: LogQuery, context: ToolContext) -> tuple[LogAnswer, list[LogLine], list[LogLine], str]:
        """-> (answer, lines to show, lines to compare with, what there is to say about the comparison)."""
        if a.since_minutes:
            begin = context.now - timedelta(minutes=a.since_minutes)
            window = Window(start=begin - timedelta(minutes=a.since_minutes), end=context.now + CLOCK_GRACE)
            got = await self._source.query(replace(query, window=window, limit=min(MAX_TAIL, 5 * a.tail_lines)))
            lines = [line for line in got.lines if line.at is None or line.at >= begin]
            before = [line for line in got.lines if line.at is not None and line.at < begin]
            note = "" if before or not lines else f"no line of the {a.since_minutes} minutes before to compare with"
            return got, lines[-a.tail_lines :], before, note
        got = await self._source.query(query)
        if not (a.compare_previous and got.lines):
            return got, list(got.lines), [], ""
        try:
            former = await self._source.query(replace(query, previous=True))
        except ToolFailure as failure:
            return got, list(got.lines), [], f"the former run could not be read: {failure.detail}"
        both = replace(got, asked=(*got.asked, *former.asked), bytes_read=got.bytes_read + former.bytes_read)
        return both, list(got.lines), list(former.lines), "" if former.lines else f"no former run to compare with: {former.note}"
