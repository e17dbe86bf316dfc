"""The finished report reaches the webhook of whoever is told: once, signed, without secrets."""

import asyncio
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.notify.receiver import receiving
from tests.real.processes import until
from tests.service.serving import looking_at, web_app

pytestmark = pytest.mark.slow
SECRET = "shared-secret-of-both"


async def test_a_finished_report_is_told_once_with_a_signature_that_verifies(folder: Path) -> None:
    # covers NOTI-04
    with receiving(200) as receiver:
        settings: dict[str, Any] = {
            "notify_webhook_url": receiver.url,
            "notify_webhook_secret": SecretStr(SECRET),
            "public_url": "https://sre.example",
        }
        async with looking_at(web_app(), folder, **settings) as service:
            answer = await service.alert(annotations={"summary": "login with password=hunter2-secret fails"})

            async def told() -> bool:
                return len(receiver.got) > 1

            await until(told, 10, "briefing and report arrive")
        async with looking_at(web_app(), folder, **settings) as service:  # what was delivered is not delivered again after a restart
            second = await service.alert()

            async def both() -> bool:
                return len(receiver.got) > 3

            await until(both, 10, "the second two arrive")
    first, other = (got for got in receiver.got if json.loads(got.body)["kind"] == "report")
    assert len({got.headers["idempotency-key"] for got in receiver.got}) == len(receiver.got) == 4
    timestamp, signature = first.headers["x-sre-agent-timestamp"], first.headers["x-sre-agent-signature"]
    assert signature == "v1=" + hmac.new(SECRET.encode(), timestamp.encode() + b"." + first.body, hashlib.sha256).hexdigest()
    document = json.loads(first.body)
    assert (document["investigation_id"], document["verdict"]) == (answer["investigation_id"], answer["report"]["verdict"])
    assert document["text"] == answer["answer"]
    assert document["links"]["investigation"] == f"https://sre.example/investigations/{answer['investigation_id']}"
    assert document["alerts"][0]["id"] == answer["alert"]["id"]
    assert json.loads(other.body)["investigation_id"] == second["investigation_id"]
    assert first.headers["idempotency-key"] != other.headers["idempotency-key"]
    assert all(b"hunter2" not in got.body and SECRET.encode() not in got.body for got in receiver.got)


async def test_a_receiver_that_is_down_holds_nothing_up(folder: Path) -> None:
    with receiving(500) as receiver:
        async with looking_at(web_app(), folder, notify_webhook_url=receiver.url) as service:
            answers = await asyncio.gather(service.alert(), service.alert())
            health = await service.get("/health/ready")
    assert {a["status"] for a in answers} == {"completed"}
    assert health["status"] == "ready"
