"""A world's objects as the API server holds them: by kind, in key order, with a resource version. Called by the server."""

from functools import cached_property
from typing import Any

from app.lab.kubernetes.events import as_new_event
from app.lab.kubernetes.kinds import KINDS, Kind, custom, key_of
from app.lab.kubernetes.pages import etcd_key
from app.lab.snapshot import World

Object = dict[str, Any]


class ObjectStore:
    """What is written stays here: the world itself is never changed. A kind that the snapshot did not read is not
    `readable`. Versions below `oldest` count as compacted away."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.oldest = 0
        self._sorted: dict[tuple[str, str], list[Object]] = {}

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        return (*KINDS, *custom(self.world.objects))

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        return next((k for k in self.kinds if (k.group, k.version, k.plural) == (group, version, plural)), None)

    def has_group(self, group: str) -> bool:
        return any(k.group == group for k in self.kinds)

    def readable(self, kind: Kind) -> bool:
        objects = self.world.objects
        return key_of(kind) in objects or (kind.kind == "Event" and "Event" in objects)

    def items(self, kind: Kind, namespace: str) -> list[Object]:
        """All objects of the kind, or those of one namespace, in etcd's order."""
        key = (kind.group, kind.plural)
        if key not in self._sorted:
            self._sorted[key] = sorted(self._raw(kind), key=etcd_key)
        found = self._sorted[key]
        return [i for i in found if i["metadata"].get("namespace", "") == namespace] if namespace else found

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return next((i for i in self.items(kind, namespace) if i["metadata"]["name"] == name), None)

    def _raw(self, kind: Kind) -> list[Object]:
        objects = self.world.objects
        if kind.kind == "Event" and kind.group and key_of(kind) not in objects:
            return [as_new_event(e) for e in objects.get("Event", [])]
        return objects.get(key_of(kind), [])

    def put(self, kind: Kind, item: Object) -> Object:
        """Stores the object under a new version, in place of the one of the same name. -> what was stored"""
        self.version += 1
        stored = item | {"metadata": item["metadata"] | {"resourceVersion": str(self.version)}}
        others = [i for i in self.items(kind, "") if etcd_key(i) != etcd_key(item)]
        self._sorted[(kind.group, kind.plural)] = sorted([*others, stored], key=etcd_key)
        return stored

    def remove(self, kind: Kind, item: Object) -> None:
        self.version += 1
        self._sorted[(kind.group, kind.plural)] = [i for i in self.items(kind, "") if etcd_key(i) != etcd_key(item)]

    @cached_property
    def version(self) -> int:
        """The newest resource version of any object."""
        texts = (i["metadata"].get("resourceVersion", "") for items in self.world.objects.values() for i in items)
        return max((int(t) for t in texts if t.isdigit()), default=1)
