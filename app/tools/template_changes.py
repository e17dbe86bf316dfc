"""Two pod templates -> what changed between them, in words. Pure; used by `rollouts`."""

import json
from collections.abc import Callable
from typing import Any

from app.domain.frozen import JsonObject
from app.tools.container_text import probe_text, variable_text

GENERATED = ("pod-template-hash", "controller-revision-hash")
RESTARTED = "kubectl.kubernetes.io/restartedAt"
PLACEMENT = ("nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "serviceAccountName", "imagePullSecrets", "priorityClassName")
GROUPS = (("initContainers", "init container"), ("containers", "container"))
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def version(template: JsonObject) -> str:
    """Tag or digest of the first container's image, the image itself when it has neither."""
    containers = (template.get("spec") or {}).get("containers") or [{}]
    image = str(containers[0].get("image", ""))
    last = image.rsplit("/", 1)[-1]
    for mark in ("@", ":"):
        if mark in last:
            return last.split(mark, 1)[1]
    return image


def changes(before: JsonObject, after: JsonObject) -> list[str]:
    """In a fixed order: containers, then placement, volumes, labels, annotations; never empty."""
    old, new = before.get("spec") or {}, after.get("spec") or {}
    found = [c for group, word in GROUPS for c in _containers(word, old.get(group) or [], new.get(group) or [])]
    found += [_moved(name, old.get(name), new.get(name)) for name in PLACEMENT if old.get(name) != new.get(name)]
    found += _named(
        "volume", old.get("volumes"), new.get("volumes"), lambda v: json.dumps({k: x for k, x in v.items() if k != "name"}, sort_keys=True)
    )
    old_meta, new_meta = before.get("metadata") or {}, after.get("metadata") or {}
    found += _pairs("label", old_meta.get("labels"), new_meta.get("labels"))
    found += _pairs("annotation", old_meta.get("annotations"), new_meta.get("annotations"))
    return found or ["template unchanged in what is shown here"]


def _containers(word: str, old: list[JsonObject], new: list[JsonObject]) -> list[str]:
    before, after = {c["name"]: c for c in old}, {c["name"]: c for c in new}
    found = [f"{word} {n} added with image {after[n].get('image')}" for n in after if n not in before]
    found += [f"{word} {n} removed" for n in before if n not in after]
    for name in after:
        if name in before:
            prefix = f"{word} {name} " if word != "container" or len(after) > 1 or len(before) > 1 else ""
            found += [prefix + c for c in _container(before[name], after[name])]
    return found


def _container(old: JsonObject, new: JsonObject) -> list[str]:
    found = [f"image {old.get('image')} -> {new.get('image')}"] if old.get("image") != new.get("image") else []
    found += _named("env", old.get("env"), new.get("env"), lambda v: variable_text(v).removeprefix(str(v.get("name"))).lstrip("= "))
    for part in ("limits", "requests"):
        found += _pairs(part, (old.get("resources") or {}).get(part), (new.get("resources") or {}).get(part))
    for probe in PROBES:
        if old.get(probe) != new.get(probe):
            texts = [probe_text(c[probe]) if c.get(probe) else "none" for c in (old, new)]
            found.append(f"{probe} {texts[0]} -> {texts[1]}")
    others = ("command", "args", "ports", "envFrom", "volumeMounts", "lifecycle", "imagePullPolicy")
    return found + [_moved(name, old.get(name), new.get(name)) for name in others if old.get(name) != new.get(name)]


def _moved(name: str, old: Any, new: Any) -> str:
    return f"{name} {_short(old)} -> {_short(new)}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return "none" if value is None else text[:300]


def _named(word: str, old: list[JsonObject] | None, new: list[JsonObject] | None, show: Callable[[JsonObject], str]) -> list[str]:
    before, after = ({str(v.get("name")): v for v in values or ()} for values in (old, new))
    found = [f"{word} {n} added: {show(after[n])}" for n in sorted(after) if n not in before]
    found += [f"{word} {n} removed (was {show(before[n])})" for n in sorted(before) if n not in after]
    both = [n for n in sorted(after) if n in before and before[n] != after[n]]
    return found + [f"{word} {n} {show(before[n])} -> {show(after[n])}" for n in both]


def _pairs(word: str, old: JsonObject | None, new: JsonObject | None) -> list[str]:
    before, after = ({k: v for k, v in (values or {}).items() if k not in GENERATED} for values in (old, new))
    if RESTARTED in after and before.get(RESTARTED) != after[RESTARTED]:
        return [f"restarted by hand at {after[RESTARTED]}", *_pairs(word, before, {k: v for k, v in after.items() if k != RESTARTED})]
    names = sorted({*before, *after})
    return [f"{word} {n} {before.get(n, 'none')} -> {after.get(n, 'none')}" for n in names if before.get(n) != after.get(n) and n != RESTARTED]
