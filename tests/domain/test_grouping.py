"""In which order the alerts of one body ask for an investigation."""

from datetime import UTC, datetime
from itertools import permutations

from app.domain.alert import Alert, Source
from app.domain.grouping import MOST_LOOKED_AT, in_turn

AT = datetime(2027, 3, 4, tzinfo=UTC)


def alert(name: str, **labels: str) -> Alert:
    told = {"alertname": name, **labels}
    return Alert(id=name, source=Source.ALERTMANAGER, fingerprint=name, name=name, type=name, labels=told, starts_at=AT, received_at=AT)


SLOW = alert("Slow", namespace="shop", service="cart")
BUSY = alert("Busy", node="n1")
QUOTA = alert("Quota", namespace="shop")


def test_what_serves_asks_before_nodes_and_places_in_whatever_order_it_was_sent() -> None:
    for sent in permutations((SLOW, BUSY, QUOTA)):
        turn = in_turn(sent)
        assert turn[0][1] is SLOW
        assert all(sent[position] is one for position, one in turn)


def test_alerts_that_ask_alike_keep_the_order_of_the_sender() -> None:
    assert [one for _, one in in_turn((BUSY, QUOTA, SLOW, BUSY))] == [SLOW, BUSY, QUOTA, BUSY]


def test_a_storm_is_taken_as_it_comes() -> None:
    storm = (BUSY, SLOW) * MOST_LOOKED_AT
    assert in_turn(storm) == list(enumerate(storm))
