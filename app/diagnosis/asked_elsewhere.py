"""Leads out of the cluster: reads that only some installations have - the probe of a way in, the delivery tools' records. Called by
`adaptive`, which drops what is not configured and what was asked; one question of each kind is enough."""

import re
from collections.abc import Iterator

from app.diagnosis.leads import Ask
from app.diagnosis.signals.certificates import DATES_QUERY
from app.diagnosis.signals.operators import KINDS
from app.diagnosis.world import World
from app.domain.case import Signal

SOURCES = {"check_http": "http", "check_argocd": "argocd", "check_github_deployments": "github"}
WAYS_IN = 2
DELIVERY = re.compile(r"argo|gitops|out.?of.?sync|flux|kustomiz|helm.?release|reconcil|sync.?(fail|status)", re.I)
_CERTIFICATE = re.compile(r"cert|ssl|tls|probe|blackbox|ingress|gateway|httproute", re.I)
_DATED = re.compile(r"cert|ssl|tls", re.I)
# alerts of the lifecycle manager's own metrics, and names people give such alerts; other operators' own troubles are not its
_OPERATORS = re.compile(r"^csv|olm|install.?plan|cluster.?extension|(cluster.?catalog|catalog.?source)|operator.?(install|upgrade|lifecycle)", re.I)
_TOLD = frozenset({"log_certificate_expired", "log_certificate_untrusted"})


def ways_in(world: World, found: tuple[Signal, ...]) -> Iterator[Ask]:
    """The hosts of Ingresses that were read, where a certificate or a way in is in doubt."""
    if any(_DATED.search(a.name) for a in world.case.alerts):
        yield Ask("query_prometheus", {"query": DATES_QUERY}, "see until when certificates are valid")
    if any(_CERTIFICATE.search(a.name) for a in world.case.alerts) or any(s.kind in _TOLD for s in found):
        for ingress in world.of("Ingress")[:WAYS_IN] if not _made(world, "check_http") else ():
            args = {"namespace": ingress.namespace, "service": ingress.name}
            yield Ask("check_http", args, "see what the way in answers, and its certificate")


def deliveries(world: World) -> Iterator[Ask]:
    """After the rollouts, what delivered them."""
    if not _made(world, "check_argocd"):
        yield Ask("check_argocd", {"namespace": world.case.target.namespace}, "see whether git is applied, and what was")
    if not _made(world, "check_github_deployments"):
        yield Ask("check_github_deployments", {}, "see what was deployed, and by whom")


def operators(world: World) -> Iterator[Ask]:
    """What the lifecycle manager installed, where an alert or a warning is about it."""
    warned = any(e.item.get("type") == "Warning" and world.about(e).kind in KINDS for e in world.events)
    if warned or any(_OPERATORS.search(a.name) for a in world.case.alerts):
        yield Ask("check_operators", {"namespace": world.case.target.namespace}, "see which operators are not installed, and why")


def delivered(world: World) -> Iterator[Ask]:
    """Where an alert is about delivery: what its tools say in their own objects."""
    if any(DELIVERY.search(a.name) for a in world.case.alerts) and not _made(world, "check_delivery"):
        yield Ask("check_delivery", {}, "see what the delivery tools cannot apply, and why")


def _made(world: World, tool: str) -> bool:
    return any(u.step.tool == tool for u in world.case.updates)
