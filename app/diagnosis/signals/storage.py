"""Claims that are not bound, against the volumes and classes there are -> what is missing. Reads `check_storage`,
`check_events`, and the pods that mount the claims."""

import re
from datetime import datetime, timedelta

from app.diagnosis.kube import matches, moment, quantity
from app.diagnosis.reading import Seen, dig, rows
from app.diagnosis.signals.workloads import ref
from app.diagnosis.world import Found, World, cite, signal
from app.domain.target import ObjectRef

_QUOTA = re.compile(r"exceeded quota", re.I)
_UNSET = re.compile(r"no storage class is set", re.I)  # what the volume controller says where none is named and none is the default
ORDER = ("pv_bound_elsewhere", "claim_too_large", "access_mode_unmet", "volume_selector_unmet")
# The volume controller repeats this while nobody answers (pkg/controller/volume/persistentvolume); a driver that works takes seconds.
_IDLE = re.compile(r"waiting for a volume to be created.{0,20} by (the )?external provisioner", re.I)
IDLE = timedelta(minutes=5)


def find(world: World) -> Found:
    for claim in world.of("PersistentVolumeClaim"):
        if claim.at("status", "phase") == "Pending":
            yield from _pending(world, claim)
        if claim.at("status", "phase") == "Lost":
            volume = claim.at("spec", "volumeName") or "its volume"
            said = f"Claim {claim.name} is Lost: {volume} does not exist any more"
            yield signal("claim_lost", mounts(world, claim), said, cite(claim.reading, (claim.name, "Lost")), None, {"claim": claim.name})


def mounts(world: World, claim: Seen) -> ObjectRef:
    """The workload whose pod mounts the claim; the claim itself if none does."""
    for pod in world.of("Pod"):
        names = [dig(v, "persistentVolumeClaim", "claimName") for v in rows(pod.at("spec", "volumes"))]
        if pod.namespace == claim.namespace and claim.name in names:
            return world.workload_of(pod)
    return ref(claim, "PersistentVolumeClaim")


def _pending(world: World, claim: Seen) -> Found:
    where, asked = mounts(world, claim), quantity(claim.at("spec", "resources", "requests", "storage"))
    events = [
        e for e in world.events_on("PersistentVolumeClaim", claim.namespace, claim.name) if e.item.get("type") == "Warning" or "volume" in str(e.item)
    ]
    facts = {
        "claim": claim.name,
        "size": claim.at("spec", "resources", "requests", "storage"),
        "modes": ", ".join(claim.at("spec", "accessModes") or []),
    }
    wanted = claim.at("spec", "storageClassName")
    facts["class"] = wanted or "none"
    began = moment(claim.at("metadata", "creationTimestamp"))
    for event in events[-2:]:
        message = str(event.item.get("message"))
        yield signal("claim_event", where, f"Claim {claim.name}: {message}", cite(event.reading, (message,)), moment(event.item.get("first")), facts)
        absent = "storageclass" in message and "not found" in message
        if absent or _idle(world, message, events, began):
            fault = "which does not exist" if absent else "whose provisioner does not act"
            claimed = f"StorageClass {wanted}, {fault}: claim {claim.name} is not provisioned"
            said = facts | {"fault": f"StorageClass {wanted}, {fault}"}
            yield signal("storage_class_missing", where, claimed, cite(event.reading, (message,)), began, said)
            return
        if event.item.get("reason") == "ProvisioningFailed" and not _QUOTA.search(message):
            said = facts | {"fault": f"StorageClass {wanted}, which cannot provision: {message[-120:]}"}
            claimed = f"No volume is provisioned for claim {claim.name}: {message[:140]}"
            yield signal("provisioning_failed", where, claimed, cite(event.reading, (message,)), moment(event.item.get("first")), said)
    classes = {s.name for s in world.of("StorageClass")}
    source = cite(claim.reading, (claim.name, "Pending"), (claim.name,))
    if wanted and wanted not in classes and world.has_read("check_storage", claim.namespace) and not _volumes(world, str(wanted)):
        said = facts | {"fault": f"StorageClass {wanted}, which does not exist"}
        yield signal("storage_class_missing", where, f"Claim {claim.name} names StorageClass {wanted}, which does not exist", source, began, said)
        return
    reason = _why(world, claim, asked)
    if reason is None and not wanted and (unset := next((e for e in events if _UNSET.search(str(e.item.get("message")))), None)):
        said = facts | {"fault": "no StorageClass, and none is the default"}
        shown = cite(unset.reading, (str(unset.item.get("message")),))
        yield signal("storage_class_missing", where, f"Claim {claim.name} has no StorageClass", shown, began, said)
    if reason:
        kind, volume = reason
        more = {
            **facts,
            "volume": volume.name,
            "capacity": volume.at("spec", "capacity", "storage"),
            "offers": ", ".join(volume.at("spec", "accessModes") or []),
        }
        more["bound_to"] = str(volume.at("spec", "claimRef", "name") or "")
        yield signal(kind, where, f"Claim {claim.name} is Pending; volume {volume.name} does not fit: {kind.replace('_', ' ')}", source, began, more)
        shown = cite(volume.reading, ("PersistentVolume", volume.name, str(more["capacity"])), (volume.name, "capacity"), (volume.name,))
        yield signal("volume_seen", where, f"Volume {volume.name}: {more['capacity']}, {more['offers']}", shown, None, more)


def _idle(world: World, message: str, events: list[Seen], began: datetime | None) -> bool:
    """A provisioner that was asked for minutes and said nothing at all: one that fails says so."""
    spoke = any(str(e.item.get("reason")).startswith("Provisioning") for e in events)
    return bool(_IDLE.search(message) and not spoke and began and world.now - began > IDLE)


def _volumes(world: World, storage_class: str) -> list[Seen]:
    return [v for v in world.of("PersistentVolume") if (v.at("spec", "storageClassName") or "") == storage_class]


def _why(world: World, claim: Seen, asked: float | None) -> tuple[str, Seen] | None:
    """The volume that comes closest (fewest objections) and its first objection in the order a person would fix them."""
    best: tuple[int, int, str, str, Seen] | None = None
    for volume in world.of("PersistentVolume"):
        wrong = _objections(claim, volume, asked)
        if wrong:
            rank = (len(wrong), ORDER.index(wrong[0]), volume.name, wrong[0], volume)
            best = rank if best is None or rank[:3] < best[:3] else best
    return (best[3], best[4]) if best else None


def _objections(claim: Seen, volume: Seen, asked: float | None) -> list[str]:
    wanted, offered = claim.at("spec", "storageClassName"), volume.at("spec", "storageClassName") or ""
    if wanted is not None and wanted != offered and claim.at("spec", "volumeName") != volume.name:
        return []
    found = []
    owner = volume.at("spec", "claimRef") or {}
    former = volume.at("status", "phase") == "Released"  # of a claim that is gone, even if it had the same name
    if owner and (former or (owner.get("name"), owner.get("namespace")) != (claim.name, claim.namespace)):
        found.append("pv_bound_elsewhere")
    if asked is not None and (quantity(volume.at("spec", "capacity", "storage")) or 0) < asked:
        found.append("claim_too_large")
    if not set(claim.at("spec", "accessModes") or []) <= set(volume.at("spec", "accessModes") or []):
        found.append("access_mode_unmet")
    labels = claim.at("spec", "selector", "matchLabels") or {}
    if labels and not matches(labels, volume.at("metadata", "labels") or {}):
        found.append("volume_selector_unmet")
    return found
