"""get_logs: the last lines of one container's log, or of its former run."""

from pydantic import AliasChoices, Field

from app.domain.tool import Provenance, ToolContext, ToolResult, ToolStatus
from app.tools.answers import Arguments, Findings, KubeName, Reading, answer, read_spec
from app.tools.kubernetes_client import KubernetesClient

MAX_BYTES = 512 * 1024
MAX_LINE = 4_000


class GetLogsArguments(Arguments):
    namespace: KubeName = Field(description="Namespace of the pod.")
    pod: KubeName = Field(description="Name of the pod.", validation_alias=AliasChoices("pod", "pod_name"))
    container: KubeName | None = Field(None, description="Needed when the pod has several containers.")
    previous: bool = Field(False, description="The log of the container's former run.")
    tail_lines: int = Field(200, ge=1, le=5_000, description="How many of the last lines.")
    since_minutes: int | None = Field(None, ge=1, le=1_440, description="Only lines of the last so many minutes.")


class GetLogs:
    """TOOL-09, and TOOL-03 as get_pod_logs: `No logs` when there are none. What a program wrote is not to be trusted."""

    arguments = GetLogsArguments
    spec = read_spec("get_logs", "Retrieve recent logs of a pod", "kubernetes", "logs", GetLogsArguments, provenance=Provenance.UNTRUSTED)

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client

    async def run(self, arguments: GetLogsArguments, context: ToolContext) -> ToolResult:
        a = arguments
        params = {"container": a.container or "", "tailLines": str(a.tail_lines), "previous": "true" if a.previous else ""}
        params["sinceSeconds"] = str(a.since_minutes * 60) if a.since_minutes else ""
        got = await self._client.log(a.namespace, a.pod, params, MAX_BYTES)
        lines = [line[:MAX_LINE] for line in got.text.splitlines()]
        status = ToolStatus.NO_DATA if got.status is ToolStatus.OK and not lines else got.status
        of = f"{a.namespace}/{a.pod}" + (f"/{a.container}" if a.container else "") + (" (former run)" if a.previous else "")
        summary = f"{len(lines)} log lines of {of}" if lines else f"No logs of {of}" + (f": {got.note}" if got.note else "")
        reading = Reading([f"GET {got.path}"], got.bytes_read, [got.truncated], [got.note])
        data = {"pod": a.pod, "container": a.container or "", "previous": a.previous, "lines": lines, "logs": lines or ["No logs"]}
        return answer(self.spec, reading, Findings(status, summary, lines, data))
