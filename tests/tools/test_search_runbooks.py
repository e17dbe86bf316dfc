"""search_runbooks over real folders: what is found, in which order, and what is never opened."""

import os
from pathlib import Path

import pytest

from app.domain.errors import ToolFailure
from app.domain.reason import ErrorClass, Reason
from app.domain.tool import ToolContext, ToolResult, ToolStatus
from app.settings import Settings
from app.tools.catalogue import ToolsConfig, build_registry
from app.tools.runbook_folder import Caps, parse
from app.tools.search_runbooks import RunbookConfig, SearchRunbooks
from app.tools.text_ranking import Ranking, words

PAYMENT = """---
id: RB-PAY-001
title: Payment gateway errors
alerts: [ErrorRateHigh, PaymentGatewayDown]
services: payment-gateway
---
# Payment gateway

Charges fail when the acquirer does not answer.

## Out of memory

Pods that were OOMKilled: compare the memory limit with the batch size.

```
# not a heading
kubectl -n pay get pods
```

## Roll back

Go back to the revision before.
"""
BASE = "https://runbooks.example/ops/"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "runbooks"
    (place / "kubernetes").mkdir(parents=True)
    (place / "payments.md").write_text(PAYMENT)
    (place / "kubernetes" / "KubePodCrashLooping.md").write_text("# KubePodCrashLooping\n\nA pod restarts again and again. Look at its last state.\n")
    (place / "kubernetes" / "disk.md").write_text("# Full disks\n\nNodes under disk pressure evict pods.\n")
    (place / "notes.txt").write_text("crash looping payments")
    return place


async def search(context: ToolContext, folder: Path, query: str, **more: object) -> ToolResult:
    tool = SearchRunbooks(RunbookConfig(folder, (BASE,)))
    return await tool.run(tool.arguments(query=query, **more), context)


def ids(got: ToolResult) -> list[str]:
    return [r["id"] for r in got.data["results"]]


async def test_a_runbook_is_found_by_its_words_with_its_id(context: ToolContext, folder: Path) -> None:  # covers TOOL-06, SMEM-02
    got = await search(context, folder, "charges failing at payment-gateway")
    first = got.data["results"][0]
    assert (first["id"], first["title"], first["path"]) == ("RB-PAY-001", "Payment gateway errors", "payments.md")
    assert "Charges fail when the acquirer does not answer." in first["content"]
    assert got.summary.startswith("1 runbooks: [RB-PAY-001] Payment gateway errors")
    assert got.line_with("Charges fail") == "Charges fail when the acquirer does not answer."
    assert got.provenance.value == "semi"


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("KubePodCrashLooping", "kubernetes/KubePodCrashLooping"),
        ("pod crash loop", "kubernetes/KubePodCrashLooping"),
        ("ErrorRateHigh", "RB-PAY-001"),
        ("high error rate", "RB-PAY-001"),
        ("OOMKilled", "RB-PAY-001"),
        ("node is evicting pods", "kubernetes/disk"),
    ],
)
async def test_alert_names_and_prose_meet(context: ToolContext, folder: Path, query: str, first: str) -> None:
    assert ids(await search(context, folder, query))[0] == first


async def test_the_alerts_own_runbook_comes_first_and_is_never_fetched(context: ToolContext, folder: Path) -> None:
    for url in ("kubernetes/disk", "kubernetes/disk.md", "kubernetes/DISK.html?x=1#top", "kubernetes/disk/"):
        got = await search(context, folder, "payment", runbook_url=BASE + url)
        assert ids(got) == ["kubernetes/disk", "RB-PAY-001"]
        assert got.data["results"][0]["why"] == "the alert's runbook_url names it"


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/ops/kubernetes/disk",
        "http://runbooks.example/ops/kubernetes/disk",
        "https://runbooks.example/opsx/kubernetes/disk",
        "https://runbooks.example.evil.example/ops/kubernetes/disk",
        "https://runbooks.example/ops/../ops/kubernetes/disk",
        "https://runbooks.example/ops/%2e%2e/runbooks/kubernetes/disk",
        "https://runbooks.example/ops/notes.txt",
        "file:///etc/passwd",
        "kubernetes/disk",
    ],
)
async def test_any_other_address_names_nothing(context: ToolContext, folder: Path, url: str) -> None:
    assert ids(await search(context, folder, "payment", runbook_url=url)) == ["RB-PAY-001"]


async def test_the_same_folder_gives_the_same_answer(context: ToolContext, folder: Path) -> None:
    first, second = [await search(context, folder, "pods memory crash disk payment") for _ in range(2)]
    assert first.model_dump_json() == second.model_dump_json()
    assert len(ids(first)) == 3


async def test_a_changed_file_is_read_anew(context: ToolContext, folder: Path) -> None:
    tool = SearchRunbooks(RunbookConfig(folder))
    asked = tool.arguments(query="zebra")
    assert (await tool.run(asked, context)).status is ToolStatus.NO_DATA
    (folder / "zoo.md").write_text("# Zebra\n\nStripes.")
    assert ids(await tool.run(asked, context)) == ["zoo"]


async def test_links_out_of_the_folder_and_hidden_folders_are_left_alone(context: ToolContext, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "private.md").write_text("# zebra")
    (folder / "link.md").symlink_to(tmp_path / "private.md")
    (folder / ".git").mkdir()
    (folder / ".git" / "x.md").write_text("# zebra")
    os.mkfifo(folder / "pipe.md")
    assert (await search(context, folder, "zebra")).status is ToolStatus.NO_DATA


async def test_caps_are_kept_and_said_with_totals(context: ToolContext, folder: Path) -> None:
    tool = SearchRunbooks(RunbookConfig(folder, caps=Caps(files=2)))
    got = await tool.run(tool.arguments(query="pods crash payment disk", limit=1), context)
    assert got.truncated == "3 runbooks, 2 read; 2 runbooks fit, the best 1 shown"
    (folder / "long.md").write_text("# Zebra\n\n" + "stripes " * 2_000)
    long = await search(context, folder, "zebra")
    assert len(long.data["results"][0]["content"]) == 4_000
    huge = SearchRunbooks(RunbookConfig(folder, caps=Caps(file_bytes=5_000)))
    assert (await huge.run(huge.arguments(query="zebra"), context)).truncated == "4 runbooks, 3 read"


async def test_the_sections_that_fit_are_kept_when_not_all_have_room(context: ToolContext, folder: Path) -> None:
    parts = [f"## Part {n}\n\n{'filler ' * 200}" for n in range(8)]
    (folder / "many.md").write_text("\n\n".join(["# Many", *parts[:7], "## Quagga\n\nquagga quagga", *parts[7:]]))
    content = (await search(context, folder, "quagga")).data["results"][0]["content"]
    assert "quagga quagga" in content
    assert len(content) <= 4_000


@pytest.mark.parametrize(
    ("text", "id", "title", "sections"),
    [
        ("", "a/b", "b", 1),
        ("plain words", "a/b", "b", 1),
        ("---\nid: X\n", "a/b", "b", 1),
        ("---\nid: [broken\n---\n# T\n", "a/b", "T", 2),
        ("---\n- a list\n---\n# T\n", "a/b", "T", 2),
        ("---\nid: 7\ndate: 2026-13-45\n---\n# T\n", "7", "T", 1),
        ("\ufeff---\nid: X\n---\ntext\n# One\n## Two\nmore", "X", "One", 3),
        (PAYMENT, "RB-PAY-001", "Payment gateway errors", 3),
    ],
)
def test_front_matter_that_is_none_is_text(text: str, id: str, title: str, sections: int) -> None:
    book = parse("a/b.md", text)
    assert (book.id, book.title, len(book.sections)) == (id, title, sections)


def test_rare_words_weigh_more_and_no_word_weighs_nothing() -> None:
    ranking = Ranking([words("pods pods crash"), words("pods disk"), words("pods")])
    crash, disk, plain = ranking.scores("pods crash")
    assert crash > plain and crash > disk
    assert ranking.scores("zebra") == [0.0, 0.0, 0.0]
    assert Ranking([]).scores("x") == []


def test_words_of_the_same_thing_are_equal() -> None:
    assert words("services crashes running failed Nodes") == words("service crash run fail node")
    assert words("KubePodCrashLooping") == ["kubepodcrashloop", "kub", "pod", "crash", "loop"]


async def test_a_folder_that_is_not_there_is_a_matter_of_configuration(context: ToolContext, tmp_path: Path) -> None:
    for config, reason in ((RunbookConfig(tmp_path / "none"), Reason.UNAVAILABLE), (None, Reason.NOT_CONFIGURED)):
        tool = SearchRunbooks(config)
        with pytest.raises(ToolFailure) as failure:
            await tool.run(tool.arguments(query="x"), context)
        assert (failure.value.error_class, failure.value.reason) == (ErrorClass.CONFIG, reason)


def test_the_folder_is_a_source_when_it_is_configured(tmp_path: Path) -> None:
    registry, sources = build_registry(ToolsConfig(runbooks=RunbookConfig(tmp_path)))
    assert sources.names == {"runbooks"}
    assert registry.get("search_runbooks")
    assert Settings(runbooks_dir=tmp_path, runbook_urls="https://a.example/x, https://b.example").runbook_urls == (
        "https://a.example/x",
        "https://b.example",
    )
