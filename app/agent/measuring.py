"""Metrics of whole investigations that only the agent can know; called once per investigation, never by a replay."""

from app.agent.reporting import Finished
from app.domain.plan import DecidedBy, Plan
from app.telemetry import metrics


def measure_end(run: Finished) -> None:
    name = metrics.AGENT_NAME
    metrics.steps_per_request.labels(name).observe(len(run.case.updates))
    metrics.root_cause_found_total.labels(name, run.verdict.state.value).inc()
    if run.incomplete is None:
        metrics.task_success_total.labels(name, _family(run.plan)).inc()
    else:
        metrics.task_failure_total.labels(name, _family(run.plan), run.incomplete.value).inc()


def _family(plan: Plan) -> str:
    """The playbook's name; what a model calls its plan is no label."""
    return plan.playbook or "general" if plan.decided_by is DecidedBy.RULES else "model"
