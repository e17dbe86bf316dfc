"""The texts of tool results -> error rate, P99 and instances of the target, each with the line it was read from (FR-03).

Pure; called by `briefing`. Only lines of trusted sources count: a log line that looks like a series is none.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.domain.briefing import Figure
from app.domain.case import CaseFile
from app.domain.plan import StepUpdate
from app.domain.tool import Provenance, StepStatus

NORMAL_ERROR_RATE = 0.01
NORMAL_P99_MS = 200.0
UNKNOWN = "not known"
_INVERSE = {"error_rate": "success_ratio"}  # the share that is left
# `latency_p99{service="x"} first=.. last=0.847 min=.. max=.. ... [http_request_duration_seconds_bucket]`
_SERIES = re.compile(r"^(?P<name>error_rate|success_ratio|latency_p99)(?P<labels>\{.*\})? first=\S+ last=(?P<last>\S+) .*\[(?P<of>[A-Za-z0-9_:]+)\]$")
# `Deployment shop/web: replicas 5 desired, ready 3, ...`, and a StatefulSet, which tells between the two what was created
_WORKLOAD = re.compile(r"^(?:Deployment|StatefulSet) (?P<name>\S+): replicas (?P<wanted>\d+) desired,(?: \d+ created,)? ready (?P<ready>\d+)\b")
_DAEMONS = re.compile(r"^DaemonSet (?P<name>\S+): desiredNumberScheduled (?P<wanted>\d+),.* numberReady (?P<ready>\d+)\b")
_SERVICE = re.compile(r"^service (?P<name>\S+): selector matches (?P<wanted>\d+) pods, (?P<ready>\d+) of them ready$")


@dataclass(frozen=True)
class _Line:
    text: str
    update: StepUpdate

    def figure(self, name: str, value: str, normal: str, ok: bool) -> Figure:
        return Figure(
            name=name, value=value, normal=normal, ok=ok, quote=self.text, source=self.update.step.tool, call_id=self.update.outcome.call.id
        )


def quick_status(case: CaseFile) -> tuple[Figure, ...]:
    """Always the three of them, in this order."""
    lines = tuple(_lines(case.updates))
    names = {case.target.ref.name, *(owner.name for owner in case.target.owners)}
    return _error_rate(lines, names), _latency(lines, names), _instances(lines, names)


def _lines(updates: Iterable[StepUpdate]) -> Iterator[_Line]:
    for update in updates:
        result = update.outcome.result
        if result is not None and result.provenance is Provenance.TRUSTED and update.status is StepStatus.SUCCESS:
            yield from (_Line(text, update) for text in result.text.splitlines())


def _error_rate(lines: Iterable[_Line], names: Iterable[str]) -> Figure:
    normal = f"< {100 * NORMAL_ERROR_RATE:g} %"
    worst = _worst(lines, "error_rate", names)
    if worst is None:
        return Figure(name="error_rate", value=UNKNOWN, normal=normal)
    share, line = worst
    return line.figure("error_rate", f"{round(100 * share, 2):g} %", normal, share < NORMAL_ERROR_RATE)


def _latency(lines: Iterable[_Line], names: Iterable[str]) -> Figure:
    normal = f"< {NORMAL_P99_MS:g} ms"
    worst = _worst(lines, "latency_p99", names)
    if worst is None:
        return Figure(name="latency_p99", value=UNKNOWN, normal=normal)
    ms, line = worst
    return line.figure("latency_p99", f"{round(ms, 1):g} ms", normal, ms < NORMAL_P99_MS)


def _worst(lines: Iterable[_Line], name: str, names: Iterable[str]) -> tuple[float, _Line] | None:
    """The highest last value, of the series whose labels name the target where there are any."""
    found = []
    for line in lines:
        told = _SERIES.match(line.text)
        if told and told["name"] in (name, _INVERSE.get(name)) and (value := _in_our_unit(told["last"], told["of"])) is not None:
            found.append((any(f'="{n}' in (told["labels"] or "") for n in names), value if told["name"] == name else 1 - value, line))
    best = max(found, key=lambda f: f[:2], default=None)
    return None if best is None else (best[1], best[2])


def _in_our_unit(last: str, metric: str) -> float | None:
    """Shares of 1 and milliseconds; None for what is no number, or a number of an unknown unit."""
    try:
        value = float(last)
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    if metric.endswith("_percent"):
        return value / 100
    if metric.endswith("_bucket"):  # a quantile: in milliseconds where the name says so, else in seconds as conventions have it
        return value if "_milliseconds" in metric or "_ms_" in metric else 1000 * value
    return None if re.search(r"errors?_rate$", metric) else value  # an own `errors_rate` may be errors per second


def _instances(lines: Iterable[_Line], names: Iterable[str]) -> Figure:
    """What the workload itself says, else what the Service of that name finds."""
    wanted, kept = set(names), tuple(lines)
    for pattern in (_WORKLOAD, _DAEMONS, _SERVICE):
        for line in kept:
            told = pattern.match(line.text)
            if told and told["name"].rpartition("/")[2] in wanted:
                return line.figure("instances", f"{told['ready']}/{told['wanted']}", "all ready", int(told["ready"]) >= int(told["wanted"]))
    return Figure(name="instances", value=UNKNOWN, normal="all ready")
