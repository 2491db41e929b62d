"""How a command runs; what it cannot do is in programs/hostile_test.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.formats.limits import Limits
from inseam.tools import bubblewrap
from inseam.tools.confined import Command, Place, Stopped, find_place, run
from inseam.tools.nobody import View
from inseam.tools.root import Root, machine_root, root_in
from inseam.tools.supervised import Supervised, supervise

PATH = {"PATH": "/usr/bin:/bin"}


def test_without_namespaces_the_error_says_how_to_allow_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bubblewrap, "installed", lambda: ())
    root = Root(tmp_path)
    with pytest.raises(Failure) as error:
        find_place(root, root, ("/nowhere/bwrap",), allow_unconfined=False)
    text = str(error.value)
    assert "Allow them: " in text
    assert "[inseam].allow_unconfined_builds = true" in text
    assert "| bubblewrap does not start: " in text
    place = find_place(root, root, ("/nowhere/bwrap",), allow_unconfined=True)
    assert place.bubblewrap == ()
    assert "/nowhere/bwrap" in place.why
    # Another user than root cannot enter the root of the tools, and does without.
    assert (place.root == root) == (os.geteuid() == 0)


def test_the_bubblewrap_of_the_machine_may_have_rights_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def why_not(given: tuple[str, ...], tools: Root) -> str:
        asked.append(given)
        return "" if given == ("/usr/bin/bwrap",) else "no"

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(bubblewrap, "installed", lambda: ("/usr/bin/bwrap",))
    monkeypatch.setattr(bubblewrap, "why_not", why_not)
    root = Root(Path("/root"))
    place = find_place(root, root, ("ours",), allow_unconfined=False)
    assert place.bubblewrap == ("/usr/bin/bwrap",)
    assert asked == [("ours",), ("/usr/bin/bwrap",)]


def test_a_folder_has_one_name_wherever_it_is(tmp_path: Path) -> None:
    root = Root(tmp_path)
    assert Place(root, root, ("bwrap",)).of(tmp_path / "x") == "/tmp/build"
    assert Place(root, root, ()).of(tmp_path / "x") == "/tmp/build"
    assert Place(machine_root(), root, ()).of(tmp_path / "x") == str(tmp_path / "x")


def test_the_machine_is_seen_without_its_configuration_and_homes() -> None:
    shown = {str(path) for path in machine_root().shown}
    assert "/usr" in shown
    assert not shown & {"/", "/etc", "/home", "/root", "/run", "/tmp", "/var"}


def test_a_root_has_the_places_that_are_mounted(tmp_path: Path) -> None:
    assert root_in(tmp_path) == Root(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"dev", "etc", "proc", "tmp"}


def test_another_user_sees_paths_by_other_names() -> None:
    view = View({"/root/work": "/tmp/view/0", "/root": "/tmp/view/1"})
    assert view.see("/root/work/x") == "/tmp/view/0/x"
    assert view.see("/root") == "/tmp/view/1"
    assert view.see("/rooted") == "/rooted"
    assert View({}).see(Path("/root/work")) == "/root/work"


def shell(
    script: str, folder: Path, limits: Limits = Limits(), timeout: float = 60
) -> tuple[int, bytes]:
    argv = ["/bin/sh", "-c", script]
    return supervise(Supervised(argv, PATH, folder, limits, timeout))


def test_the_exit_code_and_what_was_said_come_back(tmp_path: Path) -> None:
    assert shell("pwd; echo err >&2; exit 3", tmp_path) == (3, f"{tmp_path}\nerr\n".encode())
    assert shell("kill -9 $$", tmp_path) == (-9, b"")


def test_only_the_end_of_what_is_said_is_kept(tmp_path: Path) -> None:
    script = "i=0; while [ $i -lt 3000 ]; do echo $i; printf %300s; i=$((i+1)); done"
    code, output = shell(script, tmp_path)
    assert code == 0
    assert output.count(b"\n") < 1000
    assert b" 2999\n" in output


@pytest.mark.parametrize(
    ("script", "limits", "why"),
    [
        ("sleep 60", Limits(), r"took longer than 0.5 seconds \(\[inseam\].build_timeout\)"),
        ("exec >&- 2>&-; sleep 60", Limits(), "took longer than 0.5 seconds"),
        ("(sleep 60; touch late) & wait", Limits(), "took longer than 0.5 seconds"),
        ("yes", Limits(output=1000), r"printed more than 1000 bytes .*, key 'output'\)"),
        ("sleep 60 & sleep 60", Limits(processes=1), r"more than 1 processes .*'processes'\)"),
        ("sleep 60 & sleep 60", Limits(memory=2_000_000), "used more than 2000000 bytes"),
    ],
)
def test_what_passes_a_limit_is_ended(
    tmp_path: Path, script: str, limits: Limits, why: str
) -> None:
    with pytest.raises(Stopped, match=why):
        shell(script, tmp_path, limits, 0.5 if "seconds" in why else 60)


def test_a_command_without_a_place_needs_no_limits_of_its_own(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root does not run anything foreign on this machine's files")
    place = Place(machine_root(), machine_root(), (), "none")
    folder = tmp_path / "folder"
    folder.mkdir()
    command = Command(["/bin/sh", "-c", "cd {here} && pwd"], folder, PATH)
    assert run(command, place) == (0, f"{folder}\n".encode())


def test_root_runs_nothing_on_files_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    place = Place(machine_root(), machine_root(), (), "none")
    with pytest.raises(Failure, match="needs its own root filesystem"):
        run(Command(["/bin/true"], tmp_path, PATH), place)
