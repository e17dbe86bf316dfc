"""A report in, plain sentences out that name the affected object or pod and the next action (API-10); pure. Called by `report_view`."""

import re

from app.domain.render import command
from app.domain.report import Report
from app.domain.target import ObjectRef
from app.domain.tool import Provenance
from app.domain.verdict import Action, VerdictState

_POD = re.compile(r"\bpod ([a-z0-9][a-z0-9.-]*)/([a-z0-9][a-z0-9.-]*[a-z0-9])")
_NAMED = 3


def recommendations(report: Report | None) -> list[str]:
    """In the order of "do this now"; one sentence at least wherever there is a report."""
    if report is None:
        return []
    pods = affected_pods(report)
    return [f"{_about(report, action, pods)}: {_said(action)}." for action in report.do_this_now] or [_without_action(report)]


def affected_pods(report: Report) -> tuple[ObjectRef, ...]:
    """Pods that the control plane itself names in what the best cause rests on; texts of others name none."""
    if not report.causes:
        return ()
    best = report.causes[0]
    if best.object.kind == "Pod":
        return (best.object,)
    quotes = [e.quote for e in report.evidence if e.id in best.evidence and e.provenance is Provenance.TRUSTED]
    found = [ObjectRef(kind="Pod", namespace=space, name=name) for quote in quotes for space, name in _POD.findall(quote)]
    return tuple(dict.fromkeys(pod for pod in found if best.object.namespace in ("", pod.namespace)))


def _about(report: Report, action: Action, pods: tuple[ObjectRef, ...]) -> str:
    """What the action's command names: a pod, or the object of a cause; where it names neither, the best cause."""
    words = {part for word in action.argv for part in word.split("/")}
    for pod in pods:
        if pod.name in words:
            return _name(pod)
    causes = [cause.object for cause in report.causes]
    ref = next((ref for ref in causes if ref.name in words), causes[0] if causes else report.target.ref)
    if not pods or ref != causes[0] or ref.kind == "Pod":
        return _name(ref)
    more = f" and {len(pods) - _NAMED} more" if len(pods) > _NAMED else ""
    return f"{_name(ref)} (affected pods: {', '.join(pod.name for pod in pods[:_NAMED])}{more})"


def _name(ref: ObjectRef) -> str:
    return f"{ref.kind} {ref.namespace}/{ref.name}" if ref.namespace else f"{ref.kind} {ref.name}"


def _said(action: Action) -> str:
    title = action.title.rstrip(". ")
    title = title if title[1:2].isupper() else title[:1].lower() + title[1:]
    how = f"; run `{command(action)}`" if action.argv else ""
    effect = f"; {action.effect.rstrip('. ')}" if action.effect else ""
    return f"{title}{how} ({'changes the cluster' if action.changes else 'read-only'}{effect})"


def _without_action(report: Report) -> str:
    name = _name(report.causes[0].object if report.causes else report.target.ref)
    if report.badges.state is VerdictState.NOT_A_PROBLEM:
        return f"{name}: nothing is wrong now, so nothing needs to be done; look at the alert's rule if it keeps firing."
    gaps = list(dict.fromkeys(f"{item.what} ({item.reason})" for item in report.not_checked))
    if gaps:
        return f"{name}: look by hand at what could not be checked: {', '.join(gaps[:_NAMED])}{' and more' if len(gaps) > _NAMED else ''}."
    return f"{name}: no action is known; read the evidence of the report and decide by hand."
