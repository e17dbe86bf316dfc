"""Log lines of one span and their templates -> the shape of requirement LOGA-01 and LOGA-02: error patterns, anomalies, and what
code can say of an analysis. A cause is not among it: that is for the diagnosis. Called by `search_logs` and `get_logs`."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median

from app.domain.frozen import JsonObject, iso
from app.domain.log_templates import LogTemplate
from app.domain.tool import Window
from app.tools.log_source import LogLine
from app.tools.log_text import Digest

PATTERNS = 20
RISE = 3  # times the lines a minute of the baseline
LEAST_RISE = 10  # lines
BURST = 5  # times the usual of a minute
LEAST_BURST = 50  # lines


def findings(service: str, window: Window | None, lines: Sequence[LogLine], found: Digest, before: Window | None = None) -> JsonObject:
    """{service, timerange, log_count, error_patterns, anomalies, analysis}. Anomalies are templates that are new, or that come more
    often than in the span `before`, and loud minutes. `root_cause` is "" and `recommended_actions` is empty: lines alone prove
    neither."""
    errors = [t for t in found.templates if t.level == "error"]
    said = f"{found.errors} of {len(lines)} lines tell of errors, in {len(errors)} patterns" if lines else "no lines"
    analysis: JsonObject = {
        "summary": said + (f", most often: {errors[0].template}" if errors else ""),
        "root_cause": "",
        "timeline": [f"{iso(t.first)} {t.template}" for t in sorted(_dated(errors), key=_begin)[:PATTERNS] if t.first],
        "affected_components": sorted({line.origin for line in lines if line.origin}),
        "recommended_actions": [],
    }
    return {
        "service": service,
        "timerange": {"start": iso(window.start) if window else "", "end": iso(window.end) if window else ""},
        "log_count": len(lines),
        "error_patterns": [_pattern(t) for t in errors[:PATTERNS]],
        "anomalies": [*({"kind": "new", **_pattern(t)} for t in found.new[:PATTERNS]), *_risen(found, window, before), *_bursts(lines)],
        "analysis": analysis,
    }


def anomaly_lines(told: JsonObject) -> list[str]:
    """What of the findings the templates' own lines do not say."""
    risen = [f"RISEN from {a['usual']} to {a['per_minute']} a minute: {a['pattern']}" for a in told["anomalies"] if a["kind"] == "risen"]
    return risen + [
        f"BURST of {a['count']} lines in the minute of {a['minute']}, usual are {a['usual']:g}" for a in told["anomalies"] if a["kind"] == "burst"
    ]


def span(lines: Sequence[LogLine]) -> Window | None:
    """From the first to the last time of the lines, None where none has one."""
    times = [line.at for line in lines if line.at is not None]
    return Window(start=min(times), end=max(times)) if times else None


def _risen(found: Digest, window: Window | None, before: Window | None) -> list[JsonObject]:
    """Templates with at least 10 lines that come three times as often a minute as before."""
    if before is None or window is None:
        return []
    now, then = _minutes(window), _minutes(before)
    risen = [t for t in found.templates if t.before and t.count >= LEAST_RISE and t.count / now >= RISE * t.before / then]
    return [{"kind": "risen", **_pattern(t), "per_minute": round(t.count / now, 2), "usual": round(t.before / then, 2)} for t in risen[:PATTERNS]]


def _minutes(window: Window) -> float:
    return max(1.0, (window.end - window.start).total_seconds() / 60)


def _pattern(t: LogTemplate) -> JsonObject:
    return {"pattern": t.template, "count": t.count, "first": iso(t.first) if t.first else "", "sample": t.samples[0] if t.samples else ""}


def _dated(templates: Sequence[LogTemplate]) -> list[LogTemplate]:
    return [t for t in templates if t.first is not None]


def _begin(t: LogTemplate) -> datetime:
    assert t.first is not None
    return t.first


def _bursts(lines: Sequence[LogLine]) -> list[JsonObject]:
    """Minutes with at least 50 lines and five times as many as the middle one of all minutes between the first and the last."""
    per_minute = Counter(int(line.at.timestamp()) // 60 for line in lines if line.at is not None)
    if len(per_minute) < 3:
        return []
    usual = median(per_minute.get(m, 0) for m in range(min(per_minute), max(per_minute) + 1))
    loud = sorted(m for m, n in per_minute.items() if n >= max(LEAST_BURST, BURST * usual))
    return [{"kind": "burst", "minute": _minute(m), "count": per_minute[m], "usual": usual} for m in loud[:PATTERNS]]


def _minute(minute: int) -> str:
    return iso(datetime.fromtimestamp(minute * 60, UTC))
