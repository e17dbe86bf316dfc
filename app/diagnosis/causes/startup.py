"""Causes between a node and a running container: images, what the pod refers to, commands, volumes."""

from app.diagnosis.causes.rule import CRASHES, DOWNSTREAM, NOT_RUNNING, UNREACHED, CauseRule

_STARTS = NOT_RUNNING | UNREACHED | DOWNSTREAM
_VAGUER = ("rollout_stuck", "rollout_regression", "dependency_unavailable", "readiness_probe_failing", "job_failed")


def _pull(cause: str, need: str, strength: float, mechanism: str) -> CauseRule:
    return CauseRule(
        id=cause,
        needs=(need,),
        strength=strength,
        mechanism=mechanism,
        supports={"released_before_onset": 0.02, "image_pull_failing": 0.02, "pull_secret_missing": 0.04 if need == "registry_refuses" else 0.0},
        explains=_STARTS | {"image_pull_failing"},
        beats=_VAGUER,
        actions=("describe_pod", "roll_back", "show_pull_secrets"),
    )


def _missing(cause: str, need: str, what: str) -> CauseRule:
    return CauseRule(
        id=cause,
        needs=(need,),
        strength=0.93,
        mechanism="Container {container} of {pod} cannot start: {missing}",
        supports={"released_before_onset": 0.02},
        explains=_STARTS | CRASHES,
        beats=(*_VAGUER, "configuration_error", "volume_mount_failed"),
        actions=("describe_pod", f"show_{what}", "roll_back"),
    )


RULES = (
    _pull("image_not_found", "image_missing", 0.92, "The registry has no image {image}"),
    _pull("image_pull_unauthorized", "registry_refuses", 0.9, "The registry refuses to hand out {image}: pull secret missing or wrong"),
    _pull("image_registry_unreachable", "registry_unreachable", 0.9, "The registry of {image} does not resolve or does not answer"),
    _missing("missing_config_map", "config_map_missing", "config_maps"),
    _missing("missing_secret", "secret_missing", "secrets"),
    CauseRule(
        id="init_container_failed",
        needs=("init_container_failing",),
        strength=0.88,
        mechanism="Init container {container} of {pod} fails, so the pod never starts",
        supports={"init_exited": 0.04, "log_crash": 0.02, "log_error": 0.02, "released_before_onset": 0.02, "last_words": 0.0},
        explains=_STARTS | CRASHES,
        beats=(*_VAGUER, "application_crash", "configuration_error"),
        actions=("read_log_previous", "roll_back"),
    ),
    CauseRule(
        id="container_command_invalid",
        needs=("command_cannot_run",),
        strength=0.88,
        mechanism="The command of container {container} does not exist or cannot be executed",
        supports={"log_missing_command": 0.05},
        explains=_STARTS | CRASHES,
        beats=(*_VAGUER, "application_crash", "configuration_error"),
        actions=("describe_pod", "roll_back"),
    ),
    CauseRule(
        id="runs_as_forbidden_user",
        needs=("forbidden_user",),
        strength=0.9,
        mechanism="Container {container} may not run as the user of its image: {message}",
        explains=_STARTS,
        beats=_VAGUER,
        actions=("describe_pod", "roll_back"),
    ),
    CauseRule(
        id="volume_mount_failed",
        needs=("volume_not_mounted", "unschedulable_claim_missing", "claim_lost", "unschedulable_volume_node"),
        strength=0.7,
        mechanism="A volume of {pod} cannot be mounted",
        explains=_STARTS,
        beats=_VAGUER,
        actions=("describe_pod", "show_claims"),
    ),
    CauseRule(
        id="volume_permission_denied",
        needs=("log_permission_denied",),
        also=(("crash_looping", "container_exited_with_error", "pod_not_ready"),),
        strength=0.6,
        mechanism="The process of {pod} may not write where it needs to",
        explains=_STARTS | CRASHES,
        beats=("application_crash", "rollout_stuck", "rollout_regression"),
        actions=("read_log", "describe_pod"),
    ),
)
