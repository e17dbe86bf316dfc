"""check_targets: what Prometheus says of its scrape targets: up or down, the scrape's own error, when it was tried last."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field

from app.domain.frozen import JsonObject
from app.domain.tool import Provenance, ToolContext, ToolResult, ToolStatus
from app.tools.answers import Arguments, Findings, KubeName, LabelValue, Reading, answer, read_spec
from app.tools.prometheus_client import PrometheusClient
from app.tools.series_text import labels

MAX_TARGETS = 100
MAX_POOLS = 40
ORDER = ("down", "unknown", "up")
KEPT = ("scrapePool", "health", "lastError", "lastScrape", "lastScrapeDuration", "scrapeInterval", "scrapeTimeout")


class CheckTargetsArguments(Arguments):
    job: LabelValue | None = Field(None, description="Label job of the targets.")
    instance: LabelValue | None = Field(None, description="Label instance, an address with its port.")
    namespace: KubeName | None = Field(None, description="Label namespace of the targets.")
    scrape_pool: LabelValue | None = Field(None, description="Scrape pool: the job_name of the configuration.")
    health: Literal["up", "down", "unknown"] | None = Field(None, description="Only targets in this state.")


class CheckTargets:
    """Targets that are not up first; `metric` in the data are their labels, those of their series `up`. Discovered labels are
    left out: they are many, and made of annotations."""

    arguments = CheckTargetsArguments
    spec = read_spec(
        "check_targets",
        "Scrape targets of Prometheus and why they are down",
        "prometheus",
        "targets",
        CheckTargetsArguments,
        provenance=Provenance.SEMI,
    )

    def __init__(self, client: PrometheusClient) -> None:
        self._client = client

    async def run(self, arguments: CheckTargetsArguments, context: ToolContext) -> ToolResult:
        every, dropped, size = await self._client.targets(arguments.scrape_pool or "")
        reading = Reading(["GET /api/v1/targets?state=active"], size)
        fitting = [t for t in every if _fits(t, arguments)]
        pools = {str(t.get("scrapePool")) for t in fitting}
        gone = {p: n for p, n in dropped.items() if n and (p in pools or p == arguments.scrape_pool or not narrowed(arguments))}
        if not fitting:
            none = Findings(ToolStatus.NO_DATA, f"None of {len(every)} active targets fits", dropped_lines(gone), {"targets": [], "dropped": gone})
            return answer(self.spec, reading, none)
        fitting.sort(key=lambda t: (_rank(t), str(t.get("scrapePool")), sorted(label_set(t).items())))
        if len(fitting) > MAX_TARGETS:
            reading.truncated.append(f"{len(fitting)} targets, {MAX_TARGETS} shown")
        if len(pools) > MAX_POOLS:
            reading.truncated.append(f"{len(pools)} scrape pools, {MAX_POOLS} shown")
        counts = pool_counts(fitting)
        shown = fitting[:MAX_TARGETS]
        data: JsonObject = {
            "targets": [{k: t[k] for k in KEPT if k in t} | {"metric": label_set(t)} for t in shown],
            "pools": counts,
            "dropped": gone,
        }
        lines = [*(line(t, context.now) for t in shown), *pool_lines(counts)[:MAX_POOLS], *dropped_lines(gone)]
        return answer(self.spec, reading, Findings(ToolStatus.OK, summary(fitting), lines, data))


def narrowed(arguments: CheckTargetsArguments) -> bool:
    return any(arguments.model_dump().values())


def summary(targets: Sequence[JsonObject]) -> str:
    down = [t for t in targets if t.get("health") == "down"]
    jobs = sorted({label_set(t).get("job", "") for t in down})
    return f"{len(targets)} targets, {len(down)} down" + (f": {', '.join(jobs[:6])}" if down else "")


def line(target: JsonObject, now: datetime) -> str:
    """`target {job="cart",..} is down in pool x, scraped last .. (took 10 s of at most 10s, every 30s), lastError: ..`."""
    took, limit, every = target.get("lastScrapeDuration"), target.get("scrapeTimeout"), target.get("scrapeInterval")
    pace = f" of at most {limit}, every {every}" if limit and every else ""
    spent = f" (took {took:.3g} s{pace})" if isinstance(took, int | float) else ""
    head = f"target {labels(label_set(target))} is {target.get('health')} in pool {target.get('scrapePool')}"
    error = f", lastError: {target['lastError']}" if target.get("lastError") else ""
    return f"{head}, scraped last {target.get('lastScrape')}{spent}{error}"


def pool_counts(targets: Sequence[JsonObject]) -> dict[str, dict[str, int]]:
    """Scrape pool -> how many targets are up, down, unknown; in order of name."""
    counts: dict[str, Counter[str]] = {}
    for t in targets:
        counts.setdefault(str(t.get("scrapePool")), Counter())[str(t.get("health"))] += 1
    return {pool: {state: found[state] for state in ORDER} for pool, found in sorted(counts.items())}


def pool_lines(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    worst = sorted(counts.items(), key=lambda pair: (-pair[1]["down"], pair[0]))
    return [f"scrape pool {pool}: {c['up']} up, {c['down']} down, {c['unknown']} unknown" for pool, c in worst]


def dropped_lines(dropped: Mapping[str, int]) -> list[str]:
    return [f"scrape pool {pool}: {count} targets dropped by relabelling" for pool, count in sorted(dropped.items())][:MAX_POOLS]


def label_set(target: JsonObject) -> dict[str, str]:
    found = target.get("labels")
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _rank(target: JsonObject) -> int:
    state = target.get("health")
    return ORDER.index(state) if state in ORDER else len(ORDER)


def _fits(target: JsonObject, a: CheckTargetsArguments) -> bool:
    found = label_set(target)
    wanted = (("job", a.job), ("instance", a.instance), ("namespace", a.namespace))
    if a.scrape_pool and target.get("scrapePool") != a.scrape_pool:
        return False
    return all(found.get(label) == value for label, value in wanted if value) and (not a.health or target.get("health") == a.health)
