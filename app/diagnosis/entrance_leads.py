"""Leads to the ways in, and to callees in other namespaces: for an alert of a prober or an ingress controller, the Ingress of the host it
names, what is counted for each of its paths, and what the backends say. Called by `adaptive`."""

import re
from collections.abc import Iterator

from app.diagnosis.leads import Ask, log_hangs, log_of
from app.diagnosis.reading import rows
from app.diagnosis.signals.entrances import PATHS_QUERY
from app.diagnosis.signals.ingress_words import secrets_of
from app.diagnosis.signals.unknown_names import UNHEARD, asked_in, far_services, host_of
from app.diagnosis.world import World
from app.domain.case import Signal

# Labels in which probers (blackbox exporter, its operator's Probe) and ingress controllers name what is asked for.
LABELS = ("instance", "target", "host", "hostname", "url", "uri", "domain", "exported_instance")
_ENTRY = re.compile(r"probe|blackbox|endpoint|ingress|gateway|httproute|4xx|404|not.?found|site|website|synthetic|uptime|ssl|tls|cert", re.I)
_HOST = re.compile(r"^(?:[a-z]+://)?((?:[a-z0-9-]+\.)+[a-z]{2,})(?::\d+)?(?:[/?].*)?$", re.I)
_CONTROLLER = re.compile(r"controller|traefik|haproxy|contour|kong|router")
BACKENDS = 2
# Word of an ingress class -> the namespace that the controller's own manifests and charts install it to.
HOMES = {
    "nginx": "ingress-nginx",
    "traefik": "traefik",
    "haproxy": "haproxy-controller",
    "contour": "projectcontour",
    "kong": "kong",
    "openshift": "openshift-ingress",
}
FAR = 2


def entrances(world: World) -> Iterator[Ask]:
    alert = next((a for a in world.case.alerts if _ENTRY.search(a.name)), None)
    if alert is None:
        return
    ingress = str(alert.labels.get("ingress") or "")
    host = next((m[1] for label in LABELS if (m := _HOST.match(str(alert.labels.get(label) or "")))), "")
    if ingress and re.fullmatch(r"[a-z0-9][a-z0-9.-]*", ingress):
        yield Ask("query_prometheus", {"query": PATHS_QUERY.format(ingress=ingress), "minutes": 60}, "see which Service serves each path, and how")
    if host and not ingress:
        yield Ask("check_ingresses", {"host": host}, "see whether the way in for this host leads to a ready pod")
    if told := list(_controller(world, host)):
        yield from told
        if follows_controller(world):
            return
    found = world.of("Ingress")
    if host and found and not ingress and found[0].namespace != world.case.target.namespace:
        yield Ask("check_services", {"namespace": found[0].namespace}, "see the Services behind the way in")
        yield Ask("check_pods", {"namespace": found[0].namespace}, "see the pods behind the way in")
    yield from _backends(world)


def follows_controller(world: World) -> bool:
    """Is the log of the controller that serves a probed host still to be read? Then the wide reads wait."""
    alert = next((a for a in world.case.alerts if _ENTRY.search(a.name)), None)
    host = next((m[1] for label in LABELS if alert and (m := _HOST.match(str(alert.labels.get(label) or "")))), "")
    space = _home_of_controller(world, host) if host else ""
    pods = [p for p in world.of("Pod") if p.namespace == space and _CONTROLLER.search(p.name)]
    return bool(space) and (not world.has_read("check_pods", space) or any(not world.asked_log(p) for p in pods[:1]))


def _home_of_controller(world: World, host: str) -> str:
    mine = [i for i in world.of("Ingress") if secrets_of(i) and (not host or any(r.get("host") == host for r in rows(i.at("spec", "rules"))))]
    classes = [str(i.at("spec", "ingressClassName") or "nginx").lower() for i in mine]
    return next((space for word, space in HOMES.items() for name in classes if word in name), "")


def _controller(world: World, host: str) -> Iterator[Ask]:
    """The log of the controller that serves the host with a certificate: it tells of a Secret that is not there."""
    if space := _home_of_controller(world, host):
        yield Ask("check_pods", {"namespace": space}, "see whether the controller of this way in runs")
        pods = [p for p in world.of("Pod") if p.namespace == space and _CONTROLLER.search(p.name)]
        yield from (log_of(p, "read what the controller says of the certificate") for p in pods[:1] if not log_hangs(world, p))


def far(world: World, found: tuple[Signal, ...]) -> Iterator[Ask]:
    """Where callers wait in vain for what their environment or their log names in another namespace: is it there, may they reach it?"""
    failing = list(dict.fromkeys(s.object for s in found if s.kind in UNHEARD))
    for space in list(dict.fromkeys(space for w in failing for space, _ in far_services(world, w)))[:FAR]:
        yield Ask("check_network_policies", {"namespace": space}, "see whether a network policy there keeps callers of other namespaces out")
    told = list(dict.fromkeys(s.object for s in found if s.kind in ("log_connection_refused", "log_timeout")))
    for space in list(dict.fromkeys(space for w in told for space, _ in far_services(world, w)))[:FAR]:
        yield Ask("check_pods", {"namespace": space}, "see whether those there run")
        if any(p.namespace == space and world.in_trouble(p) for p in world.of("Pod")):
            yield Ask("check_events", {"namespace": space}, "see what the control plane says of those there")
    asked = [asked_in(host_of(s), s.object.namespace) for s in found if s.kind == "log_dns_failure"]
    for space in list(dict.fromkeys(space for name, space in asked if name))[:FAR]:
        yield Ask("check_services", {"namespace": space}, "see whether there is a Service of the name that does not resolve")


def _backends(world: World) -> Iterator[Ask]:
    """What the workloads say to which a path leads that is not all of the site."""
    rows = [row for r in world.readings if r.tool == "check_ingresses" for row in r.items("backends")]
    led = [(str(row.get("object") or "//").split("/")[1], str(row.get("service"))) for row in rows if str(row.get("path") or "/") != "/"]
    shared = [key for key in led if sum(1 for row in rows if str(row.get("service")) == key[1]) > 1]  # two paths, one backend
    for key in list(dict.fromkeys([*shared, *led]))[:BACKENDS]:
        pods = [p for p in world.of("Pod") if p.namespace == key[0] and world.workload_of(p).name in world.behind.get(key, ())]
        if pods and not log_hangs(world, pods[0]):
            yield log_of(pods[0], "see whether it knows the paths that lead to it")
