"""The whole service with a model, configured by environment variables alone, against a server that speaks the vendor's protocol."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from app.lab.servers import LabServers
from tests.planner.anthropic_server import Anthropic, Say, anthropic_server
from tests.service.serving import HIGH_MEMORY, Json, log_lines, process, web_app

pytestmark = pytest.mark.slow
KEY = "sk-ant-test-0123456789abcdef"
PLAN = {
    "analysis": "Memory may have grown after a rollout.",
    "tools": [{"name": "check_pods", "parameters": {"namespace": "shop", "service": "web-app"}, "purpose": "see restarts"}],
    "sequence": "parallel",
    "expected_outcome": "the rollout that did it",
}


@pytest.fixture
def serve() -> Iterator[Callable[..., Anthropic]]:
    with anthropic_server() as script:
        yield script


class Asked:
    def __init__(self) -> None:
        self.answer: Json = {}
        self.health: Json = {}
        self.metrics = ""
        self.trail: list[Json] = []
        self.texts: list[str] = []
        self.lines: list[Json] = []


def files_below(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


async def ask(folder: Path, api: Anthropic) -> Asked:
    seen = Asked()
    async with LabServers(web_app().shifted(datetime.now(UTC))) as lab:
        async with process(lab, folder, ANTHROPIC_API_KEY=KEY, SRE_AGENT_ANTHROPIC_BASE_URL=api.url) as (client, _, log):
            answers: list[httpx2.Response] = [await client.post("/alerts", json=HIGH_MEMORY)]
            id = answers[0].json()["investigation_id"]
            for path in ("/health", "/metrics", f"/investigations/{id}/trail", f"/investigations/{id}", "/health/ready", "/investigations"):
                answers.append(await client.get(path))
        seen.answer, seen.health, seen.metrics = answers[0].json(), answers[1].json(), answers[2].text
        seen.trail = answers[3].json()["events"]
        seen.texts = [a.text for a in answers] + [str(a.headers) for a in answers] + [log.read_text()]
        seen.lines = log_lines(log)
    assert [1 for data in files_below(folder) if KEY.encode() in data] == [], "the key is in no file: database, write-ahead log, log"
    assert [1 for text in seen.texts if KEY in text] == [], "the key is in no answer"
    return seen


async def test_a_model_decides_and_its_cost_is_in_report_metrics_and_log(folder: Path, serve: Callable[..., Anthropic]) -> None:
    # covers LOG-06, MET-04, MET-05, PLAN-05, API-11
    api = serve(Say(PLAN, usage=(1000, 50)), *[Say(status=400, text="no more")] * 5)
    seen = await ask(folder, api)
    assert seen.answer["plan"]["decided_by"] == "model"
    assert seen.answer["plan"]["steps"][0] == {"tool": "check_pods", "reason": "see restarts"}
    assert seen.answer["cost"] == seen.answer["report"]["meta"]["cost_usd"] == pytest.approx((1000 * 3 + 50 * 15) / 1e6)
    assert seen.answer["report"]["meta"]["tokens"] == 1050
    assert 'agent_tokens_total{agent_name="sre-agent",model="claude-sonnet-4-6",type="prompt"} 1000.0' in seen.metrics
    calls = [line for line in seen.lines if line["event"] == "llm_call"]
    envelope = {"event", "level", "timestamp", "request_id", "session_id", "user_id", "investigation_id", "alert_id"}
    wanted = {"model", "prompt_tokens", "completion_tokens", "total_tokens", "latency_ms", "cache_hit"}
    assert {frozenset(set(call) - envelope) for call in calls} == {frozenset(wanted)}
    assert KEY in (api.headers[0].get("x-api-key"), api.headers[0].get("authorization", "").removeprefix("Bearer "))


async def test_an_overloaded_model_leaves_the_work_to_the_rules_and_says_why(folder: Path, serve: Callable[..., Anthropic]) -> None:
    # covers PLAN-01, API-11, ERR-11
    seen = await ask(folder, serve(*[Say(status=529, text="Overloaded")] * 12))
    assert (seen.answer["plan"]["decided_by"], seen.answer["report"]["badges"]["decided_by"]) == ("rules", "rules")
    assert seen.answer["report"]["badges"]["state"] == "confirmed"
    assert seen.answer["report"]["badges"]["fallback_reason"] == "model_overloaded"
    decided = [e["data"] for e in seen.trail if e["type"] == "DECISION" and e["key"] == "planner:plan"]
    assert decided[0]["fallback_reason"] == "model_overloaded"
    assert (seen.health["using_fallback"], seen.health["last_fallback_reason"]) == (True, "model_overloaded")
    assert 'decided_by="rules",fallback_reason="model_overloaded"} 1.0' in seen.metrics
    warnings = [line for line in seen.lines if line["event"].startswith("LLM failed: ") and line["level"] == "warning"]
    assert warnings and all(line["event"].endswith("using fallback") for line in warnings)
    assert json.dumps(seen.trail).count("API_ERROR") >= 1
