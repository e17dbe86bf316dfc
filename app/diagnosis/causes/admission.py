"""Causes at the door of the API server: what refuses to create a pod, a Service or a claim."""

from app.diagnosis.causes.rule import DOWNSTREAM, NOT_RUNNING, UNREACHED, CauseRule

_REFUSED = NOT_RUNNING | UNREACHED | DOWNSTREAM | {"pods_refused"}


def _quota(resource: str) -> CauseRule:
    return CauseRule(
        id=f"quota_exceeded_{resource}",
        needs=(f"quota_refuses_{resource}",),
        strength=0.9,
        mechanism="Quota {quota} refuses new pods of {workload}: requested {asked}, used {used}, limited {limit}",
        supports={f"quota_full_{resource}": 0.04},
        explains=_REFUSED,
        beats=("rollout_stuck", "job_failed", "dependency_unavailable", "readiness_probe_failing"),
        actions=("show_quota", "raise_quota", "scale_down_others"),
    )


RULES = (
    CauseRule(
        id="missing_service_account",
        needs=("service_account_missing",),
        strength=0.93,
        mechanism="Pods cannot be created: the ServiceAccount they name does not exist",
        explains=_REFUSED,
        beats=("rollout_stuck", "dependency_unavailable"),
        actions=("show_service_accounts", "create_service_account", "roll_back"),
    ),
    _quota("cpu"),
    _quota("memory"),
    _quota("pods"),
    CauseRule(
        id="quota_exceeded_services",
        needs=("quota_refuses_services", "quota_full_services"),
        also=(("service_missing", "workload_unserved", "quota_refuses_services"),),
        strength=0.85,
        mechanism="Quota {quota} admits no further Service ({used} of {limit}), and one that clients ask for is missing",
        supports={"log_dns_failure": 0.03, "service_missing": 0.05},
        explains=DOWNSTREAM | UNREACHED,
        beats=("client_address_wrong", "dns_resolution_failure", "dependency_unavailable", "rollout_regression", "gitops_out_of_sync"),
        actions=("show_quota", "raise_quota"),
    ),
    CauseRule(
        id="quota_exceeded_storage",
        needs=("quota_refuses_storage", "quota_full_storage", "quota_on_storage"),
        also=(("claim_never_created", "quota_refuses_storage"),),
        strength=0.82,
        mechanism="Quota {quota} leaves no room for the claim the pod waits for ({resource} limited to {limit})",
        explains=_REFUSED,
        beats=("volume_mount_failed", "dependency_unavailable", "rollout_stuck"),
        actions=("show_quota", "raise_quota", "show_claims"),
    ),
    CauseRule(
        id="quota_requires_limits",
        needs=("limits_required",),
        strength=0.9,
        mechanism="A quota or LimitRange demands {what}, which the pod does not set",
        explains=_REFUSED,
        beats=("rollout_stuck", "rollout_regression"),
        actions=("show_quota", "set_resources"),
    ),
    CauseRule(
        id="pod_security_violation",
        needs=("pod_security_refused",),
        strength=0.92,
        mechanism="Pod Security admission refuses the pod: it violates {what}",
        explains=_REFUSED,
        beats=("rollout_stuck", "rollout_regression"),
        actions=("describe_workload", "roll_back"),
    ),
    CauseRule(
        id="admission_webhook_denied",
        needs=("webhook_denied",),
        strength=0.9,
        mechanism="The admission webhook {what} denies the pod",
        explains=_REFUSED,
        beats=("rollout_stuck", "rollout_regression"),
        actions=("describe_workload", "roll_back"),
    ),
    CauseRule(
        id="admission_webhook_unavailable",
        needs=("webhook_unavailable",),
        strength=0.9,
        mechanism="The admission webhook {what} cannot be asked, and nothing is admitted without it",
        explains=_REFUSED,
        beats=("rollout_stuck", "rollout_regression"),
        actions=("show_webhooks", "restart_webhook"),
    ),
    CauseRule(
        id="rbac_denied",
        needs=("log_forbidden",),
        strength=0.72,
        mechanism="{account} may not {verb} {what}: the API server answers 403",
        supports={"container_exited_with_error": 0.1, "crash_looping": 0.05},
        explains=NOT_RUNNING | DOWNSTREAM | {"crash_looping", "container_exited_with_error", "container_restarting"},
        beats=("application_crash", "rollout_stuck", "readiness_probe_failing", "rollout_regression"),
        actions=("show_rights", "read_log"),
    ),
)
