"""Why something was refused, skipped, retried or given up: one closed list.

The same word appears in the trail, as a metric label, in HTTP bodies and in messages. Adding a member is a
changelog line, because dashboards depend on the words.
"""

from enum import StrEnum


class Reason(StrEnum):
    # a gate said no (safety)
    KILL_SWITCH = "kill_switch"
    EMERGENCY_STOP = "emergency_stop"
    MODE = "mode"
    PERMISSION = "permission"
    SCOPE = "scope"
    BUDGET = "budget"
    MAX_ITERATIONS = "max_iterations"
    MAX_ACTIONS = "max_actions"
    LOOP = "loop"
    TOKEN_LIMIT = "token_limit"
    COST_LIMIT = "cost_limit"
    SESSION_TIMEOUT = "session_timeout"
    RATE_LIMIT = "rate_limit"
    BREAKER_OPEN = "breaker_open"
    APPROVAL = "approval"
    UNKNOWN_TOOL = "unknown_tool"
    INVALID_ARGUMENTS = "invalid_arguments"
    # a call did not bring an answer (tools)
    NOT_CONFIGURED = "not_configured"
    TIMEOUT = "timeout"
    DENIED = "denied"
    UNAVAILABLE = "unavailable"
    INVALID_RESPONSE = "invalid_response"
    TOOL_ERROR = "tool_error"
    DEPENDENCY_FAILED = "dependency_failed"
    TIME_BUDGET = "time_budget"
    # the model did not speak (planner)
    NO_KEY = "no_key"
    MODEL_RATE_LIMIT = "model_rate_limit"
    MODEL_OVERLOADED = "model_overloaded"
    MODEL_TIMEOUT = "model_timeout"
    MODEL_ANSWER_MALFORMED = "model_answer_malformed"
    MODEL_AUTHENTICATION = "model_authentication"
    MODEL_UNAVAILABLE = "model_unavailable"
    # an alert or a body was not taken as it came (intake)
    MALFORMED_JSON = "malformed_json"
    DUPLICATE_KEY = "duplicate_key"
    WRONG_SHAPE = "wrong_shape"
    TOO_LARGE = "too_large"
    BODY_TIMEOUT = "body_timeout"
    WRONG_ENCODING = "wrong_encoding"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    NUL_CHARACTER = "nul_character"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    QUEUE_FULL = "queue_full"
    TOO_DEEP = "too_deep"
    NUMBER_OUT_OF_RANGE = "number_out_of_range"
    LONE_SURROGATE = "lone_surrogate"
    BODY_INCOMPLETE = "body_incomplete"
    # a request was not understood (controller)
    INVALID_PARAMETER = "invalid_parameter"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    INTERNAL_ERROR = "internal_error"
    # why an alert joined, or started nothing (ledger)
    NEW_EPISODE = "new_episode"
    REPEAT = "repeat"
    RESOLVED = "resolved"
    HEARTBEAT = "heartbeat"
    IGNORED = "ignored"
    SAME_TARGET = "same_target"
    SAME_GROUP = "same_group"
    SAME_CAUSE = "same_cause"


class ErrorClass(StrEnum):
    """What to do about a failure (requirement ERR-13)."""

    TRANSIENT = "TRANSIENT"  # wait, retry
    CONFIG = "CONFIG"  # say what to change, never retry
    BUG = "BUG"  # ours; never retry
    EXTERNAL = "EXTERNAL"  # theirs, and lasting; never retry
