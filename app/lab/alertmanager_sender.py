"""A webhook sent as Alertmanager sends it: headers, retries, and the arithmetic of its fields. Used by `demo` and tests.

Sources: Alertmanager's `template.Data` (webhook version 4), `model.LabelsToSignature` (fingerprints),
`dispatch.aggrGroup.GroupKey`, `notify.RetryStage` (back-off from 0.5 s, factor 1.5).
"""

import asyncio
import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import httpx2

from app.domain.frozen import JsonObject

USER_AGENT = "Alertmanager/0.25.0"
_FNV_OFFSET, _FNV_PRIME, _MASK = 14695981039346656037, 1099511628211, 2**64 - 1


@dataclass(frozen=True)
class Retries:
    """`first` and `longest` pause in seconds; `tries` in all."""

    first: float = 0.5
    longest: float = 10.0
    tries: int = 8


@dataclass(frozen=True)
class Delivery:
    """What the receiver finally said. `status` is 0 when it never answered."""

    status: int
    tries: int
    body: str


async def send(client: httpx2.AsyncClient, url: str, webhook: bytes, retries: Retries | None = None) -> Delivery:
    """POST until a 2xx or a lasting refusal: no answer, 5xx and 429 are tried again, other 4xx are not."""
    plan = retries or Retries()
    pause, delivery = plan.first, Delivery(0, 0, "")
    for number in range(1, plan.tries + 1):
        try:
            answer = await client.post(url, content=webhook, headers={"User-Agent": USER_AGENT, "Content-Type": "application/json"})
            delivery = Delivery(answer.status_code, number, answer.text)
        except httpx2.TransportError as error:
            delivery = Delivery(0, number, str(error))
        if delivery.status and delivery.status < 500 and delivery.status != 429:
            break
        if number < plan.tries:
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads retries, guards nothing
            pause = min(pause * 1.5, plan.longest)
    return delivery


def fingerprint(labels: Mapping[str, str]) -> str:
    """FNV-1a over the sorted labels, each followed by byte 255."""
    state = _FNV_OFFSET
    for name in sorted(labels):
        for text in (name, labels[name]):
            for byte in text.encode() + b"\xff":
                state = (state ^ byte) * _FNV_PRIME & _MASK
    return f"{state:016x}"


def webhook(alerts: list[JsonObject], group_by: Iterable[str], receiver: str, external_url: str) -> JsonObject:
    """Version 4 body of one group. `alerts` have labels, annotations, startsAt and, where it is over, endsAt."""
    shown = [_alert(a) for a in alerts]
    labels, annotations = _shared([a["labels"] for a in shown]), _shared([a["annotations"] for a in shown])
    group = {name: labels[name] for name in sorted(group_by) if name in labels}
    matchers = ", ".join(f"{name}={json.dumps(value)}" for name, value in group.items())
    return {
        "receiver": receiver,
        "status": "firing" if any(a["status"] == "firing" for a in shown) else "resolved",
        "alerts": shown,
        "groupLabels": group,
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": external_url,
        "version": "4",
        "groupKey": "{}:{" + matchers + "}",
        "truncatedAlerts": 0,
    }


def _alert(alert: JsonObject) -> JsonObject:
    ends = alert.get("endsAt") or "0001-01-01T00:00:00Z"
    return {
        "status": "firing" if ends.startswith("0001") else "resolved",
        "labels": dict(sorted(alert["labels"].items())),
        "annotations": alert.get("annotations", {}),
        "startsAt": alert["startsAt"],
        "endsAt": ends,
        "generatorURL": alert.get("generatorURL", ""),
        "fingerprint": fingerprint(alert["labels"]),
    }


def _shared(maps: list[dict[str, str]]) -> dict[str, str]:
    first = maps[0] if maps else {}
    return {name: value for name, value in first.items() if all(m.get(name) == value for m in maps)}
