"""What events and container states say of a Secret, which is never read, or of a ConfigMap that may not be read. Pure;
used by check_config."""

import re
from collections.abc import Iterable, Sequence

from app.domain.frozen import JsonObject
from app.tools.config_references import Reference

# the kubelet's words: a missing object, a missing key of env, a missing key of a volume
MISSING = re.compile(r'(?P<kind>secret|configmap)s? "(?P<name>[^"]+)" not found')
KEY_OF_ENV = re.compile(r"couldn't find key (?P<key>\S+) in (?P<kind>Secret|ConfigMap) (?P<owner>\S+)")
KEY_OF_VOLUME = re.compile(r"references non-existent (?P<kind>secret|config) key: (?P<key>[^\s,\]]+)")
PULL = re.compile(r"Unable to retrieve some image pull secrets \((?P<names>[^)]*)\)")


def conclude(reference: Reference, pods: Sequence[JsonObject], messages: Iterable[str]) -> tuple[str, str]:
    """-> (`missing`, `key_missing`, `present` or "" when nothing tells, the message or state that says it).

    A container that runs proves that what its environment needs was there when it started; a pod that runs proves the
    same of its volumes.
    """
    for message in messages:
        if _names_missing(reference, message):
            return "missing", message
        if reference.key and _names_missing_key(reference, message):
            return "key_missing", message
    if reference.optional:
        return "", ""
    return _proof(reference, pods)


def _names_missing(reference: Reference, message: str) -> bool:
    found = MISSING.search(message)
    pull = PULL.search(message)
    named = {n.strip() for n in pull["names"].split(",")} if pull and reference.where == "imagePullSecrets" else set()
    return bool(found and found["name"] == reference.name and found["kind"] == reference.kind.lower()) or reference.name in named


def _names_missing_key(reference: Reference, message: str) -> bool:
    env = KEY_OF_ENV.search(message)
    if env:
        return env["kind"] == reference.kind and env["key"] == reference.key and env["owner"].rstrip(",;").rsplit("/", 1)[-1] == reference.name
    volume = KEY_OF_VOLUME.search(message)
    word = "secret" if reference.kind == "Secret" else "config"
    return bool(volume and volume["kind"] == word and volume["key"] == reference.key and f'"{reference.where.split(" ")[-1]}"' in message)


def _proof(reference: Reference, pods: Sequence[JsonObject]) -> tuple[str, str]:
    for pod in pods:
        for status in _statuses(pod):
            started = (status.get("state") or {}).get("running") or (status.get("lastState") or {}).get("terminated")
            if started and reference.container in ("", status.get("name")):
                return (
                    "present",
                    f"container {status.get('name')} of pod {pod['metadata']['name']} started at {started.get('startedAt', 'some time')}",
                )
    return "", ""


def _statuses(pod: JsonObject) -> list[JsonObject]:
    return [s for group in ("initContainerStatuses", "containerStatuses") for s in pod.get("status", {}).get(group) or ()]


def waiting_messages(pods: Sequence[JsonObject]) -> list[str]:
    """Messages of containers that wait, e.g. with CreateContainerConfigError."""
    found = [((s.get("state") or {}).get("waiting") or {}).get("message") for p in pods for s in _statuses(p)]
    return [str(message) for message in found if message]
