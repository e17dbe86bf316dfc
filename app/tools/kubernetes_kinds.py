"""Which kinds we read and where the API serves them. A kind that is not in this table cannot be read: Secrets are left
out on purpose. Of ConfigMaps only names and keys are kept (`kubernetes_trim`)."""

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
OLM, OLM_CLUSTER = "apis/operators.coreos.com", "apis/olm.operatorframework.io/v1"
GATEWAY, METRICS = "apis/gateway.networking.k8s.io/v1", "apis/metrics.k8s.io/v1beta1"
KINDS: dict[str, Kind] = {
    "Pod": Kind(CORE, "pods"),
    "Event": Kind(CORE, "events"),
    "NewEvent": Kind("apis/events.k8s.io/v1", "events"),  # the same objects under other names; trimmed to the core shape
    "ConfigMap": Kind(CORE, "configmaps"),
    "Namespace": Kind(CORE, "namespaces", namespaced=False),
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
    "PodDisruptionBudget": Kind("apis/policy/v1", "poddisruptionbudgets"),
    "Ingress": Kind(NETWORK, "ingresses"),
    "IngressClass": Kind(NETWORK, "ingressclasses", namespaced=False),
    "Gateway": Kind(GATEWAY, "gateways"),
    "HTTPRoute": Kind(GATEWAY, "httproutes"),
    "NetworkPolicy": Kind(NETWORK, "networkpolicies"),
    "StorageClass": Kind("apis/storage.k8s.io/v1", "storageclasses", namespaced=False),
    "Lease": Kind("apis/coordination.k8s.io/v1", "leases"),
    "CatalogSource": Kind(f"{OLM}/v1alpha1", "catalogsources"),
    "ClusterServiceVersion": Kind(f"{OLM}/v1alpha1", "clusterserviceversions"),
    "InstallPlan": Kind(f"{OLM}/v1alpha1", "installplans"),
    "Subscription": Kind(f"{OLM}/v1alpha1", "subscriptions"),
    "OperatorGroup": Kind(f"{OLM}/v1", "operatorgroups"),
    "ClusterCatalog": Kind(OLM_CLUSTER, "clustercatalogs", namespaced=False),
    "ClusterExtension": Kind(OLM_CLUSTER, "clusterextensions", namespaced=False),
    "Application": Kind("apis/argoproj.io/v1alpha1", "applications"),
    "Kustomization": Kind("apis/kustomize.toolkit.fluxcd.io/v1", "kustomizations"),
    "HelmRelease": Kind("apis/helm.toolkit.fluxcd.io/v2", "helmreleases"),
    "GitRepository": Kind("apis/source.toolkit.fluxcd.io/v1", "gitrepositories"),
    "HelmRepository": Kind("apis/source.toolkit.fluxcd.io/v1", "helmrepositories"),
    "PodMetrics": Kind(METRICS, "pods"),
    "NodeMetrics": Kind(METRICS, "nodes", namespaced=False),
}
