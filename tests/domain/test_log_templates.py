"""Log lines become templates: what varies is masked, what is said stays, and memory has a bound."""

import json
import random
import sys
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.log_levels import level_of
from app.domain.log_masks import Masks
from app.domain.log_templates import LogTemplate, LogTemplates, as_json
from app.domain.log_times import moment_of, stamp_in

NOW = datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
TEN = datetime(2026, 1, 1, 10, tzinfo=UTC)


def of(*lines: str, most: int = 1_000) -> tuple[LogTemplate, ...]:
    templates = LogTemplates(NOW, most)
    templates.add_all(lines)
    return templates.templates()


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        ("2026-01-01T10:00:00Z started", TEN),
        ("2026-01-01T10:00:00.123456789Z started", TEN.replace(microsecond=123456)),
        ("ts=2026-01-01 12:00:00,5 +0200 started", TEN.replace(microsecond=500000)),
        ("2026-01-01 10:00:00 UTC [1] LOG: ready", TEN),
        ("2026/01/01 10:00:00 [error] 12#12: no live upstreams", TEN),
        ('10.0.0.1 - - [01/Jan/2026:11:00:00 +0100] "GET / HTTP/1.1" 200 5', TEN),
        ("I1231 10:00:00.000001       1 main.go:1] ready", datetime(2025, 12, 31, 10, 0, 0, 1, tzinfo=UTC)),
        ("Jan  1 10:00:00 node kernel: oom", TEN),
        ("2026-13-01T10:00:00Z no such month", None),
        ("0001-01-01T00:00:00+05:00 before all time", None),
        ("Foo 31 10:00:00 x", None),
        ("no time at all, 12 of 34", None),
    ],
)
def test_a_line_tells_when_it_was_written(line: str, moment: datetime | None) -> None:
    assert moment_of(line, NOW) == moment


def test_a_time_without_a_year_needs_to_know_about_when_it_is() -> None:
    assert stamp_in("I1231 10:00:00.000001 1 x", None) == (1, 21, None)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("2026-01-01T10:00:00Z INFO took 12.5ms for 3 of 10 items", "INFO took <num> for <num> of <num> items"),
        ("pod cart-7d9f8b6c5d-x2k4p on node-12", "pod cart-<id> on node-<num>"),
        ("id 123e4567-e89b-12d3-a456-426614174000 hash 0xdeadbeef sha256:ab12cd34ef56ab12", "id <uuid> hash <hex> sha256:<hex>"),
        ("dial tcp 10.2.3.4:5432: connect: connection refused", "dial tcp <ip>: connect: connection refused"),
        ("listen [::1]:8080 and fe80::1", "listen [<ip>]:<num> and <ip>"),
        ("get http://cart:8080/api/v1/9 and https://10.1.1.1", "get http://cart:<num>/<path> and https://<ip>"),
        ("open /var/lib/x.txt: text/html, and/or", "open <path>: text/html, and/or"),
        ("pod \"cart 1\" and 'the other' but it's one", "pod <str> and <str> but it's one"),
        ("took 1m2.5s of 12MiB, 50% done at 10:11:12.5", "took <num> of <num>, <num> done at <time>"),
        ("v1 x509 utf8 stay as they are", "v1 x509 utf8 stay as they are"),
        ('level=error msg="dial failed: no route" user=alice n=3', "level= error msg= dial failed: no route user= alice n= <num>"),
        ('10.0.0.1 - - [01/Jan/2026:10:00:00 +0000] "GET /a/b?x=1 HTTP/1.1" 503 123 "-"', "<ip> - - <time> GET <path> 5xx <num> <str>"),
        ("E0102 10:00:00.123456    1 x.go:12] gone", "error <num> x.go:<num>] gone"),
        ('{"level":50,"time":1700000000000,"msg":"connect ECONNREFUSED 10.0.0.1:6379","status":503}', "error connect ECONNREFUSED <ip> status= 5xx"),
        ('{"severity":"WARNING","message":"slow","error":{"message":"took 5s"}}', "warning slow took <num>"),
        ('{"method":"GET","path":"/x","ms":5,"time":"2026-01-01T00:00:00Z"}', "method= GET path= /x ms= <num>"),
        ("{not json 5", "{not json <num>"),
        ("\x1b[31mERROR\x1b[0m gone", "ERROR gone"),
        ("   ", ""),
    ],
)
def test_what_varies_is_masked_and_what_is_said_stays(line: str, words: str) -> None:
    assert " ".join(Masks(NOW).words(line)[1]) == words


@pytest.mark.parametrize("value", ["Infinity", "-5", "1e400", "true", '"never"', "0", "NaN"])
def test_a_time_that_is_none_does_no_harm(value: str) -> None:
    assert Masks(NOW).words(f'{{"ts": {value}, "msg": "ready"}}') == (None, ["ready"])


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("INFO handled error: none", "info"),
        ("[warn] slow", "warn"),
        ("level= error msg= x", "error"),
        ("<time> [FATAL] no space", "error"),
        ("panic: nil map", "error"),
        ("dial tcp: connection refused", "error"),
        ("java.lang.IllegalStateException at", "error"),
        ("connect ECONNREFUSED", "error"),
        ("GET <path> 5xx <num>", "error"),
        ("done err= <nil>", ""),
        ("ready", ""),
        ("trace of a user", ""),
        ("debug hit", "debug"),
    ],
)
def test_a_line_has_the_level_it_says_or_speaks_of(text: str, level: str) -> None:
    assert level_of(text.split()) == level


def test_lines_of_one_template_are_counted_with_first_last_and_samples() -> None:  # covers CTX-08
    lines = [f"2026-01-01T10:00:{n:02}Z ERROR order {n} of user={name} failed at /srv/a/{n}" for n, name in enumerate(["ann", "bob", "cem", "dia"])]
    (one,) = of(*lines)
    assert (one.template, one.level, one.count) == ("ERROR order <num> of user=<*> failed at <path>", "error", 4)
    assert (one.first, one.last) == (TEN, TEN + timedelta(seconds=3))
    assert one.samples == (lines[0], lines[1], lines[3])
    assert as_json(one) == {
        "template": one.template,
        "count": 4,
        "first": "2026-01-01T10:00:00Z",
        "last": "2026-01-01T10:00:03Z",
        "samples": [lines[0], lines[1], lines[3]],
        "level": "error",
    }


def test_errors_come_first_then_warnings_then_what_is_frequent() -> None:
    found = of(*["tick"] * 5, *["tock tock"] * 9, "WARN slow", "ERROR gone")
    assert [t.template for t in found] == ["ERROR gone", "WARN slow", "tock tock", "tick"]


def test_lines_that_say_something_else_are_another_template() -> None:
    found = of("connection to database refused by peer", "connection to queue closed after idle time", "connection to database refused by proxy")
    assert {t.template: t.count for t in found} == {"connection to database refused by <*>": 2, "connection to queue closed after idle time": 1}


def test_a_line_without_a_time_has_the_one_it_was_received_at() -> None:
    templates = LogTemplates(NOW)
    templates.add("ready", at=TEN)
    templates.add("2026-01-01T09:00:00Z other thing", at=TEN)
    assert [t.first for t in templates.templates()] == [TEN, TEN - timedelta(hours=1)]


def test_what_the_baseline_did_not_say_is_new() -> None:
    templates = LogTemplates(NOW)
    for line in ("served 1 items", "warming up"):
        templates.add(line, baseline=True)
    templates.add_all(["served 2 items", "cannot reach 10.0.0.1:80"])
    assert {t.template: (t.new, t.count) for t in templates.templates()} == {"cannot reach <ip>": (True, 1), "served <num> items": (False, 1)}
    assert (templates.lines, templates.baseline) == (2, 2)
    assert of("served 1 items")[0].new is None


def noise(seed: int, count: int) -> list[str]:
    chance = random.Random(seed)
    words = ["alpha", "beta", "gamma", "delta", "order", "user", "failed", "ok", "WARN", "at"]
    return [
        " ".join(chance.choices([*words, str(chance.randrange(99)), f"k{chance.randrange(40)}"], k=chance.randrange(1, 12))) for _ in range(count)
    ]


def test_the_same_lines_give_the_same_answer_and_a_break_changes_nothing() -> None:
    lines = noise(1, 6_000)
    whole = LogTemplates(NOW, 200)
    whole.add_all(lines)
    again = LogTemplates(NOW, 200)
    for begin in range(0, len(lines), 1_000):
        again.add_all(lines[begin : begin + 1_000])
        again = LogTemplates.of(json.loads(json.dumps(again.state())), NOW)
    assert again.templates() == whole.templates()
    assert again.state() == whole.state()


def test_the_rarest_make_room_and_their_lines_stay_counted() -> None:
    lines = [*["heartbeat sent"] * 50, "ERROR disk is gone", *(f"{chr(97 + n % 26)}{chr(97 + n // 26)} said nothing of note" for n in range(300))]
    found = of(*lines, most=40)
    assert len(found) <= 41
    assert sum(t.count for t in found) == len(lines)
    assert {t.template for t in found} >= {"heartbeat sent", "ERROR disk is gone", "<other>"}
    assert found[-1].template == "<other>"
    assert len(found[-1].samples) == 3


def test_a_state_of_another_shape_is_refused() -> None:
    with pytest.raises(KeyError):
        LogTemplates.of({"max": 4})


def test_hostile_text_stays_in_bounds() -> None:
    chance = random.Random(3)
    lines = ["x" * 300_000, "1." * 100_000, '"' * 5_000, "=" * 5_000, "/a" * 5_000, "\x00\ud800 \u2028 ok", '{"a":' * 500, "\x1b[" * 3_000]
    lines += ["".join(chance.choices("abc \"'=/:.<>[]{}0123é\t", k=400)) for _ in range(300)]
    templates = LogTemplates(NOW, 50)
    templates.add_all(lines)
    found = templates.templates()
    assert sum(t.count for t in found) == templates.lines == len(lines)
    assert all(len(s) <= 4_000 for t in found for s in t.samples)
    assert sum(sys.getsizeof(t.template) for t in found) < 50 * 10_000
