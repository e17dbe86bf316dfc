"""What DBOS logs, as our log shows it."""

import logging

from app.runtime.engine_logs import REPEAT_SECONDS, Seldom


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("dbos", logging.WARNING, "x", 1, text, None, None)


def test_the_same_line_is_told_again_only_after_a_while() -> None:
    now = [0.0]
    seldom = Seldom(lambda: now[0])
    assert [seldom.filter(record(text)) for text in ("database is away", "database is away", "other")] == [True, False, True]
    now[0] = REPEAT_SECONDS
    assert seldom.filter(record("database is away"))


def test_what_a_stop_does_on_purpose_is_not_told() -> None:
    assert not Seldom().filter(record("Asyncio task cancelled for workflow or step <function f>"))


def test_it_remembers_a_bounded_number_of_lines() -> None:
    seldom = Seldom(lambda: 0.0)
    for n in range(1000):
        seldom.filter(record(f"line {n}"))
    assert len(seldom._told) <= 100


def test_work_that_was_taken_up_too_late_while_stopping_is_not_told() -> None:
    error = RuntimeError("cannot schedule new futures after shutdown")
    late = logging.LogRecord("dbos", logging.ERROR, "x", 1, "Exception encountered in asynchronous workflow:", None, (RuntimeError, error, None))
    assert not Seldom().filter(late)
