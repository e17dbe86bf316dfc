"""Troubles of a shared cluster that have nothing to do with the alerts: a dead node on which nothing of the alert's namespace
runs, a crash in a namespace whose trouble does not show here. They are set aside, not named. Called by `diagnosis`."""

from app.diagnosis.causes.rule import SYMPTOMS
from app.diagnosis.ranking import Candidate
from app.diagnosis.reach import WORKLOADS
from app.diagnosis.world import World
from app.domain.case import Signal
from app.domain.resolver import resolve
from app.domain.target import ObjectRef

PLACED = (*WORKLOADS, "Service")
UNTOUCHED = "it does not touch what the alert is about"

Thoughts = tuple[tuple[Signal, ...], tuple[Candidate, ...]]


def related(world: World, found: tuple[Signal, ...], ranked: tuple[Candidate, ...]) -> Thoughts:
    """Signals and candidates without those of objects that are elsewhere; what was left out goes to `world.ended`."""
    target = world.case.target
    if target.ref.kind not in PLACED or not any(p.namespace == target.namespace for p in world.of("Pod")):
        return found, ranked
    asked = {text for alert in world.case.alerts for text in (str(resolve(alert).ref), str(target.workload))}
    suffering = any(s.kind in SYMPTOMS and s.object.namespace == target.namespace for s in found)
    far = {str(c.object) for c in ranked if _far(c, target.namespace, asked, suffering)}
    far -= {str(c.object) for c in ranked if not _far(c, target.namespace, asked, suffering)}
    if not far:
        return found, ranked
    best = {str(c.object): c for c in reversed(ranked) if str(c.object) in far}
    world.ended += [(c.decisive, UNTOUCHED) for c in best.values()]
    return tuple(s for s in found if str(s.object) not in far), tuple(c for c in ranked if str(c.object) not in far)


def _far(candidate: Candidate, namespace: str, asked: set[str], suffering: bool) -> bool:
    reached = candidate.reaches | {str(candidate.object)}
    if asked & reached or any(ObjectRef.parse(text).namespace == namespace for text in reached):
        return False
    if candidate.object.kind == "Node":
        return True
    return candidate.object.kind in PLACED and not suffering
