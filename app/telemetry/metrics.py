"""Every metric we export, in one place (requirements MET-01..17). Label values are members of closed enums, or the
names of our own tools and breakers, never text from outside."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from app.domain.investigation import InvestigationStatus, is_final
from app.domain.verdict import VerdictState

AGENT_NAME = "sre-agent"

registry = CollectorRegistry()

requests_total = Counter("agent_requests_total", "Investigations ended, by status.", ["agent_name", "status"], registry=registry)
request_duration_seconds = Histogram(
    "agent_request_duration_seconds",
    "Wall time of an investigation.",
    ["agent_name"],
    buckets=[1, 5, 10, 30, 60, 120, 300, 600],
    registry=registry,
)
first_response_time_seconds = Histogram(
    "first_response_time_seconds",
    "From the receipt of an alert to its briefing.",
    ["agent_name"],
    buckets=[1, 2, 5, 10, 20, 30, 45, 60, 120, 300],
    registry=registry,
)
steps_per_request = Histogram(
    "agent_steps_per_request", "Plan steps of an investigation.", ["agent_name"], buckets=[1, 2, 5, 10, 20, 50, 100], registry=registry
)
tokens_total = Counter("agent_tokens_total", "Model tokens; type is prompt or completion.", ["agent_name", "model", "type"], registry=registry)
api_cost_dollars = Counter("agent_api_cost_dollars", "Model cost in US dollars.", ["agent_name", "model"], registry=registry)
task_success_total = Counter(
    "agent_task_success_total", "Investigations that reached a verdict, by playbook family.", ["agent_name", "task_type"], registry=registry
)
task_failure_total = Counter(
    "agent_task_failure_total", "Investigations that did not.", ["agent_name", "task_type", "failure_reason"], registry=registry
)
cache_hits_total = Counter(
    "agent_cache_hits_total",
    "Model answers that were held already and cost nothing.",
    ["agent_name", "cache_type"],
    registry=registry,
)
user_feedback_total = Counter("agent_user_feedback_total", "Ratings of reports by people.", ["agent_name", "rating"], registry=registry)
active_sessions = Gauge("agent_active_sessions", "Investigations running now.", ["agent_name"], registry=registry)
queue_depth = Gauge("agent_queue_depth", "Investigations accepted and not started.", ["agent_name", "priority"], registry=registry)
tool_calls_total = Counter("agent_tool_calls_total", "Tool calls by outcome.", ["agent_name", "tool", "status"], registry=registry)
tool_failures_total = Counter("agent_tool_failures_total", "Tool calls that brought nothing.", ["agent_name", "tool", "reason"], registry=registry)
tool_duration_seconds = Histogram(
    "agent_tool_duration_seconds", "Wall time of a tool call with its retries.", ["agent_name", "tool"], registry=registry
)
root_cause_found_total = Counter("agent_root_cause_found_total", "Investigations by verdict state.", ["agent_name", "state"], registry=registry)
memory_recall_total = Counter(
    "agent_memory_recall_total", "Recalls; result is hit, miss or unavailable.", ["agent_name", "result"], registry=registry
)
planner_decisions_total = Counter(
    "agent_planner_decisions_total", "Who planned, and why the model did not.", ["agent_name", "decided_by", "fallback_reason"], registry=registry
)
refusals_total = Counter("agent_refusals_total", "Tool calls that a gate refused.", ["agent_name", "reason"], registry=registry)
redactions_total = Counter("agent_redactions_total", "Secrets taken out of texts.", ["agent_name"], registry=registry)
alerts_accepted_total = Counter(
    "agent_alerts_accepted_total", "Alert instances taken, by what came of them.", ["agent_name", "reason"], registry=registry
)
bodies_refused_total = Counter("agent_bodies_refused_total", "Request bodies refused.", ["agent_name", "reason"], registry=registry)
notifications_total = Counter(
    "agent_notifications_total", "Notices by channel and whether they were delivered.", ["agent_name", "channel", "result"], registry=registry
)
recoveries_total = Counter("agent_recoveries_total", "Investigations resumed after a crash or taken over.", ["agent_name"], registry=registry)
last_progress_timestamp_seconds = Gauge(
    "agent_last_progress_timestamp_seconds", "Unix time of the last committed trail event.", ["agent_name"], registry=registry
)

# There from the start at 0: a rate over a series that appears with its first event misses that event.
active_sessions.labels(AGENT_NAME)
steps_per_request.labels(AGENT_NAME)
request_duration_seconds.labels(AGENT_NAME)
first_response_time_seconds.labels(AGENT_NAME)
redactions_total.labels(AGENT_NAME)
recoveries_total.labels(AGENT_NAME)
queue_depth.labels(AGENT_NAME, "all")
for _status in InvestigationStatus:
    if is_final(_status):
        requests_total.labels(AGENT_NAME, _status.value)
for _state in VerdictState:
    root_cause_found_total.labels(AGENT_NAME, _state.value)
for _cache in ("exact", "semantic"):
    cache_hits_total.labels(AGENT_NAME, _cache)
for _rating in ("positive", "negative"):
    user_feedback_total.labels(AGENT_NAME, _rating)
