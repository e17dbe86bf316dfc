"""What ingress controllers log of the certificates that an Ingress names -> the Ingress whose Secret is not there. Reads `get_logs`.

Secrets are never read, so the controller's word is all there is; it serves a certificate of its own instead."""

import re

from app.diagnosis.reading import Seen, rows
from app.diagnosis.world import Found, World, cite, signal
from app.domain.log_times import moment_of
from app.domain.target import ObjectRef

# ingress-nginx, NGINX's own controller, Traefik, HAProxy (both), Contour, Kong, Istio, Envoy Gateway; each names the Secret.
_ABSENT = re.compile(
    r"(local SSL certificate|error (getting|obtaining|reading|fetching) .{0,20}(SSL certificate|secret)|tls ?secret|\bsecrets?\b|certificate)"
    r".{0,160}(was not found|not found|does(n't| not) exist|is missing|could not be (found|loaded)|invalid|no such)",
    re.I,
)


def find(world: World) -> Found:
    named = [(ingress, name) for ingress in world.of("Ingress") for name in secrets_of(ingress)]
    for reading in world.readings if named else ():
        lines = [str(x) for x in reading.result.data.get("lines") or []] if reading.tool in ("get_logs", "search_logs") else []
        for ingress, name in named:
            told = [x for x in lines if name in x and _ABSENT.search(x)]
            if told:
                where = ObjectRef(kind="Ingress", namespace=ingress.namespace, name=ingress.name)
                facts = {"problem": f"its TLS Secret {name} is not there", "secret": name}
                claim = f"Ingress {ingress.name} names TLS Secret {name}, which its controller does not find"
                yield signal("entrance_certificate_missing", where, claim, cite(reading, (told[-1],)), moment_of(told[0], world.now), facts)


def secrets_of(ingress: Seen) -> list[str]:
    return [str(t["secretName"]) for t in rows(ingress.at("spec", "tls")) if t.get("secretName")]
