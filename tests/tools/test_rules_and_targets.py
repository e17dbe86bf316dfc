"""What Prometheus says of its own rules and scrape targets, narrowed, capped and with totals."""

from typing import Any

import pytest

from app.domain.errors import ToolFailure
from app.domain.tool import ToolStatus
from app.tools.check_rules import CheckRules
from app.tools.check_targets import CheckTargets
from app.tools.prometheus_client import PrometheusClient, PrometheusConfig
from tests.tools.prometheus_worlds import CONTEXT, ask, gauge, world
from tests.tools.servers import Asked, reply, serving

AT = "2026-01-01T09:59:48.2Z"


def rule(name: str, state: str = "inactive", health: str = "ok", error: str = "", **labels: str) -> dict[str, Any]:
    active = [{"labels": {"alertname": name, **labels}, "state": state, "activeAt": "2026-01-01T09:40:00Z", "value": "3e+00"}] if labels else []
    timing = {"evaluationTime": 0.0021, "lastEvaluation": AT}
    said = {"health": health, "state": state, "duration": 900, "labels": {"severity": "warning"}, "alerts": active, "annotations": {"summary": "x"}}
    return {"type": "alerting", "name": name, "query": f"{name.lower()}_total\n > 3", **said, **timing} | ({"lastError": error} if error else {})


def group(name: str, *rules: dict[str, Any], spent: float = 0.01) -> dict[str, Any]:
    return {"name": name, "file": f"/etc/{name}.yml", "interval": 30, "evaluationTime": spent, "lastEvaluation": AT, "rules": list(rules)}


TWIN = 'found duplicate series for the match group {pod="a"} on the right hand-side of the operation'
RECORD = {"type": "recording", "name": "a:b", "query": "sum(x)", "health": "ok", "labels": {}, "evaluationTime": 0.1, "lastEvaluation": AT}
RULES = world(
    rules=[
        group("shop", rule("Quiet"), rule("Slow", "pending", namespace="shop", job="cart"), rule("Errors", "firing", namespace="shop", job="web")),
        group("broken", rule("Torn", health="err", error=TWIN), RECORD, spent=41.5),
    ]
)


async def test_rules_that_fail_come_first_with_the_words_of_prometheus() -> None:
    got = await ask(CheckRules, RULES)
    assert got.summary == "4 rules: 1 firing, 1 pending, 2 inactive, 1 fail to evaluate, 1 groups take longer than their interval"
    assert got.text.splitlines() == [
        f"group broken takes 41.5 s of every 30 s, evaluated last {AT}, from /etc/broken.yml",
        f"rule Torn of group broken (41.5 s of every 30 s) is inactive, for 900 s, health err, evaluated {AT} in 0.0021 s: torn_total > 3",
        f"rule Torn lastError: {TWIN}",
        f"rule Errors of group shop (0.01 s of every 30 s) is firing, for 900 s, health ok, evaluated {AT} in 0.0021 s: errors_total > 3",
        'alert Errors{job="web",namespace="shop"} firing since 2026-01-01T09:40:00Z value=3e+00',
        f"rule Slow of group shop (0.01 s of every 30 s) is pending, for 900 s, health ok, evaluated {AT} in 0.0021 s: slow_total > 3",
        'alert Slow{job="cart",namespace="shop"} pending since 2026-01-01T09:40:00Z value=3e+00',
        f"rule Quiet of group shop (0.01 s of every 30 s) is inactive, for 900 s, health ok, evaluated {AT} in 0.0021 s: quiet_total > 3",
    ]
    assert got.data["totals"] == {"firing": 1, "pending": 1, "inactive": 2, "failing": 1, "slow_groups": 1}
    assert got.data["rules"][0]["lastError"] == TWIN


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({"alert": "Slow"}, ["Slow"]),
        ({"alert": "a:b"}, ["a:b"]),
        ({"group": "shop"}, ["Errors", "Slow", "Quiet"]),
        ({"namespace": "shop"}, ["Errors", "Slow"]),
        ({"job": "cart"}, ["Slow"]),
        ({"health": "err"}, ["Torn"]),
        ({"instance": "10.0.0.1:80"}, []),
    ],
)
async def test_rules_are_narrowed(asked: dict[str, Any], names: list[str]) -> None:
    got = await ask(CheckRules, RULES, **asked)
    assert [r["name"] for r in got.data["rules"]] == names
    assert got.status is (ToolStatus.OK if names else ToolStatus.NO_DATA)


async def test_many_rules_are_capped_with_their_total() -> None:
    many = [rule(f"R{n:03d}", "firing", **{f"l{i}": "v" for i in range(n % 2)}) for n in range(90)]
    got = await ask(CheckRules, world(rules=[group("g", *many)]))
    assert got.truncated == "90 rules, 60 shown"
    assert got.summary == "90 rules: 90 firing"
    crowd = rule("Crowd", "firing")
    crowd["alerts"] = [{"labels": {"pod": f"p{n:02d}"}, "state": "firing", "activeAt": AT, "value": "1"} for n in range(25)]
    assert "rule Crowd has 25 active alerts, 10 shown" in (await ask(CheckRules, world(rules=[group("g", crowd)]))).text


async def test_a_prometheus_without_rules_is_no_data() -> None:
    got = await ask(CheckRules, world())
    assert (got.status, got.summary) == (ToolStatus.NO_DATA, "None of 0 rules in 0 groups fits")


def target(job: str, number: int, health: str, error: str = "", **labels: str) -> dict[str, Any]:
    found = {"job": job, "instance": f"10.0.0.{number}:80", **labels}
    timing = {"lastScrape": AT, "lastScrapeDuration": 10.001, "scrapeInterval": "30s", "scrapeTimeout": "10s"}
    return {"discoveredLabels": {"__meta_x": "y"}, "labels": found, "scrapePool": f"pool/{job}", "health": health, "lastError": error, **timing}


REFUSED = 'Get "http://10.0.0.2:80/metrics": dial tcp 10.0.0.2:80: connect: connection refused'
TARGETS = world(
    targets={
        "activeTargets": [
            target("cart", 1, "up", namespace="shop"),
            target("cart", 2, "down", REFUSED, namespace="shop", pod="cart-a"),
            target("web", 3, "unknown"),
        ],
        "droppedTargets": [{"discoveredLabels": {}}],
        "droppedTargetCounts": {"pool/cart": 7, "pool/web": 0, "pool/none": 12},
    }
)


async def test_targets_that_are_down_come_first_with_the_error_of_the_scrape() -> None:
    got = await ask(CheckTargets, TARGETS)
    assert got.summary == "3 targets, 1 down: cart"
    lines = got.text.splitlines()
    labels = '{instance="10.0.0.2:80",job="cart",namespace="shop",pod="cart-a"}'
    spent = "(took 10 s of at most 10s, every 30s)"
    assert lines[0] == f"target {labels} is down in pool pool/cart, scraped last {AT} {spent}, lastError: {REFUSED}"
    assert lines[3:] == [
        "scrape pool pool/cart: 1 up, 1 down, 0 unknown",
        "scrape pool pool/web: 0 up, 0 down, 1 unknown",
        "scrape pool pool/cart: 7 targets dropped by relabelling",
        "scrape pool pool/none: 12 targets dropped by relabelling",
    ]
    assert got.data["targets"][0]["metric"]["pod"] == "cart-a"
    assert "__meta_x" not in got.text + str(got.data)


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"job": "cart"}, 2),
        ({"job": "cart", "instance": "10.0.0.2:80"}, 1),
        ({"namespace": "shop"}, 2),
        ({"scrape_pool": "pool/web"}, 1),
        ({"health": "down"}, 1),
        ({"job": "none"}, 0),
    ],
)
async def test_targets_are_narrowed(asked: dict[str, Any], count: int) -> None:
    got = await ask(CheckTargets, TARGETS, **asked)
    assert len(got.data["targets"]) == count
    assert got.status is (ToolStatus.OK if count else ToolStatus.NO_DATA)


async def test_a_pool_that_dropped_all_of_its_targets_is_told() -> None:
    got = await ask(CheckTargets, TARGETS, scrape_pool="pool/none")
    assert (got.status, got.summary) == (ToolStatus.NO_DATA, "None of 0 active targets fits")
    assert got.text == "scrape pool pool/none: 12 targets dropped by relabelling"


async def test_many_targets_are_capped_with_their_total() -> None:
    many = {"activeTargets": [target(f"j{n:03d}", 1, "up") for n in range(130)], "droppedTargets": []}
    got = await ask(CheckTargets, world(targets=many))
    assert got.truncated == "130 targets, 100 shown; 130 scrape pools, 40 shown"
    assert got.summary == "130 targets, 0 down"


async def test_where_only_up_is_known_it_tells_the_targets() -> None:
    got = await ask(CheckTargets, world(gauge("up", lambda m: 0, job="cart", instance="10.0.0.2:80")), job="cart")
    assert "is down in pool cart" in got.text


@pytest.mark.parametrize("tool", [CheckRules, CheckTargets])
@pytest.mark.parametrize("body", [{"groups": 5, "activeTargets": {}}, []])
async def test_an_answer_of_another_shape_is_a_failure_and_not_an_empty_list(tool: Any, body: Any) -> None:
    async with serving(lambda _: reply({"status": "success", "data": body})) as server:
        client = PrometheusClient(PrometheusConfig(url=server.url))
        made = tool(client)
        with pytest.raises(ToolFailure):
            await made.run(made.arguments(), CONTEXT)
        await client.aclose()


async def test_odd_entries_in_a_list_do_no_harm() -> None:
    odd = {"name": "g", "rules": [None, {}, {"name": "N", "alerts": [None, {"labels": 5}]}], "interval": "x", "evaluationTime": None}

    def handle(asked: Asked) -> Any:
        data = {"groups": [odd, None]} if asked.path.endswith("rules") else {"activeTargets": [None, {}, {"labels": 7}], "droppedTargetCounts": 3}
        return reply({"status": "success", "data": data})

    async with serving(handle) as server:
        client = PrometheusClient(PrometheusConfig(url=server.url))
        rules, targets = CheckRules(client), CheckTargets(client)
        assert (await rules.run(rules.arguments(), CONTEXT)).status is ToolStatus.OK
        assert (await targets.run(targets.arguments(), CONTEXT)).status is ToolStatus.OK
        await client.aclose()
