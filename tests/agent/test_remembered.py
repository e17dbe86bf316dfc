"""What working memory hands from one investigation to the next."""

from typing import Any

import pytest

from app.agent.remembered import place_of, steps_from, still_there
from app.domain.memory import Recalled
from app.domain.plan import Step
from app.domain.target import ObjectRef, Target

POD = ObjectRef(kind="Pod", namespace="shop", name="web-7c9d8f6b5d-k7x2m")


def asked(**args: Any) -> Step:
    return Step(id="m1", tool="get_logs", reason="r", args=args)


@pytest.mark.parametrize(
    ("kind", "name", "place"),
    [
        ("Service", "web", "Workload/shop/web"),
        ("Deployment", "web", "Workload/shop/web"),
        ("Pod", "web-7c9d8f6b5d-k7x2m", "Workload/shop/web"),
        ("Pod", "web-0", "Workload/shop/web"),
        ("PersistentVolumeClaim", "web", "PersistentVolumeClaim/shop/web"),
    ],
)
def test_a_service_its_workload_and_its_pods_have_one_place_in_working_memory(kind: str, name: str, place: str) -> None:
    assert place_of(Target(ref=ObjectRef(kind=kind, namespace="shop", name=name), why="w")) == place  # covers WMEM-03


def test_a_pod_that_is_gone_is_not_asked_about_again() -> None:
    assert still_there(asked(namespace="shop", pod=POD.name, previous=True), [POD])
    assert not still_there(asked(namespace="shop", pod="web-7c9d8f6b5d-zzzzz"), [POD])
    assert not still_there(asked(namespace="bank"), [POD])


@pytest.mark.parametrize("recent", [None, {}, {"asked_beyond": "x"}, {"asked_beyond": ["x", {"tool": "t", "args": 1}]}])
def test_what_an_older_version_left_adds_nothing(recent: dict[str, Any] | None) -> None:
    assert steps_from(Recalled(recent=recent)) == ()
