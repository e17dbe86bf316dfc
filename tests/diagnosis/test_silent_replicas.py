"""Replicas whose log says nothing: the others' are read at once, before what is further away."""

import copy
from pathlib import Path

from tests.diagnosis.scenes import NS, Scene
from tests.diagnosis.test_verdict import investigate


def three_pods_of_which_one_speaks(s: Scene) -> None:
    s.labels = {"alertname": "HighErrorRate", "namespace": NS, "deployment": "cart"}
    first = s.pod("cart")
    for n in (1, 2):
        twin = copy.deepcopy(first)
        twin["metadata"]["name"] = f"{first['metadata']['name']}{n}"
        s.objects["Pod"].append(twin)
    s.logs.clear()


def test_where_one_replica_said_nothing_all_others_are_read_in_one_round(tmp_path: Path) -> None:
    _, case = investigate(tmp_path, three_pods_of_which_one_speaks)
    rounds = [u.step.id.split("-")[0] for u in case.updates if u.step.tool == "get_logs"]
    assert len(rounds) == 3
    assert rounds[1] == rounds[2]
