"""kill -9 in the middle of everything, ten times under load: nothing acknowledged is lost, nothing is done twice."""

import asyncio
import collections
import itertools
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.domain.frozen import iso
from tests.real.processes import SRE_AGENT, answers, free_port, running, until

SCENARIO = Path(__file__).resolve().parents[2] / "app" / "lab" / "scenarios" / "payment-gateway"
FINGERPRINTS = 200
KILLS = 10
WEBHOOKS_PER_SECOND = 20
ALERTS_PER_WEBHOOK = 10
UNDER_FIRE = 2.5  # seconds of load between two kills


def webhook(first: int) -> dict[str, Any]:
    alerts = [
        {
            "status": "firing",
            "labels": {"alertname": "HighErrorRate", "namespace": f"load-{n:03d}", "deployment": f"app-{n:03d}", "severity": "warning"},
            "annotations": {"summary": "errors"},
            "startsAt": iso(datetime(2026, 1, 1, tzinfo=UTC)),
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "",
            "fingerprint": f"{n:016x}",
        }
        for n in range(first, first + ALERTS_PER_WEBHOOK)
    ]
    return {
        "version": "4",
        "groupKey": f"{{}}:{{batch={first}}}",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "agent",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "",
        "alerts": alerts,
    }


class Sender:
    """Sends webhooks at a steady rate and remembers what was acknowledged: fingerprint -> investigation ids."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.acknowledged: dict[str, set[str]] = collections.defaultdict(set)
        self.answers: collections.Counter[str] = collections.Counter()
        self.stop = asyncio.Event()

    async def run(self) -> None:
        async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
            pending: set[asyncio.Task[None]] = set()
            for n in itertools.count():
                if self.stop.is_set():
                    break
                task = asyncio.create_task(self.post(client, webhook(n * ALERTS_PER_WEBHOOK % FINGERPRINTS)))
                pending.add(task)
                task.add_done_callback(pending.discard)
                await asyncio.sleep(1 / WEBHOOKS_PER_SECOND)
            await asyncio.gather(*pending)

    async def post(self, client: httpx2.AsyncClient, body: dict[str, Any]) -> None:
        try:
            response = await client.post(f"{self.url}/webhooks/alertmanager", json=body)
        except httpx2.HTTPError as error:
            self.answers[type(error).__name__] += 1
            return
        self.answers[str(response.status_code)] += 1
        if response.status_code == 202:
            for alert in response.json()["alerts"]:
                self.acknowledged[alert["fingerprint"]].add(alert["investigation_id"])


async def all_investigations(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
        while True:
            page = (await client.get(f"{url}/investigations", params={"limit": 100, **({"cursor": cursor} if cursor else {})})).json()
            found += page["investigations"]
            cursor = page["next_cursor"]
            if not cursor:
                return found


async def trail(url: str, investigation_id: str) -> list[dict[str, Any]]:
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
        events: list[dict[str, Any]] = (await client.get(f"{url}/investigations/{investigation_id}/trail", params={"limit": 1000})).json()["events"]
        return events


def check_trail(events: list[dict[str, Any]]) -> None:
    assert [e["sequence"] for e in events] == list(range(1, len(events) + 1)), "the sequence has a gap"
    answered: set[str] = set()
    for event in events:
        if event["type"] == "TOOL_CALL":
            assert event["key"] not in answered, f"called again although its result is in the trail: {event['key']}"
        if event["type"] == "TOOL_RESULT":
            assert event["key"] not in answered, f"two results: {event['key']}"
            answered.add(event["key"])
    assert answered, "no tool was called"


async def drained(url: str) -> bool:
    statuses = {i["status"] for i in await all_investigations(url)}
    return not statuses & {"queued", "running"}


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_when_the_process_is_killed_ten_times_under_load(tmp_path: Path) -> None:
    # covers EXEC-12
    lab, port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    env = {
        "SRE_AGENT_KUBERNETES_URL": f"http://127.0.0.1:{lab}",
        "SRE_AGENT_DATA_DIR": str(tmp_path / "data"),
        "SRE_AGENT_PORT": str(port),
        "SRE_AGENT_LOG_LEVEL": "WARNING",
        "SRE_AGENT_EMBEDDER": "hash",
    }
    sender = Sender(url)
    async with running(SRE_AGENT, "lab", str(SCENARIO), "--port", str(lab), log=tmp_path / "lab.log"):
        await until(lambda: answers(f"http://127.0.0.1:{lab}/version"), 20, "the lab answers")
        load = asyncio.create_task(sender.run())
        for _ in range(KILLS):
            async with running(SRE_AGENT, "serve", log=tmp_path / "service.log", env=env):
                await until(lambda: answers(f"{url}/health/live"), 30, "the service answers after a kill")
                await asyncio.sleep(UNDER_FIRE)
        async with running(SRE_AGENT, "serve", log=tmp_path / "service.log", env=env):
            await until(lambda: answers(f"{url}/health/live"), 30, "the service answers")

            async def everyone_was_heard() -> bool:
                return len(sender.acknowledged) == FINGERPRINTS

            await until(everyone_was_heard, 60, "every fingerprint was acknowledged once")
            sender.stop.set()
            await load
            begun = time.monotonic()
            await until(lambda: drained(url), 180, "everything is drained within 3 minutes")
            took = time.monotonic() - begun
            investigations = await all_investigations(url)
            trails = [await trail(url, i["id"]) for i in investigations]
    assert {f: ids for f, ids in sender.acknowledged.items() if len(ids) != 1} == {}, "a second investigation of the same episode"
    kept = {i["id"] for i in investigations}
    assert {ids.pop() for ids in sender.acknowledged.values()} == kept, "lost, or never acknowledged"
    assert len(kept) == FINGERPRINTS
    assert {i["status"] for i in investigations} <= {"completed", "incomplete"}
    for events in trails:
        check_trail(events)
    print(f"\n{KILLS} kills, answers {dict(sender.answers)}, {len(kept)} investigations, drained in {took:.0f} s after the last kill")
