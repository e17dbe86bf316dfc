"""Which alerts of a group a verdict accounts for."""

import asyncio
from pathlib import Path

from app.diagnosis.diagnosis import RulesDiagnosis
from app.domain.alert import Alert
from app.domain.verdict import Verdict
from tests.diagnosis.breakages import Break, pull
from tests.diagnosis.offline import Offline
from tests.diagnosis.scenes import NS, shop


def told(folder: Path, others: dict[str, dict[str, str]], *breaks: Break) -> tuple[Verdict, set[str]]:
    """-> the verdict on the first alert when the others came with it, and the names of those it accounts for."""
    scene = shop()
    for broken in breaks:
        broken(scene)
    _, case, _ = asyncio.run(Offline(scene.write(folder)).investigate())
    first: Alert = case.alerts[0].model_copy(update={"id": "first"})
    more = [first.model_copy(update={"id": name, "name": name, "labels": {"alertname": name, **labels}}) for name, labels in others.items()]
    case = case.model_copy(update={"alerts": (first, *more)})
    rules = RulesDiagnosis()
    verdict = rules.conclude(case, rules.assess(case))
    return verdict, set(verdict.accounts_for) - {"first"}


def on(service: str) -> dict[str, str]:
    return {"namespace": NS, "service": service}


def test_callers_of_what_broke_are_accounted_for_and_the_rest_is_named_as_apart(tmp_path: Path) -> None:
    others = {"CallerSlow": on("web"), "SameThing": on("cart"), "StoreDown": on("store"), "NodeFull": {"node": "n1"}}
    verdict, accounted = told(tmp_path, others, pull("manifest unknown"))
    assert accounted == {"CallerSlow", "SameThing"}
    assert [line.split(" on ")[0] for line in verdict.set_aside[:2]] == ["StoreDown", "NodeFull"]
    assert f"Deployment/{NS}/cart" in verdict.reaches


def test_less_traffic_behind_what_broke_is_accounted_for(tmp_path: Path) -> None:
    _, accounted = told(tmp_path, {"ServiceThroughputDrop": on("store")}, pull("manifest unknown"))
    assert accounted == {"ServiceThroughputDrop"}


def test_what_has_a_fault_of_its_own_is_named_or_left_apart(tmp_path: Path) -> None:
    def own_fault(scene: object) -> None:
        scene.crashes(137, "OOMKilled", "store")  # type: ignore[attr-defined]

    verdict, accounted = told(tmp_path, {"ServiceThroughputDrop": on("store")}, pull("manifest unknown"), own_fault)
    named = {h.object.name for h in verdict.hypotheses if h.confidence >= 0.75}
    assert (named, accounted) in (({"cart", "store"}, {"ServiceThroughputDrop"}), ({"cart"}, set()))


def test_without_a_cause_what_was_read_as_well_as_the_first_is_not_looked_at_again(tmp_path: Path) -> None:
    verdict, accounted = told(tmp_path, {"CallerSlow": on("web"), "Unseen": on("elsewhere"), "NodeFull": {"node": "n1"}})
    assert (verdict.reaches, accounted) == ((), {"CallerSlow"})
    assert "looked at with the same reads" in verdict.set_aside[0]


def test_without_a_cause_what_stands_still_is_looked_into_on_its_own(tmp_path: Path) -> None:
    def unplaced(scene: object) -> None:
        scene.not_ready("web", "Pending")  # type: ignore[attr-defined]

    verdict, accounted = told(tmp_path, {"CallerSlow": on("web")}, unplaced)
    assert accounted == set() or any(h.object.name == "web" for h in verdict.hypotheses)
