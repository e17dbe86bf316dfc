"""What is told of a finished investigation."""

import json

import pytest

from app.controller import examples
from app.controller.briefing_examples import BRIEFING
from app.domain.alert import Severity
from app.domain.trail import EventType
from app.domain.verdict import as_json
from app.notify.notices import Notices
from app.notify.ports import ChannelName


def test_each_channel_gets_the_verdict_with_links_and_text() -> None:
    notices = Notices((ChannelName.LOG, ChannelName.WEBHOOK), "https://agent.example/")(examples.INVESTIGATION, examples.REPORT)
    assert [notice["channel"] for notice in notices] == ["log", "webhook"]
    document = notices[1]["payload"]
    assert document["verdict"] == examples.REPORT.verdict
    assert (document["state"], document["severity"], document["notice_severity"]) == ("likely", "P2", "high")
    assert document["links"]["investigation"] == f"https://agent.example/investigations/{examples.ID}"
    assert "LIKELY CAUSE:" in document["text"]
    json.dumps(notices)


@pytest.mark.parametrize(("severity", "word"), [("P1", "critical"), ("P2", "high"), ("P3", "warning"), ("P4", "info")])
def test_severities_of_notices_are_one_enum(severity: str, word: str) -> None:
    # covers NOTI-03
    badges = examples.REPORT.badges.model_copy(update={"severity": Severity(severity)})
    (notice,) = Notices((ChannelName.LOG,))(examples.INVESTIGATION, examples.REPORT.model_copy(update={"badges": badges}))
    assert notice["payload"]["notice_severity"] == word


def test_a_secret_that_came_this_far_goes_no_further() -> None:
    leaky = examples.REPORT.model_copy(update={"impact": "password=hunter2-secret was refused"})
    (notice,) = Notices((ChannelName.LOG,))(examples.INVESTIGATION, leaky)
    assert "hunter2" not in json.dumps(notice)


def test_nobody_to_tell_is_no_notice() -> None:
    assert Notices(())(examples.INVESTIGATION, examples.REPORT) == ()


def test_a_briefing_is_told_to_each_channel_with_its_text_and_another_kind() -> None:
    notices = Notices((ChannelName.LOG, ChannelName.WEBHOOK), "https://agent.example")
    told = notices.early(EventType.BRIEFING, as_json(BRIEFING))
    assert [notice["channel"] for notice in told] == ["log", "webhook"]
    document = told[0]["payload"]
    assert (document["kind"], document["event"], document["severity"]) == ("briefing", "investigation.briefing", BRIEFING.severity.value)
    assert document["links"]["briefing"] == f"https://agent.example/investigations/{examples.ID}/briefing"
    assert document["briefing"]["channel"] in document["text"]
    assert notices(examples.INVESTIGATION, examples.REPORT)[0]["payload"]["kind"] == "report"


def test_no_other_event_of_the_trail_is_told_before_the_end() -> None:
    notices = Notices((ChannelName.LOG,))
    assert [notices.early(event, {}) for event in EventType if event is not EventType.BRIEFING] == [()] * (len(EventType) - 1)
