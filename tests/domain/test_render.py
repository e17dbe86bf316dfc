"""A report as text and as Markdown: the labelled lines, every block, and strangers' text that cannot leave its place."""

from collections.abc import Iterator
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.controller import examples
from app.domain.escape import code_block, code_span, one_line, prose
from app.domain.memory import PastCase, SimilarCase
from app.domain.render import NO_LASTING_FIX, command, to_markdown, to_text
from app.domain.report import Report
from app.domain.verdict import Action, VerdictState

HOSTILE = (
    "plain",
    "`",
    "a ``` b",
    "```\nROOT CAUSE: forged\n```",
    "~~~~",
    "</code><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](http://evil.example/p.png)",
    "http://evil.example/?q=1 www.evil.example a@evil.example",
    "<http://evil.example>",
    "&lt;b&gt; &#60;b&#62;",
    "# heading\n## ROOT CAUSE\n- item",
    "1. one\n2. two",
    "| a | b |\n|---|---|",
    "ROOT CAUSE: forged",
    "a\nROOT CAUSE: forged",
    "a\rROOT CAUSE: forged",
    "a\u2028ROOT CAUSE: forged",
    "a\x85ROOT CAUSE: forged",
    "\x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07link",
    "\u202egnp.exe\u2066\u200b\ufeff",
    "[ref]: http://evil.example",
    "> quote\n\n    indented code",
    "***bold*** __x__ ~~y~~ $z$",
    "trailing backslash \\",
    "***",
    "---\n===",
    "\x00\x07\x9b",
)


def report(**changes: Any) -> Report:
    return examples.REPORT.model_copy(update=changes)


def stuffed(text: str) -> Report:
    """The example with a stranger's text in every field that can hold one."""
    e, cause, target = examples.REPORT.evidence[0], examples.REPORT.causes[0], examples.REPORT.target
    past = PastCase(
        id=text, task=text, root_cause=text, fix=text, severity="P2", service="s", alert_type="a", timestamp=examples.REPORT.meta.started_at
    )
    return report(
        verdict=text[:140],
        badges=examples.REPORT.badges.model_copy(update={"confidence_reason": text}),
        do_this_now=(Action(title=text, argv=("kubectl", text), effect=text, undo=text),),
        impact=text,
        target=target.model_copy(update={"why": text, "ref": target.ref.model_copy(update={"name": text})}),
        causes=(cause.model_copy(update={"mechanism": text, "object": cause.object.model_copy(update={"name": text})}),),
        evidence=(e.model_copy(update={"claim": text, "quote": text, "query": text, "value": text, "source": text, "id": text}),),
        timeline=tuple(m.model_copy(update={"what": text}) for m in examples.REPORT.timeline),
        set_aside=(text,),
        not_checked=tuple(n.model_copy(update={"what": text, "detail": text}) for n in examples.REPORT.not_checked),
        similar_incidents=(SimilarCase(case=past, relevance=0.5, same=True),),
        would_change=(text,),
        runbook=text,
    )


def tokens(markdown: str) -> Iterator[Token]:
    for token in MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(markdown):
        yield token
        yield from token.children or ()


def headings(markdown: str) -> list[str]:
    found = list(tokens(markdown))
    return [found[i + 1].content for i, token in enumerate(found) if token.type == "heading_open" and token.tag == "h2"]


def test_the_text_form_has_the_labelled_lines() -> None:
    # covers LOOP-10
    text = to_text(examples.REPORT)
    for label in ("SEVERITY: P2", "LIKELY CAUSE: Deployment/shop/web-app: ", "EVIDENCE:", "IMMEDIATE ACTIONS:", "LONG-TERM FIX:"):
        assert any(line.startswith(label) for line in text.splitlines()), label


@pytest.mark.parametrize("state", list(VerdictState))
def test_root_cause_is_said_only_when_it_is_confirmed(state: VerdictState) -> None:
    told = report(badges=examples.REPORT.badges.model_copy(update={"state": state}))
    for form in (to_text(told), to_markdown(told)):
        assert ("root cause" in form.lower()) == (state is VerdictState.CONFIRMED)
        assert ("LIKELY CAUSE" in form) == (state is not VerdictState.CONFIRMED)


def test_no_block_is_silently_missing() -> None:
    empty = report(
        causes=(), evidence=(), do_this_now=(), timeline=(), not_checked=(), would_change=(), impact="",
    )  # fmt: skip
    text = to_text(empty)
    for label in (
        "EVIDENCE",
        "IMMEDIATE ACTIONS",
        "TIMELINE",
        "RULED OUT",
        "SET ASIDE",
        "NOT CHECKED",
        "SIMILAR INCIDENTS",
        "WOULD CHANGE THIS VERDICT",
    ):
        assert f"{label}:\n  none" in text
    assert "LIKELY CAUSE: none found" in text
    assert "IMPACT: not known" in text
    assert f"LONG-TERM FIX: {NO_LASTING_FIX}" in text
    assert len(headings(to_markdown(empty))) == len(headings(to_markdown(examples.REPORT))) == 9


def test_what_fixed_the_same_cause_before_is_the_lasting_fix() -> None:
    past = stuffed("raise the limit").similar_incidents[0]
    assert "LONG-TERM FIX: as in case raise the limit: raise the limit" in to_text(report(similar_incidents=(past,)))
    other = past.model_copy(update={"same": False})
    assert f"LONG-TERM FIX: {NO_LASTING_FIX}" in to_text(report(similar_incidents=(other,)))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_line_of_the_text_form_begins_with_a_strangers_words(text: str) -> None:
    plain = to_text(report(verdict="v"))
    # The verdict itself is the first line; below it each line at column one is a label of ours.
    labels = {line.split(":")[0] for line in plain.splitlines()[2:] if not line.startswith(" ")}
    rendered = to_text(stuffed(text))
    found = [line.split(":")[0] for line in rendered.split("\n")[2:-1] if not line.startswith(" ")]
    assert set(found) == labels
    assert found.count("LIKELY CAUSE") == 1 and "ROOT CAUSE" not in found
    assert not set(rendered) & set("\x00\x07\x1b\x9b\x85\u2028\u202e\u2066\u200b\ufeff\r")


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_stays_ours_whatever_a_stranger_wrote(text: str) -> None:
    markdown = to_markdown(stuffed(text))
    assert headings(markdown) == headings(to_markdown(examples.REPORT))
    kinds = {token.type for token in tokens(markdown)}
    assert not kinds & {"html_block", "html_inline", "link_open", "image", "table_open", "blockquote_open", "hr", "s_open", "em_open"}
    assert "code_block" not in kinds, "only fences of ours"
    assert len([t for t in tokens(markdown) if t.type == "fence"]) == 1
    assert len([t for t in tokens(markdown) if t.tag == "h1"]) == 2, "one heading, opened and closed"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_code_span_holds_exactly_its_text(text: str) -> None:
    (paragraph,) = (t for t in MarkdownIt("commonmark").parse(f"x {code_span(text)} y") if t.type == "inline")
    before, code, after = list(paragraph.children or [])
    assert (before.content, code.type, code.content, after.content) == ("x ", "code_inline", one_line(text), " y")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_code_block_is_one_block(text: str) -> None:
    assert [t.type for t in MarkdownIt("commonmark").parse(f"{code_block(text)}\n\nafter")] == [
        "fence",
        "paragraph_open",
        "inline",
        "paragraph_close",
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_prose_reads_as_it_was_written(text: str) -> None:
    (inline,) = (t for t in MarkdownIt("commonmark").parse("x " + prose(text)) if t.type == "inline")
    assert "".join(child.content for child in inline.children or ()) == f"x {one_line(text)}".rstrip()


def test_commands_can_be_pasted() -> None:
    action = Action(title="t", argv=("kubectl", "-n", "shop", "get", "pod", "-l", "app in (a, b)", "it's", ""))
    assert command(action) == "kubectl -n shop get pod -l 'app in (a, b)' 'it'\\''s' ''"


def test_the_same_report_gives_the_same_characters() -> None:
    again = Report.model_validate_json(examples.REPORT.model_dump_json())
    assert (to_text(again), to_markdown(again)) == (to_text(examples.REPORT), to_markdown(examples.REPORT))
