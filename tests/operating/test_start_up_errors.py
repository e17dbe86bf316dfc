"""A service that cannot start says why in one line that names the setting, and ends with an exit code that is not 0."""

import json
import shutil
import socket
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.operating.operated import environment
from tests.real.processes import SRE_AGENT, free_port

pytestmark = pytest.mark.slow

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "a", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "a", "user": {"token": "abc"}}],
    "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
    "current-context": "a",
}


def refused(folder: Path, **env: str) -> str:
    """Start the service, which must end by itself -> what it said."""
    ended = subprocess.run([SRE_AGENT, "serve"], cwd=folder, env=environment(folder) | env, capture_output=True, text=True, timeout=20)
    told = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert ended.returncode == 1, ended.stderr
    assert len(told) == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    assert told[0].startswith("sre-agent cannot start: ")
    return told[0]


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        told = refused(tmp_path, SRE_AGENT_PORT=port)
    assert f"127.0.0.1:{port}" in told
    assert "SRE_AGENT_PORT" in told
    assert not (tmp_path / "data").exists(), "nothing is touched before the address is ours"


def test_an_address_that_is_not_of_this_machine_is_named(tmp_path: Path) -> None:
    assert "SRE_AGENT_HOST" in refused(tmp_path, SRE_AGENT_HOST="192.0.2.1")


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = refused(tmp_path, SRE_AGENT_DATA_DIR=str(tmp_path / "file" / "data"))
    assert "SRE_AGENT_DATA_DIR" in told


def test_a_postgresql_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    told = refused(tmp_path, DATABASE_URL=f"postgresql://agent:geheim@127.0.0.1:{free_port()}/agent")
    assert "DATABASE_URL" in told
    assert "refused" in told
    assert "geheim" not in told


def test_a_redis_that_does_not_answer_is_named(tmp_path: Path) -> None:
    told = refused(tmp_path, REDIS_URL=f"redis://:geheim@127.0.0.1:{free_port()}/0")
    assert "REDIS_URL" in told
    assert "geheim" not in told


def test_a_kubeconfig_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("garbage: [")
    assert "SRE_AGENT_KUBECONFIG" in refused(tmp_path, SRE_AGENT_KUBECONFIG=str(tmp_path / "config"))


def test_an_unknown_context_is_named(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(json.dumps(KUBECONFIG))
    told = refused(tmp_path, SRE_AGENT_KUBECONFIG=str(tmp_path / "config"), SRE_AGENT_KUBE_CONTEXT="prod")
    assert "SRE_AGENT_KUBE_CONTEXT" in told
    assert "prod" in told


def test_a_service_account_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "SRE_AGENT_KUBE_IN_CLUSTER" in refused(tmp_path, SRE_AGENT_KUBE_IN_CLUSTER="true")


def test_a_service_map_of_another_form_is_named(tmp_path: Path) -> None:
    (tmp_path / "map.json").write_text('{"edges": [{"from": "a"}]}')
    told = refused(tmp_path, SRE_AGENT_SERVICE_MAP=str(tmp_path / "map.json"))
    assert "map.json" in told
    assert "caller" in told


def test_a_model_without_a_price_is_named(tmp_path: Path) -> None:
    told = refused(tmp_path, ANTHROPIC_API_KEY="sk-ant-12345678901234567890", SRE_AGENT_MODEL="some-model")
    assert "SRE_AGENT_MODEL_INPUT_PRICE" in told


@pytest.mark.parametrize("damage", ["no database at all", "pages overwritten"])
def test_a_damaged_database_is_named_with_what_to_do(tmp_path: Path, empty: Path, damage: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    file = shutil.copy(empty, data)
    with Path(file).open("r+b") as database:
        database.seek(0 if damage == "no database at all" else 4096)
        database.write(b"\xa5" * 40_000)
    told = refused(tmp_path)
    assert str(file) in told
    assert "backup" in told


def test_a_database_of_a_newer_program_is_left_alone(tmp_path: Path, empty: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    file = shutil.copy(empty, data)
    with sqlite3.connect(file) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    assert "version 9999" in refused(tmp_path)


def test_a_replay_without_a_database_says_so_and_makes_none(tmp_path: Path) -> None:
    ended = subprocess.run([SRE_AGENT, "replay", "x"], cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "SRE_AGENT_DATA_DIR" in ended.stderr
    assert not (tmp_path / "data").exists()


def test_a_damaged_working_memory_is_named_because_the_kill_switch_lies_in_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "working-memory.db").write_bytes(b"\xa5" * 40_000)
    told = refused(tmp_path)
    assert "working-memory.db" in told
    assert "move" in told
