"""Pod specs -> every ConfigMap, Secret and ServiceAccount they name. Pure; used by check_config."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.domain.frozen import JsonObject

TOKENS = "kube-api-access"  # the volume that every pod gets; its name differs from pod to pod


@dataclass(frozen=True, order=True)
class Reference:
    """`key` is "" when the whole object is meant. `container` is "" for volumes and pull secrets. `where` says how it is
    named: `env MODE`, `envFrom`, `volume conf`, `imagePullSecrets`, `serviceAccountName`."""

    kind: str
    name: str
    key: str
    optional: bool
    container: str
    where: str


def references(spec: JsonObject) -> list[Reference]:
    """Of one pod spec, each once, in order."""
    return sorted({r for r in _all(spec) if r.name})


def _all(spec: JsonObject) -> Iterator[Reference]:
    for group in ("initContainers", "containers"):
        for container in spec.get(group) or ():
            yield from _environment(container, str(container.get("name", "")))
    for volume in spec.get("volumes") or ():
        name = str(volume.get("name", ""))
        yield from _volume(volume, f"volume {TOKENS if name.startswith(TOKENS + '-') else name}")
    for secret in spec.get("imagePullSecrets") or ():
        yield Reference("Secret", str(secret.get("name") or ""), "", True, "", "imagePullSecrets")
    if spec.get("serviceAccountName"):
        yield Reference("ServiceAccount", str(spec["serviceAccountName"]), "", False, "", "serviceAccountName")


def _environment(container: JsonObject, name: str) -> Iterator[Reference]:
    for source in container.get("envFrom") or ():
        for kind, field in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
            if source.get(field):
                yield _one(kind, source[field], "", name, "envFrom")
    for variable in container.get("env") or ():
        for kind, field in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
            found = (variable.get("valueFrom") or {}).get(field)
            if found:
                yield _one(kind, found, str(found.get("key") or ""), name, f"env {variable.get('name', '')}")


def _volume(volume: JsonObject, where: str) -> Iterator[Reference]:
    projected = (volume.get("projected") or {}).get("sources") or ()
    for source in (volume, *projected):
        if source.get("configMap"):
            yield from _keys("ConfigMap", source["configMap"], where)
        if source.get("secret"):
            body = source["secret"]
            yield from _keys("Secret", body | {"name": body.get("secretName") or body.get("name")}, where)


def _keys(kind: str, source: JsonObject, where: str) -> Iterator[Reference]:
    """A volume that lists items needs each of those keys."""
    keys = [str(item.get("key") or "") for item in source.get("items") or ()]
    yield from (_one(kind, source, key, "", where) for key in keys or [""])


def _one(kind: str, source: JsonObject, key: str, container: str, where: str) -> Reference:
    return Reference(kind, str(source.get("name") or ""), key, bool(source.get("optional")), container, where)
