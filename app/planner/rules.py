"""Case file -> plan, by playbooks alone: no model, no clock; the same case gives the same bytes.

An alert's own playbook goes before that of its family, which goes before the general method.

Called by `fallback` for every investigation, whether a model speaks or not.
"""

from app.domain.case import CaseFile
from app.domain.frozen import JsonObject
from app.domain.memory import Recalled
from app.domain.plan import DecidedBy, Plan, Step
from app.domain.target import Target
from app.planner.alert_playbooks import AlertPlaybooks
from app.planner.beside import with_more
from app.planner.holes import fill, holes_of
from app.planner.plain import plain
from app.planner.playbook import Method, Playbook
from app.planner.replaying import replayed
from app.planner.words import words_of

# From here on a past case is worth a mention in the plan (relevance = 1 - distance/2, EMEM-05).
HIGH_RELEVANCE = 0.8


# A playbook of its own that can make fewer steps knows too little of the target; the family's then does better.
FEWEST = 2


class RulesPlanner:
    """`own` are the playbooks of single alerts, those of the package when absent."""

    def __init__(self, playbooks: tuple[Playbook, ...], default_namespace: str = "default", own: AlertPlaybooks | None = None) -> None:
        self._playbooks = playbooks
        self._default_namespace = default_namespace
        self._own = own or AlertPlaybooks()

    def choose(self, case: CaseFile) -> Playbook:
        """The first family that applies, by the words of the alert's name and type and by the target's kind."""
        words = words_of(case.alert.name, case.alert.type)
        return next(b for b in self._playbooks if b.applies(words, case.target.ref.kind))

    def plan(self, case: CaseFile, recalled: Recalled) -> Plan:
        book, steps, left_out = self._made(case)
        parts = [f"{plain(case.alert.name, 60)} on {_spoken(case.target)}: {book.reasoning}", *_past(recalled), *left_out]
        return replayed(Plan(reasoning="; ".join(parts) + ".", steps=steps, decided_by=DecidedBy.RULES, playbook=book.id), case)

    def _made(self, case: CaseFile) -> tuple[Method, tuple[Step, ...], list[str]]:
        holes = holes_of(case, self._default_namespace)
        own = self._own.of(case.alert.name)
        if own is not None:
            steps, _ = _steps(own, holes)
            if len(steps) >= min(FEWEST, len(own.steps)):
                return own, *_steps(with_more(own, case, holes), holes)
        book = self.choose(case)
        return book, *_steps(with_more(book, case, holes), holes)


def _steps(book: Method, holes: dict[str, str]) -> tuple[tuple[Step, ...], list[str]]:
    """-> (steps that can be made, why the others were left out)."""
    steps: list[Step] = []
    ids: dict[str, str] = {}
    missing: dict[str, list[str]] = {}
    replaced = {template.instead_of for template in book.steps}
    for template in book.steps:
        if template.instead_of in ids or (template.when and template.when not in holes):
            continue
        args, hole = fill(template, holes)
        hole = hole or next(iter(sorted(template.sources - ids.keys())), "")
        if hole:
            if template.id not in replaced - {""}:
                missing.setdefault(hole, []).append(template.tool)
            continue
        args = {name: _renamed(value, ids) for name, value in args.items()}
        twin = next((s for s in steps if s.tool == template.tool and s.args == args), None)
        if twin is None:
            waits = tuple(ids[a] for a in template.after if a in ids)
            number = f"s{len(steps) + 1}"
            steps.append(Step(id=number, tool=template.tool, reason=template.reason, args=args, depends_on=waits, optional=template.optional))
        ids[template.id or template.tool] = twin.id if twin else steps[-1].id
    return tuple(steps), [f"left out {', '.join(tools)}, for the target names no {hole.replace('_', ' ')}" for hole, tools in missing.items()]


def _renamed(value: JsonObject, ids: dict[str, str]) -> JsonObject:
    """An argument that an earlier step fills names it by its id in the plan."""
    return {**value, "from": ids[value["from"]]} if isinstance(value, dict) else value


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
