from __future__ import annotations

import hashlib
import importlib.util
import itertools
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from inseam.formats.debian.deb_testing import elf_bytes
from inseam.formats.distribution import Wheel
from inseam.formats.failure import Failure
from inseam.formats.oci.layer import read_layer as read_description
from inseam.formats.python.bytecode import cache_path, minor_version
from inseam.formats.python.installed import IMPORTS, Installed, load_imports, read_paths
from inseam.formats.python.libraries import LIBRARIES, load_libraries
from inseam.formats.python.merge import MergeOptions, merge
from inseam.formats.python.shared_path import (
    CLASH,
    NOT_READ,
    PREFERRED,
    SHARED,
    Preference,
    SharedPath,
    load_shared,
)
from inseam.formats.python.venv import site_packages
from inseam.formats.python.wheel import install_wheel
from inseam.formats.python.wheel_testing import File, build_wheel, elf, executable
from inseam.formats.tar_testing import LINK, TarEntry, read_layer
from inseam.programs.program_testing import SURROUNDINGS, run_program, tree

SITE = site_packages(minor_version())
VENV = ("/usr/bin/python3.11", "{}.{}.7".format(*minor_version()))


def wheel_tree(folder: Path, name: str, files: dict[str, Any], **wheel: Any) -> Path:
    """The folder of the wheel tree of a wheel with the given files."""
    out = folder / "trees" / name
    install_wheel(build_wheel(folder / "wheels", name, files=files, **wheel), out)
    return out


def merged(folder: Path, *trees: Path, **options: Any) -> dict[str, TarEntry]:
    layer = merge("deps", list(trees), folder / "out", MergeOptions(**options))
    data = (folder / "out/deps.tar").read_bytes()
    assert (layer.diff_id, layer.size) == ("sha256:" + hashlib.sha256(data).hexdigest(), len(data))
    assert read_description(folder / "out") == layer
    return read_layer(data)


def two(folder: Path) -> tuple[Path, Path]:
    return (
        wheel_tree(folder, "one", {"one/a.py": b"a = 1\n", "one/run": executable(b"#!")}),
        wheel_tree(folder, "two", {"two/b.txt": b"b" * 600}),
    )


def test_a_layer_holds_the_files_of_all_wheels(tmp_path: Path) -> None:
    layer = merged(tmp_path, *two(tmp_path))
    assert layer[f"{SITE}/one/a.py"].content == b"a = 1\n"
    assert layer[f"{SITE}/one/run"].mode == 0o755
    assert layer[f"{SITE}/two/b.txt"].content == b"b" * 600
    assert f"{SITE}/{cache_path('one/a.py', minor_version())}" in layer
    assert f"{SITE}/one-1.0.dist-info/METADATA" in layer
    assert "opt/venv/pyvenv.cfg" not in layer


def test_a_layer_may_hold_the_venv_around_the_wheels(tmp_path: Path) -> None:
    layer = merged(tmp_path, *two(tmp_path), venv=VENV)
    assert layer["opt/venv/bin/python"].kind == LINK
    assert layer["opt/venv/bin/python"].link == VENV[0]
    assert layer[f"{SITE}/app.pth"].content == b"/app\n"
    assert f"version = {VENV[1]}".encode() in layer["opt/venv/pyvenv.cfg"].content
    assert f"{SITE}/one/a.py" in layer


def test_a_service_without_wheels_has_a_venv_too(tmp_path: Path) -> None:
    layer = merged(tmp_path, venv=VENV)
    assert set(layer) > {"opt/venv/bin/python", "opt/venv/pyvenv.cfg", f"{SITE}/app.pth"}


def test_no_wheels_and_no_venv_are_an_empty_layer(tmp_path: Path) -> None:
    assert merged(tmp_path) == {}


def test_the_layer_names_its_wheels_in_order_of_name(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    layer = merge("deps", [other, one], tmp_path / "out")
    assert layer.name == "deps"
    assert (tmp_path / "out/deps.tar").is_file()
    hashes = [
        hashlib.sha256((tmp_path / f"wheels/{name}-1.0-py3-none-any.whl").read_bytes()).hexdigest()
        for name in ("one", "two")
    ]
    assert layer.wheels == (Wheel("one", "1.0", hashes[0]), Wheel("two", "1.0", hashes[1]))


def test_paths_say_who_installed_what(tmp_path: Path) -> None:
    layer = merged(tmp_path, *two(tmp_path), venv=VENV)
    paths = read_paths(tmp_path / "out/paths.txt")
    assert set(paths) == {path for path, entry in layer.items() if entry.kind != b"5"}
    assert paths[f"{SITE}/one/a.py"] == Installed(
        hashlib.sha256(b"a = 1\n").hexdigest(), "one-1.0-py3-none-any.whl"
    )
    assert paths["opt/venv/pyvenv.cfg"].owner == "the venv"


def test_the_order_of_wheel_trees_does_not_matter(tmp_path: Path) -> None:
    # All three have one file with the same bytes, and two different modes.
    trees = [
        wheel_tree(tmp_path, "c", {"shared/__init__.py": executable(b"same"), "c.py": b""}),
        wheel_tree(tmp_path, "a", {"shared/__init__.py": b"same", "a.py": b""}),
        wheel_tree(tmp_path, "b", {"shared/__init__.py": b"same", "demo-1.0.data.txt": b""}),
    ]
    results = []
    for number, order in enumerate(itertools.permutations(trees)):
        out = tmp_path / str(number)
        merge("deps", list(order), out, MergeOptions(VENV))
        results.append(tree(out))
    assert all(result == results[0] for result in results)


def test_neither_surroundings_nor_place_change_a_byte(tmp_path: Path) -> None:
    two(tmp_path)
    results = []
    for number, (env, umask) in enumerate(SURROUNDINGS):
        cwd = tmp_path / f"checkout {number}"
        shutil.copytree(tmp_path / "trees", cwd)
        result = run_program(
            "merge", "--name=deps", "--out=out/deps", f"--venv-interpreter={VENV[0]}",
            f"--venv-version={VENV[1]}", "--machine=x86_64", "one", "two",
            cwd=cwd, env=env, umask=umask,
        )  # fmt: skip
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
        results.append(tree(cwd / "out/deps"))
    assert results[0].keys() == {
        *("deps.tar", "layer.json", "libraries.json", "paths.txt", "names.txt", "imports.txt"),
        "shared.json",
    }
    assert results[0] == results[1] == results[2]


def test_what_wheels_import_of_a_standard_library_that_shrinks_is_listed(tmp_path: Path) -> None:
    old = b"import os\nfrom distutils.util import strtobool\n"
    trees = [
        wheel_tree(tmp_path, "one", {"one/a.py": old, "one/b.py": b"import cgi, imp\n"}),
        wheel_tree(tmp_path, "two", {"two.py": b"import json\n", "two_tests/setup.py": old}),
    ]
    merge("deps", trees, tmp_path / "out")
    found = load_imports((tmp_path / "out" / IMPORTS).read_bytes())
    wheel = "one-1.0-py3-none-any.whl"
    assert found == (
        ("cgi", wheel, "one/b.py"),
        ("distutils", wheel, "one/a.py"),
        ("imp", wheel, "one/b.py"),
    )


@pytest.mark.parametrize("content", [b"", b"__path__ = 1\n"])
def test_wheels_may_have_equal_files_at_one_path(tmp_path: Path, content: bytes) -> None:
    one = wheel_tree(tmp_path, "one", {"shared/__init__.py": content, "shared/one.py": b""})
    other = wheel_tree(tmp_path, "two", {"shared/__init__.py": File(content, 0o100755)})
    layer = merged(tmp_path, one, other)
    assert layer[f"{SITE}/shared/__init__.py"].content == content


def refused(folder: Path, why: str, *trees: Path, **options: Any) -> str:
    with pytest.raises(Failure, match=why) as failure:
        merge("deps", list(trees), folder / "out", MergeOptions(**options))
    assert not os.path.exists(folder / "out") or os.listdir(folder / "out") == []
    return str(failure.value)


X86 = 62  # EM_X86_64
ONE, TWO = "one-1.0-py3-none-any.whl", "two-1.0-py3-none-any.whl"


def shared(folder: Path, *trees: Path, **options: Any) -> list[SharedPath]:
    """What the layer that these wheels are merged into says of their common paths."""
    merge("deps", list(trees), folder / "out", MergeOptions(**options))
    return list(load_shared((folder / "out" / SHARED).read_bytes()))


def test_two_wheels_with_different_bytes_at_one_path_are_both_named(tmp_path: Path) -> None:
    one = wheel_tree(tmp_path, "one", {"shared/x.txt": b"1"})
    other = wheel_tree(tmp_path, "two", {"shared/x.txt": b"2"})
    clash = [SharedPath(f"{SITE}/shared/x.txt", ONE, TWO, CLASH)]
    assert shared(tmp_path, one, other) == shared(tmp_path, other, one) == clash


def test_two_wheels_cannot_install_different_scripts_of_one_name(tmp_path: Path) -> None:
    one = wheel_tree(tmp_path, "one", {}, entry_points="[console_scripts]\nrun = one:main\n")
    other = wheel_tree(tmp_path, "two", {}, entry_points="[console_scripts]\nrun = two:main\n")
    assert shared(tmp_path, one, other) == [SharedPath("opt/venv/bin/run", ONE, TWO, CLASH)]


def clashing(folder: Path) -> tuple[Path, Path]:
    return (
        wheel_tree(folder, "one", {"both.py": b"x = 1\n", "lib.so": elf_bytes(X86, ["a.so"])}),
        wheel_tree(folder, "two", {"both.py": b"x = 2\n", "lib.so": elf_bytes(X86, ["b.so"])}),
    )


@pytest.mark.parametrize("winner, content", [("one", b"x = 1\n"), ("two", b"x = 2\n")])
def test_what_is_preferred_is_kept_with_its_bytecode(
    tmp_path: Path, winner: str, content: bytes
) -> None:
    one, other = clashing(tmp_path)
    rival = "two" if winner == "one" else "one"
    layer = merged(tmp_path, one, other, preferences=(Preference(rival, winner),))
    assert layer[f"{SITE}/both.py"].content == content
    cached = layer[f"{SITE}/{cache_path('both.py', minor_version())}"].content
    assert cached[8:16] == importlib.util.source_hash(content)
    found = load_shared((tmp_path / "out" / SHARED).read_bytes())
    assert {(item.kept, item.why, item.key) for item in found} == {
        (f"{winner}-1.0-py3-none-any.whl", PREFERRED, rival)
    }
    assert [item.path for item in found] == [f"{SITE}/both.py", f"{SITE}/lib.so"]
    libraries = load_libraries((tmp_path / "out" / LIBRARIES).read_bytes())
    assert [item.name for item in libraries.needed] == ["a.so" if winner == "one" else "b.so"]


def test_a_preference_for_one_path_leaves_the_others(tmp_path: Path) -> None:
    preferences = (Preference("both.py", "two"),)
    found = shared(tmp_path, *clashing(tmp_path), preferences=preferences)
    assert found == [
        SharedPath(f"{SITE}/both.py", TWO, ONE, PREFERRED, "both.py"),
        SharedPath(f"{SITE}/lib.so", ONE, TWO, CLASH),
    ]


def test_what_is_preferred_in_another_layer_is_left_out(tmp_path: Path) -> None:
    one, other = clashing(tmp_path)
    options = {"preferences": (Preference("one", "two"),), "elsewhere": (other,)}
    layer = merged(tmp_path, one, **options)
    assert not [path for path in layer if "both" in path or path.endswith("lib.so")]
    assert {item.why for item in shared(tmp_path, one, **options)} == {PREFERRED}
    kept = merged(tmp_path, one, preferences=(Preference("two", "one"),), elsewhere=(other,))
    assert kept[f"{SITE}/both.py"].content == b"x = 1\n"
    assert kept == merged(tmp_path, one)


def test_files_that_no_import_reads_come_from_the_first_wheel(tmp_path: Path) -> None:
    one = wheel_tree(tmp_path, "one", {"LICENSE": b"1", "tests/test_a.py": b"x = 1\n"})
    other = wheel_tree(tmp_path, "two", {"LICENSE": b"2", "tests/test_a.py": b"x = 2\n"})
    layer = merged(tmp_path, other, one)
    assert layer[f"{SITE}/LICENSE"].content == b"1"
    assert layer[f"{SITE}/tests/test_a.py"].content == b"x = 1\n"
    found = load_shared((tmp_path / "out" / SHARED).read_bytes())
    assert {(item.kept, item.why) for item in found} == {(ONE, NOT_READ)}
    assert not [item for item in found if item.path.endswith(".pyc")]


def test_bytecode_without_its_source_is_not_taken_from_another_wheel(tmp_path: Path) -> None:
    one = wheel_tree(tmp_path, "one", {"tests/old.py": b"print 'Python 2'\n"})
    other = wheel_tree(tmp_path, "two", {"tests/old.py": b"print('Python 3')\n"})
    layer = merged(tmp_path, one, other)
    assert f"{SITE}/{cache_path('tests/old.py', minor_version())}" not in layer


def test_a_file_where_another_wheel_has_a_directory_is_refused(tmp_path: Path) -> None:
    one = wheel_tree(tmp_path, "one", {"shared": b""})
    other = wheel_tree(tmp_path, "two", {"shared/x.txt": b""})
    refused(
        tmp_path,
        f"two-1.0-py3-none-any.whl has /{SITE}/shared/x.txt, but one-1.0-py3-none-any.whl has a",
        one,
        other,
    )


@pytest.mark.parametrize(
    "path", ["bin/python", "pyvenv.cfg", "lib64/x", f"{SITE.partition('/venv/')[2]}/app.pth"]
)
def test_a_wheel_cannot_replace_the_venvs_own_files(tmp_path: Path, path: str) -> None:
    one = wheel_tree(tmp_path, "one", {f"one-1.0.data/data/{path}": b""})
    refused(tmp_path, "one-1.0-py3-none-any.whl.*venv", one, venv=VENV)


def test_a_wheel_for_another_machine_is_refused(tmp_path: Path) -> None:
    one = wheel_tree(tmp_path, "one", {"one.so": elf("aarch64")})
    refused(
        tmp_path,
        "one-1.0-py3-none-any.whl contains binaries for aarch64.*x86_64",
        one,
        machine="x86_64",
    )
    assert f"{SITE}/one.so" in merged(tmp_path, one, machine="aarch64")
    assert f"{SITE}/one.so" in merged(tmp_path, one)


def test_a_wheel_may_have_binaries_for_other_machines_beside_ours(tmp_path: Path) -> None:
    one = wheel_tree(tmp_path, "one", {"x.so": elf("x86_64"), "i.so": elf("i686")})
    assert f"{SITE}/i.so" in merged(tmp_path, one, machine="x86_64")


def test_a_wheel_tree_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    data = (one / "tree.tar").read_bytes()
    (one / "tree.tar").write_bytes(data[:-512])
    refused(tmp_path, "truncated: 512 bytes are missing", one, other)


def test_the_program_says_what_is_wrong_and_leaves_nothing(tmp_path: Path) -> None:
    wheel_tree(tmp_path, "one", {"x": b"1"})
    wheel_tree(tmp_path, "two", {"x/y": b"2"})
    result = run_program("merge", "--name=deps", "--out=out", "one", "two", cwd=tmp_path / "trees")
    assert result.returncode == 1
    assert result.stderr.startswith("two-1.0-py3-none-any.whl has")
    assert not (tmp_path / "trees/out").exists()


def test_the_program_takes_preferences(tmp_path: Path) -> None:
    clashing(tmp_path)
    out = tmp_path / "trees/out"
    arguments = ("merge", "--name=deps", "--out=out", "--prefer=two:one")
    assert run_program(*arguments, "one", "two", cwd=tmp_path / "trees").returncode == 0
    assert read_layer((out / "deps.tar").read_bytes())[f"{SITE}/both.py"].content == b"x = 2\n"
    result = run_program(*arguments, "--elsewhere=two", "one", cwd=tmp_path / "trees")
    assert result.returncode == 0
    assert f"{SITE}/both.py" not in read_layer((out / "deps.tar").read_bytes())
