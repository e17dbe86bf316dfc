"""A resolved target -> what fills the holes of a playbook's steps; called by `rules`.

Names come from the target alone, never from free text (design section 6, scope). Labels of the alert fill places inside
PromQL strings and what is compared with labels only, and only in the form that the hole demands.
"""

import re

from app.domain.case import CaseFile
from app.domain.frozen import JsonObject
from app.domain.target import ObjectRef, Target
from app.planner.playbook import HOLE, LABEL_HOLES, Template

WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"})
# Optional matchers stand behind others, so the comma before goes with them.
MATCHER = re.compile(r',\w+="\{([a-z_]+)\?\}"')
CLUSTER_SCOPED = frozenset({"Node", "PersistentVolume", "APIService"})


def holes_of(case: CaseFile, default_namespace: str) -> dict[str, str]:
    """Hole -> text; a hole that the target cannot fill is absent."""
    ref, target = case.target.ref, case.target
    found = {
        "namespace": _namespace(target, default_namespace),
        "service": ref.name if ref.kind == "Service" else "",
        "service_name": _service_name(target),
        "workload": _workload(target),
        "pod": ref.name if ref.kind == "Pod" else "",
        "container": target.container,
        "node": ref.name if ref.kind == "Node" else "",
        "kind": ref.kind,
        "name": ref.name,
        "unmapped": "yes" if _unmapped(case) else "",
        "event_kind": ref.kind if ref.kind not in ("Namespace", "Target", "Rule", "Cluster") else "",
    }
    if ref.kind == "Target":
        found["scrape_job"], _, found["scrape_instance"] = ref.name.partition("/")
    for hole, (label, form) in LABEL_HOLES.items():
        value = case.alert.labels.get(label, "")
        found[hole] = value if re.fullmatch(form, value) else ""
    return {name: value for name, value in found.items() if value}


def _unmapped(case: CaseFile) -> bool:
    """Series could tell who calls the target, and the configured service map does not."""
    target = case.target
    names = {target.ref.name, *(o.name for o in target.owners), *target.believed.values()}
    mapped = any(names & {caller, *callees} for caller, callees in case.callees.items())
    return "prometheus" in case.sources and not mapped and not (case.callees and target.ref.kind == "Namespace")


def _namespace(target: Target, default_namespace: str) -> str:
    believed = target.namespace or target.believed.get("namespace", "")
    return believed or ("" if target.ref.kind in CLUSTER_SCOPED else default_namespace)


def _workload(target: Target) -> str:
    top: ObjectRef = target.workload
    return top.name if top.kind in WORKLOADS else ""


def _service_name(target: Target) -> str:
    return target.ref.name if target.ref.kind == "Service" else _workload(target)


def fill(template: Template, holes: dict[str, str]) -> tuple[JsonObject, str]:
    """-> (arguments, "") or ({}, the hole that nothing fills). An argument all of whose holes are optional is left out
    when one of them is empty; of a query, only the matcher."""
    args: JsonObject = {}
    for name, value in template.args.items():
        if not isinstance(value, str):
            args[name] = value
            continue
        text = _widened(value, holes) if name == "query" else value
        empty = [(hole, mark) for hole, mark in HOLE.findall(text) if hole not in holes]
        if any(not mark for _, mark in empty):
            return {}, next(hole for hole, mark in empty if not mark)
        if not empty:
            args[name] = HOLE.sub(lambda m, arg=name: _quoted(holes[m.group(1)], arg), text)  # type: ignore[misc]
    return args, ""


def _widened(query: str, holes: dict[str, str]) -> str:
    """Without the matchers `label="{hole?}"` that nothing fills."""
    return MATCHER.sub(lambda m: m.group(0) if m.group(1) in holes else "", query)


def _quoted(text: str, argument: str) -> str:
    """Inside a query the text stands in a PromQL string."""
    return text.replace("\\", "\\\\").replace('"', '\\"') if argument == "query" else text
