"""The catalogue of things to do about a cause: read-only checks first, then changes with effect, undo and exact command.

Commands are argument lists built by code from names the API returned; nothing of them comes from telemetry text."""

import re
from dataclasses import dataclass

from app.domain.target import ObjectRef
from app.domain.verdict import Action

SAFE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._:-]*$")  # what the API server allows in names; anything else gets no command


@dataclass(frozen=True, slots=True)
class Entry:
    """`argv` after `kubectl`; {kind}, {name}, {ns}, {pod}, {node}, {container} are filled from the hypothesis. An entry
    whose holes cannot be filled is left out. `needs` is the kind of object it fits, "" for any."""

    title: str
    argv: str
    changes: bool = False
    effect: str = ""
    undo: str = ""
    needs: str = ""


def _check(title: str, argv: str) -> Entry:
    return Entry(title, argv)


def _advice(title: str, effect: str, undo: str) -> Entry:
    """A change whose values only a person can choose, so it carries no command."""
    return Entry(title, "", True, effect, undo)


CATALOGUE: dict[str, Entry] = {
    "raise_quota": _advice("Raise the quota, or lower what its users request", "refused objects are created at the next retry", "set it back"),
    "scale_down_others": _advice("Scale down what the namespace does not need", "the quota has room again", "scale it up again"),
    "set_resources": _advice("Set the requests and limits that are demanded", "the pod is admitted", "restore the former template"),
    "lower_requests": _advice("Lower the request of the pod", "it fits on a node", "restore the former template"),
    "add_node": _advice("Add a node, or free one", "pending pods are placed", "remove the node"),
    "raise_memory": _advice("Raise the memory limit", "the container is not killed at the same size", "set it back"),
    "raise_cpu": _advice("Raise the cpu limit and request", "the container is throttled less", "set it back"),
    "raise_maximum": _advice("Raise the autoscaler's maximum", "more replicas share the load", "set it back"),
    "restart_unit": _advice("Start the unit on the node again", "the node works and reports again", "stop it"),
    "restart_clock": _advice("Start the time service of the node again", "the clock comes back to its source's time", "stop it"),
    "restart_webhook": _advice("Bring the webhook's own pods back", "refused objects are admitted at the next retry", "none needed"),
    "ask_provider": _check("See which callers are hit", "get pods -A -o wide"),
    "show_webhooks": _check(
        "See the webhooks and where they are served", "get validatingwebhookconfigurations,mutatingwebhookconfigurations -o wide"
    ),
    "describe_delivery": _check("See what the delivery tool says", "get events -n {ns} --sort-by=.lastTimestamp"),
    "show_monitoring": _check("See whether the monitoring runs", "get pods -A -o wide"),
    "correct_monitoring": _advice("Correct the configuration or rule that does not load", "the next reload succeeds", "restore the former file"),
    "relieve_monitoring": _advice("Give it more memory, or drop series and queries it need not hold", "it keeps up again", "set it back"),
    "show_policies": _check("See the network policies", "get networkpolicies -n {ns} -o yaml"),
    "allow_traffic": _advice("Allow the dropped traffic in the policy", "connections succeed at once", "restore the former policy"),
    "show_ingresses": _check("See the ways in and their classes", "get ingresses,ingressclasses -n {ns}"),
    "correct_backend": _advice("Name the class, Service and port that exist", "requests reach the pods", "restore the former object"),
    "correct_selector": _advice("Make the Service's selector equal to the pods' labels", "endpoints appear at once", "restore the former selector"),
    "correct_service_port": _advice("Make the Service's port, targetPort and protocol those of the container", "connections succeed", "restore them"),
    "describe_pod": _check("See what the pod says", "describe pod {pod} -n {ns}"),
    "describe_workload": _check("See what the workload says", "describe {kind} {name} -n {ns}"),
    "show_workload_yaml": _check("Read the specification", "get {kind} {name} -n {ns} -o yaml"),
    "read_log": _check("Read the log", "logs {pod} -n {ns} --all-containers --tail=100"),
    "read_log_previous": _check("Read the log of the run that ended", "logs {pod} -n {ns} -c {container} --previous --tail=100"),
    "show_history": _check("See the revisions", "rollout history {kind}/{name} -n {ns}"),
    "show_quota": _check("See the quota and what uses it", "describe resourcequota -n {ns}"),
    "show_service_accounts": _check("See which ServiceAccounts exist", "get serviceaccounts -n {ns}"),
    "show_config_maps": _check("See which ConfigMaps exist", "get configmaps -n {ns}"),
    "show_secrets": _check("See which Secrets exist (names only)", "get secrets -n {ns} -o name"),
    "show_pull_secrets": _check("See which pull secrets the account has", "get serviceaccounts -n {ns} -o yaml"),
    "show_claims": _check("See the claims", "get persistentvolumeclaims -n {ns}"),
    "show_volumes": _check("See volumes and classes", "get persistentvolumes,storageclasses"),
    "show_nodes": _check("See the nodes", "get nodes -o wide"),
    "show_nodes_use": _check("See what the nodes have free", "describe nodes"),
    "show_node_labels": _check("See the labels of the nodes", "get nodes --show-labels"),
    "show_taints": _check("See the taints of the nodes", "get nodes -o custom-columns=NAME:.metadata.name,TAINTS:.spec.taints"),
    "describe_node": _check("See what the node says", "describe node {node}"),
    "show_pods_of_node": _check("See what runs on the node", "get pods -A -o wide --field-selector spec.nodeName={node}"),
    "show_pods_wide": _check("See where the pods run", "get pods -n {ns} -o wide"),
    "show_endpoints": _check("See what the Services send to", "get services,endpointslices -n {ns} -o wide"),
    "show_services": _check("See which Services exist", "get services -n {ns}"),
    "show_use": _check("See what the pods use", "top pods -n {ns} --containers"),
    "show_autoscaler": _check("See what the autoscaler says", "describe horizontalpodautoscaler -n {ns}"),
    "show_metrics_api": _check("See whether the metrics API is there", "get apiservices v1beta1.metrics.k8s.io"),
    "show_dns": _check("See whether cluster DNS runs", "get pods -n kube-system -l k8s-app=kube-dns"),
    "show_scheduler": _check("See whether a scheduler runs", "get leases -n kube-system kube-scheduler -o yaml"),
    "show_rights": _check("See the bindings of the namespace", "get rolebindings -n {ns} -o wide"),
    "show_certificates": _check("See TLS secrets (names only)", "get secrets -n {ns} --field-selector type=kubernetes.io/tls -o name"),
    "roll_back": Entry(
        "Go back to the revision before",
        "rollout undo deployment/{name} -n {ns}",
        True,
        "the former template is rolled out again",
        "kubectl rollout undo deployment/{name} -n {ns}",
        "Deployment",
    ),
    "scale_up": Entry(
        "Bring replicas back",
        "scale {kind}/{name} -n {ns} --replicas=1",
        True,
        "one pod is started; set the number you need",
        "kubectl scale {kind}/{name} -n {ns} --replicas=0",
    ),
    "restart_workload": Entry(
        "Restart the pods one by one", "rollout restart {kind}/{name} -n {ns}", True, "pods are replaced by the rollout strategy", "none needed"
    ),
    "create_service_account": Entry(
        "Create the missing account",
        "create serviceaccount {what} -n {ns}",
        True,
        "refused pods are created within minutes",
        "kubectl delete it again",
    ),
    "uncordon": Entry("Let the node take pods again", "uncordon {node}", True, "pending pods are placed", "kubectl cordon {node}"),
    "cordon": Entry("Keep new pods off the node", "cordon {node}", True, "no new pod is placed there", "kubectl uncordon {node}", "Node"),
    "resume_cron_job": Entry(
        "Resume the schedule",
        'patch cronjob {name} -n {ns} -p {{"spec":{{"suspend":false}}}}',
        True,
        "runs start again at the next time",
        "patch it back to true",
    ),
}


def actions_for(ids: tuple[str, ...], ref: ObjectRef, facts: dict[str, str]) -> tuple[Action, ...]:
    """The entries whose holes can be filled with safe names, in the order of the rule, checks before changes."""
    holes = {"kind": ref.kind.lower(), "name": ref.name, "ns": ref.name if ref.kind == "Namespace" else ref.namespace, "node": "", **facts}
    if ref.kind == "Node":
        holes["node"] = ref.name
    made = [a for a in (_fill(CATALOGUE[i], ref, holes) for i in ids if i in CATALOGUE) if a is not None]
    return tuple(sorted(made, key=lambda a: a.changes))


def _fill(entry: Entry, ref: ObjectRef, holes: dict[str, str]) -> Action | None:
    if entry.needs and entry.needs != ref.kind:
        return None
    asked = re.findall(r"(?<!\{)\{(\w+)\}(?!\})", entry.argv)
    if not all(SAFE.match(str(holes.get(h) or "")) for h in asked):
        return None
    words = tuple(word.format_map(holes) for word in entry.argv.split(" ")) if entry.argv else ()
    undo = entry.undo.format_map({**holes}) if entry.undo else ""
    return Action(title=entry.title, argv=("kubectl", *words) if words else (), changes=entry.changes, effect=entry.effect, undo=undo)
