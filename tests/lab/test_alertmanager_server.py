"""The lab's Alertmanager, and a real one with the same alerts."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.lab.alertmanager_sender import webhook
from app.lab.alertmanager_server import AlertmanagerApp
from app.lab.snapshot import World
from tests.real.processes import answers, free_port, running, until

NOW = datetime.now(UTC).replace(microsecond=0)
SINCE = (NOW - timedelta(minutes=3)).isoformat().replace("+00:00", "Z")
OVER = (NOW - timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
ALERTS = [
    {"labels": {"alertname": "HighLoad", "service": "api", "severity": "warning"}, "annotations": {"summary": "busy"}, "startsAt": SINCE},
    {"labels": {"alertname": "NoDisk", "node": "n1", "severity": "critical"}, "annotations": {}, "startsAt": SINCE},
    {"labels": {"alertname": "Gone", "service": "api"}, "annotations": {}, "startsAt": SINCE, "endsAt": OVER},
]
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("/api/v2/alerts", {}),
    ("/api/v2/alerts", {"filter": ['service="api"']}),
    ("/api/v2/alerts", {"filter": ['severity=~"warn.*|critical"', 'service!="api"']}),
    ("/api/v2/alerts", {"filter": ["alertname=HighLoad"]}),
    ("/api/v2/alerts", {"filter": ["= no matcher"]}),
    ("/api/v2/alerts", {"active": "false"}),
    ("/api/v2/alerts", {"receiver": "other"}),
    ("/api/v2/alerts", {"receiver": "sre-.*"}),
    ("/api/v2/alerts/groups", {}),
    ("/api/v2/silences", {}),
    ("/api/v2/status", {}),
    ("/api/v2/receivers", {}),
    ("/api/v2/silence/8a0d8d4d-5a5a-4d3a-9b1d-1c7a7b7e5b11", {}),
    ("/api/v2/nothing", {}),
]


def lab() -> httpx2.AsyncClient:
    body = webhook(ALERTS, [], "sre-agent", "http://alertmanager")
    app = AlertmanagerApp(World(now=NOW, webhook_of=lambda: body))
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://lab")


async def test_alerts_that_fire_are_listed_and_can_be_chosen() -> None:
    async with lab() as client:
        found = (await client.get("/api/v2/alerts")).json()
        chosen = (await client.get("/api/v2/alerts", params={"filter": 'severity="critical"'})).json()
    assert {a["labels"]["alertname"] for a in found} == {"HighLoad", "NoDisk"}
    assert [a["labels"]["node"] for a in chosen] == ["n1"]
    assert chosen[0]["status"]["state"] == "active"


async def test_nothing_can_be_silenced() -> None:
    async with lab() as client:
        assert (await client.post("/api/v2/silences", json={})).status_code == 405
        assert (await client.post("/api/v2/alerts", json=[])).status_code == 405
        assert (await client.get("/-/ready")).status_code == 200


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items() if name not in ("labels", "annotations")}
    return [shape(v) for v in value] if isinstance(value, list) else type(value).__name__


def told(answer: httpx2.Response) -> Any:
    """Status, shape, and what is chosen; the wording of a refusal is Alertmanager's own."""
    if answer.status_code != 200:
        return answer.status_code
    data = answer.json()
    alerts = [a for g in data for a in g.get("alerts", [g])] if isinstance(data, list) else []
    return answer.status_code, shape(data), [(a.get("fingerprint"), a.get("labels"), a.get("annotations"), a.get("receivers")) for a in alerts]


@pytest.mark.real
async def test_a_real_alertmanager_answers_alike(tmp_path: Path) -> None:
    program = shutil.which("prometheus-alertmanager")
    if not program:
        pytest.skip("prometheus-alertmanager is not installed")
    config = {"route": {"receiver": "sre-agent", "group_wait": "1h"}, "receivers": [{"name": "sre-agent"}]}
    (tmp_path / "config.yml").write_text(json.dumps(config))
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    arguments = [f"--config.file={tmp_path}/config.yml", f"--storage.path={tmp_path}/data", f"--web.listen-address=127.0.0.1:{port}"]
    async with running(program, *arguments, "--cluster.listen-address=", log=tmp_path / "log"):
        await until(lambda: answers(f"{base}/-/ready"), 30, "Alertmanager is ready")
        async with httpx2.AsyncClient(base_url=base, trust_env=False) as real, lab() as ours:
            assert (await real.post("/api/v2/alerts", json=ALERTS)).status_code == 200

            async def listed() -> bool:
                return len((await real.get("/api/v2/alerts/groups")).json()) > 0

            await until(listed, 10, "the alerts are in their group")
            for path, params in ASKED:
                mine, theirs = await ours.get(path, params=params), await real.get(path, params=params)
                assert told(mine) == told(theirs), f"{path} {params}"
