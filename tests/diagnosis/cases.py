"""The table of cases: one row for each cause that the rules can name."""

from tests.diagnosis.breakages import (
    Case,
    at_start,
    autoscaler,
    both,
    calls,
    claim,
    cordoned,
    cron,
    golden,
    init_done,
    init_fails,
    job,
    node,
    once_long_ago,
    other_reason,
    over_quota,
    parked,
    pressure,
    pull,
    quota,
    released,
    running_log,
    scaled_down,
    scraped,
    selects,
    service,
    stale_refusal,
    stuck,
    throttled,
    unhealthy,
    unit,
    unplaced,
    wants,
    warned,
    with_probe,
)
from tests.diagnosis.scenes import NS, probe

CREDENTIALS = "password authentication failed"
READ_ONLY = "cannot execute INSERT in a read-only transaction"
STORE = "Deployment/shop/store"
WORKER = "Node//worker-a"
LOST = node("worker-a", "Ready", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
ACCOUNT = 'pods "cart-" is forbidden: error looking up service account shop/cart: serviceaccount "cart" not found'
SECURITY = 'pods "cart-" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false'
DENIED = 'admission webhook "policy.example" denied the request: no owner label'
LIMITS = 'pods "cart-" is forbidden: failed quota: budget: must specify limits.cpu'
REFUSED = "dial tcp 10.0.0.9:9090: connect: connection refused"
GRPC = 'Get "http://10.0.0.9:8080/": net/http: HTTP/1.x transport connection broken: malformed HTTP response "\\x00\\x00\\x06\\x04"'
DEADLINE = 'Get "http://10.0.0.9:8080/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
PENDING_STORE = '0/3 nodes are available: persistentvolumeclaim "store-data" not found. preemption: not helpful.'


CASES = (
    Case("missing_service_account", lambda s: s.refused(ACCOUNT), stale_refusal(ACCOUNT)),
    Case("quota_exceeded_cpu", over_quota("requests.cpu", "1", "4", "4"), lambda s: quota(s, "requests.cpu", "4", "4"), "Namespace//shop"),
    Case("quota_exceeded_memory", over_quota("limits.memory", "1Gi", "3584Mi", "4Gi"), over_quota("pods", "1", "9", "9"), "Namespace//shop"),
    Case("quota_exceeded_pods", over_quota("pods", "1", "9", "9"), over_quota("requests.cpu", "1", "4", "4"), "Namespace//shop"),
    Case(
        "quota_exceeded_services",
        both(lambda s: s.objects["Service"].remove(s.one("Service", "cart")), lambda s: quota(s, "services", "2", "2")),
        lambda s: quota(s, "services", "3", "3"),
        "Namespace//shop",
    ),
    Case(
        "quota_exceeded_storage",
        both(lambda s: s.pending(PENDING_STORE, "store"), lambda s: quota(s, "requests.storage", "0", "1Gi")),
        lambda s: quota(s, "requests.storage", "0", "1Gi"),
        "Namespace//shop",
    ),
    Case("quota_requires_limits", lambda s: s.refused(LIMITS), stale_refusal(LIMITS)),
    Case("pod_security_violation", lambda s: s.refused(SECURITY), stale_refusal(SECURITY)),
    Case("admission_webhook_denied", lambda s: s.refused(DENIED), stale_refusal(DENIED)),
    Case(
        "rbac_denied",
        lambda s: s.crashes(1, log='pods is forbidden: User "system:serviceaccount:shop:cart" cannot list resource "pods" in API group ""'),
        lambda s: s.crashes(1, log="HTTP 403 from upstream"),
        "ServiceAccount/shop/cart",
    ),
    Case("insufficient_cpu", unplaced("3 Insufficient cpu"), other_reason),
    Case("insufficient_memory", unplaced("1 node(s) were unschedulable, 2 Insufficient memory"), unplaced("3 Insufficient cpu")),
    Case("insufficient_extended_resource", unplaced("3 Insufficient example.com/gpu"), unplaced("3 Insufficient memory")),
    Case("node_selector_mismatch", selects, cordoned),
    Case("node_affinity_mismatch", wants, selects),
    Case("pod_anti_affinity_conflict", unplaced("3 node(s) didn't match pod anti-affinity rules"), unplaced("3 Insufficient cpu")),
    Case("topology_spread_conflict", unplaced("3 node(s) didn't match pod topology spread constraints"), other_reason),
    Case(
        "taint_not_tolerated", unplaced("1 node(s) were unschedulable, 2 node(s) had untolerated taint {gpu: true}"), unplaced("3 Insufficient cpu")
    ),
    Case("node_cordoned", cordoned, unplaced("1 node(s) were unschedulable, 2 Insufficient cpu")),
    Case("too_many_pods_on_node", unplaced("3 Too many pods"), other_reason, WORKER),
    Case("pvc_unbound_storage_class", lambda s: claim(s, None, storageClassName="fast"), lambda s: claim(s, {"capacity": {"storage": "1Gi"}}), STORE),
    Case("pvc_unbound_capacity", lambda s: claim(s, {"capacity": {"storage": "1Gi"}}), lambda s: claim(s, {"accessModes": ["ReadOnlyMany"]}), STORE),
    Case(
        "pvc_unbound_access_mode", lambda s: claim(s, {"accessModes": ["ReadOnlyMany"]}), lambda s: claim(s, {"capacity": {"storage": "1Gi"}}), STORE
    ),
    Case(
        "pvc_unbound_selector",
        lambda s: claim(s, None, selector={"matchLabels": {"tier": "gold"}}),
        lambda s: claim(s, {"capacity": {"storage": "1Gi"}}),
        STORE,
    ),
    Case(
        "pv_bound_elsewhere",
        lambda s: claim(s, {"claimRef": {"namespace": NS, "name": "other"}}),
        lambda s: claim(s, {"capacity": {"storage": "1Gi"}}),
        STORE,
    ),
    Case("scheduler_unavailable", both(lambda s: s.pending(""), unit("kube-scheduler", "control")), other_reason, "Node//control"),
    Case("image_not_found", pull("manifest for registry.example/cart:1.4.2 not found: manifest unknown"), pull("401 Unauthorized")),
    Case(
        "image_pull_unauthorized",
        pull("unexpected status from HEAD request: 401 Unauthorized"),
        pull("dial tcp: lookup registry.example: no such host"),
    ),
    Case("image_registry_unreachable", pull("dial tcp: lookup registry.example: no such host"), pull("manifest unknown")),
    Case(
        "missing_config_map",
        lambda s: s.waits("CreateContainerConfigError", 'configmap "cart-settings" not found'),
        lambda s: s.waits("CreateContainerConfigError", 'secret "cart-key" not found'),
    ),
    Case(
        "missing_secret",
        lambda s: s.waits("CreateContainerConfigError", "couldn't find key token in Secret shop/cart-key"),
        lambda s: s.waits("CreateContainerConfigError", 'configmap "cart-settings" not found'),
    ),
    Case("init_container_failed", init_fails, init_done),
    Case("container_command_invalid", lambda s: s.crashes(127, log="/bin/run: command not found"), lambda s: s.crashes(2, log="panic: boom")),
    Case(
        "runs_as_forbidden_user",
        lambda s: s.waits("CreateContainerConfigError", "container has runAsNonRoot and image will run as root (pod: cart)"),
        lambda s: s.waits("CreateContainerConfigError", 'secret "cart-key" not found'),
    ),
    Case(
        "volume_mount_failed",
        warned("FailedMount", 'MountVolume.SetUp failed for volume "data" : mount failed: exit status 32'),
        lambda s: s.event("Pod", s.pod()["metadata"]["name"], "FailedMount", 'MountVolume.SetUp failed for volume "data": transient'),
    ),
    Case(
        "volume_permission_denied",
        lambda s: s.crashes(1, log="open /data/cart.db: permission denied"),
        once_long_ago("open /data/cart.db: permission denied"),
    ),
    Case("oom_killed", lambda s: s.crashes(137, "OOMKilled"), lambda s: s.crashes(137, "Error")),
    Case("memory_leak", lambda s: s.crashes(1, log="java.lang.OutOfMemoryError: Java heap space"), lambda s: s.crashes(137, "OOMKilled")),
    Case("application_crash", lambda s: s.crashes(2, log="panic: runtime error: index out of range [3]"), lambda s: s.crashes(137, "OOMKilled")),
    Case(
        "configuration_error", lambda s: s.crashes(1, log="fatal: required env var STORE_DSN is not set"), lambda s: s.crashes(2, log="panic: boom")
    ),
    Case("liveness_probe_wrong_port", with_probe("Liveness", probe(9090), REFUSED), at_start("Liveness")),
    Case("liveness_probe_wrong_protocol", unhealthy("Liveness", GRPC), with_probe("Liveness", probe(9090), REFUSED)),
    Case(
        "liveness_probe_too_strict",
        with_probe("Liveness", probe(8080, initialDelaySeconds=1) | {"periodSeconds": 1, "failureThreshold": 1}, DEADLINE),
        unhealthy("Liveness", DEADLINE),
    ),
    Case("liveness_probe_failing", unhealthy("Liveness", "HTTP probe failed with statuscode: 500"), at_start("Liveness")),
    Case("readiness_probe_wrong_port", with_probe("Readiness", probe(9090), REFUSED), at_start("Readiness")),
    Case("readiness_probe_wrong_protocol", unhealthy("Readiness", GRPC), with_probe("Readiness", probe(9090), REFUSED)),
    Case("readiness_probe_failing", unhealthy("Readiness", "HTTP probe failed with statuscode: 503"), at_start("Readiness")),
    Case(
        "rollout_regression",
        both(released, unhealthy("Readiness", "HTTP probe failed with statuscode: 500"), stuck),
        both(lambda s: released(s, 600), unhealthy("Readiness", "HTTP probe failed with statuscode: 500")),
    ),
    Case("rollout_stuck", both(stuck, lambda s: s.not_ready()), lambda s: s.not_ready()),
    Case("zero_replicas", scaled_down, parked, STORE),
    Case(
        "too_few_replicas",
        autoscaler("True", "TooManyReplicas", "the desired replica count is more than the maximum replica count", "ScalingLimited"),
        autoscaler("False", "DesiredWithinRange", "the desired count is within the acceptable range", "ScalingLimited"),
    ),
    Case(
        "autoscaler_cannot_read_metrics",
        autoscaler("False", "FailedGetResourceMetric", "unable to get metrics for resource cpu: no metrics returned"),
        autoscaler("False", "ScalingDisabled", "scaling is disabled since the replica count of the target is zero"),
        "HorizontalPodAutoscaler/shop/cart",
    ),
    Case("job_failed", job(True), job(False), "Job/shop/billing"),
    Case("cron_job_suspended_or_missed", cron(True), cron(False), "CronJob/shop/nightly"),
    Case("disk_full", lambda s: s.crashes(1, log="write /data/wal: no space left on device"), once_long_ago("no space left on device")),
    Case("certificate_expired", running_log("x509: certificate has expired or is not yet valid"), once_long_ago("certificate has expired")),
    Case(
        "certificate_untrusted",
        running_log("x509: certificate signed by unknown authority"),
        once_long_ago("certificate signed by unknown authority"),
    ),
    Case("thread_or_descriptor_exhausted", running_log("accept4: too many open files"), once_long_ago("too many open files")),
    Case("service_selector_mismatch", service(selector={"app": "carts"}), scaled_down),
    Case("service_port_mismatch", service(targetPort=80), service(protocol="UDP")),
    Case("service_protocol_mismatch", service(protocol="UDP"), service(targetPort=80)),
    Case("client_address_wrong", calls("carts:8080"), calls("payments.example.org:443"), "Deployment/shop/web"),
    Case(
        "dns_resolution_failure",
        running_log("Error: getaddrinfo ENOTFOUND db.prod.svc.cluster.local"),
        once_long_ago("Error: getaddrinfo ENOTFOUND db.prod.svc.cluster.local"),
    ),
    Case("pod_cpu_saturation", both(throttled(0.6), golden("service_latency_seconds", 0.01, 0.4)), golden("service_latency_seconds", 0.01, 0.4)),
    Case("cpu_throttling", throttled(0.3), throttled(0.02)),
    Case("traffic_spike", golden("service_requests_per_second", 5, 60), golden("service_requests_per_second", 5, 7)),
    Case("pod_network_delay", golden("service_latency_seconds", 0.01, 0.4), golden("service_latency_seconds", 0.01, 0.012)),
    Case("dependency_unavailable", running_log("could not connect to ledger:9000: connection refused"), once_long_ago("connection refused")),
    Case("rate_limited", running_log("upstream said 429 Too Many Requests"), once_long_ago("429 Too Many Requests")),
    Case("database_connections_exhausted", running_log("FATAL: sorry, too many connections already"), once_long_ago("too many connections")),
    Case(
        "database_credentials_invalid",
        running_log('FATAL: password authentication failed for user "cart"'),
        once_long_ago("password authentication failed"),
    ),
    Case(
        "database_read_only",
        running_log("cannot execute INSERT in a read-only transaction"),
        once_long_ago("cannot execute INSERT in a read-only transaction"),
    ),
    Case(
        "database_driver_missing",
        lambda s: s.crashes(1, log="No suitable driver found"),
        lambda s: s.crashes(1, log="bye"),
    ),
    Case("kubelet_unavailable", both(LOST, unit("kubelet", "worker-a")), LOST, WORKER),
    Case("container_runtime_unavailable", both(LOST, unit("containerd", "worker-a")), LOST, WORKER),
    Case("kube_proxy_unavailable", unit("kube-proxy", "worker-a"), LOST, WORKER),
    Case(
        "controller_manager_unavailable",
        unit("kube-controller-manager", "control"),
        unit("kube-scheduler", "control"),
        "ControlPlane//kube-controller-manager",
    ),
    Case("etcd_unhealthy", unit("etcd", "control"), unit("kube-scheduler", "control"), "ControlPlane//etcd"),
    Case("node_not_ready", LOST, both(LOST, unit("kubelet", "worker-a")), WORKER),
    Case("node_memory_pressure", pressure("MemoryPressure"), node("worker-a", "MemoryPressure", "False"), WORKER),
    Case("node_disk_pressure", pressure("DiskPressure"), pressure("MemoryPressure"), WORKER),
    Case("node_pid_pressure", pressure("PIDPressure"), pressure("MemoryPressure"), WORKER),
    Case("scrape_target_down", scraped(0), scraped(1), "Target//billing/10.0.0.7:9100"),
)
