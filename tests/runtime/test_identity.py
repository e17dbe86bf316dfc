"""Under which name a process takes work."""

import os
import subprocess
from pathlib import Path

from app.runtime.identity import Identity, identity, is_gone
from tests.contract.parts import new_id


def test_the_name_is_kept_where_one_process_owns_the_data(tmp_path: Path) -> None:
    first = identity(new_id, tmp_path / "data")
    first.close()
    again = identity(new_id, tmp_path / "data")
    assert again.id == first.id
    again.close()


def test_a_second_living_process_on_the_same_data_gets_a_name_of_its_own(tmp_path: Path) -> None:
    first = identity(new_id, tmp_path)
    second = identity(new_id, tmp_path)
    assert second.id != first.id
    first.close()


def test_without_a_data_folder_every_process_has_a_fresh_name() -> None:
    assert identity(new_id, None).id != identity(new_id, None).id


def test_a_process_of_this_host_that_ended_is_gone() -> None:
    us = Identity("us", "here", os.getpid())
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert is_gone("here", ended.pid, us)
    assert is_gone("here", us.pid, us)  # our number under another name: our predecessor in this container
    assert not is_gone("here", os.getppid(), us)
    assert not is_gone("elsewhere", ended.pid, us)
    assert not is_gone("here", 0, us)
