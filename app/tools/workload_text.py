"""Workloads (Deployment ... HorizontalPodAutoscaler) -> lines of text. Used by check_workloads."""

import json
from collections.abc import Callable

from app.domain.frozen import JsonObject
from app.domain.owners import controller_of
from app.tools.container_text import spec_lines
from app.tools.label_selectors import shown
from app.tools.pod_text import condition_line, pairs, placement_lines
from app.tools.rollouts import revision_of


def title(item: JsonObject) -> str:
    return f"{item['kind']} {item['metadata'].get('namespace', '')}/{item['metadata'].get('name', '')}"


def workload_lines(item: JsonObject) -> list[str]:
    """Headline, conditions, and for what makes pods its template."""
    name = title(item)
    lines = [f"{name}: {HEADLINES[item['kind']](item)}"]
    if item["metadata"].get("deletionTimestamp"):
        lines.append(
            f"{name}: being deleted since {item['metadata']['deletionTimestamp']}, finalizers {item['metadata'].get('finalizers') or 'none'}"
        )
    lines += [condition_line(name, c) for c in item.get("status", {}).get("conditions") or ()]
    if item["kind"] == "HorizontalPodAutoscaler":
        return lines + _autoscaler_metrics(name, item) + scaling_lines(name, item)
    if item["kind"] == "PodDisruptionBudget":
        return lines
    spec = item.get("spec", {})
    if spec.get("selector"):
        lines.append(f"{name}: selector {_selector(spec['selector'])}")
    for claim in spec.get("volumeClaimTemplates") or ():
        lines.append(f"{name}: volumeClaimTemplate {claim.get('metadata', {}).get('name')} {json.dumps(claim.get('spec'), sort_keys=True)}")
    template = spec.get("template") or (spec.get("jobTemplate") or {}).get("spec", {}).get("template")
    return lines + (template_lines(name, template) if template and item["kind"] != "ReplicaSet" else [])


def template_lines(name: str, template: JsonObject) -> list[str]:
    spec = template.get("spec") or {}
    lines = [f"{name}: template labels {pairs((template.get('metadata') or {}).get('labels'))}", *placement_lines(name, spec)]
    for group, word in (("initContainers", "init container"), ("containers", "container")):
        for container in spec.get(group) or ():
            lines += spec_lines(f"{name} {word} {container.get('name')}", container)
    return lines


def worth_showing(item: JsonObject) -> bool:
    """Old ReplicaSets without pods are history (get_recent_deploys); the others matter."""
    status = item.get("status", {})
    return item["kind"] != "ReplicaSet" or bool(item.get("spec", {}).get("replicas") or status.get("replicas") or status.get("conditions"))


def _deployment(item: JsonObject) -> str:
    spec, status = item.get("spec", {}), item.get("status", {})
    counts = ", ".join(f"{w} {status.get(f'{w}Replicas', 0)}" for w in ("ready", "updated", "available", "unavailable"))
    strategy = spec.get("strategy") or {}
    rolling = f" {pairs(strategy.get('rollingUpdate'))}" if strategy.get("rollingUpdate") else ""
    paused = ", paused" if spec.get("paused") else ""
    return (
        f"replicas {spec.get('replicas', 1)} desired, {counts}, revision {revision_of(item)}, {_generations(item)}, "
        f"strategy {strategy.get('type', 'RollingUpdate')}{rolling}, progressDeadlineSeconds {spec.get('progressDeadlineSeconds', 600)}{paused}"
    )


def _replica_set(item: JsonObject) -> str:
    spec, status, owner = item.get("spec", {}), item.get("status", {}), controller_of(item) or {}
    of = f" of {owner.get('kind')}/{owner.get('name')}" if owner else ""
    return (
        f"replicas {spec.get('replicas', 1)} desired, {status.get('replicas', 0)} created, ready {status.get('readyReplicas', 0)}, "
        f"revision {revision_of(item)}, created {item['metadata'].get('creationTimestamp', 'unknown')}{of}"
    )


def _stateful_set(item: JsonObject) -> str:
    spec, status = item.get("spec", {}), item.get("status", {})
    strategy = spec.get("updateStrategy") or {}
    partition = (strategy.get("rollingUpdate") or {}).get("partition")
    counts = ", ".join(f"{w} {status.get(f'{w}Replicas', 0)}" for w in ("ready", "current", "updated", "available"))
    return (
        f"replicas {spec.get('replicas', 1)} desired, {status.get('replicas', 0)} created, {counts}, {_generations(item)}, "
        f"service {spec.get('serviceName', 'none')}, podManagementPolicy {spec.get('podManagementPolicy', 'OrderedReady')}, "
        f"strategy {strategy.get('type', 'RollingUpdate')}" + (f" partition {partition}" if partition else "")
    )


def _daemon_set(item: JsonObject) -> str:
    status = item.get("status", {})
    names = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled", "numberUnavailable", "numberMisscheduled")
    return ", ".join(f"{n} {status.get(n, 0)}" for n in names) + f", {_generations(item)}"


def _job(item: JsonObject) -> str:
    spec, status = item.get("spec", {}), item.get("status", {})
    counts = ", ".join(f"{n} {status.get(n, 0)}" for n in ("active", "succeeded", "failed"))
    limits = f"completions {spec.get('completions', 1)}, backoffLimit {spec.get('backoffLimit', 6)}"
    deadline = f", activeDeadlineSeconds {spec['activeDeadlineSeconds']}" if spec.get("activeDeadlineSeconds") else ""
    times = "".join(f", {n} {status[n]}" for n in ("startTime", "completionTime") if status.get(n))
    return f"{counts}, {limits}{deadline}{times}" + (", suspended" if spec.get("suspend") else "")


def _cron_job(item: JsonObject) -> str:
    spec, status = item.get("spec", {}), item.get("status", {})
    last = ", ".join(f"{n} {status.get(n, 'never')}" for n in ("lastScheduleTime", "lastSuccessfulTime"))
    deadline = f", startingDeadlineSeconds {spec['startingDeadlineSeconds']}" if spec.get("startingDeadlineSeconds") is not None else ""
    return (
        f"schedule {spec.get('schedule')}, suspend {str(bool(spec.get('suspend'))).lower()}, "
        f"concurrencyPolicy {spec.get('concurrencyPolicy', 'Allow')}, {last}, active {len(status.get('active') or ())}{deadline}"
    )


def _autoscaler(item: JsonObject) -> str:
    spec, status = item.get("spec", {}), item.get("status", {})
    target = spec.get("scaleTargetRef") or {}
    return (
        f"scales {target.get('kind')}/{target.get('name')}, min {spec.get('minReplicas', 1)}, max {spec.get('maxReplicas')}, "
        f"current {status.get('currentReplicas', 0)}, desired {status.get('desiredReplicas', 0)}"
    )


def _budget(item: JsonObject) -> str:
    spec, status = item.get("spec", {}), item.get("status", {})
    rule = ", ".join(f"{n} {spec[n]}" for n in ("minAvailable", "maxUnavailable") if spec.get(n) is not None)
    counts = ", ".join(f"{n} {status.get(n, 0)}" for n in ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"))
    blocked = "" if status.get("disruptionsAllowed") or not status.get("expectedPods") else ": no pod may be evicted, drains wait"
    return f"{rule or 'no rule'}, selects {shown(spec.get('selector'))}, {counts}{blocked}"


def _aim(metric: JsonObject) -> tuple[str, JsonObject, str]:
    """(what is measured, the body of the metric, its container's name if it has one)."""
    kind = str(metric.get("type") or "")
    body = metric.get(kind[:1].lower() + kind[1:]) or {}
    return str(body.get("name") or (body.get("metric") or {}).get("name") or kind), body, str(body.get("container") or "")


def _value(values: JsonObject) -> str:
    """`91%`, `200m a pod`, `3`, in the words of autoscaling/v2."""
    if values.get("averageUtilization") is not None:
        return f"{values['averageUtilization']}% of requests"
    if values.get("averageValue") is not None:
        return f"{values['averageValue']} a pod"
    return str(values.get("value", "unknown"))


def scaling_lines(name: str, item: JsonObject) -> list[str]:
    """`HorizontalPodAutoscaler a/b: cpu is at 91% of requests, target 65% of requests`, and whether it is at its limit."""
    spec, status = item.get("spec", {}), item.get("status", {})
    measured = {_aim(m)[::2]: _aim(m)[1].get("current") or {} for m in status.get("currentMetrics") or ()}
    lines = []
    for what, body, container in (_aim(m) for m in spec.get("metrics") or ()):
        current = measured.get((what, container))
        of = f" of container {container}" if container else ""
        lines.append(f"{name}: {what}{of} is at {_value(current) if current else 'unknown'}, target {_value(body.get('target') or {})}")
    if spec.get("maxReplicas") and int(status.get("currentReplicas") or 0) >= int(spec["maxReplicas"]):
        lines.append(f"{name}: at maxReplicas {spec['maxReplicas']}, it cannot scale further")
    return lines


def _autoscaler_metrics(name: str, item: JsonObject) -> list[str]:
    wanted = [f"{name}: wants {json.dumps(m, sort_keys=True)}" for m in item.get("spec", {}).get("metrics") or ()]
    return wanted + [f"{name}: measures {json.dumps(m, sort_keys=True)}" for m in item.get("status", {}).get("currentMetrics") or ()]


def _generations(item: JsonObject) -> str:
    return f"generation {item['metadata'].get('generation', 0)} observed {item.get('status', {}).get('observedGeneration', 0)}"


def _selector(selector: JsonObject) -> str:
    expressions = selector.get("matchExpressions")
    return pairs(selector.get("matchLabels")) + (f" {json.dumps(expressions, sort_keys=True)}" if expressions else "")


HEADLINES: dict[str, Callable[[JsonObject], str]] = {
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "CronJob": _cron_job,
    "HorizontalPodAutoscaler": _autoscaler,
    "PodDisruptionBudget": _budget,
}
