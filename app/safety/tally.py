"""Outcomes -> metrics, the `tool_call` log line, and the counts of ERR-10; told of every call by the executor."""

import json
from collections import deque

import structlog

from app.domain.frozen import JsonObject
from app.domain.reason import Reason
from app.domain.tool import Outcome, StepStatus
from app.telemetry import metrics
from app.telemetry.logs import shorten

log = structlog.get_logger()
GOOD = (StepStatus.SUCCESS,)
REFUSALS = frozenset({StepStatus.BLOCKED, StepStatus.AWAITING_APPROVAL})
LOGGED_FAILURES = 100


class Tally:
    """Of this process since it started."""

    def __init__(self) -> None:
        self._calls = self._successes = self._failures = 0
        self._failure_log: deque[JsonObject] = deque(maxlen=LOGGED_FAILURES)

    def record(self, outcome: Outcome, tool: str) -> None:
        """`tool` is the name of one of our tools, or `unknown`: it becomes a label."""
        good = outcome.status in GOOD
        self._calls += 1
        self._successes += good
        if not good:
            self._failures += 1
            self._failure_log.append({"tool": tool, "error": outcome.note, "recovery": recovery(outcome)})
        _measure(outcome, tool)
        _write(outcome, tool, good)

    def stats(self) -> JsonObject:
        rate = f"{100 * self._successes / self._calls:.1f}%" if self._calls else "N/A"
        return {
            "total_calls": self._calls,
            "successes": self._successes,
            "failures": self._failures,
            "success_rate": rate,
            "failure_log": list(self._failure_log),
        }


def recovery(outcome: Outcome) -> str:
    """What is done about it (ERR-03, ERR-05, ERR-08)."""
    if outcome.status in (StepStatus.PARTIAL, StepStatus.SKIPPED):
        return "skipped"
    return "refused" if outcome.status in REFUSALS else "continue with the remaining tools"


def _measure(outcome: Outcome, tool: str) -> None:
    name = metrics.AGENT_NAME
    reason = outcome.reason or Reason.TOOL_ERROR
    metrics.tool_calls_total.labels(name, tool, outcome.status.value).inc()
    metrics.tool_duration_seconds.labels(name, tool).observe(outcome.duration_ms / 1000)
    if outcome.status in REFUSALS:
        metrics.refusals_total.labels(name, reason.value).inc()
    elif outcome.status not in GOOD:
        metrics.tool_failures_total.labels(name, tool, reason.value).inc()
    if outcome.redactions:
        metrics.redactions_total.labels(name).inc(outcome.redactions)


def _write(outcome: Outcome, tool: str, good: bool) -> None:
    facts = {
        "tool_name": tool,
        "tool_input": shorten(json.dumps(outcome.call.args, sort_keys=True, default=str), 80),
        "success": good,
        "latency_ms": outcome.duration_ms,
        "error": "" if good else outcome.note,
    }
    log.info("tool_call", **facts)
    if outcome.reason is Reason.DENIED:
        log.warning("skipped_permission", tool_name=tool, error=outcome.note)
    if outcome.redactions:
        log.info("secret_filter", tool_name=tool, count=outcome.redactions)
