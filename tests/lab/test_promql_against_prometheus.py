"""The lab's evaluator and a real Prometheus over the same series must answer alike."""

import asyncio
import math
import shutil
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from app.lab.servers import LabServers
from app.lab.snapshot import World
from tests.lab import promql_templates as templates
from tests.lab import promql_world as world
from tests.real.processes import answers, free_port, running, until

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]
Answer = tuple[int, str, Any]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[httpx2.AsyncClient, httpx2.AsyncClient]]:
    """-> clients of the real Prometheus and of the lab."""
    folder = tmp_path_factory.mktemp("prometheus")
    prometheus, promtool = shutil.which("prometheus"), shutil.which("promtool")
    if not prometheus or not promtool:
        pytest.skip("prometheus is not installed")
    rows = world.matrix() + templates.matrix()
    (folder / "series.txt").write_text(world.openmetrics(rows))
    (folder / "prometheus.yml").write_text("global: {scrape_interval: 1h}\n")
    create = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(folder / "series.txt"), str(folder / "tsdb")]
    done = await asyncio.to_thread(subprocess.run, create, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    port = free_port()
    arguments = ["--storage.tsdb.retention.time=100y", f"--web.listen-address=127.0.0.1:{port}", "--web.enable-lifecycle"]
    places = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"]
    async with running(prometheus, *places, *arguments, log=folder / "log"):
        await until(lambda: answers(f"http://127.0.0.1:{port}/-/ready"), 30, "Prometheus is ready")
        recorded = World(now=datetime.fromtimestamp(world.END, UTC), metrics_of=lambda: rows)
        async with (
            LabServers(recorded) as lab,
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as real,
            httpx2.AsyncClient(base_url=lab.addresses.prometheus, trust_env=False) as ours,
        ):
            yield real, ours


def simplified(answer: httpx2.Response) -> Answer:
    """-> (status, error or result type, {labels: samples})"""
    body = answer.json()
    if body["status"] == "error":
        return answer.status_code, body["errorType"], None
    kind, result = body["data"]["resultType"], body["data"]["result"]
    if kind in ("scalar", "string"):
        return answer.status_code, kind, {"": [result]}
    return answer.status_code, kind, {str(sorted(r["metric"].items())): r.get("values") or [r["value"]] for r in result}


def close(ours: str, real: str) -> bool:
    if ours == real:
        return True
    a, b = float(ours), float(real)
    return (math.isnan(a) and math.isnan(b)) or a == b or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)


def same(ours: Answer, real: Answer) -> bool:
    if ours[:2] != real[:2] or (ours[2] or {}).keys() != (real[2] or {}).keys():
        return False
    pairs = [(ours[2][key], real[2][key]) for key in ours[2] or {}]
    return all(
        len(mine) == len(theirs) and all(m[0] == t[0] and close(m[1], t[1]) for m, t in zip(mine, theirs, strict=True)) for mine, theirs in pairs
    )


async def ask(client: httpx2.AsyncClient, path: str, params: dict[str, Any]) -> Answer:
    return simplified(await client.get(path, params=params))


async def test_few_answers_are_empty(both: Any) -> None:
    real, _ = both
    answers = [await ask(real, "/api/v1/query", {"query": expression, "time": world.END}) for expression in world.EXPRESSIONS]
    assert sum(1 for status, _, found in answers if status == 200 and found) >= 150


@pytest.mark.parametrize("expression", world.EXPRESSIONS)
async def test_an_expression_has_the_same_answer_at_every_time(both: Any, expression: str) -> None:
    real, ours = both
    for at in world.AT:
        params = {"query": expression, "time": at}
        mine, theirs = await ask(ours, "/api/v1/query", params), await ask(real, "/api/v1/query", params)
        assert same(mine, theirs), f"at {at}\nlab  {mine}\nreal {theirs}"


@pytest.mark.parametrize("expression", world.EXPRESSIONS)
async def test_an_expression_has_the_same_answer_over_a_range(both: Any, expression: str) -> None:
    real, ours = both
    params = {"query": expression, "start": world.END - 1800, "end": world.END, "step": "97"}
    mine, theirs = await ask(ours, "/api/v1/query_range", params), await ask(real, "/api/v1/query_range", params)
    assert same(mine, theirs), f"lab  {mine}\nreal {theirs}"


@pytest.mark.slow
async def test_every_query_that_a_tool_can_send_has_the_same_answer(both: Any) -> None:
    real, ours = both
    differing, found = [], {}
    for name, query in templates.emitted():
        at, span = {"query": query, "time": world.END}, {"query": query, "start": world.END - 600, "end": world.END, "step": "30"}
        for path, params in (("/api/v1/query", at), ("/api/v1/query_range", span)):
            mine, theirs = await ask(ours, path, params), await ask(real, path, params)
            if not same(mine, theirs):
                differing.append(f"{query}\nlab  {mine}\nreal {theirs}")
        found[query] = (name, bool(theirs[2]))
    assert differing == []
    assert [query for query, (name, answered) in found.items() if name != "written" and not answered] == []
    assert sum(answered for _, answered in found.values()) > 0.6 * len(found)


@pytest.mark.parametrize("expression", ["up[2m]", "memory_bytes[5m] offset 1m", "sum(up)[5m:1m]", '"text"'])
async def test_ranges_and_strings_can_be_asked_directly(both: Any, expression: str) -> None:
    real, ours = both
    params = {"query": expression, "time": world.END}
    assert same(await ask(ours, "/api/v1/query", params), await ask(real, "/api/v1/query", params))


@pytest.mark.parametrize("expression", world.REFUSED)
async def test_a_faulty_expression_is_refused_alike(both: Any, expression: str) -> None:
    real, ours = both
    params = {"query": expression, "time": world.END}
    mine, theirs = await ask(ours, "/api/v1/query", params), await ask(real, "/api/v1/query", params)
    assert mine[:2] == theirs[:2] == (400, "bad_data")


@pytest.mark.parametrize(
    "params",
    [
        {"start": world.START, "end": world.END, "step": "0.1"},
        {"start": world.START, "end": world.END, "step": "0"},
        {"start": world.START, "end": world.END, "step": "x"},
        {"start": world.END, "end": world.START, "step": "60"},
        {"start": "yesterday", "end": world.END, "step": "60"},
        {"start": world.START, "end": world.END},
        {"start": world.START, "end": world.END, "step": "1m30s"},
        {"start": "2026-09-21T12:30:00Z", "end": "2026-09-21T14:00:00+00:00", "step": "5m"},
    ],
)
async def test_times_and_steps_are_judged_alike(both: Any, params: dict[str, Any]) -> None:
    real, ours = both
    asked = {"query": "up"} | params
    assert same(await ask(ours, "/api/v1/query_range", asked), await ask(real, "/api/v1/query_range", asked))


async def test_labels_and_series_are_listed_alike(both: Any) -> None:
    real, ours = both
    for path, params in (
        ("/api/v1/labels", {}),
        ("/api/v1/label/job/values", {}),
        ("/api/v1/label/__name__/values", {"match[]": 'up{job="api"}'}),
        ("/api/v1/series", {"match[]": "up"}),
        ("/api/v1/series", {}),
    ):
        mine, theirs = [await client.get(path, params=params) for client in (ours, real)]
        assert mine.status_code == theirs.status_code
        found, wanted = (answer.json().get("data") or [] for answer in (mine, theirs))
        assert sorted(map(str, found)) == sorted(str(dict(sorted(w.items())) if isinstance(w, dict) else w) for w in wanted)
