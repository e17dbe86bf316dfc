"""All causes the rules can name. A new cause is one entry in the file of its family, or a new file listed here."""

from app.diagnosis.causes import admission, dependency, held_back, infrastructure, operations, performance, routing, runtime, scheduling, startup
from app.diagnosis.causes.rule import CauseRule
from app.diagnosis.causes.vocabulary import CAUSES

__all__ = ["CAUSES", "LEFT_OUT", "RULES", "CauseRule"]

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
    *held_back.RULES,
)

# Causes of the vocabulary that no rule names, and why: a model may name them, the rules have no source for them.
LEFT_OUT: dict[str, str] = {
    "cache_miss_storm": "hit ratios have no common metric: every cache exports its own, and none is read by name",
    "alert_rule_noise": "a rule that harms nobody is what the verdict not_a_problem says; what a rule should be is for people to decide",
}
