"""check_storage: claims of a namespace, the cluster's volumes and storage classes."""

import json

from pydantic import Field

from app.domain.frozen import JsonObject
from app.domain.tool import ToolContext, ToolResult, ToolStatus
from app.tools.answers import Arguments, Findings, KubeName, answer, read_spec
from app.tools.kubernetes_client import KubernetesClient
from app.tools.kubernetes_reading import Query, read
from app.tools.pod_text import condition_line, pairs

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


class CheckStorageArguments(Arguments):
    namespace: KubeName = Field(description="Namespace of the claims.")


class CheckStorage:
    arguments = CheckStorageArguments
    spec = read_spec("check_storage", "Volume claims, volumes and storage classes", "kubernetes", "storage", CheckStorageArguments)

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client

    async def run(self, arguments: CheckStorageArguments, context: ToolContext) -> ToolResult:
        space = arguments.namespace
        queries = [Query("PersistentVolumeClaim", space, required=True), Query("PersistentVolume"), Query("StorageClass")]
        cluster = await read(self._client, queries)
        if cluster.denied("PersistentVolumeClaim"):
            return answer(self.spec, cluster.reading, Findings(ToolStatus.DENIED, f"Not allowed to read volume claims in {space}"))
        claims, volumes, classes = (cluster.of(k) for k in ("PersistentVolumeClaim", "PersistentVolume", "StorageClass"))
        data: JsonObject = {"persistentvolumeclaims": claims, "persistentvolumes": volumes, "storageclasses": classes}
        lines = [line for c in claims for line in _claim(c)]
        lines += [line for v in volumes for line in _volume(v)]
        lines += [_storage_class(c) for c in classes] or (["no storageclass exists"] if cluster.readable("StorageClass") else [])
        loose = [c["metadata"]["name"] for c in claims if c.get("status", {}).get("phase") != "Bound"]
        summary = f"Found {len(claims)} volume claims: " + (f"not bound: {', '.join(loose[:6])}" if loose else "all bound")
        status = ToolStatus.OK if claims else ToolStatus.NO_DATA
        return answer(self.spec, cluster.reading, Findings(status, summary if claims else f"No volume claims in {space}", lines, data))


def _claim(item: JsonObject) -> list[str]:
    name, spec, status = f"persistentvolumeclaim {_name(item)}", item.get("spec", {}), item.get("status", {})
    wanted = pairs((spec.get("resources") or {}).get("requests"))
    lines = [
        f"{name}: phase {status.get('phase', 'Unknown')}, storageClassName {spec.get('storageClassName', '(default)')}, "
        f"accessModes {','.join(spec.get('accessModes') or ())}, requests {wanted or 'none'}, "
        f"volumeName {spec.get('volumeName', '(none)')}, volumeMode {spec.get('volumeMode', 'Filesystem')}"
    ]
    if spec.get("selector"):
        lines.append(f"{name}: selector {json.dumps(spec['selector'], sort_keys=True)}")
    return lines + [condition_line(name, c) for c in status.get("conditions") or ()]


def _volume(item: JsonObject) -> list[str]:
    name, spec, status = f"persistentvolume {item['metadata'].get('name')}", item.get("spec", {}), item.get("status", {})
    claim = spec.get("claimRef") or {}
    said = f": {status['message']}" if status.get("message") else ""
    lines = [
        f"{name}: phase {status.get('phase', 'Unknown')}{said}, storageClassName {spec.get('storageClassName') or '(none)'}, "
        f"accessModes {','.join(spec.get('accessModes') or ())}, capacity {pairs(spec.get('capacity')) or 'unknown'}, "
        f"claimRef {claim.get('namespace', '') + '/' + claim.get('name', '') if claim else '(none)'}, "
        f"reclaimPolicy {spec.get('persistentVolumeReclaimPolicy', 'Retain')}"
    ]
    if item["metadata"].get("labels"):
        lines.append(f"{name}: labels {pairs(item['metadata']['labels'])}")
    if spec.get("nodeAffinity"):
        lines.append(f"{name}: nodeAffinity {json.dumps(spec['nodeAffinity'], sort_keys=True)}")
    return lines


def _storage_class(item: JsonObject) -> str:
    default = ", default" if (item["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true" else ""
    return (
        f"storageclass {item['metadata'].get('name')}: provisioner {item.get('provisioner')}, "
        f"volumeBindingMode {item.get('volumeBindingMode', 'Immediate')}{default}"
    )


def _name(item: JsonObject) -> str:
    return f"{item['metadata'].get('namespace', '')}/{item['metadata'].get('name', '')}"
