"""check_quotas: what a namespace may use and does use, its limit ranges, the names of its service accounts."""

import json

from pydantic import Field

from app.domain.frozen import JsonObject
from app.domain.tool import ToolContext, ToolResult, ToolStatus
from app.tools.answers import Arguments, Findings, KubeName, answer, read_spec
from app.tools.kubernetes_client import KubernetesClient
from app.tools.kubernetes_reading import Query, read
from app.tools.quantities import number


class CheckQuotasArguments(Arguments):
    namespace: KubeName = Field(description="Namespace to look in.")


class CheckQuotas:
    arguments = CheckQuotasArguments
    spec = read_spec("check_quotas", "Resource quotas, limit ranges and service accounts", "kubernetes", "quotas", CheckQuotasArguments)

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client

    async def run(self, arguments: CheckQuotasArguments, context: ToolContext) -> ToolResult:
        space = arguments.namespace
        cluster = await read(self._client, [Query(k, space) for k in ("ResourceQuota", "LimitRange", "ServiceAccount")])
        if cluster.denied("ResourceQuota", "LimitRange", "ServiceAccount"):
            return answer(self.spec, cluster.reading, Findings(ToolStatus.DENIED, f"Not allowed to read quotas in {space}"))
        quotas, limits = cluster.of("ResourceQuota"), cluster.of("LimitRange")
        accounts = [a["metadata"]["name"] for a in cluster.of("ServiceAccount")]
        lines = [line for q in quotas for line in _quota(q)]
        lines += [f"limitrange {_name(r)}: {json.dumps(x, sort_keys=True)}" for r in limits for x in r.get("spec", {}).get("limits") or ()]
        if cluster.readable("ResourceQuota") and not quotas:
            lines.append(f"namespace {space}: no resourcequota")
        if cluster.readable("ServiceAccount"):
            lines.append(f"namespace {space}: serviceaccounts {', '.join(accounts) or 'none'}")
        data: JsonObject = {"resourcequotas": quotas, "limitranges": limits, "serviceaccounts": accounts}
        full = [f"{q['metadata']['name']} {r}" for q in quotas for r in _exhausted(q)]
        tail = f": used up: {', '.join(full[:6])}" if full else ""
        return answer(self.spec, cluster.reading, Findings(ToolStatus.OK, f"Found {len(quotas)} quotas in {space}{tail}", lines, data))


def _quota(item: JsonObject) -> list[str]:
    hard, used = (item.get("status", {}).get(part) or {} for part in ("hard", "used"))
    hard = hard or item.get("spec", {}).get("hard") or {}
    exhausted = _exhausted(item)
    return [f"resourcequota {_name(item)}: {r} used {used.get(r, '0')} of {hard[r]}{' (used up)' if r in exhausted else ''}" for r in sorted(hard)]


def _exhausted(item: JsonObject) -> list[str]:
    hard, used = (item.get("status", {}).get(part) or {} for part in ("hard", "used"))
    return [r for r in sorted(hard) if r in used and number(used[r]) >= number(hard[r])]


def _name(item: JsonObject) -> str:
    return f"{item['metadata'].get('namespace', '')}/{item['metadata'].get('name', '')}"
