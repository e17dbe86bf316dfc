"""All causes the rules can name. A new cause is one entry in the file of its family, or a new file listed here."""

from app.diagnosis.causes import admission, dependency, infrastructure, operations, performance, routing, runtime, scheduling, startup
from app.diagnosis.causes.rule import CauseRule
from app.diagnosis.causes.vocabulary import CAUSES

__all__ = ["CAUSES", "RULES", "CauseRule"]

RULES: tuple[CauseRule, ...] = (
    *admission.RULES,
    *scheduling.RULES,
    *startup.RULES,
    *runtime.RULES,
    *routing.RULES,
    *performance.RULES,
    *dependency.RULES,
    *infrastructure.RULES,
    *operations.RULES,
)
