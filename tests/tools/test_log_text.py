"""get_logs, and what a reader gets of a long log: errors with the lines around them, the end, and every template with its count."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from app.domain.frozen import iso
from app.domain.tool import ToolContext, ToolResult, ToolStatus
from app.tools.catalogue import ToolsConfig, build_registry
from app.tools.kubernetes_client import KubernetesClient, KubernetesConfig
from app.tools.kubernetes_logs import MAX_BYTES, KubernetesLogs
from app.tools.log_source import LogLine, LogQuery
from app.tools.log_text import SHOWN_CHARS, SHOWN_LINES, digest
from tests.tools.servers import Asked, Handler, Reply, serving, status_of

NOW = datetime(2026, 1, 1, 10, tzinfo=UTC)
Log = list[tuple[datetime, str]]


def kubelet(log: Log, former: Log | None = None) -> Handler:
    """Answers as an API server: the last lines, those since a time, with times before them if asked; cuts nothing by itself."""

    def handle(asked: Asked) -> Reply:
        lines = former if asked.one("previous") else log
        if lines is None:
            return status_of(400, "BadRequest", 'previous terminated container "server" in pod "cart-7d-a" not found')
        chosen = lines[-int(asked.one("tailLines")) :]
        if since := asked.one("sinceTime"):
            chosen = [line for line in chosen if line[0] >= datetime.fromisoformat(since)]
        stamped = asked.one("timestamps") == "true"
        text = "".join(f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond * 1000:09}Z {line}\n" if stamped else f"{line}\n" for at, line in chosen)
        return Reply(200, text.encode(), {"Content-Type": "text/plain"})

    return handle


def log_of(count: int, apart: float = 1.0, text: str = "served {n} items to user {n}") -> Log:
    return [(NOW - timedelta(seconds=apart * (count - n)), text.format(n=n)) for n in range(count)]


async def ask(context: ToolContext, handler: Handler, **arguments: Any) -> tuple[ToolResult, list[Asked]]:
    async with serving(handler) as server:
        registry, sources = build_registry(ToolsConfig(kubernetes=KubernetesConfig(url=server.url, timeout=2.0)))
        tool = registry.get("get_logs")
        assert tool is not None
        try:
            return await tool.run(tool.arguments(**{"namespace": "shop", "pod": "cart-7d-a", **arguments}), context), server.asked
        finally:
            await sources.aclose()


async def test_a_short_log_is_given_as_it_is_without_the_times_of_the_kubelet(context: ToolContext) -> None:  # covers TOOL-09
    got, asked = await ask(context, kubelet(log_of(5)))
    assert got.text.splitlines() == [f"served {n} items to user {n}" for n in range(5)] == got.data["lines"]
    assert asked[0].one("timestamps") == "true"
    assert got.truncated == ""
    assert got.data["templates"] == [
        {
            "template": "served <num> items to user <num>",
            "count": 5,
            "first": "2026-01-01T09:59:55Z",
            "last": "2026-01-01T09:59:59Z",
            "samples": ["served 0 items to user 0", "served 1 items to user 1", "served 4 items to user 4"],
            "level": "",
        }
    ]


async def test_of_a_long_log_the_errors_are_shown_with_the_lines_around_them(context: ToolContext) -> None:  # covers CTX-14, CTX-08
    log = log_of(2_000)
    log[700] = (log[700][0], "open /etc/cart/prices.yaml: permission denied")
    got, _ = await ask(context, kubelet(log), tail_lines=2_000)
    lines = got.text.splitlines()
    at = lines.index("open /etc/cart/prices.yaml: permission denied")
    assert lines[at - 2 : at + 3] == [line for _, line in log[698:703]]
    assert lines[0] == f"2000 lines of 2 templates, {sum(1 for line in lines if line in got_lines(log))} lines shown:"
    assert "[... 696 lines left out]" in lines
    assert lines[-4:-3] == [log[-1][1]]
    assert lines[-2:] == [
        "x1 error: open <path>: permission denied (2026-01-01T09:38:20Z to 2026-01-01T09:38:20Z)",
        "x1999: served <num> items to user <num> (2026-01-01T09:26:40Z to 2026-01-01T09:59:59Z)",
    ]
    assert "of 2000 lines left out of the text" in got.truncated
    assert (got.data["total"], len(got.data["lines"])) == (2_000, 1_000)


def got_lines(log: Log) -> set[str]:
    return {line for _, line in log}


async def test_what_the_minutes_before_did_not_say_is_new(context: ToolContext) -> None:
    log = [*log_of(240, 10.0), (NOW - timedelta(seconds=5), "cannot reach 10.0.0.1:5432")]
    got, asked = await ask(context, kubelet(log), since_minutes=10)
    assert len(asked) == 1
    assert asked[0].one("sinceTime") == iso(NOW - timedelta(minutes=20))
    assert got.text.splitlines()[-1] == "x1 error NEW: cannot reach <ip> (2026-01-01T09:59:55Z to 2026-01-01T09:59:55Z)"
    assert {t["template"]: t["new"] for t in got.data["templates"]} == {"cannot reach <ip>": True, "served <num> items to user <num>": False}
    assert got.summary.endswith("61 log lines of shop/cart-7d-a, 1 new templates")
    fresh, _ = await ask(context, kubelet(log_of(5)), since_minutes=10)
    assert "new" not in fresh.data["templates"][0]
    assert fresh.note == "no line of the 10 minutes before to compare with"


async def test_what_the_former_run_did_not_say_is_new(context: ToolContext) -> None:
    now, before = log_of(3), log_of(3)
    now.append((NOW, "panic: nil map"))
    got, asked = await ask(context, kubelet(now, before), compare_previous=True)
    assert [a.one("previous") for a in asked] == ["", "true"]
    assert [t["template"] for t in got.data["templates"] if t["new"]] == ["panic: nil map"]
    alone, _ = await ask(context, kubelet(now), compare_previous=True)
    assert alone.status is ToolStatus.OK
    assert "no former run to compare with: previous terminated container" in alone.note
    serve = kubelet(now)
    broken, _ = await ask(context, lambda a: Reply(500) if a.one("previous") else serve(a), compare_previous=True)
    assert broken.status is ToolStatus.OK
    assert "the former run could not be read" in broken.note


async def test_of_a_log_that_is_too_large_the_newest_lines_are_read(context: ToolContext) -> None:
    log = log_of(3_000, text="item {n} " + "x" * 300)
    got, asked = await ask(context, kubelet(log), tail_lines=3_000)
    assert got.data["lines"][-1] == log[-1][1]
    assert len(asked) == 2
    assert f"log over {MAX_BYTES} bytes: the last {asked[1].one('tailLines')} lines of 3000 asked" in got.truncated


@pytest.mark.parametrize("extra", [{"previous": True}, {"since_minutes": 5}])
async def test_one_baseline_at_a_time(context: ToolContext, extra: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="compare_previous"):
        await ask(context, kubelet([]), compare_previous=True, **extra)


async def test_kubernetes_is_asked_pod_by_pod() -> None:
    logs = KubernetesLogs(KubernetesClient(KubernetesConfig(url="http://127.0.0.1:9")))
    for query in (LogQuery(namespace="shop", service="cart"), LogQuery(node="n1", unit="kubelet.service"), LogQuery(pod="a")):
        assert (await logs.query(query)).status is ToolStatus.INVALID


def test_a_digest_keeps_to_its_room_whatever_comes() -> None:
    flood = [LogLine(f"ERROR {chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{'z' * (n % 7)} broke " + "y" * 3_000) for n in range(3_000)]
    found = digest(flood, (), NOW)
    shown = [line for line in found.lines if line.endswith("yyy")]
    assert len(shown) <= SHOWN_LINES
    assert sum(map(len, shown)) <= SHOWN_CHARS + 60 * 200
    assert sum(t.count for t in found.templates) == 3_000
    assert len(found.data) <= 200


def test_lines_of_several_origins_say_whose_they_are() -> None:
    found = digest([LogLine("ready", None, "cart-a"), LogLine("ready", None, "cart-b")])
    assert found.lines == ["cart-a: ready", "cart-b: ready"]
    assert [t.count for t in found.templates] == [2]


def test_no_line_is_no_text() -> None:
    assert digest([]).lines == []
