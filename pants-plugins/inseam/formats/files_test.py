from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Callable

import pytest

from inseam.formats.failure import Failure
from inseam.formats.files import parse_json, temporary_name, whole, write_whole


def test_a_file_appears_with_all_of_its_content(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    with whole(path) as out:
        out.write(b"one")
        assert not path.exists()
        out.write(b" two")
    assert path.read_bytes() == b"one two"
    assert os.listdir(path.parent) == ["file"]


def test_a_file_that_was_there_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"something longer")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(error):
        with whole(path) as out:
            out.write(b"half")
            raise error
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_killed_process_leaves_nothing_under_the_final_name(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from inseam.formats.files import whole
        with whole(Path(sys.argv[1])) as out:
            out.write(b"half" * 100_000)
            out.flush()
            print("half way", flush=True)
            time.sleep(60)
        """
    )
    path = tmp_path / "file"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"half way\n"
        process.send_signal(signal.SIGKILL)
    assert not path.exists()
    write_whole(path, b"the next run succeeds")
    assert path.read_bytes() == b"the next run succeeds"


def test_a_link_that_waits_under_the_temporary_name_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "urandom", bytes)
    (tmp_path / "target").write_bytes(b"precious")
    temporary_name(tmp_path / "file").symlink_to(tmp_path / "target")
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "file", b"new")
    assert (tmp_path / "target").read_bytes() == b"precious"


def test_temporary_names_are_new_each_time_and_short_enough(tmp_path: Path) -> None:
    names = {temporary_name(tmp_path / ("a" * 255)).name for _ in range(100)}
    assert len(names) == 100
    assert max(map(len, names)) < 255
    write_whole(tmp_path / ("a" * 255), b"content")


def test_a_durable_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def noted(name: str, call: Callable[..., None]) -> Callable[..., None]:
        def noting(*arguments: object) -> None:
            order.append(name)
            call(*arguments)

        return noting

    monkeypatch.setattr(os, "fsync", noted("sync", os.fsync))
    monkeypatch.setattr(os, "replace", noted("replace", os.replace))
    write_whole(tmp_path / "quick", b"content")
    write_whole(tmp_path / "durable", b"content", durable=True)
    assert order == ["replace", "sync", "replace"]


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[" * 100_000, b"1" * 5000 + b"e"])
def test_what_is_not_json_is_a_failure(text: bytes) -> None:
    with pytest.raises(Failure, match="^x.json is damaged: it is not JSON "):
        parse_json(text, "x.json")
