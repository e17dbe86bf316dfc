"""Verdict lines against `expected.json`: top-1, top-3, false alarms, calibration. Called after all verdicts are written.

The rules are those of the snapshot format: a verdict that is not `fault` scores nothing on a fault; a pod, its
ReplicaSet and its Deployment are one object where their owner chains meet; a trailing `*` in the answer is a wildcard.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from app.domain.frozen import JsonObject

Key = tuple[str, str, str]
_NOT_JOINED = ("Node", "Namespace")
BINS = 10


class Answer:
    """What was wrong in one snapshot, and which names mean the same thing there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.expected: JsonObject = json.loads((folder / "expected.json").read_bytes())
        self.healthy = self.expected["state"] == "healthy"

    @property
    def kind(self) -> str:
        return "(healthy)" if self.healthy else str(self.expected["causes"][0]["class"])

    @cached_property
    def _owners(self) -> dict[Key, list[Key]]:
        path = self._folder / "objects.json"
        objects = json.loads(path.read_bytes()) if path.is_file() else {}
        return {_key(kind, item): _owner_keys(item) for kind, items in objects.items() if kind != "Event" for item in items}

    def _chain(self, key: Key) -> set[Key]:
        seen: set[Key] = set()
        waiting = [key]
        while waiting:
            one = waiting.pop()
            if one not in seen:
                seen.add(one)
                waiting += self._owners.get(one, [])
        return seen

    def _same(self, given: str, wanted: str) -> bool:
        if given == wanted:
            return True
        a, b = _parsed(given), _parsed(wanted)
        if a is None or b is None or "*" in given:
            return False
        if not b[2].endswith("*"):
            return bool(self._chain(a) & self._chain(b))
        if a[:2] != b[:2] or not a[2].startswith(b[2][:-1]):
            return False
        roots = [r for r in (_parsed(c["object"]) for c in self.expected.get("causes", [])) if r in self._owners]
        # one workload's prefix may be another's: a recorded object must belong to what is at fault
        return not (self._owners.get(a) and roots) or any(r is not None and self._chain(a) & self._chain(r) for r in roots)

    def right(self, cause: JsonObject) -> bool:
        """Object and class of one named cause are right."""
        wanted = [*self.expected.get("causes", []), *self.expected.get("accept", [])]
        return any(cause["class"] == w["class"] and self._same(str(cause["object"]), w["object"]) for w in wanted)


@dataclass(frozen=True)
class Judged:
    """One snapshot. `confidence` is that of the first cause of a fault verdict, None where nothing was named."""

    snapshot: str
    kind: str
    healthy: bool
    top1: bool = False
    top3: bool = False
    false_alarm: bool = False
    confidence: float | None = None


@dataclass(frozen=True)
class Score:
    """Shares of the fault snapshots; `macro_top1` is the mean over classes; `false_alarms` counts healthy snapshots with
    a fault; `calibration_error` is the expected calibration error of first causes over ten bins, None without any."""

    faults: int
    healthy: int
    top1: float
    top3: float
    macro_top1: float
    false_alarms: int
    calibration_error: float | None
    wrong: tuple[str, ...]

    def as_json(self) -> JsonObject:
        return asdict(self)


def score(root: Path, verdicts: Iterable[str]) -> Score:
    """`verdicts` are the JSON lines of `evaluation`. Only snapshots with an `expected.json` count."""
    return summary([_judged(root, json.loads(line)) for line in verdicts if _folder(root, json.loads(line)) is not None])


def summary(rows: list[Judged]) -> Score:
    faults = [r for r in rows if not r.healthy]
    kinds: dict[str, list[Judged]] = {}
    for row in faults:
        kinds.setdefault(row.kind, []).append(row)
    return Score(
        faults=len(faults),
        healthy=len(rows) - len(faults),
        top1=_share([r.top1 for r in faults]),
        top3=_share([r.top3 for r in faults]),
        macro_top1=round(sum(_share([r.top1 for r in group]) for group in kinds.values()) / len(kinds), 4) if kinds else 0.0,
        false_alarms=sum(r.false_alarm for r in rows),
        calibration_error=calibration_error(_stated(rows)),
        wrong=tuple(r.snapshot for r in rows if r.false_alarm or (not r.healthy and not r.top1)),
    )


def confidences(root: Path, verdicts: Iterable[str]) -> list[tuple[float, bool]]:
    """Of each verdict that names a cause: how sure it was of the first one, and whether that was right. For the calibration
    error over several folders."""
    lines = [json.loads(line) for line in verdicts]
    return _stated([_judged(root, line) for line in lines if _folder(root, line) is not None])


def _stated(rows: list[Judged]) -> list[tuple[float, bool]]:
    return [(r.confidence, r.top1) for r in rows if r.confidence is not None]


def calibration_error(pairs: list[tuple[float, bool]]) -> float | None:
    """Mean distance between stated confidence and share of right answers, bins weighted by their size."""
    if not pairs:
        return None
    bins: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in pairs:
        bins.setdefault(min(BINS - 1, int(confidence * BINS)), []).append((confidence, right))
    gaps = (abs(sum(c for c, _ in group) - sum(r for _, r in group)) for group in bins.values())
    return round(sum(gaps) / len(pairs), 4)


def _judged(root: Path, verdict: JsonObject) -> Judged:
    folder = _folder(root, verdict)
    assert folder is not None
    answer = Answer(folder)
    causes = verdict.get("causes") or []
    fault = verdict["state"] == "fault"
    marks = [answer.right(c) for c in causes[:3]] if fault and not answer.healthy else []
    return Judged(
        snapshot=str(verdict["snapshot"]),
        kind=answer.kind,
        healthy=answer.healthy,
        top1=bool(marks[:1] and marks[0]),
        top3=any(marks),
        false_alarm=answer.healthy and (fault or bool(causes)),
        confidence=float(causes[0]["confidence"]) if fault and causes else None,
    )


def _folder(root: Path, verdict: JsonObject) -> Path | None:
    name = str(verdict["snapshot"])
    candidates = (root / name, root) if name == root.resolve().name else (root / name,)
    return next((c for c in candidates if (c / "expected.json").is_file()), None)


def _share(marks: list[bool]) -> float:
    return round(sum(marks) / len(marks), 4) if marks else 0.0


def _key(kind: str, item: JsonObject) -> Key:
    return kind, item["metadata"].get("namespace", ""), item["metadata"]["name"]


def _owner_keys(item: JsonObject) -> list[Key]:
    meta = item["metadata"]
    return [(r["kind"], meta.get("namespace", ""), r["name"]) for r in meta.get("ownerReferences") or [] if r["kind"] not in _NOT_JOINED]


def _parsed(text: str) -> Key | None:
    parts = text.split("/", 2)
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else None
