"""get_alerts: what else is firing or pending around the target, as Prometheus sees it."""

import json
from collections.abc import Sequence

from pydantic import Field

from app.domain.errors import ToolFailure
from app.domain.frozen import JsonObject
from app.domain.reason import ErrorClass
from app.domain.tool import Provenance, ToolContext, ToolResult, ToolStatus
from app.tools.answers import Arguments, Findings, KubeName, LooseName, Reading, answer, read_spec
from app.tools.prometheus_client import PrometheusClient

NAMING = ("service", "app", "deployment", "statefulset", "daemonset", "job", "workload", "job_name", "exported_service", "exported_job")
MAX_ALERTS = 200


class GetAlertsArguments(Arguments):
    namespace: KubeName | None = Field(None, description="Only alerts of this namespace.")
    service: LooseName | None = Field(None, description="Only alerts that name this service or its pods.")


class GetAlerts:
    """Rules are read too, for the expression that each alert stands on; annotations are what people wrote."""

    arguments = GetAlertsArguments
    spec = read_spec("get_alerts", "Alerts that Prometheus holds active", "prometheus", "alerts", GetAlertsArguments, provenance=Provenance.SEMI)

    def __init__(self, client: PrometheusClient) -> None:
        self._client = client

    async def run(self, arguments: GetAlertsArguments, context: ToolContext) -> ToolResult:
        found, size = await self._client.alerts()
        reading = Reading(["GET /api/v1/alerts", "GET /api/v1/rules?type=alert"], size)
        expressions = await self._expressions(reading)
        chosen = select(found, arguments.namespace or "", arguments.service or "")
        if len(chosen) > MAX_ALERTS:
            reading.truncated.append(f"{len(chosen)} alerts, {MAX_ALERTS} shown")
        alerts = [a | {"query": expressions.get(str(_labels(a).get("alertname")), "")} for a in chosen[:MAX_ALERTS]]
        if not alerts:
            return answer(self.spec, reading, Findings(ToolStatus.NO_DATA, "No active alerts", data={"alerts": []}))
        firing = sorted({str(_labels(a).get("alertname")) for a in alerts if a.get("state") == "firing"})
        summary = f"{len(alerts)} active alerts" + (f", firing: {', '.join(firing[:6])}" if firing else "")
        return answer(self.spec, reading, Findings(ToolStatus.OK, summary, [line(a) for a in alerts], {"alerts": alerts}))

    async def _expressions(self, reading: Reading) -> dict[str, str]:
        """alertname -> expression; a server without rules (a remote read store) leaves a note."""
        try:
            rules, size = await self._client.rules()
        except ToolFailure as failure:
            if failure.error_class is ErrorClass.TRANSIENT:
                raise
            reading.notes.append(f"rules could not be read: {failure.detail}")
            return {}
        reading.bytes_read += size
        return {str(r.get("name")): str(r.get("query")) for r in rules}


def select(alerts: Sequence[JsonObject], namespace: str, service: str) -> list[JsonObject]:
    """Alerts of a namespace and service by label; in order of start and labels."""

    def fits(labels: JsonObject) -> bool:
        if namespace and namespace not in (labels.get("namespace"), labels.get("exported_namespace")):
            return False
        pods = (str(labels.get("pod", "")), str(labels.get("exported_pod", "")))
        return not service or any(labels.get(n) == service for n in NAMING) or any(p.startswith(f"{service}-") for p in pods)

    chosen = [a for a in alerts if fits(_labels(a))]
    return sorted(chosen, key=lambda a: (str(a.get("activeAt", "")), json.dumps(_labels(a), sort_keys=True)))


def line(alert: JsonObject) -> str:
    labels = ",".join(f'{k}="{v}"' for k, v in sorted(_labels(alert).items()) if k != "alertname")
    notes = alert.get("annotations") or {}
    said = notes.get("summary") or notes.get("description") or notes.get("message") or ""
    query = f" query {alert['query']}" if alert.get("query") else ""
    head = f"alert {_labels(alert).get('alertname')}{{{labels}}} {alert.get('state')} since {alert.get('activeAt')} value={alert.get('value')}"
    return f"{head}{query}" + (f": {said}" if said else "")


def _labels(alert: JsonObject) -> JsonObject:
    found = alert.get("labels")
    return found if isinstance(found, dict) else {}
