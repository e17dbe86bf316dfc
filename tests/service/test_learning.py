"""What the second investigation of the same trouble has of the first."""

from pathlib import Path

import pytest

from app.lab import snapshot
from tests.service.serving import SCENARIOS, Json, looking_at, web_app

pytestmark = pytest.mark.slow


def similar(answer: Json) -> list[tuple[str, bool | None]]:
    return [(past["case"]["id"], past["same"]) for past in answer["report"]["similar_incidents"]]


async def test_five_investigations_in_one_instance_need_no_more_rounds_and_refer_to_those_before(folder: Path) -> None:
    # covers LRN-01, LRN-02, TEST-05, WMEM-03, WMEM-04, EMEM-06
    async with looking_at(web_app(), folder, embedder="minilm-int8") as service:
        answers = [await service.alert() for _ in range(5)]
    ids = [a["investigation_id"] for a in answers]
    first, *later = [a["iterations"] for a in answers]
    assert first > 1, "something is asked late"
    assert later == [1, 1, 1, 1], "what was asked late the first time is asked at once"
    assert [{s["tool"] for s in a["execution"]["steps"]} for a in answers[1:]] == [{s["tool"] for s in answers[0]["execution"]["steps"]}] * 4
    assert [a["report"]["causes"][0]["cause"] for a in answers] == ["oom_killed"] * 5
    assert [a["past_cases_used"] for a in answers] == [0, 1, 2, 3, 3]
    assert [similar(a) for a in answers[:2]] == [[], [(ids[0], True)]]
    for n, answer in enumerate(answers):
        assert set(dict(similar(answer))) <= set(ids[:n]), "never itself"
        episodic = answer["memory_snapshot"]["episodic_memory"]
        assert (episodic["total_investigations"], episodic["similar_past_cases"]) == (n + 1, answer["past_cases_used"])
        assert episodic["learned_patterns"] == answer["learned_patterns"]
        assert bool(answer["learned_patterns"]) == (n >= 2)
    assert answers[2]["learned_patterns"][0].startswith("web-app: oom_killed 2 times in 1 day, last fixed by: ")


async def test_working_memory_says_what_was_found_a_moment_ago_whatever_the_alert_calls_the_thing(folder: Path) -> None:
    # covers WMEM-01, WMEM-03
    world = web_app()
    by_pod = {"type": "OOMKilled", "labels": {"namespace": "shop", "pod": "web-app-7c9d8f6b5d-k7x2m", "container": "web-app"}}
    async with looking_at(world, folder) as service:
        first = await service.alert()
        second = await service.alert(by_pod)
        recalled = [e.data for e in await service.trail(second["investigation_id"]) if e.type == "MEMORY_RECALL" and "similar" in e.data]
    recent = recalled[0]["recent"]
    assert (recent["investigation_id"], recent["verdict"]) == (first["investigation_id"], first["report"]["verdict"])
    assert recent["current_alert"] == {"type": "high_memory", "service": "web-app"}
    assert recent["recent_tools_used"][:3] == ["check_pods", "get_metrics", "check_events"]


async def test_another_cause_on_the_same_thing_is_marked_as_different(folder: Path) -> None:
    # covers EMEM-15
    memory, images = snapshot.load(SCENARIOS / "payment-gateway"), snapshot.load(SCENARIOS / "image-typo")
    async with looking_at(memory, folder, embedder="minilm-int8") as service:
        await service.alert({"type": "PodNotReady", "service": "payment-gateway"})
        service.lab.show(images.shifted(memory.now))
        hook = images.shifted(memory.now).webhook or {}
        (found,) = {a["investigation_id"] for a in (await service.hook(hook))["alerts"]}
        report = (await service.ended(found))["report"]
    assert report["badges"]["state"] in ("confirmed", "likely")
    assert {past["same"] for past in report["similar_incidents"]} <= {False}


async def test_memory_survives_a_restart(folder: Path) -> None:
    # covers EMEM-12, EXEC-12
    async with looking_at(web_app(), folder, embedder="minilm-int8") as service:
        first = await service.alert()
    async with looking_at(web_app(), folder, embedder="minilm-int8") as service:
        second = await service.alert()
    assert similar(second) == [(first["investigation_id"], True)]
    assert second["iterations"] == 1, "working memory too"
