"""A claim names a StorageClass that this cluster does not have; its pod waits for the volume."""

from datetime import UTC, datetime, timedelta
from typing import Any

from app.lab.building.samples import flat
from app.lab.building.scene import Container, PodState, Revision, Scene
from app.lab.building.telling import KSM, calm, event, not_scheduled, replica_series

NOW = datetime(2026, 3, 18, 7, 50, tzinfo=UTC)
MADE = NOW - timedelta(minutes=24)
SPACE, APP, CODE, CLAIM = "archive", "scan-archive", "74b9d8f6c5", "scan-archive-data"
READER, READER_CODE = "scan-reader", "66f8c9d7b4"
NO_CLASS = 'storageclass.storage.k8s.io "nvme-replicated" not found'
UNBOUND = (
    "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/3 nodes are available: 3 Preemption is not helpful."
)


def build() -> Scene:
    scene = Scene("missing-class", SPACE, NOW, "The new scan-archive claims a volume of class nvme-replicated, which only the old cluster had")
    container = Container(APP, f"registry.example.com/archive/{APP}:1.0.0", 8080)
    pod = scene.deployment(APP, [Revision(1, CODE, MADE, container)], [PodState("q6w3n", "", MADE, False, unschedulable=UNBOUND)])
    for item in (pod, *scene.objects["ReplicaSet"]):
        _mounts(item["spec"]["template"]["spec"])
    _mounts(scene.objects["Pod"][0]["spec"])
    _storage(scene)
    reader = Container(READER, f"registry.example.com/archive/{READER}:3.3.1", 8080)
    scene.deployment(READER, [Revision(4, READER_CODE, NOW - timedelta(days=11), reader)], [PodState("c5f8j", "node-b", NOW - timedelta(days=11))])
    calm(scene, READER, READER_CODE, ["c5f8j"], 150, "INFO  queue empty")
    scene.service(APP, 80, 8080)
    name = f"{APP}-{CODE}-q6w3n"
    not_scheduled(scene, name, UNBOUND, NOW - timedelta(minutes=4))
    told = {"type": "Warning", "component": "persistentvolume-controller", "count": 97, "first": MADE}
    event(scene, f"PersistentVolumeClaim/{CLAIM}", "ProvisioningFailed", NO_CLASS, NOW - timedelta(seconds=12), **told)
    replica_series(scene, APP, 1, flat(0))
    replica_series(scene, READER, 1, flat(1))
    words = {"summary": "Deployment has not matched the expected number of replicas.", "description": f"Deployment {SPACE}/{APP} has 0 of 1."}
    scene.alert("KubeDeploymentReplicasMismatch", "warning", MADE + timedelta(minutes=15), words, namespace=SPACE, deployment=APP, **KSM)
    scene.expected = {
        "state": "fault",
        "causes": [{"object": f"Deployment/{SPACE}/{APP}", "class": "pvc_unbound_storage_class"}],
        "accept": [{"object": f"PersistentVolumeClaim/{SPACE}/{CLAIM}", "class": "pvc_unbound_storage_class"}],
        "symptoms": [f"Pod/{SPACE}/{name}"],
        "key_evidence": [NO_CLASS],
    }
    return scene


def _mounts(spec: dict[str, Any]) -> None:
    spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": CLAIM}}]
    spec["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/var/lib/scans"}]


def _storage(scene: Scene) -> None:
    want = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "200Gi"}}, "volumeMode": "Filesystem"}
    claim = {"spec": {**want, "storageClassName": "nvme-replicated"}, "status": {"phase": "Pending"}}
    scene.add("PersistentVolumeClaim", "v1", CLAIM, SPACE, claim, born=MADE, finalizers=["kubernetes.io/pvc-protection"])
    how = {"provisioner": "csi.example.com", "reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": True}
    scene.add("StorageClass", "storage.k8s.io/v1", "standard", "", how, annotations={"storageclass.kubernetes.io/is-default-class": "true"})
    scene.objects["PersistentVolume"] = []
