from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from inseam.formats.elf import needed
from inseam.formats.failure import Failure
from inseam.formats.python.build_environment import make_environment
from inseam.formats.python.wheel_testing import build_wheel
from inseam.formats.rootfs import tree as tree_module
from inseam.formats.rootfs.start import argv, copy_tree, tree_of
from inseam.formats.rootfs.tree import compile_modules, write_tree
from inseam.formats.rootfs.tree_testing import (
    EXPECTED,
    INTERPRETER,
    MINOR,
    PREFIX,
    python_layers,
    real_interpreter,
)
from inseam.programs.__main__ import run

SAYS = "import hashlib, json, sys, zlib; print(json.dumps([list(sys.version_info[:3]), sys.path]))"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return python_layers(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def tree(image: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree") / "out"
    write_tree(image, INTERPRETER, folder)
    return folder


def test_it_starts_and_finds_its_own_library(tree: Path) -> None:
    command = [*argv(str(tree)), "-sSBc", SAYS]
    result = subprocess.run(command, env={"LC_ALL": "C"}, check=True, capture_output=True)
    found = eval(result.stdout)
    assert found[0] == list(sys.version_info[:3])
    assert all(path.startswith(str(tree)) for path in found[1] if path)


def test_it_uses_nothing_of_the_machine(tree: Path) -> None:
    load = f"[ctypes.CDLL(name) for name in {EXPECTED}]"
    code = f"import ssl, ctypes, json; loaded = {load}; print(open('/proc/self/maps').read())"
    command = [*argv(str(tree)), "-sSBc", code]
    result = subprocess.run(
        command, env={"LC_ALL": "C"}, check=True, capture_output=True, text=True
    )
    files = {line.split()[-1] for line in result.stdout.splitlines() if "/" in line}
    assert files
    assert {file for file in files if not file.startswith(str(tree))} == set()


@pytest.mark.skipif(os.geteuid() != 0, reason="chroot(2) is for root")
def test_it_starts_where_there_is_nothing_else(tree: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    shutil.copytree(tree, root / "python")

    def enter() -> None:
        os.chroot(root)
        os.chdir("/")

    result = subprocess.run(
        [*argv("python"), "-sSBc", "import os, hashlib; print(sorted(os.listdir('/')))"],
        env={"LC_ALL": "C"},
        check=True,
        capture_output=True,
        text=True,
        preexec_fn=enter,
    )
    assert result.stdout == "['python']\n"


def test_its_library_has_bytecode_only(tree: Path) -> None:
    names = [path.name for path in (tree / "lib").rglob("*") if path.is_file()]
    archive = f"python{MINOR.replace('.', '')}.zip"
    assert {name for name in names if not name.endswith(".so")} == {"os.pyc", archive}
    with zipfile.ZipFile(tree / "lib" / archive) as modules:
        found = modules.namelist()
    assert {"os.pyc", "json/__init__.pyc"} <= set(found)
    assert not [name for name in found if not name.endswith(".pyc")]
    assert not [name for name in found if name.startswith(("test/", "ensurepip/"))]


def test_each_time_the_bytes_are_the_same(tree: Path, image: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "elsewhere" / "out"
    arguments = ["interpreter", f"--interpreter={INTERPRETER}", f"--out={out}"]
    assert run([*arguments, *map(str, image)]) == 0

    def files(folder: Path) -> dict[str, tuple[bytes, int]]:
        found = (path for path in folder.rglob("*") if path.is_file())
        return {
            str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode & 0o111)
            for path in found
        }

    assert files(out) == files(tree)


def changed(image: list[Path], folder: Path, *removed: str) -> list[Path]:
    """The image with a layer on top that removes files."""
    top = folder / "top.tar"
    with tarfile.open(top, "w") as tar:
        for path in removed:
            parent, name = os.path.split(path)
            tar.addfile(tarfile.TarInfo(f"{parent}/.wh.{name}"))
    return [*image, top]


def test_what_an_image_lacks_is_named(image: list[Path], tmp_path: Path) -> None:
    for path, why in (
        (INTERPRETER[1:], f"the base has no interpreter {INTERPRETER}"),
        (f"{PREFIX}/lib", f"no standard library for {INTERPRETER}"),
        ("usr/lib/x86_64-linux-gnu/libc.so.6", "has not all libraries that"),
        ("lib64", "which starts"),
    ):
        with pytest.raises(Failure, match=why):
            write_tree(changed(image, tmp_path, path), INTERPRETER, tmp_path / "out")
    with tarfile.open(tmp_path / "shim.tar", "w") as tar:
        tar.add(__file__, INTERPRETER[1:])
    with pytest.raises(Failure, match="is not a dynamically linked executable"):
        write_tree([*image, tmp_path / "shim.tar"], INTERPRETER, tmp_path / "out")
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(b"no tar")
    with pytest.raises(Failure, match="damaged.tar, cannot be read"):
        write_tree([damaged], INTERPRETER, tmp_path / "out")


def test_a_module_without_its_library_is_left_out(image: list[Path], tmp_path: Path) -> None:
    library = "usr/lib/x86_64-linux-gnu/libffi.so."
    with tarfile.open(image[0]) as tar:
        (path,) = (name for name in tar.getnames() if name.startswith(library))
    write_tree(changed(image, tmp_path, path), INTERPRETER, tmp_path / "out")
    assert not list((tmp_path / "out").rglob("_ctypes.*"))
    command = [*argv(str(tmp_path / "out")), "-sSBc", "import json, hashlib, ctypes"]
    result = subprocess.run(command, env={}, check=False, capture_output=True, text=True)
    assert "_ctypes" in result.stderr


def test_an_interpreter_that_does_not_start_is_named(image: list[Path], tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "top.tar", "w") as tar:
        loader = next(
            name for name in needed(real_interpreter().read_bytes()) if name.startswith("/")
        )
        tar.add(__file__, loader[1:])
    with pytest.raises(Failure, match="does not start here"):
        write_tree([*image, tmp_path / "top.tar"], INTERPRETER, tmp_path / "out")


def test_an_interpreter_that_does_not_end_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree_module, "argv", lambda folder: ["sh", "-c", "sleep 60", "sh"])
    monkeypatch.setattr(tree_module, "_LONGEST", 0.1)
    with pytest.raises(Failure, match="does not end within 0.1 s. Choose another base"):
        tree_module._start(tmp_path, "pass")


def test_what_an_interpreter_says_is_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "printf '\\033[2J' >&2; exit 3"
    monkeypatch.setattr(tree_module, "argv", lambda folder: ["sh", "-c", script, "sh"])
    with pytest.raises(Failure, match=r"\(exit code 3\):\n\| \\x1b\[2J$"):
        tree_module._start(tmp_path, "pass")


def test_a_python_without_what_the_programs_import_is_named(
    image: list[Path], tmp_path: Path
) -> None:
    lacks = changed(image, tmp_path, f"{PREFIX}/lib/python{MINOR}/json")
    with pytest.raises(Failure, match="lacks modules that make layers: json"):
        write_tree(lacks, INTERPRETER, tmp_path / "out")


def test_builds_of_wheels_run_on_it(tree: Path, tmp_path: Path) -> None:
    if "--argv0" not in subprocess.run([tree / "ld.so", "--help"], stdout=-1, text=True).stdout:
        pytest.skip("this machine's glibc is older than 2.33")
    assert tree_of(str(tree / "bin/python")) == tree
    assert tree_of(sys.executable) is None
    copy_tree(tree, tmp_path / "python")
    wheel = build_wheel(
        tmp_path,
        files={"demo/__init__.py": b"def main(): print('started')\n"},
        entry_points="[console_scripts]\ndemo = demo:main\n",
    )
    start = argv(str(tmp_path / "python"))
    make_environment(tmp_path / "env", start[-1], [wheel], place=str(tmp_path / "env"), start=start)
    code = (
        "import sys, demo, subprocess; print(sys.prefix, flush=True);"
        "subprocess.run([sys.executable, '-c', {!r}])"
    )
    inner = (
        "import sys, demo;" "print(sys.executable, open('/proc/self/maps').read().count(' /lib/'))"
    )
    result = subprocess.run(
        [tmp_path / "env/bin/python", "-Ic", code.format(inner)],
        env={"LC_ALL": "C"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert result.stdout.split() == [str(tmp_path / "env"), str(tmp_path / "env/bin/python"), "0"]
    (tmp_path / "old").mkdir()
    (tmp_path / "old/ld.so").write_bytes(b"--library-path")
    with pytest.raises(Failure, match="older than 2.33, so its CPython cannot run builds"):
        copy_tree(tmp_path / "old", tmp_path / "copy")
    script = subprocess.run([tmp_path / "env/bin/demo"], check=True, capture_output=True, text=True)
    assert script.stdout == "started\n"


def test_nothing_is_written_outside_whatever_an_image_calls_its_modules(
    image: list[Path], tmp_path: Path
) -> None:
    third = tmp_path / "third.tar"
    with tarfile.open(third, "w") as tar:
        name = "bin/python-escaped.py"
        tar.addfile(tarfile.TarInfo(name))
        tar.addfile(tarfile.TarInfo(f"{PREFIX}/lib/python{MINOR}/{'../' * 6}{name}"))
    with pytest.raises(Failure, match=r"'lib/.*escaped.py', which leads out of it"):
        write_tree([*image, third], INTERPRETER, tmp_path / "a/b/c/d/e/f/out")
    assert not list(tmp_path.rglob("*escaped.py"))


def test_the_library_of_a_free_threaded_python_has_its_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "lib/python3.13t"
    library.mkdir(parents=True)
    (library / "os.py").write_text("name = 'posix'\n")
    monkeypatch.setattr(sys, "abiflags", "t", raising=False)
    compile_modules(str(library))
    major, minor = sys.version_info[:2]
    assert (tmp_path / f"lib/python{major}{minor}t.zip").is_file()
