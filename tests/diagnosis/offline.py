"""Shared snapshots through resolver, planner, real tools and the diagnosis, in process and without HTTP: for iterating on
rules, and for the test that holds their scores. Opens no `expected.json`.

    python -m tests.diagnosis.offline FOLDER OUT.jsonl [name part]
"""

import asyncio
import json
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from app.agent.filling import Unfilled, fill
from app.diagnosis.diagnosis import RulesDiagnosis
from app.domain.alert import Alert, Source
from app.domain.case import CaseFile
from app.domain.grouping import in_turn
from app.domain.memory import Recalled
from app.domain.owners import selects
from app.domain.plan import Step, StepUpdate
from app.domain.resolver import resolve
from app.domain.tool import Outcome, StepStatus, ToolCall, ToolContext, ToolResult, ToolStatus, Window
from app.domain.verdict import Verdict, VerdictState
from app.lab.loki_server import LokiApp
from app.lab.prometheus_server import PrometheusApp
from app.lab.snapshot import load
from app.planner.playbook import load_playbooks
from app.planner.rules import RulesPlanner
from app.tools.check_delivery import CheckDelivery
from app.tools.check_events import CheckEvents
from app.tools.check_ingresses import CheckIngresses
from app.tools.check_network_policies import CheckNetworkPolicies
from app.tools.check_nodes import CheckNodes
from app.tools.check_operators import CheckOperators
from app.tools.check_pods import CheckPods
from app.tools.check_quotas import CheckQuotas
from app.tools.check_rules import CheckRules
from app.tools.check_services import CheckServices
from app.tools.check_storage import CheckStorage
from app.tools.check_targets import CheckTargets
from app.tools.check_workloads import CheckWorkloads
from app.tools.describe_pod import DescribePod
from app.tools.get_logs import GetLogs
from app.tools.get_metrics import GetMetrics
from app.tools.get_recent_deploys import GetRecentDeploys
from app.tools.get_service_map import GetServiceMap
from app.tools.kubernetes_client import Listing, LogText
from app.tools.kubernetes_kinds import KINDS
from app.tools.kubernetes_trim import trim
from app.tools.loki_client import LokiClient, LokiConfig
from app.tools.prometheus_client import PrometheusClient, PrometheusConfig
from app.tools.query_prometheus import QueryPrometheus
from app.tools.replay_alert import ReplayAlert
from app.tools.search_logs import SearchLogs

TOOLS = (
    *(CheckDelivery, CheckEvents, CheckIngresses, CheckNodes, CheckOperators, CheckPods, CheckQuotas, CheckServices, CheckStorage, CheckWorkloads),
    *(DescribePod, GetLogs, GetRecentDeploys),
)
MONITORING = (ReplayAlert, CheckRules, CheckTargets)
STATES = {
    VerdictState.CONFIRMED: "fault",
    VerdictState.LIKELY: "fault",
    VerdictState.NOT_A_PROBLEM: "healthy",
    VerdictState.INCONCLUSIVE: "inconclusive",
}


class SnapshotCluster:
    """`KubernetesClient` over the objects and logs of a snapshot folder."""

    def __init__(self, folder: Path) -> None:
        self.objects: dict[str, list[dict[str, Any]]] = _load(folder / "objects.json", {})
        self.logs: dict[str, str] = _load(folder / "logs.json", {})

    async def list(self, kind: str, namespace: str = "", labels: str = "", fields: str = "") -> Listing:
        path = KINDS[kind].path(namespace)
        if kind not in self.objects:
            return Listing(kind, path, status=ToolStatus.DENIED, note=f"cannot list {kind}")
        items = [trim(kind, o) for o in self.objects[kind] if not namespace or o["metadata"].get("namespace", "") == namespace]
        if labels:
            wanted = dict(pair.split("=", 1) for pair in labels.split(","))
            items = [i for i in items if selects(wanted, i["metadata"].get("labels"))]
        for pair in fields.split(",") if fields else ():
            key, _, value = pair.partition("=")
            items = [i for i in items if _at(i, key) == value]
        items.sort(key=lambda i: (i["metadata"].get("namespace", ""), i["metadata"].get("name", "")))
        return Listing(kind, path, items, len(json.dumps(items)))

    async def get(self, kind: str, namespace: str, name: str) -> Listing:
        got = await self.list(kind, namespace)
        items = [i for i in got.items if i["metadata"]["name"] == name]
        return Listing(kind, KINDS[kind].path(namespace, name), items, status=ToolStatus.OK if items else ToolStatus.NOT_FOUND)

    async def log(self, namespace: str, pod: str, params: dict[str, str], max_bytes: int) -> LogText:
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        wanted = f"{namespace}/{pod}/" + params.get("container", "")
        keys = [k for k in sorted(self.logs) if k.startswith(wanted) and k.endswith("#previous") == bool(params.get("previous"))]
        if not keys and params.get("previous"):
            keys = [k for k in sorted(self.logs) if k.startswith(wanted)]
        if not keys:
            return LogText(path, "", 0, ToolStatus.NO_DATA, "", "no log")
        tail = self.logs[keys[0]].splitlines()[-int(params.get("tailLines") or 200) :]
        return LogText(path, "\n".join(tail), sum(map(len, tail)))


def _at(item: dict[str, Any], path: str) -> Any:
    value: Any = item
    for key in path.split("."):
        value = (value or {}).get(key)
    return value


def _load(path: Path, default: Any) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else default


class Offline:
    """One snapshot: its tools, its case."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.world = _load(folder / "world.json", {})
        self.now = datetime.fromisoformat(self.world["now"])
        cluster: Any = SnapshotCluster(folder)
        self.tools: dict[str, Any] = {t.spec.name: t(cluster) for t in TOOLS}
        self.series = _load(folder / "metrics.json", [])
        if self.series:
            prometheus: Any = PrometheusClient(PrometheusConfig(url="http://prometheus"))
            prometheus._http = httpx2.AsyncClient(transport=httpx2.ASGITransport(PrometheusApp(load(folder))))
            self.tools |= {t.spec.name: t(prometheus) for t in (GetMetrics, GetServiceMap, QueryPrometheus, *MONITORING)}
        loki: Any = LokiClient(LokiConfig(url="http://loki"))
        loki._http._http = httpx2.AsyncClient(transport=httpx2.ASGITransport(LokiApp(load(folder))))
        self.tools["search_logs"] = SearchLogs({"loki": loki})
        edges = _load(folder / "dependencies.json", {}).get("edges", [])
        callers = sorted({e["caller"] for e in edges})
        self.callees: dict[str, tuple[str, ...]] = {c: tuple(sorted({e["callee"] for e in edges if e["caller"] == c})) for c in callers}
        self.tools["check_network_policies"] = CheckNetworkPolicies(cluster, self.callees)
        self.more: tuple[str, ...] = ()  # further sources, whose tools a test puts in
        self.returned: list[str] = []
        self.bytes_read = 0

    def alerts(self) -> tuple[Alert, ...]:
        body = _load(self.folder / "alert.json", {})
        return tuple(
            Alert(
                id=f"a{n}",
                source=Source.ALERTMANAGER,
                fingerprint=f"f{n}",
                name=a["labels"].get("alertname", "alert"),
                type=a["labels"].get("alertname", "alert"),
                service=a["labels"].get("service", ""),
                labels=a["labels"],
                annotations=a["annotations"],
                starts_at=datetime.fromisoformat(a["startsAt"]),
                received_at=self.now,
                generator_url=a.get("generatorURL", ""),
            )
            for n, a in enumerate(body["alerts"], 1)
        )

    async def run(self, step: Step, number: int, done: dict[str, StepUpdate]) -> StepUpdate:
        try:
            args = fill(step, done)
        except Unfilled:
            call = ToolCall(id=f"c{number}", tool=step.tool, args=step.args, step_id=step.id)
            return StepUpdate(number=number, step=step, outcome=Outcome(call=call, status=StepStatus.SKIPPED))
        call = ToolCall(id=f"c{number}", tool=step.tool, args=args, step_id=step.id)
        window = Window(start=self.now - timedelta(hours=1), end=self.now)
        result: ToolResult | None = None
        if step.tool in self.tools:
            tool = self.tools[step.tool]
            result = await tool.run(tool.arguments.model_validate(args), ToolContext(now=self.now, window=window))
        if result is not None:
            self.returned.append(result.text)
            self.bytes_read += result.bytes_read
        status = StepStatus.SUCCESS if result is not None else StepStatus.SKIPPED
        return StepUpdate(number=number, step=step, outcome=Outcome(call=call, status=status, result=result))

    async def investigate(self) -> tuple[Verdict, CaseFile, float]:
        alerts, updates = tuple(alert for _, alert in in_turn(self.alerts())), list[StepUpdate]()
        sources = frozenset({"kubernetes", "logs", "loki", *(["prometheus"] if self.series else []), *self.more})
        case = CaseFile(
            investigation_id="i",
            alerts=alerts,
            target=resolve(alerts[0]),
            now=self.now,
            window=Window(start=self.now - timedelta(hours=1), end=self.now),
            sources=sources,
            callees=self.callees,
        )
        diagnosis, own = RulesDiagnosis(), 0.0
        steps: tuple[Step, ...] = RulesPlanner(load_playbooks()).plan(case, Recalled()).steps
        while True:
            for step in steps:
                done = {u.step.id: u for u in updates}
                updates.append(await self.run(step, len(updates) + 1, done))
            objects = [
                o for u in updates if u.outcome.result for key in ("pods", "replicasets", "deployments") for o in u.outcome.result.data.get(key, [])
            ]
            case = case.model_copy(update={"updates": tuple(updates), "target": resolve(alerts[0], objects)})
            start = time.process_time()
            assessment = diagnosis.assess(case)
            own += time.process_time() - start
            steps = assessment.next_steps
            if not steps:
                start = time.process_time()
                verdict = diagnosis.conclude(case, assessment)
                return verdict, case, (own + time.process_time() - start) * 1000


def row(name: str, offline: Offline, verdict: Verdict, case: CaseFile, own_ms: float) -> dict[str, Any]:
    calls = sum(1 for u in case.updates if u.outcome.result is not None)
    return {
        "snapshot": name,
        "state": STATES[verdict.state],
        "causes": [{"object": str(h.object), "class": h.cause, "confidence": h.confidence} for h in verdict.hypotheses],
        "evidence": [{"quote": e.quote, "source": e.source} for e in verdict.evidence],
        "returned": offline.returned,
        "tool_calls": calls,
        "bytes_read": offline.bytes_read,
        "own_ms": round(own_ms, 2),
        "line": verdict.line,
        "why": verdict.confidence_reason,
    }


def run_all(root: Path, part: str = "") -> list[dict[str, Any]]:
    rows = []
    for path in sorted(root.rglob("alert.json")):
        name = path.parent.relative_to(root).as_posix()
        if part in name:
            offline = Offline(path.parent)
            verdict, case, own = asyncio.run(offline.investigate())
            rows.append(row(name, offline, verdict, case, own))
    return rows


def main() -> None:
    root, out = Path(sys.argv[1]), Path(sys.argv[2])
    rows = run_all(root, sys.argv[3] if len(sys.argv) > 3 else "")
    out.write_text("".join(json.dumps(r, sort_keys=True) + "\n" for r in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
