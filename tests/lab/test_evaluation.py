"""Running snapshots, writing verdict lines, and scoring them."""

import asyncio
import importlib.util
import json
import random
import shutil
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.lab import snapshot
from app.lab.evaluation import EvaluatedInvestigation, evaluate, find, line_of
from app.lab.scoring import calibration_error, score
from app.lab.servers import Addresses
from app.lab.snapshot import World

SCENARIOS = Path(snapshot.__file__).parent / "scenarios"


def report(state: str, confidence: float, *causes: tuple[str, str, float], quote: str = "OOMKilled") -> dict[str, Any]:
    def cause(name: str, obj: str, sure: float) -> dict[str, Any]:
        kind, space, called = obj.split("/")
        return {"cause": name, "object": {"kind": kind, "namespace": space, "name": called}, "confidence": sure}

    return {
        "badges": {"state": state, "confidence": confidence},
        "causes": [cause(*c) for c in causes],
        "evidence": [{"quote": quote, "source": "check_pods"}],
    }


def investigated(*args: Any, **more: Any) -> EvaluatedInvestigation:
    return EvaluatedInvestigation(report(*args), ("pod was OOMKilled",), 3, 100, 1.5, 20.0, **more)


def test_a_verdict_line_has_what_the_scorer_reads() -> None:
    line = line_of(
        "a/b", [investigated("likely", 0.8, ("oom_killed", "Deployment/shop/cart", 0.8), ("memory_leak", "Deployment/shop/cart", 0.3))], 12.3456
    )
    assert line["state"] == "fault"
    assert line["causes"][0] == {"object": "Deployment/shop/cart", "class": "oom_killed", "confidence": 0.8}
    assert line["evidence"] == [{"quote": "OOMKilled", "source": "check_pods"}]
    assert (line["returned"], line["tool_calls"], line["bytes_read"], line["own_ms"], line["elapsed_ms"]) == (
        ["pod was OOMKilled"],
        3,
        100,
        1.5,
        12.346,
    )
    assert "error" not in line


def test_causes_of_several_investigations_are_merged_by_confidence() -> None:
    parts = [
        investigated("likely", 0.5, ("oom_killed", "Deployment/s/a", 0.5), ("node_not_ready", "Node//n", 0.2)),
        investigated("confirmed", 0.9, ("node_not_ready", "Node//n", 0.9)),
        investigated("inconclusive", 0.99, ("cpu_throttling", "Deployment/s/b", 0.99)),
    ]
    line = line_of("a", parts, 0)
    assert [(c["class"], c["confidence"]) for c in line["causes"]] == [("node_not_ready", 0.9), ("oom_killed", 0.5)]
    assert (line["tool_calls"], len(line["reports"]), line["report"]) == (9, 3, parts[1].report)


@pytest.mark.parametrize(
    ("state", "wanted"), [("confirmed", "fault"), ("likely", "fault"), ("not_a_problem", "healthy"), ("inconclusive", "inconclusive")]
)
def test_states_have_the_scorers_words_and_only_faults_name_causes(state: str, wanted: str) -> None:
    line = line_of("a", [investigated(state, 0.6, ("oom_killed", "Deployment/s/a", 0.6))], 0)
    assert (line["state"], bool(line["causes"])) == (wanted, wanted == "fault")


async def run(tmp_path: Path, run_one: Any, root: Path = SCENARIOS, **more: Any) -> tuple[Any, list[dict[str, Any]]]:
    out = tmp_path / "out.jsonl"
    evaluation = await evaluate(root, out, run_one, **more)
    return evaluation, [json.loads(line) for line in out.read_text().splitlines()]


async def look(addresses: Addresses, webhook: bytes, world: World) -> list[EvaluatedInvestigation]:
    """An agent that reads the nodes through the real HTTP path."""
    async with httpx2.AsyncClient(base_url=addresses.kubernetes, trust_env=False) as client:
        nodes = (await client.get("/api/v1/nodes")).text
    assert json.loads(webhook)["version"] == "4"
    return [EvaluatedInvestigation(report("not_a_problem", 0.5), (nodes,), 1, len(nodes))]


async def test_every_snapshot_below_a_folder_runs_in_the_order_of_paths(tmp_path: Path) -> None:
    evaluation, lines = await run(tmp_path, look)
    assert [line["snapshot"] for line in lines] == sorted(p.name for p in SCENARIOS.iterdir() if p.is_dir())
    assert (evaluation.exit_code, evaluation.failed) == (0, ())
    assert all(line["elapsed_ms"] < 2000 and line["bytes_read"] > 0 for line in lines)


async def test_snapshots_are_found_at_any_depth_and_at_the_root_itself(tmp_path: Path) -> None:
    shutil.copytree(SCENARIOS / "all-quiet", tmp_path / "deep" / "er" / "x")
    assert [name for name, _ in find(tmp_path)] == ["deep/er/x"]
    assert [name for name, _ in find(tmp_path / "deep" / "er" / "x")] == ["x"]


async def test_an_error_becomes_a_line_and_a_bad_exit(tmp_path: Path) -> None:
    async def fail(addresses: Addresses, webhook: bytes, world: World) -> list[EvaluatedInvestigation]:
        if world.namespace == "payments":
            raise RuntimeError("boom")
        return await look(addresses, webhook, world)

    evaluation, lines = await run(tmp_path, fail)
    broken = [line for line in lines if "error" in line]
    assert [(b["snapshot"], b["state"], b["error"], b["causes"]) for b in broken] == [("payment-gateway", "inconclusive", "RuntimeError: boom", [])]
    assert (evaluation.exit_code, evaluation.failed, len(lines)) == (1, ("payment-gateway",), evaluation.snapshots)


async def test_a_run_that_never_ends_is_given_up(tmp_path: Path) -> None:
    async def hang(addresses: Addresses, webhook: bytes, world: World) -> list[EvaluatedInvestigation]:
        await asyncio.Event().wait()
        return []

    _, lines = await run(tmp_path, hang, SCENARIOS / "all-quiet", limit_s=0.05)
    assert lines[0]["error"] == "not done after 0.05 s"


async def test_without_the_answers_the_verdicts_are_the_same_bytes(tmp_path: Path) -> None:
    shutil.copytree(SCENARIOS, tmp_path / "blind")
    for answer in (tmp_path / "blind").rglob("expected.json"):
        answer.unlink()

    def timeless(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [line | {"elapsed_ms": 0} for line in lines]

    _, seeing = await run(tmp_path, look)
    _, blind = await run(tmp_path, look, tmp_path / "blind")
    assert timeless(seeing) == timeless(blind)


def perfect(name: str, **changes: Any) -> dict[str, Any]:
    expected = json.loads((SCENARIOS / name / "expected.json").read_bytes())
    causes = [{"object": c["object"], "class": c["class"], "confidence": 0.9} for c in expected["causes"]]
    return {"snapshot": name, "state": expected["state"], "causes": causes} | changes


NAMES = sorted(p.name for p in SCENARIOS.iterdir() if p.is_dir())


def scored(*verdicts: dict[str, Any]) -> Any:
    return score(SCENARIOS, [json.dumps(v) for v in verdicts])


def test_right_answers_score_fully() -> None:
    result = scored(*(perfect(name) for name in NAMES))
    assert (result.top1, result.top3, result.macro_top1, result.false_alarms, result.wrong) == (1.0, 1.0, 1.0, 0, ())
    assert result.calibration_error == 0.1


def test_a_pod_of_the_workload_is_as_right_as_the_workload() -> None:
    pod = {"object": "Pod/payments/payment-gateway-7c9d8f6b5d-k7x2m", "class": "oom_killed", "confidence": 0.9}
    other = pod | {"object": "Pod/payments/auth-service-5d7c9b8f64-b5k9d"}
    assert scored(perfect("payment-gateway", causes=[pod])).top1 == 1.0
    assert scored(perfect("payment-gateway", causes=[other])).top1 == 0.0
    assert scored(perfect("payment-gateway", causes=[other, pod])).top3 == 1.0


def test_not_answering_is_not_right_and_naming_a_cause_of_health_is_a_false_alarm() -> None:
    assert scored(perfect("payment-gateway", state="inconclusive")).top1 == 0.0
    cause = {"object": "Deployment/accounts/profile-api", "class": "oom_killed", "confidence": 0.4}
    assert scored(perfect("all-quiet", causes=[cause])).false_alarms == 1
    assert scored(perfect("all-quiet", state="inconclusive")).false_alarms == 0


def test_calibration_error_is_the_mean_gap_between_confidence_and_truth() -> None:
    assert calibration_error([]) is None
    assert calibration_error([(0.9, True)] * 9 + [(0.9, False)]) == 0.0
    assert calibration_error([(1.0, False), (0.05, False)]) == 0.525


@pytest.mark.shared
@pytest.mark.parametrize("part", ["kubernetes/snapshots", "incidents/synthetic"])
def test_scores_are_those_of_the_referee(shared: Path, part: str) -> None:
    referee = load_referee(shared / "tools" / "score_snapshots.py")
    rng = random.Random(5)
    for _ in range(20):
        lines = [json.dumps(made_up(rng, name, folder)) for name, folder in find(shared / part)]
        ours, theirs = score(shared / part, lines), referee.score(str(shared / part), lines)[0]["total"]
        named = ("top1", "top3", "macro_top1", "false_alarms", "fault", "healthy")
        assert {n: theirs[n] for n in named} == {
            "top1": ours.top1,
            "top3": ours.top3,
            "macro_top1": ours.macro_top1,
            "false_alarms": ours.false_alarms,
            "fault": ours.faults,
            "healthy": ours.healthy,
        }


def load_referee(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("referee", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def made_up(rng: random.Random, name: str, folder: Path) -> dict[str, Any]:
    """A verdict of right answers, near misses and objects of the world, in any order and state."""
    expected = json.loads((folder / "expected.json").read_bytes())
    objects = json.loads((folder / "objects.json").read_bytes())
    wanted = [*expected.get("causes", []), *expected.get("accept", [])]
    classes = [w["class"] for w in wanted] + ["oom_killed"]
    pool = [(w["object"].replace("*", "x9y8z"), w["class"]) for w in wanted]
    for kind in ("Pod", "ReplicaSet", "Deployment", "Node"):
        for item in objects.get(kind, [])[:12]:
            pool.append((f"{kind}/{item['metadata'].get('namespace', '')}/{item['metadata']['name']}", rng.choice(classes)))
    causes = [{"object": o, "class": c, "confidence": round(rng.random(), 2)} for o, c in rng.sample(pool, min(len(pool), rng.randint(0, 4)))]
    return {"snapshot": name, "state": rng.choice(["fault", "fault", "fault", "healthy", "inconclusive"]), "causes": causes}
