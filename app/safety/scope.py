"""Gate: does the call stay with what the alert is about? Namespaces and names may be asked for only if they came from the
resolved target or from objects that a source returned (design section 6), never from free text.

`CallContext.objects` holds them as `Kind/namespace/name`; kind `Label` is a name that the target's believed labels or a
returned object's labels gave, and fits every kind.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from app.domain.reason import Reason
from app.domain.target import ObjectRef
from app.domain.tool import CallContext, ToolCall, ToolSpec
from app.safety.ports import Refusal

NAMED = {"pod": "Pod", "pods": "Pod", "node": "Node", "workload": "", "service": "", "service_name": "", "name": ""}  # argument -> kind, "" any


@dataclass(frozen=True)
class ScopeRules:
    """What is in scope of every alert: the namespaces of the cluster's own parts (`default` holds the events of nodes), and
    reads that name no namespace at all."""

    namespaces: frozenset[str] = frozenset({"kube-system", "default"})
    cluster_wide: bool = True


class ScopeGate:
    def __init__(self, rules: ScopeRules) -> None:
        self._rules = rules

    async def judge(self, spec: ToolSpec, call: ToolCall, arguments: BaseModel, context: CallContext) -> Refusal | None:
        given = {name: value for name, value in arguments.model_dump().items() if value}
        namespace = str(given.get("namespace", ""))
        if namespace and namespace not in context.namespaces | self._rules.namespaces:
            return _out(f"namespace {namespace}")
        if not namespace and not self._rules.cluster_wide and "namespace" in type(arguments).model_fields:
            return _out("a read over all namespaces")
        everywhere = not namespace and "namespace" in type(arguments).model_fields and spec.source == "kubernetes"
        if everywhere and (node := given.get("node")) and f"Node//{node}" not in context.targets:
            note = f"Out of scope: pods of all namespaces are read of a node only that the alert is about, and it is not about {node}."
            return Refusal(reason=Reason.SCOPE, note=note)
        for argument, kind in NAMED.items():
            for name in _names(given.get(argument)):
                if not any(_fits(item, kind, namespace, name) for item in context.objects if item.endswith(f"/{name}")):
                    return _out(f"{argument} {name}")
        return None


def _names(value: Any) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list | tuple) else [str(value)] if value else []


def _fits(known: str, kind: str, namespace: str, name: str) -> bool:
    item = ObjectRef.parse(known)
    in_place = not namespace or not item.namespace or item.namespace == namespace
    return item.name == name and (not kind or item.kind in (kind, "Label")) and in_place


def _out(what: str) -> Refusal:
    return Refusal(reason=Reason.SCOPE, note=f"Out of scope: {what} is neither part of the alert's target nor was it returned by a source.")
