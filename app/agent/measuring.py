"""Metrics and log lines of whole investigations; called once per investigation, never by a replay."""

import structlog

from app.agent.reporting import Finished
from app.domain.memory import Recalled
from app.domain.plan import DecidedBy, Plan
from app.telemetry import metrics

log = structlog.get_logger()


def measure_recall(recalled: Recalled) -> None:
    result = "unavailable" if not recalled.available else "hit" if recalled.similar or recalled.recent else "miss"
    metrics.memory_recall_total.labels(metrics.AGENT_NAME, result).inc()


def measure_end(run: Finished) -> None:
    name, seconds = metrics.AGENT_NAME, run.reading["elapsed_ms"] / 1000
    metrics.request_duration_seconds.labels(name).observe(seconds)
    metrics.steps_per_request.labels(name).observe(len(run.case.updates))
    metrics.root_cause_found_total.labels(name, run.verdict.state.value).inc()
    if run.incomplete is None:
        metrics.task_success_total.labels(name, _family(run.plan)).inc()
    else:
        metrics.task_failure_total.labels(name, _family(run.plan), run.incomplete.value).inc()
    log.info(
        "session_complete",
        total_steps=len(run.case.updates),
        total_tokens=run.usage.prompt_tokens + run.usage.completion_tokens,
        total_cost=run.usage.cost_usd,
        success=run.incomplete is None,
        duration_seconds=seconds,
    )


def _family(plan: Plan) -> str:
    """The playbook's name; what a model calls its plan is no label."""
    return plan.playbook or "general" if plan.decided_by is DecidedBy.RULES else "model"
