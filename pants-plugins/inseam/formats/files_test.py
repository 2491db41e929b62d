from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from inseam.formats.files import whole, write_whole


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
