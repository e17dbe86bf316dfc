"""The limits of one investigation, in one place; `safety` refuses calls by them, `agent` ends rounds by them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SessionLimits:
    """Decisions 11, 13, 14, 15 and CB-10..12. Seconds are wall time of the runs added up: time in which nobody worked on the
    investigation (a crash, a wait for a person) does not count.

    `same_call`: the call with the same tool and arguments that is refused (3 = the third). `total_seconds` is the deadline
    that time-outs are cut to; `session_seconds` the outer bound. `parallel` steps run at once; one that has not answered
    after `patience_seconds` gives its place to the next. After `briefing_seconds` people are told what is known (FR-04: 60 s,
    less what telling them takes).
    """

    iterations: int = 10
    actions: int = 20
    same_call: int = 3
    tokens: int = 50_000
    dollars: float = 0.50
    total_seconds: float = 120.0
    session_seconds: float = 300.0
    parallel: int = 4
    patience_seconds: float = 5.0
    briefing_seconds: float = 45.0
