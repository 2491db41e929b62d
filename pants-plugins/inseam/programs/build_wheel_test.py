from __future__ import annotations

import platform
from pathlib import Path

import pytest

from inseam.formats.elf import MACHINES
from inseam.formats.failure import Failure
from inseam.programs.build_wheel import main


def test_what_is_compiled_for_another_machine_is_refused_with_the_ways_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    other = next(name for name, machine in MACHINES.items() if machine != platform.machine())
    argv = ["--source=x", "--frontend=x", "--out=out", "--timeout=1"]
    builder = ["--root=root.tar", f"--architecture={other}", "--interpreter=/x", "--cache=cache"]
    with pytest.raises(Failure) as error:
        main([*argv, *builder])
    text = str(error.value)
    assert f"/{platform.machine()}) cannot do that for linux/{other}. Package it once on a" in text
    for way in ("shares a remote cache", "a remote worker", "[python-repos].find_links"):
        assert way in text
    assert not list(tmp_path.iterdir())
