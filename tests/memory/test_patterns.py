"""What repeats in a service's past, as sentences."""

import random
from datetime import timedelta

from app.domain.memory import PastCase
from app.memory.patterns import learned_patterns
from tests.memory.cases import NOW, past


def ago(days: float, number: int, **changed: object) -> PastCase:
    return past(number, service="checkout", timestamp=NOW - timedelta(days=days), **changed)


# covers LRN-01
def test_a_cause_that_came_back_is_a_pattern_with_what_fixed_it_last() -> None:
    cases = [ago(1, 0, fix=""), ago(6, 1, fix="raised the limit"), ago(13.5, 2, fix="restarted"), ago(2, 3, cause="dns_failure")]
    assert learned_patterns(cases, "high_memory", NOW) == ("checkout: oom_killed 3 times in 14 days, last fixed by: raised the limit",)


def test_the_order_in_which_cases_come_does_not_matter() -> None:
    cases = [ago(n / 3, n, cause=f"cause{n % 4}") for n in range(12)]
    shuffled = random.Random(3).sample(cases, len(cases))
    assert learned_patterns(cases, "high_memory", NOW) == learned_patterns(shuffled, "high_memory", NOW)
    assert len(learned_patterns(cases, "high_memory", NOW)) == 3


def test_without_a_fix_on_record_the_sentence_says_so() -> None:
    assert learned_patterns([ago(0.1, 0, fix=""), ago(0.2, 1, fix="See investigation")], "x", NOW) == (
        "checkout: oom_killed 2 times in 1 day, no fix on record",
    )


def test_guesses_are_no_pattern() -> None:
    assert learned_patterns([ago(n, n, state="inconclusive") for n in range(3)], "high_memory", NOW) == ()


def test_an_alert_that_is_never_a_problem_is_a_pattern_of_that_alert() -> None:
    cases = [ago(n, n, state="not_a_problem", cause="") for n in range(1, 4)]
    assert learned_patterns(cases, "high_memory", NOW) == ("checkout: high_memory was not a problem 3 times in 3 days, last on 2026-02-28",)
    assert learned_patterns(cases, "high_cpu", NOW) == ()
