from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from inseam.programs import install_programs

SOURCES = {
    "__main__.py": "import sys\nfrom tool import work\nwork.say(sys.argv[1:])\n",
    "tool/__init__.py": "",
    "tool/work.py": "def say(words):\n    print('said', *words)\n",
}


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    folder = tmp_path / "programs"
    for name, text in SOURCES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def install(programs: Path, *links: str, name: str = "programs-1") -> Path:
    cache = programs.parent / "cache"
    install_programs.main(
        [
            f"--programs={programs}",
            f"--cache={cache}",
            "--interpreter=cpython",
            f"--name={name}",
            *links,
        ]
    )
    return cache


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """What is in a folder, links included: inode and bytes."""
    return {
        path.relative_to(folder).as_posix(): (path.lstat().st_ino, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_program_runs_from_the_cache(programs: Path) -> None:
    cache = install(programs, "say-1", "shout-1")
    for program in ("say-1", "shout-1"):
        output = subprocess.check_output(
            ["./cpython", "-sSB", f"{program}/__main__.py", "a", "b"], cwd=cache, text=True, env={}
        )
        assert output == "said a b\n"


def test_it_runs_from_bytecode_that_nobody_checks(programs: Path) -> None:
    cache = install(programs, "say-1")
    (cache / "programs-1/tool/work.py").write_text("raise SystemExit('compiled anew')\n")
    output = subprocess.check_output(
        ["./cpython", "-sSB", "say-1/__main__.py"], cwd=cache, text=True, env={}
    )
    assert output == "said\n"
    pyc = Path(importlib.util.cache_from_source(str(cache / "programs-1/tool/work.py")))
    assert pyc.read_bytes()[4:8] == (0b01).to_bytes(4, "little")  # PEP 552


def test_what_is_there_stays(programs: Path) -> None:
    before = files(install(programs, "say-1"))
    (programs / "tool/work.py").write_text("")
    after = files(install(programs, "say-1"))
    assert {**after, "cpython": None} == {**before, "cpython": None}


def test_a_new_version_comes_beside_the_old_one_and_takes_no_program_from_it(
    programs: Path,
) -> None:
    install(programs, "say-1", "shout-1")
    cache = install(programs, "say-2", "shout-1", name="programs-2")
    links = {path.name: os.readlink(path) for path in cache.iterdir() if path.is_symlink()}
    del links["cpython"]
    assert links == {"say-1": "programs-1", "shout-1": "programs-1", "say-2": "programs-2"}


def test_the_link_to_the_interpreter_is_always_this_one(programs: Path) -> None:
    cache = programs.parent / "cache"
    cache.mkdir()
    (cache / "cpython").symlink_to("/nowhere/python")
    install(programs)
    assert os.readlink(cache / "cpython") == sys.executable


def test_a_program_that_does_not_compile_leaves_nothing(programs: Path) -> None:
    (programs / "tool/bad.py").write_text("def\n")
    with pytest.raises(Exception, match="bad.py"):
        install(programs, "say-1")
    assert [path.name for path in (programs.parent / "cache").iterdir()] == ["cpython"]


def test_several_at_once(programs: Path) -> None:
    argv = [
        sys.executable,
        "-c",
        f"import sys; sys.path[:0] = {sys.path!r};"
        " from inseam.programs.install_programs import main; main(sys.argv[1:])",
        f"--programs={programs}",
        f"--cache={programs.parent / 'cache'}",
        "--interpreter=cpython",
        "--name=programs-1",
        "say-1",
    ]
    with ThreadPoolExecutor(6) as pool:
        codes = list(pool.map(lambda _: subprocess.call(argv), range(12)))
    assert codes == [0] * 12
    left = sorted(path.name for path in (programs.parent / "cache").iterdir())
    assert left == ["cpython", "programs-1", "say-1"]


@pytest.mark.parametrize("damage", ["cut", "empty", "missing", "bytecode", "sum"])
def test_a_damaged_copy_is_replaced(programs: Path, damage: str) -> None:
    cache = install(programs, "say-1")
    copy = cache / "programs-1"
    before = {name: content for name, (_, content) in files(copy).items()}
    bytecode = next(copy.glob("tool/__pycache__/work.*.pyc"))
    if damage == "cut":
        (copy / "tool/work.py").write_bytes(before["tool/work.py"][:-3])
    elif damage == "empty":
        (copy / "__main__.py").write_bytes(b"")
    elif damage == "missing":
        (copy / "tool/__init__.py").unlink()
    elif damage == "bytecode":
        bytecode.write_bytes(bytecode.read_bytes()[:-3])
    else:
        (copy / install_programs.SUM).unlink()
    install(programs, "say-1")
    assert {name: content for name, (_, content) in files(copy).items()} == before
    assert not [path for path in cache.iterdir() if path.name.startswith(".")]
