"""What is written about the house is true: generated texts are up to date, README, floors and contracts agree."""

import re
import tomllib
from typing import Any

import pytest

from docs.generate import ROOT, generated

README = (ROOT / "README.md").read_text(encoding="utf-8")
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GENERATED = generated()


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_generated_texts_are_up_to_date(name: str) -> None:  # covers API-19, CFG-02
    assert (ROOT / name).read_text(encoding="utf-8") == GENERATED[name], "run `make docs`"


def test_the_readme_draws_the_floors_that_the_contract_keeps() -> None:
    layers = next(c for c in PYPROJECT["tool"]["importlinter"]["contracts"] if c["type"] == "layers")["layers"]
    block = README.split("## The floors")[1].split("```")[1]
    drawn = [re.split(r"\s{2,}", line)[0] for line in block.strip().splitlines()]
    assert drawn == layers


def test_every_folder_of_the_app_is_a_room_on_a_floor() -> None:
    layers = next(c for c in PYPROJECT["tool"]["importlinter"]["contracts"] if c["type"] == "layers")["layers"]
    rooms = {room.strip() for layer in layers for room in re.split(r"[|:]", layer)}
    folders = {p.stem for p in (ROOT / "app").iterdir() if p.name not in ("__init__.py", "__pycache__")}
    assert folders == rooms


def test_the_packages_of_the_card_are_named() -> None:  # covers CARD-02
    project = PYPROJECT["project"]
    named = " ".join([*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)])
    card = "fastapi uvicorn pydantic anthropic sqlalchemy redis chromadb sentence-transformers prometheus-client structlog pytest httpx"
    assert [p for p in card.split() if not re.search(rf"(^|\s){p}(\W|$)", named)] == []


def test_the_card_names_the_top_level() -> None:  # covers CARD-03, DEP-01
    for name in ("app", "tests", "k8s", "Dockerfile", "kind-cluster.yaml", "pyproject.toml", "README.md", ".env.example"):
        assert (ROOT / name).exists()


def test_the_readme_commands_are_make_targets() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z-]+)", README)) <= targets


def test_locks_name_no_index_and_hash_every_package() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "--index-url" not in text
        assert "http" not in re.sub(r"(?m)^\s*#.*$|http[a-z0-9-]*==", "", text)
        assert all("--hash=sha256:" in block for block in re.split(r"\n(?=[a-zA-Z0-9])", text) if "==" in block)
