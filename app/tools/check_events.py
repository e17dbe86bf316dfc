"""check_events: the events of a namespace or of one object, newest last."""

from pydantic import Field

from app.domain.tool import Provenance, ToolContext, ToolResult, ToolStatus
from app.tools import events
from app.tools.answers import Arguments, Findings, KubeName, answer, read_spec
from app.tools.event_reading import read_events
from app.tools.kubernetes_client import KubernetesClient
from app.tools.kubernetes_reading import Cluster

MAX_EVENTS = 400


class CheckEventsArguments(Arguments):
    namespace: KubeName = Field(description="Namespace of the events; those of nodes are in `default`.")
    kind: str | None = Field(None, pattern=r"^[A-Z][A-Za-z]{1,62}$", description="Only events about objects of this kind.")
    name: KubeName | None = Field(None, description="Only events about the object of this name.")


class CheckEvents:
    """TOOL-11. Messages repeat what users wrote, so they are believed by half."""

    arguments = CheckEventsArguments
    spec = read_spec("check_events", "Kubernetes events, newest last", "kubernetes", "events", CheckEventsArguments, provenance=Provenance.SEMI)

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client

    async def run(self, arguments: CheckEventsArguments, context: ToolContext) -> ToolResult:
        a = arguments
        cluster = Cluster()
        await read_events(self._client, cluster, a.namespace, {"kind": a.kind or "", "name": a.name or ""}, required=True)
        if cluster.denied("Event"):
            return answer(self.spec, cluster.reading, Findings(ToolStatus.DENIED, f"Not allowed to read events in {a.namespace}"))
        found = events.rows(cluster.of("Event"))
        if len(found) > MAX_EVENTS:
            cluster.reading.truncated.append(f"{len(found)} events, the newest {MAX_EVENTS} shown")
        shown = found[-MAX_EVENTS:]
        if not shown:
            return answer(self.spec, cluster.reading, Findings(ToolStatus.NO_DATA, f"No events in {a.namespace}", data={"events": []}))
        newest = next((r for r in reversed(shown) if r["type"] == "Warning"), shown[-1])
        summary = f"{newest['type']}: {newest['reason']} {newest['object'].split('/')[-1]} {events.ago(newest['last'], context.now)}"
        return answer(self.spec, cluster.reading, Findings(ToolStatus.OK, summary, [events.line(r) for r in shown], {"events": shown}))
