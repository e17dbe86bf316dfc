"""The lab's API server against all exchanges that were recorded from a real one, replayed in order: reads, refusals, logs,
tables, watches, reviews, dry runs and writes, by an administrator and by a reader of one namespace."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from app.lab.kubernetes.identities import Identity, Role, Rule
from app.lab.kubernetes.server import KubernetesApp
from app.lab.snapshot import World

CASSETTES = Path(__file__).resolve().parents[3] / "shared" / "kubernetes" / "api_cassettes.jsonl"
pytestmark = pytest.mark.shared
LEFT_OUT = {
    "apis-aggregated-discovery": "a second form of discovery; who asks for it also takes the plain one, which is served",
    "events-k8s-io": "a page of six in the order of names, which hold times that were moved afterwards; compared by name below",
    "metrics-present": "the recorded cluster got this API as a custom resource after the writes; snapshots bring theirs from the start",
}
RECORDED: list[dict[str, Any]] = [json.loads(line) for line in CASSETTES.read_text(encoding="utf-8").splitlines()] if CASSETTES.exists() else []
REPLAYED = [r for r in RECORDED if r["name"] not in LEFT_OUT]
WHOLE_LOGS = {"log-full": "web", "log-crashloop": "worker", "log-named-container": "proxy", "log-previous": "worker"}
# The version below which the recorded cluster answered "too old".
COMPACTED = 100


def recorded_world() -> World:
    """Everything that some GET showed before the first write, as a world; logs from the whole logs."""
    objects: dict[str, dict[tuple[str, str], Any]] = {k: {} for k in ("StatefulSet", "DaemonSet", "Event", "ConfigMap", "Namespace", "Secret")}
    logs: dict[str, str] = {}
    for exchange in RECORDED[: [r["name"] for r in RECORDED].index("ssar-allowed")]:
        request, answer = exchange["request"], exchange["response"]
        if answer["status"] != 200:
            continue
        if exchange["name"] in WHOLE_LOGS:
            _, _, _, space, _, pod, _ = request["path"].strip("/").split("/")
            former = "#previous" if request["query"].get("previous") else ""
            logs[f"{space}/{pod}/{WHOLE_LOGS[exchange['name']]}{former}"] = answer["body"]
        for item in items(answer["body"]):
            meta = item["metadata"]
            objects.setdefault(item["kind"], {}).setdefault((meta.get("namespace", ""), meta["name"]), item)
    for space in {meta[0] for found in objects.values() for meta in found} | {"default"}:
        objects["Namespace"][("", space)] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}
    return World(
        now=datetime(2026, 11, 16, 8, 58, 51, tzinfo=UTC),
        objects_of=lambda: {kind: list(found.values()) for kind, found in objects.items()},
        logs_of=lambda: logs,
    )


def items(body: str) -> list[Any]:
    """Objects of a recorded body, complete with kind and apiVersion."""
    answer = json.loads(body) if body.startswith("{") else {}
    kind, version = answer.get("kind", ""), answer.get("apiVersion", "")
    if version.startswith(("events.k8s.io", "meta.k8s.io")) or kind in ("Scale", "Status"):
        return []
    if kind.endswith("List") and not kind.startswith("API"):
        return [{"apiVersion": version, "kind": kind.removesuffix("List"), **i} for i in answer["items"]]
    return [answer] if "name" in answer.get("metadata", {}) else []


def recorded_identities() -> dict[str, Identity]:
    """The two callers, by the tokens this test gives them; the reader's rules are those that a review told."""
    told = json.loads(body_of("ssrr"))["status"]["resourceRules"]
    rules = [Rule(tuple(r["verbs"]), tuple(r["apiGroups"]), tuple(r["resources"])) for r in told if "create" not in r["verbs"]]
    user = json.loads(body_of("whoami"))["status"]["userInfo"]
    role = Role("reader", "shop", tuple(rules))
    return {
        "admin": Identity("admin", groups=("system:masters",)),
        "investigator": Identity(user["username"], user["uid"], tuple(user["groups"]), (role,)),
    }


def body_of(name: str) -> str:
    return str(next(r["response"]["body"] for r in RECORDED if r["name"] == name))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[httpx2.AsyncClient]:
    async def pause(seconds: float) -> None:
        """A watch does not keep the test waiting."""

    app = KubernetesApp(recorded_world(), recorded_identities(), pause)
    app.compact(COMPACTED)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://lab") as client:
        yield client


def request_of(exchange: dict[str, Any]) -> dict[str, Any]:
    asked = exchange["request"]
    who = asked["user"].split()[0]
    headers = dict(asked["headers"])
    if who in ("admin", "investigator", "bearer"):
        headers["Authorization"] = f"Bearer {who}"
    content = None if asked.get("body") is None else asked["body"] if isinstance(asked["body"], str) else json.dumps(asked["body"])
    return {"method": asked["method"], "url": asked["path"], "params": asked["query"], "headers": headers, "content": content}


def shape(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every path with the types found there; items of a list share a path. Who manages which field is not kept here."""
    yield path, type(value).__name__
    if isinstance(value, dict):
        for name, inner in value.items():
            if name != "managedFields":
                yield from shape(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from shape(inner, f"{path}[]")


def message_class(text: str) -> str:
    """A message without numbers, nor the words of the JSON parser of the language."""
    text = re.sub(r"(continue key is not valid: ).*", r"\1...", text)
    return re.sub(r"\d+", "N", text)


def same_json(ours: Any, theirs: Any) -> None:
    assert set(shape(ours)) == set(shape(theirs))
    assert (ours.get("kind"), ours.get("apiVersion")) == (theirs.get("kind"), theirs.get("apiVersion"))
    if theirs.get("kind") == "Table":
        same_table(ours, theirs)
    if theirs.get("kind") == "Status":
        assert {k: ours.get(k) for k in ("status", "reason", "code")} == {k: theirs.get(k) for k in ("status", "reason", "code")}
        assert message_class(ours.get("message", "")) == message_class(theirs.get("message", ""))


def same_table(ours: Any, theirs: Any) -> None:
    """Columns, and the cells of the rows that both have; not those that depend on when it was asked."""
    for name in ("name", "priority", "format"):
        assert [c[name] for c in ours["columnDefinitions"]] == [c[name] for c in theirs["columnDefinitions"]]
    columns = [c["name"] for c in theirs["columnDefinitions"]]
    lasting = [n for n, name in enumerate(columns) if name not in ("Age", "Last Seen", "First Seen", "Restarts")]
    key = columns.index("Name")
    mine, real = ({row["cells"][key]: [row["cells"][n] for n in lasting] for row in found["rows"]} for found in (ours, theirs))
    assert len(mine) == len(real)
    assert all(cells == real[name] for name, cells in mine.items() if name in real)


def test_no_more_is_left_out_than_has_a_reason() -> None:
    assert len(RECORDED) == 131
    assert len(REPLAYED) >= 131 - 15
    assert LEFT_OUT.keys() <= {r["name"] for r in RECORDED}


@pytest.mark.parametrize("exchange", REPLAYED, ids=[r["name"] for r in REPLAYED])
@pytest.mark.asyncio(loop_scope="module")
async def test_an_exchange_goes_as_recorded(server: httpx2.AsyncClient, exchange: dict[str, Any]) -> None:
    theirs = exchange["response"]
    ours = await server.request(**request_of(exchange))
    assert ours.status_code == theirs["status"], ours.text
    for name in ("Warning", "Retry-After", "Content-Type"):
        assert ours.headers.get(name) == theirs["headers"].get(name)
    if exchange["name"] == "log-timestamps":  # a runtime's own time of writing, which a snapshot does not have
        assert [line.split(" ", 1)[1] for line in ours.text.splitlines()] == [line.split(" ", 1)[1] for line in theirs["body"].splitlines()]
    elif not theirs["body"].startswith("{"):
        assert ours.text == theirs["body"]
    else:
        lines = theirs["body"].splitlines()
        assert len(ours.text.splitlines()) == len(lines)
        for mine, real in zip(ours.text.splitlines(), lines, strict=True):
            same_json(json.loads(mine), json.loads(real))


@pytest.mark.asyncio(loop_scope="module")
async def test_an_event_of_the_new_group_is_shaped_as_recorded(server: httpx2.AsyncClient) -> None:
    exchange = next(r for r in RECORDED if r["name"] == "events-k8s-io")
    answer = await server.request(**(request_of(exchange) | {"params": {}}))
    ours = {e["metadata"]["name"]: e for e in answer.json()["items"]}
    for theirs in json.loads(exchange["response"]["body"])["items"]:
        assert set(shape(ours[theirs["metadata"]["name"]])) == set(shape(theirs))
