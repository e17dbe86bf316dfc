"""The same cause in the other words and forms that clusters and programs give it: each is named first, its near miss never."""

import json
from pathlib import Path

import pytest

from app.domain.verdict import VerdictState
from tests.diagnosis.breakages import CART, Break, both, quota, released, running_log, scraped, stuck, unplaced, warned
from tests.diagnosis.scenes import NS, Scene, ago, probe
from tests.diagnosis.test_causes import verdict_of

# What programs say at the end when they do not take their settings.
REFUSED_SETTINGS = (
    "Failed to bind properties under 'cart.limit' to int:",
    "Exception: Could not resolve placeholder 'cart.url' in value \"${cart.url}\"",
    "pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings",
    "django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty.",
    "Microsoft.Extensions.Options.OptionsValidationException: The Url field is required.",
    "KeyError: 'CART_URL'",
    'KeyError: key not found: "CART_URL"',
    "flag provided but not defined: -listen-addr",
    "error: the following required arguments were not provided: --url <URL>",
    'nginx: [emerg] 1#1: unknown directive "prox_pass" in /etc/nginx/conf.d/default.conf:4',
    "*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***",
    'FATAL:  unrecognized configuration parameter "shared_bufers"',
    "[ERROR] [MY-000067] [Server] unknown variable 'inno_buffer=1G'.",
    '"command failed" err="open /etc/kubernetes/profile.yaml: no such file or directory"',
    "panic: yaml: line 12: did not find expected key",
)
HANGS = (
    "DEBUG writer-2 waiting for index lock (held by reloader)",
    "goroutine 41 [semacquire, 18 minutes]:",
    "WARN Thread [http-1] has been active for [90,000] milliseconds and may be stuck",
    "*** HARAKIRI ON WORKER 1 ***",
)
RUN_OUT = (
    "accept4: too many open files",
    "runtime: may need to increase max user processes, newosproc",
    "ThreadError: can't create Thread: Resource temporarily unavailable",
    "dial tcp 10.0.0.9:5432: connect: cannot assign requested address",
    "OpenBLAS blas_thread_init: pthread_create failed for thread 3 of 8: Resource temporarily unavailable",
)
DISTRUST = (
    "javax.net.ssl.SSLHandshakeException: PKIX path building failed: unable to find valid certification path to requested target",
    "Error: unable to get local issuer certificate code UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    "SSL routines: tlsv1 alert unknown ca",
    "invalid peer certificate: UnknownIssuer",
    "The remote certificate is invalid because of errors in the certificate chain: UntrustedRoot",
)


def crashed(log: str, code: int = 1) -> Break:
    return lambda s: s.crashes(code, log=log)


def crashed_since_release(log: str) -> Break:
    """The pod of a new release dies with these words, and the release is stuck."""
    return both(released, stuck, crashed(log))


def mount(message: str) -> Break:
    return warned("FailedMount", f'MountVolume.SetUp failed for volume "settings" : {message}')


def refused(message: str) -> Break:
    return lambda s: s.refused(message)


def startup(port: int, message: str) -> Break:
    """A startup probe that is never met: the kubelet restarts the container."""

    def broken(s: Scene) -> None:
        s.box()["startupProbe"] = probe(port)
        s.crashes(143)
        s.event("Pod", s.pod()["metadata"]["name"], "Killing", "Container cart failed startup probe, will be restarted")
        s.event("Pod", s.pod()["metadata"]["name"], "Unhealthy", f"Startup probe failed: {message}")

    return broken


def evicted(message: str) -> Break:
    """A pod of the workload was evicted; another runs in its place."""

    def broken(s: Scene) -> None:
        gone = json.loads(json.dumps(s.pod()))
        gone["metadata"]["name"] += "z"
        gone["status"].update(phase="Failed", reason="Evicted", message=message, conditions=[], containerStatuses=[])
        gone["metadata"]["creationTimestamp"] = ago(20)
        s.objects["Pod"].append(gone)

    return broken


def delivery(message: str) -> Break:
    """A delivery tool passes on what the API server said."""

    def broken(s: Scene) -> None:
        quota(s, "services", "3", "3")
        s.event("HelmRelease", "cart", "UpgradeFailed", "Helm upgrade failed: failed to create resource: " + message)

    return broken


_ACCOUNT = 'User \\"system:serviceaccount:shop:cart\\" cannot list resource \\"configmaps\\" in API group'
_FULL = "exceeded quota: budget, requested: services=1, used: services=3, limited: services=3"
_NODES = "1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }"

FORMS: tuple[tuple[str, str, Break], ...] = (
    ("missing_config_map", CART, mount('configmap "cart-templates" not found')),
    ("missing_config_map", CART, mount("configmap references non-existent config key: rules.yaml")),
    ("missing_secret", CART, mount('secret "cart-tls" not found')),
    ("missing_secret", CART, mount("references non-existent secret key: tls.crt")),
    ("volume_mount_failed", CART, mount("mount failed: exit status 32, mount.nfs: Connection timed out")),
    ("container_port_conflict", CART, crashed_since_release("listen tcp :8080: bind: address already in use")),
    ("certificate_untrusted", CART, crashed_since_release("fatal: x509: certificate signed by unknown authority")),
    ("disk_full", CART, evicted("Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ")),
    ("disk_full", CART, evicted('Container cart exceeded its local ephemeral storage limit "1Gi". ')),
    ("disk_full", CART, evicted('Usage of EmptyDir volume "scratch" exceeds the limit "500Mi". ')),
    ("disk_full", CART, crashed("ERROR 1114 (HY000): The table 'orders' is full")),
    ("disk_full", CART, crashed("FATAL: ORA-01653: unable to extend table SHOP.ORDERS by 128 in tablespace USERS")),
    ("quota_exceeded_services", "Namespace//shop", delivery('services "cart-grpc" is forbidden: ' + _FULL)),
    ("rbac_denied", "ServiceAccount/shop/cart", running_log('ERROR sync failed: {"message":"configmaps is forbidden: ' + _ACCOUNT + '"}')),
    ("pod_security_violation", CART, refused('pods "cart-" is forbidden: unable to validate against any security context constraint: [x]')),
    ("pod_security_violation", CART, refused('pods "cart-" is forbidden: unable to validate against any pod security policy: [x]')),
    (
        "admission_webhook_denied",
        CART,
        refused("pods \"cart-\" is forbidden: ValidatingAdmissionPolicy 'no-latest' with binding 'all' denied request: failed expression: x"),
    ),
    ("quota_requires_limits", CART, refused('pods "cart-" is forbidden: cpu max limit to request ratio per Container is 2, but provided ratio is 4')),
    ("insufficient_cpu", CART, unplaced(_NODES.replace("1 node", "3 node") + ", 2 Insufficient cpu")),
    ("insufficient_memory", CART, unplaced("2 Insufficient memory, " + _NODES)),
    ("taint_not_tolerated", CART, unplaced(_NODES + ", 2 node(s) had taints that the pod didn't tolerate")),
    ("volume_mount_failed", CART, unplaced(_NODES + ", 2 node(s) had volume node affinity conflict")),
    ("insufficient_extended_resource", CART, unplaced(_NODES + ", 2 cannot allocate all claims")),
    ("liveness_probe_wrong_port", CART, startup(9090, "dial tcp 10.0.0.9:9090: connect: connection refused")),
    ("liveness_probe_failing", CART, startup(8080, "HTTP probe failed with statuscode: 500")),
    *(("configuration_error", CART, crashed_since_release(line)) for line in REFUSED_SETTINGS),
    *(("deadlock_or_hang", CART, running_log(line)) for line in HANGS),
    *(("thread_or_descriptor_exhausted", CART, running_log(line)) for line in RUN_OUT),
    *(("certificate_untrusted", CART, running_log(line)) for line in DISTRUST),
    ("thread_or_descriptor_exhausted", CART, crashed_since_release("java.lang.OutOfMemoryError: unable to create native thread")),
)


@pytest.mark.slow
@pytest.mark.parametrize(("cause", "where", "form"), FORMS, ids=lambda x: x if isinstance(x, str) else "")
def test_a_cause_is_named_whatever_words_it_comes_in(cause: str, where: str, form: Break, tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, form)
    assert [(h.cause, str(h.object)) for h in verdict.hypotheses][:1] == [(cause, where)], (verdict.line, verdict.hypotheses[:3])
    assert verdict.state in (VerdictState.CONFIRMED, VerdictState.LIKELY)


def target_of_cart(s: Scene) -> None:
    """The pod's own target is down because the pod is."""
    s.series("up", {"namespace": NS, "job": "cart", "instance": "10.0.0.9:8080", "pod": s.pod()["metadata"]["name"]}, 1, 0)


def test_a_target_whose_pod_is_not_ready_is_a_shadow_of_the_pod(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, crashed("panic: nil map", 2), target_of_cart)
    assert [h.cause for h in verdict.hypotheses if h.cause == "scrape_target_down"] == []


def test_a_target_that_is_down_while_its_pod_is_ready_is_a_fault_of_its_own(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, scraped(0))
    assert verdict.hypotheses[0].cause == "scrape_target_down"
