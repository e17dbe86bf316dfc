"""What a probe saw of certificates -> those that are past their date, and those that no client would trust. Reads `check_http`.

Of a Service's own address only the dates count: it is called by other names and inside the cluster, where other authorities
are trusted than by the agent."""

import re
from collections.abc import Iterator
from datetime import timedelta

from app.diagnosis.kube import matches, moment
from app.diagnosis.reading import Reading, Seen, dig, rows
from app.diagnosis.series import Series
from app.diagnosis.world import Found, World, cite, signal
from app.domain.frozen import JsonObject
from app.domain.target import ObjectRef

DISTRUSTED = {
    "self_signed": "signed by itself",
    "untrusted_chain": "signed by nobody the probe trusts",
    "wrong_name": "for another name",
    "not_yet_valid": "not valid yet",
}
# cert-manager renews when a third of the life is left (its default renewBefore), public rules warn at 7 to 30 days
SOON_DAYS, SOON_SHARE = 14, 1 / 3
# cert-manager, blackbox exporter, ssl exporter, x509-certificate-exporter: seconds since 1970 at which a certificate ends
DATES = ("certmanager_certificate_expiration_timestamp_seconds", "probe_ssl_earliest_cert_expiry", "ssl_cert_not_after", "x509_cert_not_after")
DATES_QUERY = f'{{__name__=~"{"|".join(DATES)}"}}'
NAMED_BY = ("name", "certificate", "secret_name", "instance", "subject_CN", "cn")
DAY = 86_400
_ASKED = re.compile(r"cert|ssl|tls", re.I)
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")


def find(world: World) -> Found:
    for reading in world.readings:
        for row in reading.items("probes") if reading.tool == "check_http" else ():
            yield from _of(world, reading, row)
    yield from _measured(world)


def _measured(world: World) -> Found:
    """Dates that exporters keep, where an alert is about certificates; of the certificate that the alert names, if it names one."""
    for reading, one in dated(world) if any(_ASKED.search(a.name) for a in world.case.alerts) else ():
        left = (one.values[-1][1] - world.now.timestamp()) / DAY
        if left < SOON_DAYS:
            what = next((one.labels[k] for k in NAMED_BY if one.labels.get(k)), "a certificate")
            kind = "endpoint_certificate_expired" if left <= 0 else "endpoint_certificate_expiring"
            claim = f"The certificate {what} {'ended' if left <= 0 else 'ends'} {abs(left):.1f} days {'ago' if left <= 0 else 'from now'}"
            facts = {"pod": f"the endpoint {what}", "ended": f"{left:.1f} days from now"}
            yield signal(kind, world.case.target.workload, claim, cite(reading, (one.name, what), (one.name,)), None, facts)


def dated(world: World) -> list[tuple[Reading, Series]]:
    """Series of dates; only those of what the alerts name, where they name something."""
    told = {str(a.labels[k]) for a in world.case.alerts for k in NAMED_BY if a.labels.get(k)}
    found = [(r, one) for r, one in world.series if one.name in DATES and one.values]
    return [(r, one) for r, one in found if not told or told & set(one.labels.values())]


def _of(world: World, reading: Reading, row: JsonObject) -> Found:
    faults, sent = [str(f) for f in row.get("faults") or ()], row.get("certificate")
    if not isinstance(sent, dict) or not (faults or _soon(world, sent)):
        return
    at, ended = f"{row.get('host')}:{row.get('port')}", str(sent.get("notAfter"))
    where = _behind(world, reading, row)
    if not faults:
        facts = {"pod": f"the endpoint {at}", "ended": ended}
        claim = f"The certificate of {at} ends at {ended}, {sent.get('daysLeft')} days from now"
        yield signal("endpoint_certificate_expiring", where, claim, cite(reading, (f"certificate of {at}", ended)), None, facts)
        return
    if "expired" in faults:
        facts = {"pod": f"the endpoint {at}", "ended": ended}
        claim = f"The certificate of {at} ended at {ended}"
        source = cite(reading, (f"certificate of {at}", ended))
        yield signal("endpoint_certificate_expired", where, claim, source, moment(ended), facts)
        return
    wrong = [DISTRUSTED[f] for f in faults if f in DISTRUSTED and (f == "not_yet_valid" or row.get("origin") != "service")]
    if wrong:
        facts = {"pod": f"A client of {at}"}
        claim = f"The certificate of {at} is {' and '.join(wrong)}"
        yield signal("endpoint_certificate_untrusted", where, claim, cite(reading, (f"{at}", "tls_failure")), None, facts)


def _soon(world: World, sent: JsonObject) -> bool:
    """Where the alert is about certificates: less than two weeks are left, or of a short life less than a third."""
    begins, ends = moment(sent.get("notBefore")), moment(sent.get("notAfter"))
    if begins is None or ends is None or not any(_ASKED.search(a.name) for a in world.case.alerts):
        return False
    return ends - world.now < min(timedelta(days=SOON_DAYS), (ends - begins) * SOON_SHARE)


def _behind(world: World, reading: Reading, row: JsonObject) -> ObjectRef:
    """The workload that stands behind the address, else what the alert is about."""
    namespace, asked = str(reading.call.args.get("namespace") or ""), str(reading.call.args.get("service") or "")
    for name in (*_led_to(world, namespace, str(row.get("host")), asked), asked):
        service = world.get("Service", namespace, name)
        for pod in world.of("Pod") if service else ():
            if service and pod.namespace == namespace and matches(service.at("spec", "selector") or {}, pod.at("metadata", "labels") or {}):
                return world.workload_of(pod)
        for kind in WORKLOADS:
            if world.get(kind, namespace, name):
                return ObjectRef(kind=kind, namespace=namespace, name=name)
    return world.case.target.workload


def _led_to(world: World, namespace: str, host: str, asked: str) -> Iterator[str]:
    """Services behind the Ingress of that host or name."""
    for ingress in world.of("Ingress"):
        rules = rows(ingress.at("spec", "rules"))
        if ingress.namespace == namespace and (ingress.name == asked or any(r.get("host") == host for r in rules)):
            yield from _services(ingress, rules)


def _services(ingress: Seen, rules: list[JsonObject]) -> Iterator[str]:
    backends = [dig(p, "backend") for r in rules for p in rows(dig(r, "http", "paths"))]
    for backend in (*backends, ingress.at("spec", "defaultBackend")):
        if name := dig(backend, "service", "name"):
            yield str(name)
