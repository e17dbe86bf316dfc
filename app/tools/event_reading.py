"""Events from whichever of the two API groups may be read. Used by check_events, describe_pod and check_config."""

from dataclasses import replace

from app.domain.tool import ToolStatus
from app.tools.kubernetes_client import KubernetesClient
from app.tools.kubernetes_reading import Cluster, Query, read

INSTEAD = "core events may not be read, events.k8s.io was read instead"


async def read_events(
    client: KubernetesClient, cluster: Cluster, namespace: str, about: dict[str, str] | None = None, required: bool = False
) -> None:
    """Adds the events of a namespace to `cluster`, under `Event` in the core shape whatever group they came from.
    `about`: fields of the object they are about (kind, name). Raises as `read` does."""
    fields = {"Event": "involvedObject", "NewEvent": "regarding"}
    for kind, field in fields.items():
        selector = ",".join(f"{field}.{name}={value}" for name, value in (about or {}).items() if value)
        await read(client, [Query(kind, namespace, fields=selector, required=required)], cluster)
        if not cluster.denied(kind):
            break
    second = cluster.listings.pop("NewEvent", None)
    if second is not None and second.status is ToolStatus.OK:
        cluster.listings["Event"] = replace(second, kind="Event")
        cluster.reading.notes.append(INSTEAD)
