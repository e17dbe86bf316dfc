"""Applications of a delivery tool that were read -> their names and what they apply. Used by `reach` and `signals.delivery`."""

from app.diagnosis.reading import dig, rows
from app.diagnosis.world import World
from app.domain.frozen import JsonObject
from app.domain.target import ObjectRef


def application(item: JsonObject) -> ObjectRef:
    return ObjectRef(kind="Application", namespace=str(dig(item, "metadata", "namespace") or ""), name=str(dig(item, "metadata", "name") or ""))


def managed(world: World, ref: ObjectRef) -> set[str]:
    """What an Application applies, as Kind/namespace/name; empty for one that was not read."""
    items = [i for r in world.readings if r.tool == "check_argocd" for i in r.items("applications") if application(i) == ref]
    held = [row for r in world.readings if r.tool == "check_delivery" for row in r.items("deliveries") if _is(row, ref)]
    found = [r for i in items for r in rows(dig(i, "status", "resources"))]
    return {f"{r.get('kind')}/{r.get('namespace') or ''}/{r.get('name')}" for r in found} | {
        str(x) for row in held for x in row.get("resources") or ()
    }


def _is(row: JsonObject, ref: ObjectRef) -> bool:
    return (row.get("kind"), row.get("namespace"), row.get("name")) == (ref.kind, ref.namespace, ref.name)
