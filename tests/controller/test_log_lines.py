"""What a line of the log looks like when a request makes it: in another process, because set-up is for a whole process."""

import asyncio
import json
import sys
from typing import Any

import pytest

PROGRAM = """
import asyncio, sys
import structlog
from app.domain.redaction import redact
from app.telemetry.logs import set_up_logs
from tests.controller.conftest import client_for
from tests.controller.twin import Twin, parts_with

set_up_logs("INFO", redact)

async def main():
    async with client_for(parts_with(Twin())) as client:
        await client.post("/alerts", json={"type": "a", "service": "b"}, headers={"X-Request-ID": "r1"})
        await client.get("/investigations/password=hunter2-secret")
        await client.get("/health/live")

asyncio.run(main())
config = structlog.get_config()
print([getattr(p, "__name__", type(p).__name__) for p in config["processors"]], config["cache_logger_on_first_use"])
"""


async def lines() -> tuple[list[dict[str, Any]], str]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return [json.loads(line) for line in err.splitlines()], out.decode()


@pytest.mark.slow
async def test_every_line_is_json_with_the_same_fields_and_no_secrets() -> None:
    # covers LOG-04, LOG-05, LOG-13
    found, order = await lines()
    names = ["merge_contextvars", "add_log_level", "TimeStamper", "JSONRenderer"]
    assert [order.index(name) for name in names] == sorted(order.index(name) for name in names)
    assert order.strip().endswith("True")
    assert {"alert_accepted", "http_request"} <= {line["event"] for line in found}
    for line in found:
        assert {"event", "level", "timestamp", "request_id", "session_id", "user_id", "investigation_id", "alert_id"} <= set(line)
        assert line["session_id"] == line["user_id"] == "unknown"
    about = [line for line in found if line["request_id"] == "r1"]
    assert len(about) == 2 and all(line["alert_id"] != "unknown" and line["investigation_id"] != "unknown" for line in about)
    assert "hunter2" not in json.dumps(found)
    assert not [line for line in found if line.get("path") == "/health/live"], "probes are debug"
