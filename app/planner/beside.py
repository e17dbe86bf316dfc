"""Reads that only some installations have -> further steps of a playbook: the probe where a certificate, a prober or a way in is in
doubt; delivery tools after the question for the last rollouts. Called by `rules`; without their sources it adds nothing."""

import re

from app.domain.case import CaseFile
from app.planner.holes import fill
from app.planner.playbook import HOLE, Method, Template
from app.planner.words import any_matches, words_of

MOST = 14  # steps of a plan; of 20 calls a session allows, later rounds need some
DEPLOYS = "get_recent_deploys"
ENDPOINTS = ("certificate*", "cert expir*", "ssl*", "tls*", "probe*", "blackbox*", "ingress*", "httproute*")
# the kubelet's own probes are no questions to an endpoint
OWN_PROBES = ("readiness*", "liveness*", "startup*")
DELIVERY = ("argo*", "gitops*", "out of sync", "sync*", "delivery*", "deploy*")
NAMEABLE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.:/]{0,251}[A-Za-z0-9/])?")
# whom to ask the probe for, the first that the target fills
ASKED_INGRESS = {"namespace": "{namespace}", "service": "{name}"}
ASKED = ({"namespace": "{namespace}", "service": "{service_name}"}, {"service": "{node}"})
RECORDS = {
    "argocd": ("check_argocd", "See whether git is applied, and what was applied last", ("namespace", "workload", "service")),
    "github": ("check_github_deployments", "See what was deployed, and by whom", ("service",)),
}


def with_more(book: Method, case: CaseFile, holes: dict[str, str]) -> Method:
    """The playbook with the steps that the configured sources allow beside its own."""
    words = words_of(case.alert.name, case.alert.type)
    steps = [*_probed(book.steps, words, case, holes)]
    for source, (tool, reason, names) in RECORDS.items():
        if source in case.sources and len(steps) < MOST and all(s.tool != tool for s in steps):
            steps = _after_deploys(steps, Template(tool=tool, reason=reason), names, words)
    return book if tuple(steps) == book.steps else book.model_copy(update={"steps": tuple(steps)})


def _probed(steps: tuple[Template, ...], words: frozenset[str], case: CaseFile, holes: dict[str, str]) -> tuple[Template, ...]:
    """With the probe first, unless the playbook has one that the target fills."""
    asks = any_matches(ENDPOINTS, words) and not any_matches(OWN_PROBES, words)
    there = any(s.tool == "check_http" and not fill(s, holes)[1] for s in steps)
    # What a prober asked is a label of its alert. The tool takes it for the name of a configured target and goes nowhere else.
    instance = case.alert.labels.get("instance", "")
    asked = {"target": instance} if NAMEABLE.fullmatch(instance) else {}
    if "http" not in case.sources or not asks or len(steps) >= MOST or (there and "://" not in instance):
        return steps
    for args in (ASKED_INGRESS, *ASKED) if holes.get("kind") == "Ingress" else ASKED:
        wanted = {hole for text in args.values() for hole, _ in HOLE.findall(text)}
        if all(NAMEABLE.fullmatch(holes.get(hole, "")) for hole in wanted):
            return _with_probe(steps, {**args, **(asked if "://" in instance else {})})
    return _with_probe(steps, asked) if asked else steps


def _with_probe(steps: tuple[Template, ...], args: dict[str, str]) -> tuple[Template, ...]:
    probe = Template(tool="check_http", reason="See what the endpoint answers and its certificate", args={**args})
    return (probe, *(s for s in steps if s.tool != "check_http"))


def _after_deploys(steps: list[Template], record: Template, names: tuple[str, ...], words: frozenset[str]) -> list[Template]:
    """After the question for rollouts, about the same; at the end where the alert is about delivery and nothing asks for them."""
    at = next((n for n, s in enumerate(steps) if s.tool == DEPLOYS), None)
    if at is not None:
        args = {k: v for k, v in steps[at].args.items() if k in names}
        return [*steps[: at + 1], record.model_copy(update={"args": args, "after": steps[at].after}), *steps[at + 1 :]]
    if any_matches(DELIVERY, words):
        return [*steps, record.model_copy(update={"args": {n: f"{{{n}?}}" for n in names}})]
    return steps
