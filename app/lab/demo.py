"""`sre-agent demo`: several incidents in one cluster, told to a running service as Alertmanager would tell them.

`prepare` makes the cluster and the webhooks, the caller starts `LabServers` over it and a service that looks at them,
`play` sends, watches and collects. Everything for people goes to the console handed in (stderr).
"""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx2
from rich.console import Console
from rich.markup import escape

from app.domain.frozen import JsonObject
from app.lab import alertmanager_sender, snapshot
from app.lab.servers import Addresses

SCENARIOS = Path(__file__).parent / "scenarios"
TOLD = ("payment-gateway", "slow-release", "node-storm", "image-typo", "lost-endpoints", "all-quiet")
_FINAL = ("completed", "incomplete", "failed", "cancelled")
_COLOURS = {"confirmed": "red", "likely": "yellow", "inconclusive": "magenta", "not_a_problem": "green"}


@dataclass(frozen=True)
class Play:
    """One incident to tell: its name, and the webhook's bytes."""

    name: str
    webhook: bytes
    alerts: int


@dataclass(frozen=True)
class Told:
    """What became of the plays. `reports` in the order in which the alerts were sent; `unfinished` are ids of investigations."""

    reports: tuple[JsonObject, ...]
    unfinished: tuple[str, ...]
    first_verdict_s: float | None


@dataclass
class _Watched:
    id: str
    play: str
    seen: int = 0
    report: JsonObject | None = field(default=None, repr=False)
    done: bool = False


def prepare(now: datetime, names: Sequence[str] = TOLD) -> tuple[snapshot.World, tuple[Play, ...]]:
    """One cluster in which all these scenarios happen at once, its clock at `now`; and a webhook for each."""
    worlds = [snapshot.load(SCENARIOS / name).shifted(now) for name in names]
    hooks = [w.webhook or {"alerts": []} for w in worlds]
    plays = tuple(Play(name, json.dumps(hook).encode(), len(hook["alerts"])) for name, hook in zip(names, hooks, strict=True))
    return snapshot.merged(worlds, now), plays


async def play(base_url: str, plays: Sequence[Play], console: Console, limit_s: float = 30.0) -> Told:
    """Sends every webhook and waits until all investigations have ended, or `limit_s` have passed."""
    begun = time.monotonic()
    first: float | None = None
    async with httpx2.AsyncClient(base_url=base_url, trust_env=False, timeout=10) as client:
        watched = await _send_all(client, plays, console)
        while any(not w.done for w in watched) and time.monotonic() - begun < limit_s:
            for one in list(watched):
                if not one.done:
                    watched += await _look(client, one, console)
                    first = time.monotonic() - begun if one.done and first is None else first
            await asyncio.sleep(0.1)
    ended = [w.report for w in watched if w.report is not None]
    return Told(tuple(ended), tuple(w.id for w in watched if not w.done), first)


async def _send_all(client: httpx2.AsyncClient, plays: Sequence[Play], console: Console) -> list[_Watched]:
    """-> one entry for each investigation; alerts that joined one are not counted twice."""
    found: dict[str, _Watched] = {}
    for one in plays:
        delivery = await alertmanager_sender.send(client, "/webhooks/alertmanager", one.webhook)
        if delivery.status != 202:
            console.print(f"[red]{one.name}[/]: the service answered {delivery.status} {escape(delivery.body[:200])}")
            continue
        ids = dict.fromkeys(a["investigation_id"] for a in json.loads(delivery.body)["alerts"] if a["investigation_id"])
        console.print(f"[bold]{one.name}[/]: {one.alerts} alerts sent, {len(ids)} investigation{'s' if len(ids) != 1 else ''}")
        for id in ids:
            found.setdefault(id, _Watched(id, one.name))
    return list(found.values())


async def _look(client: httpx2.AsyncClient, one: _Watched, console: Console) -> list[_Watched]:
    """Shows what is new in the trail, and the verdict when there is one -> the investigations that were split from it."""
    body = (await client.get(f"/investigations/{one.id}")).json()
    trail = (await client.get(f"/investigations/{one.id}/trail", params={"after": one.seen})).json()
    for event in trail.get("events", []):
        one.seen = event["sequence"]
        if event["type"] == "TOOL_CALL":
            console.print(f"  [dim]{one.play}: {escape(_call(event['data']))}[/]", highlight=False, no_wrap=True, overflow="ellipsis")
    one.done = body.get("status") in _FINAL
    if one.done:
        one.report = body.get("report")
        _show(one, body, console)
    split = [event["data"]["investigation_id"] for event in trail.get("events", []) if event["type"] == "ALERT_SPLIT"]
    return [_Watched(id, one.play) for id in dict.fromkeys(split)]


def _call(data: JsonObject) -> str:
    call = data.get("call") or data
    args = ", ".join(f"{name}={value}" for name, value in (call.get("args") or {}).items())
    return f"{call.get('tool', 'tool')}({args})"[:140]


def _show(one: _Watched, body: JsonObject, console: Console) -> None:
    if one.report is None:
        console.print(f"[red]{one.play}[/]: {body['status']} {escape(str(body.get('failure') or ''))}")
        return
    badges = one.report["badges"]
    colour = _COLOURS.get(badges["state"], "white")
    console.print(
        f"[bold {colour}]{badges['state']}[/] ({badges['confidence']:.2f}) {escape(one.report['verdict'])}", highlight=False, soft_wrap=True
    )


def show_addresses(console: Console, service: str, lab: Addresses) -> None:
    """Where to look, for a demo that stays up."""
    console.print("\n[bold]Addresses[/]")
    rows = {
        "service": service,
        "API documentation": f"{service}/docs",
        "investigations": f"{service}/investigations",
        "metrics": f"{service}/metrics",
    }
    rows |= {"lab: Kubernetes": lab.kubernetes, "lab: Prometheus": lab.prometheus, "lab: Loki": lab.loki}
    for name, address in rows.items():
        console.print(f"  {name:<18} {address}", highlight=False)


def reports_json(told: Told) -> str:
    """What `--exit --json` prints on stdout: one array of reports."""
    return json.dumps(list(told.reports), ensure_ascii=False, indent=1)
