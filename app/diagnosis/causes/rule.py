"""The one shape of a cause: what must be seen, what speaks for and against it, what it explains, what to do.

To add a cause: one `CauseRule` in the file of its family (or a new file listed in `causes/__init__.py`), its id in
`vocabulary.py` if it is new, and its three cases (positive, near miss, healthy) in `tests/diagnosis/test_causes.py`."""

from dataclasses import dataclass, field

# Symptoms: what a fault looks like from outside. A cause that `explains` one accounts for it on the objects it reaches.
NOT_RUNNING = frozenset({"pod_pending", "pod_not_ready", "pod_failed", "workload_short", "rollout_not_progressing"})
UNREACHED = frozenset({"service_without_ready_pods", "service_without_pods"})
CRASHES = frozenset(
    {"crash_looping", "container_restarting", "container_killed", "container_completed", "container_exited_with_error", "init_exited"}
)
DOWNSTREAM = frozenset({"log_connection_refused", "log_dns_failure", "errors_rose", "latency_rose", "readiness_failing", "traffic_fell", "log_error"})
SYMPTOMS = NOT_RUNNING | UNREACHED | CRASHES | DOWNSTREAM | {"pods_refused", "image_pull_failing", "pending_unnoticed", "job_failed"}


@dataclass(frozen=True, slots=True)
class CauseRule:
    """`needs`: one of these kinds on the object makes it a hypothesis, the first that is there decides its sentence.
    `also`: of each group at least one must be there too (on the object or what it reaches).
    `strength`: how sure the cause is when only that is known, 0..1. `supports`/`against`: kind -> how much it adds or
    takes. `explains`: symptoms it accounts for. `beats`: causes on the same object (or one it reaches) that are only
    its consequence or a vaguer name for it; `outdoes`: kind -> causes that are so where this kind is there. `mechanism`: a
    sentence over the facts of the deciding signal.
    `actions`: ids of the catalogue in `actions.py`, best first. `ruled_out_by`: the check that kills it, and the kinds
    whose absence after that check does."""

    id: str
    needs: tuple[str, ...]
    strength: float
    mechanism: str
    also: tuple[tuple[str, ...], ...] = ()
    supports: dict[str, float] = field(default_factory=dict)
    against: dict[str, float] = field(default_factory=dict)
    explains: frozenset[str] = NOT_RUNNING | UNREACHED | DOWNSTREAM
    beats: tuple[str, ...] = ()
    outdoes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    actions: tuple[str, ...] = ()
