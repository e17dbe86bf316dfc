"""A tree of snapshots -> one verdict a line (design section 8). Behind `sre-agent evaluate DIR --json OUT`.

The agent itself is handed in (`RunOne`): it sees the webhook and what the servers answer. `expected.json` is not opened
here; `scoring` reads it after the last line is written.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.domain.frozen import JsonObject
from app.lab.servers import Addresses, LabServers
from app.lab.snapshot import World, load

STATES = {"confirmed": "fault", "likely": "fault", "not_a_problem": "healthy", "inconclusive": "inconclusive"}
_WORST = ("fault", "inconclusive", "healthy")


@dataclass(frozen=True)
class EvaluatedInvestigation:
    """One investigation that a webhook became. `report` is the JSON of a `Report`, None if there is none; `returned` the
    texts of the tool results, as quotes are taken from them; `own_ms` processor time of resolver, planner, diagnosis and
    report; `elapsed_ms` wall time from the service's start to this report, 0 if unknown; `error` what went wrong, "" if nothing."""

    report: JsonObject | None
    returned: tuple[str, ...] = ()
    tool_calls: int = 0
    bytes_read: int = 0
    own_ms: float = 0.0
    elapsed_ms: float = 0.0
    error: str = ""


RunOne = Callable[[Addresses, bytes, World], Awaitable[list[EvaluatedInvestigation]]]
Progress = Callable[[str, JsonObject], None]


@dataclass(frozen=True)
class Evaluation:
    """How many snapshots ran, and which of them failed or took longer than `limit_s`."""

    snapshots: int
    failed: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        return 0 if self.snapshots and not self.failed else 1


def find(root: Path) -> Iterator[tuple[str, Path]]:
    """Snapshots below (or at) `root` in the order of their paths: -> (path below the root, folder)."""
    folders = [p.parent for p in root.rglob("alert.json") if (p.parent / "objects.json").is_file()]
    for folder in sorted(folders, key=lambda f: f.relative_to(root).parts):
        name = folder.relative_to(root).as_posix()
        yield (root.resolve().name if name == "." else name), folder


async def evaluate(root: Path, out: Path, run_one: RunOne, progress: Progress | None = None, limit_s: float = 60.0) -> Evaluation:
    """Runs every snapshot, writes its line at once. A snapshot that fails, or is not done after `limit_s`, gets a line
    with state inconclusive and `error`."""
    failed, slow, count = [], [], 0
    with out.open("w", encoding="utf-8") as lines:
        for name, folder in find(root):
            count += 1
            line = await _guarded(name, folder, run_one, limit_s)
            if "error" in line:
                failed.append(name)
            if line["elapsed_ms"] > 2000:
                slow.append(name)
            lines.write(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n")
            lines.flush()
            if progress is not None:
                progress(name, line)
    return Evaluation(count, tuple(failed), tuple(slow))


async def _guarded(name: str, folder: Path, run_one: RunOne, limit_s: float) -> JsonObject:
    """The boundary: whatever goes wrong inside the task becomes a line."""
    begun = time.perf_counter()
    task = asyncio.create_task(_run(folder, run_one))
    done, _ = await asyncio.wait({task}, timeout=limit_s)
    elapsed = (time.perf_counter() - begun) * 1000
    if not done:
        task.cancel()
        await asyncio.wait({task})
        return line_of(name, [_broken(f"not done after {limit_s:g} s")], elapsed)
    error = task.exception()
    if error:
        return line_of(name, [_broken(f"{type(error).__name__}: {error}")], elapsed)
    found = task.result()
    told = [i.elapsed_ms for i in found]  # until the last report: how long the service takes to stop is not the agent's time
    return line_of(name, found, max(told) if told and all(told) else elapsed)


def _broken(error: str) -> EvaluatedInvestigation:
    return EvaluatedInvestigation(report=None, error=error)


async def _run(folder: Path, run_one: RunOne) -> list[EvaluatedInvestigation]:
    world = load(folder)
    webhook = (folder / "alert.json").read_bytes()
    async with LabServers(world) as lab:
        return await run_one(lab.addresses, webhook, world)


def line_of(snapshot: str, investigations: list[EvaluatedInvestigation], elapsed_ms: float) -> JsonObject:
    """The verdict line of one webhook: the worst state, causes of the fault verdicts merged by confidence, everything
    that was quoted and returned. `report` is that of the leading investigation, `reports` all of them if several."""
    reports = sorted((i.report for i in investigations if i.report is not None), key=_rank)
    states = [_state(report) for report in reports]
    errors = [i.error for i in investigations if i.error]
    line: JsonObject = {
        "snapshot": snapshot,
        "state": "inconclusive" if errors or not states else states[0],
        "causes": _causes([r for r in reports if _state(r) == "fault"]),
        "evidence": _evidence(reports),
        "returned": [text for i in investigations for text in i.returned],
        "tool_calls": sum(i.tool_calls for i in investigations),
        "bytes_read": sum(i.bytes_read for i in investigations),
        "own_ms": round(sum(i.own_ms for i in investigations), 3),
        "elapsed_ms": round(elapsed_ms, 3),
        "report": reports[0] if reports else None,
    }
    if len(reports) > 1:
        line["reports"] = reports
    if errors:
        line["error"] = "; ".join(errors)
    return line


def _state(report: JsonObject) -> str:
    return STATES[report["badges"]["state"]]


def _rank(report: JsonObject) -> tuple[int, float]:
    return _WORST.index(_state(report)), -float(report["badges"]["confidence"])


def _causes(reports: list[JsonObject]) -> list[JsonObject]:
    """One cause for each (object, class), at its highest confidence, best first; equal ones in the reports' order."""
    best: dict[tuple[str, str], float] = {}
    for cause in (c for report in reports for c in report["causes"]):
        where = cause["object"]
        key = (f"{where['kind']}/{where['namespace']}/{where['name']}", cause["cause"])
        best[key] = max(best.get(key, 0.0), float(cause["confidence"]))
    ordered = sorted(best.items(), key=lambda e: -e[1])
    return [{"object": obj, "class": cls, "confidence": confidence} for (obj, cls), confidence in ordered]


def _evidence(reports: list[JsonObject]) -> list[JsonObject]:
    pairs = dict.fromkeys((e["quote"], e["source"]) for report in reports for e in report["evidence"])
    return [{"quote": quote, "source": source} for quote, source in pairs]
