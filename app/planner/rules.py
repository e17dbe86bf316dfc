"""Case file -> plan, by playbooks alone: no model, no clock, no I/O; the same case gives the same bytes.

Called by `fallback` for every investigation, whether a model speaks or not.
"""

from app.domain.case import CaseFile
from app.domain.memory import Recalled
from app.domain.plan import DecidedBy, Plan, Step
from app.domain.target import Target
from app.planner.holes import fill, holes_of
from app.planner.plain import plain
from app.planner.playbook import Playbook
from app.planner.words import words_of

# From here on a past case is worth a mention in the plan (relevance = 1 - distance/2, EMEM-05).
HIGH_RELEVANCE = 0.8


class RulesPlanner:
    def __init__(self, playbooks: tuple[Playbook, ...], default_namespace: str = "default") -> None:
        self._playbooks = playbooks
        self._default_namespace = default_namespace

    def choose(self, case: CaseFile) -> Playbook:
        """The first playbook that applies, by the words of the alert's name and type and by the target's kind."""
        words = words_of(case.alert.name, case.alert.type)
        return next(b for b in self._playbooks if b.applies(words, case.target.ref.kind))

    def plan(self, case: CaseFile, recalled: Recalled) -> Plan:
        book = self.choose(case)
        steps, left_out = self._steps(book, case)
        parts = [f"{plain(case.alert.name, 60)} on {_spoken(case.target)}: {book.reasoning}", *_past(recalled), *left_out]
        return Plan(reasoning="; ".join(parts) + ".", steps=steps, decided_by=DecidedBy.RULES, playbook=book.id)

    def _steps(self, book: Playbook, case: CaseFile) -> tuple[tuple[Step, ...], list[str]]:
        """-> (steps that can be made, why the others were left out)."""
        holes = holes_of(case, self._default_namespace)
        steps: list[Step] = []
        ids: dict[str, str] = {}
        missing: dict[str, list[str]] = {}
        for template in book.steps:
            args, hole = fill(template, holes)
            if hole:
                missing.setdefault(hole, []).append(template.tool)
                continue
            if any(s.tool == template.tool and s.args == args for s in steps):
                continue
            step = Step(
                id=f"s{len(steps) + 1}",
                tool=template.tool,
                reason=template.reason,
                args=args,
                depends_on=tuple(ids[a] for a in template.after if a in ids),
                optional=template.optional,
            )
            steps.append(step)
            ids[template.id or template.tool] = step.id
        return tuple(steps), [f"left out {', '.join(tools)}, for the target names no {hole.replace('_', ' ')}" for hole, tools in missing.items()]


def _spoken(target: Target) -> str:
    """`Deployment shop/cart`, `Node worker-1`."""
    ref = target.workload
    return f"{ref.kind} {ref.namespace}/{ref.name}" if ref.namespace else f"{ref.kind} {ref.name}"


def _past(recalled: Recalled) -> list[str]:
    """A mention of the best past case when it is close enough (LOOP-15)."""
    best = max(recalled.similar, key=lambda s: s.relevance, default=None)
    if best is None or best.relevance < HIGH_RELEVANCE:
        return []
    fix = f", fixed by {plain(best.case.fix, 100)}" if best.case.fix else ""
    return [f"a past case (relevance {best.relevance}) found {plain(best.case.root_cause, 120)}{fix}: check whether the same cause applies"]
