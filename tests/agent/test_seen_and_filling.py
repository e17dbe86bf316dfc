"""What a result's data opens to later calls, and how it fills their arguments."""

from typing import Any

import pytest

from app.agent.filling import Unfilled, fill
from app.agent.seen import seen
from app.domain.plan import StepUpdate
from app.domain.tool import Outcome, StepStatus, ToolCall
from tests.agent.cast import result, step


def names(data: dict[str, Any]) -> set[str]:
    return {str(ref) for ref in seen(data).refs}


def test_objects_owners_nodes_and_labels_of_pods_are_seen() -> None:
    pod = {
        "metadata": {
            "name": "web-1",
            "namespace": "shop",
            "labels": {"app": "web", "team": "x"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "web-abc", "controller": True}],
        },
        "spec": {"nodeName": "n1"},
    }
    found = seen({"pods": [pod], "owners": {"web-1": ["ReplicaSet/web-abc", "Deployment/web"]}})
    assert {str(r) for r in found.refs} == {
        "Pod/shop/web-1",
        "ReplicaSet/shop/web-abc",
        "Deployment/shop/web",
        "Label/shop/web",
        "Node//n1",
    }
    assert found.namespaces == {"shop"}
    assert [o["kind"] for o in found.objects] == ["Pod"]
    assert [o["kind"] for o in found.derived] == ["ReplicaSet"]


def test_references_in_text_form_and_labels_of_series_are_seen() -> None:
    data = {
        "events": [{"object": "Pod/shop/web-2", "message": "Deployment/bank/vault is named in free text"}],
        "deploys": [{"workload": "Deployment/shop/web"}],
        "series": [{"metric": {"namespace": "shop", "pod": "web-3", "node": "n2", "job": "x"}, "values": [[1, "2"]]}],
    }
    assert names(data) == {"Pod/shop/web-2", "Deployment/shop/web", "Pod/shop/web-3", "Node//n2"}


def test_addresses_of_nodes_are_names_too_and_logs_open_nothing() -> None:
    assert names({"nodes": [{"metadata": {"name": "n1"}, "status": {"addresses": [{"address": "10.0.0.1"}]}}]}) == {"Node//n1", "Label//10.0.0.1"}
    assert names({"pod": "web-1", "lines": ["GET Pod/bank/vault-1", '{"metadata": {"name": "x"}}']}) == set()


def test_both_ends_of_an_edge_are_seen_by_all_their_names() -> None:
    edge = {"caller": "web", "caller_namespace": "shop", "callee": "cart", "callee_namespace": "", "also": ["cart-v1"], "source": "istio"}
    assert names({"edges": [edge]}) == {"Label/shop/web", "Label//cart", "Label//cart-v1"}


ODD: list[dict[str, Any]] = [
    {"edges": [{"also": 3}, 4]},
    {"pods": None},
    {"pods": [{}]},
    {"owners": {"a": None}},
    {"owners": []},
    {"object": 3},
    {"metric": []},
]


@pytest.mark.parametrize("data", ODD)
def test_data_of_an_unexpected_shape_opens_nothing(data: dict[str, Any]) -> None:
    assert names(data) == set()


def done(data: dict[str, Any]) -> dict[str, StepUpdate]:
    outcome = Outcome(call=ToolCall(id="c1", tool="t", step_id="s1"), status=StepStatus.SUCCESS, result=result("t", data=data))
    return {"s1": StepUpdate(number=1, step=step("s1", "t"), outcome=outcome)}


# covers EXEC-04
def test_an_argument_is_taken_from_a_step_it_depends_on() -> None:
    pods = {"pods": [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}]}
    asked = step("s2", "t", "s1", pod={"from": "s1", "path": "pods.1.metadata.name"}, pods=[{"from": "s1", "path": "pods.0.metadata.name"}], n=3)
    assert fill(asked, done(pods)) == {"pod": "b", "pods": ["a"], "n": 3}


@pytest.mark.parametrize(
    ("source", "path", "why"),
    [("s1", "pods.9", "no such part"), ("s1", "pods.x", "no such part"), ("s1", "nodes", "no such part"), ("s3", "pods", "does not depend")],
)
def test_what_cannot_be_filled_says_why(source: str, path: str, why: str) -> None:
    with pytest.raises(Unfilled, match=why):
        fill(step("s2", "t", "s1", pod={"from": source, "path": path}), done({"pods": [1]}))
