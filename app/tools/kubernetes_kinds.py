"""Which kinds we read and where the API serves them. A kind that is not in this table cannot be read: Secrets and
ConfigMaps are left out on purpose."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """`prefix` is the path of group and version, `plural` the resource."""

    prefix: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str, name: str = "") -> str:
        """Path below the server's address; an empty namespace asks for all of them."""
        space = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"/{self.prefix}{space}/{self.plural}" + (f"/{name}" if name else "")


CORE, APPS, BATCH, NETWORK = "api/v1", "apis/apps/v1", "apis/batch/v1", "apis/networking.k8s.io/v1"
KINDS: dict[str, Kind] = {
    "Pod": Kind(CORE, "pods"),
    "Event": Kind(CORE, "events"),
    "Service": Kind(CORE, "services"),
    "ServiceAccount": Kind(CORE, "serviceaccounts"),
    "ResourceQuota": Kind(CORE, "resourcequotas"),
    "LimitRange": Kind(CORE, "limitranges"),
    "PersistentVolumeClaim": Kind(CORE, "persistentvolumeclaims"),
    "PersistentVolume": Kind(CORE, "persistentvolumes", namespaced=False),
    "Node": Kind(CORE, "nodes", namespaced=False),
    "Deployment": Kind(APPS, "deployments"),
    "ReplicaSet": Kind(APPS, "replicasets"),
    "StatefulSet": Kind(APPS, "statefulsets"),
    "DaemonSet": Kind(APPS, "daemonsets"),
    "ControllerRevision": Kind(APPS, "controllerrevisions"),
    "Job": Kind(BATCH, "jobs"),
    "CronJob": Kind(BATCH, "cronjobs"),
    "HorizontalPodAutoscaler": Kind("apis/autoscaling/v2", "horizontalpodautoscalers"),
    "EndpointSlice": Kind("apis/discovery.k8s.io/v1", "endpointslices"),
    "Ingress": Kind(NETWORK, "ingresses"),
    "NetworkPolicy": Kind(NETWORK, "networkpolicies"),
    "StorageClass": Kind("apis/storage.k8s.io/v1", "storageclasses", namespaced=False),
    "Lease": Kind("apis/coordination.k8s.io/v1", "leases"),
}
