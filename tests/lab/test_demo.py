"""The demo against a small program that answers as the service does."""

import io
import json
from datetime import UTC, datetime
from typing import Any

import uvicorn
from rich.console import Console
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.lab import demo
from app.lab.servers import Addresses

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
BADGES = {"state": "confirmed", "confidence": 0.9}


class Service:
    """Two alerts of one name join one investigation; each is done when it has been looked at twice."""

    def __init__(self) -> None:
        self.looks: dict[str, int] = {}
        self.webhooks: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await (await self.answer(Request(scope, receive)))(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        path = request.url.path
        if path == "/webhooks/alertmanager":
            body = json.loads(await request.body())
            self.webhooks.append(body)
            alerts = [{"investigation_id": f"{a['labels']['alertname']}-{a['labels'].get('namespace')}"} for a in body["alerts"]]
            return JSONResponse({"alerts": alerts}, 202)
        if path.endswith("/trail"):
            call = {"type": "TOOL_CALL", "sequence": 1, "data": {"tool": "check_pods", "args": {"namespace": "[red]x"}}}
            return JSONResponse({"events": [call] if request.query_params["after"] == "0" else []})
        id = path.split("/")[2]
        self.looks[id] = self.looks.get(id, 0) + 1
        done = {"status": "completed", "report": {"badges": BADGES, "verdict": f"verdict of {id}"}}
        return JSONResponse(done if self.looks[id] > 1 else {"status": "running"})


async def served(service: Service, limit_s: float = 10.0) -> tuple[demo.Told, str]:
    config = uvicorn.Config(service, port=0, log_config=None, lifespan="off")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    port = server.servers[0].sockets[0].getsockname()[1]
    text = io.StringIO()
    try:
        _, plays = demo.prepare(NOW, ("payment-gateway", "node-storm", "image-typo"))
        told = await demo.play(f"http://127.0.0.1:{port}", plays, Console(file=text, width=200), limit_s)
    finally:
        await server.shutdown()
    return told, text.getvalue()


async def test_every_incident_is_told_watched_and_concluded() -> None:
    service = Service()
    told, text = await served(service)
    assert [len(w["alerts"]) for w in service.webhooks] == [2, 8, 1]
    assert len(told.reports) == len(service.looks) == 7
    assert told.unfinished == ()
    assert told.first_verdict_s is not None
    assert "check_pods(namespace=[red]x)" in text
    assert "confirmed (0.90) verdict of OOMKilled-payments" in text
    assert [r["badges"] for r in json.loads(demo.reports_json(told))] == [BADGES] * 7


async def test_the_demo_does_not_wait_forever() -> None:
    service = Service()
    service.looks = dict.fromkeys(("ErrorRateHigh-payments",), -10_000)
    told, _ = await served(service, limit_s=0.8)
    assert told.unfinished == ("ErrorRateHigh-payments",)


def test_all_incidents_happen_now_in_one_cluster() -> None:
    world, plays = demo.prepare(NOW)
    assert world.now == NOW
    spaces = {p["metadata"]["namespace"] for p in world.objects["Pod"]}
    assert len(spaces) == len(plays) == len(demo.TOLD)
    assert {a["startsAt"][:13] for p in plays for a in json.loads(p.webhook)["alerts"]} == {"2026-11-20T09"}
    newest = max(t for s in world.series for t, _ in s["values"])
    assert newest == NOW.timestamp()
    ids = [p["status"]["podIP"] for p in world.objects["Pod"] if p["status"]["podIP"]]
    assert len(set(ids)) == len(ids)


def test_addresses_are_shown() -> None:
    text = io.StringIO()
    demo.show_addresses(Console(file=text), "http://127.0.0.1:1", Addresses("http://127.0.0.1:2", "http://127.0.0.1:3", "", ""))
    assert "http://127.0.0.1:1/docs" in text.getvalue()
    assert "http://127.0.0.1:2" in text.getvalue()
