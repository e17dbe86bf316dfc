"""Actions for a cause that somebody else named: from the same catalogue as the rules'. `main` hands it to the planner."""

from app.diagnosis.actions import actions_for
from app.diagnosis.causes import RULES
from app.domain.case import CaseFile
from app.domain.target import ObjectRef
from app.domain.verdict import Action


def recommend(cause: str, ref: ObjectRef, _case: CaseFile) -> tuple[Action, ...]:
    """None for a cause that no rule knows."""
    rule = next((rule for rule in RULES if rule.id == cause), None)
    return actions_for(rule.actions, ref, {}) if rule else ()
