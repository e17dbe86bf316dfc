"""Events and waiting messages about image pulls -> not found, refused or unreachable. Reads `check_events`,
`describe_pod` and `check_pods`."""

import re

from app.diagnosis.kube import PULLING, moment, statuses
from app.diagnosis.reading import Seen, dig
from app.diagnosis.world import Found, World, cite, signal

# What the registry or the way to it answered, most telling first (containerd and CRI-O pass the texts on). A registry
# that hides private names says "denied ... may require authorization" for both; the refusal is what it said.
_CLASSES = (
    (
        "registry_unreachable",
        re.compile(
            r"no such host|i/o timeout|connection refused|dial tcp|tls handshake timeout|no route to host|certificate|context deadline|: EOF$", re.I
        ),
    ),
    (
        "registry_refuses",
        re.compile(r"unauthorized|authentication required|401|403|forbidden|pull access denied|insufficient_scope|no basic auth|denied", re.I),
    ),
    (
        "image_missing",
        re.compile(
            r"not found|manifest unknown|notfound|name unknown|does not exist|no matching manifest|invalid reference format"
            r"|not present with pull policy of Never|failed to inspect image",
            re.I,
        ),
    ),
)
# Docker Hub's official images are public: a refusal there means that there is none of that name.
OFFICIAL = "docker.io/library/"
_PULL = re.compile(r'Failed to pull image "(?P<image>[^"]+)"')


def classify(message: str) -> str:
    """The kind of signal a pull message speaks for, "" if it only says that pulling failed."""
    kind = next((kind for kind, pattern in _CLASSES if pattern.search(message)), "")
    return "image_missing" if kind == "registry_refuses" and OFFICIAL in message else kind


def find(world: World) -> Found:
    for pod in world.of("Pod"):
        images = {s.get("image") or "" for s, _ in statuses(pod.item)} | {str(c.get("image")) for c in pod.at("spec", "containers") or []}
        if not _pulling(pod):
            continue
        for event in world.events_on("Pod", pod.namespace, pod.name):
            match = _PULL.search(str(event.item.get("message")))
            if match and match["image"] in images:
                yield from _say(world, pod, event, str(event.item["message"]), match["image"])
        for status, _ in statuses(pod.item):
            message = str(dig(status, "state", "waiting", "message") or "")
            if classify(message):
                yield from _say(world, pod, pod, message, str(status.get("image") or ""))


def _pulling(pod: Seen) -> bool:
    reasons = {str(dig(s, "state", "waiting", "reason") or "") for s, _ in statuses(pod.item)}
    return bool(reasons & set(PULLING))


def _say(world: World, pod: Seen, source: Seen, message: str, image: str) -> Found:
    kind = classify(message)
    if kind:
        said = {"registry_unreachable": "the registry cannot be reached", "registry_refuses": "the registry refuses"}.get(kind, "no such image")
        claim = f"Pulling {image} for {pod.name} failed: {said}"
        facts = {"pod": pod.name, "image": image, "said": said}
        yield signal(kind, world.workload_of(pod), claim, cite(source.reading, (message,)), moment(source.item.get("first")), facts)
