"""What every first round asks beside the planner's steps, so that a briefing has it (FR-01). Pure; called by `InfrastructureAgent`.

Runbooks alone: memory is asked before the plan, and metrics, logs, deployments and the service itself are the planner's to choose.
"""

from app.agent.reporting import runbook_of, task_of
from app.domain.case import CaseFile
from app.domain.plan import Plan, Step
from app.domain.redaction import redact

TOOL, SOURCE = "search_runbooks", "runbooks"


def with_context(plan: Plan, case: CaseFile) -> Plan:
    """The plan, and a look into the folder of runbooks where there is one and nobody asked for it yet."""
    if SOURCE not in case.sources or any(step.tool == TOOL for step in plan.steps):
        return plan
    url = redact(runbook_of(case))[0][:1_000]
    args = {"query": task_of(case), "limit": 3} | ({"runbook_url": url} if url else {})
    step = Step(id="k1", tool=TOOL, reason="Find the runbook that people would open first", args=args)
    return plan.model_copy(update={"steps": (*plan.steps, step)})
