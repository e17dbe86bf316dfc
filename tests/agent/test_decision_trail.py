"""Why the agent decided as it did, read from its trail alone."""

from app.agent.decision_trail import build_trail, explain_decision
from app.domain.memory import Recalled
from app.domain.verdict import Level
from tests.agent.cast import Stage, investigation, past, step, tiny, virtually


# covers TRAIL-01, TRAIL-02, TRAIL-03, TRAIL-04, TRAIL-05, TRAIL-06
def test_a_trail_tells_goal_steps_calls_evidence_and_outcome() -> None:
    stage = Stage([tiny("check_pods")], [step("s1", "check_pods"), step("s2", "made_up")])
    stage.memory.recalled = Recalled(similar=(past(),), total=1)
    journal = stage.journal()
    report, _ = virtually(stage.agent().investigate(investigation(), journal))
    trail = build_trail(journal.events)
    assert (trail.goal, trail.success, trail.outcome) == ("KubePodCrashLooping", True, report.verdict)
    assert trail.steps == ("plan by rules: as scripted", "thought: round 1")
    assert [(c.tool, c.status) for c in trail.tool_calls] == [("check_pods", "success"), ("made_up", "error")]
    kinds = {(e.type, e.confidence) for e in trail.evidence}
    assert kinds == {
        ("alert_received", Level.VERIFIED),
        ("past_case", Level.VERIFIED),
        ("tool_result", Level.VERIFIED),
        ("hypothesis", Level.INFERRED),
        ("quote", Level.VERIFIED),
    }
    assert "hypothesis" not in {e.type for e in trail.verified()}
    text = explain_decision(trail)
    assert text.startswith("Goal: KubePodCrashLooping") and text.endswith(f"Outcome: {report.verdict}")


def test_a_trail_that_ends_early_is_told_as_far_as_it_goes() -> None:
    stage = Stage([tiny("check_pods")], [step("s1", "check_pods")])
    journal = stage.journal()
    virtually(stage.agent().investigate(investigation(), journal))
    for cut in range(len(journal.events)):
        trail = build_trail(journal.events[:cut])
        assert trail.success is (trail.outcome != "")
        explain_decision(trail)
