from __future__ import annotations

import hashlib
import itertools
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from inseam.sandbox.bytecode import cache_path, minor_version
from inseam.sandbox.command import Failure
from inseam.sandbox.installed import Installed, read_paths
from inseam.sandbox.join import join
from inseam.sandbox.layer import read_layers
from inseam.sandbox.program_testing import SURROUNDINGS, run_program, tree
from inseam.sandbox.tar_testing import LINK, TarEntry, read_layer
from inseam.sandbox.unit import Wheel
from inseam.sandbox.venv import site_packages
from inseam.sandbox.wheel import lay_out
from inseam.sandbox.wheel_testing import File, build_wheel, elf, executable

SITE = site_packages(minor_version())
VENV = ("/usr/bin/python3.11", "{}.{}.7".format(*minor_version()))


def unit(folder: Path, name: str, files: dict[str, Any], **wheel: Any) -> Path:
    """The folder of the unit of a wheel with the given files."""
    out = folder / "units" / name
    lay_out(build_wheel(folder / "wheels", name, files=files, **wheel), out)
    return out


def joined(folder: Path, *units: Path, **options: Any) -> dict[str, TarEntry]:
    layer = join("deps", list(units), folder / "out", **options)
    data = (folder / "out" / layer.file).read_bytes()
    assert (layer.diff_id, layer.size) == ("sha256:" + hashlib.sha256(data).hexdigest(), len(data))
    assert read_layers(folder / "out/layers.json") == (layer,)
    return read_layer(data)


def two(folder: Path) -> tuple[Path, Path]:
    return (
        unit(folder, "one", {"one/a.py": b"a = 1\n", "one/run": executable(b"#!")}),
        unit(folder, "two", {"two/b.txt": b"b" * 600}),
    )


def test_a_layer_holds_the_files_of_all_wheels(tmp_path: Path) -> None:
    layer = joined(tmp_path, *two(tmp_path))
    assert layer[f"{SITE}/one/a.py"].content == b"a = 1\n"
    assert layer[f"{SITE}/one/run"].mode == 0o755
    assert layer[f"{SITE}/two/b.txt"].content == b"b" * 600
    assert f"{SITE}/{cache_path('one/a.py', minor_version())}" in layer
    assert f"{SITE}/one-1.0.dist-info/METADATA" in layer
    assert "opt/venv/pyvenv.cfg" not in layer


def test_a_layer_may_hold_the_venv_around_the_wheels(tmp_path: Path) -> None:
    layer = joined(tmp_path, *two(tmp_path), venv=VENV)
    assert layer["opt/venv/bin/python"].kind == LINK
    assert layer["opt/venv/bin/python"].link == VENV[0]
    assert layer[f"{SITE}/app.pth"].content == b"/app\n"
    assert f"version = {VENV[1]}".encode() in layer["opt/venv/pyvenv.cfg"].content
    assert f"{SITE}/one/a.py" in layer


def test_a_service_without_wheels_has_a_venv_too(tmp_path: Path) -> None:
    layer = joined(tmp_path, venv=VENV)
    assert set(layer) > {"opt/venv/bin/python", "opt/venv/pyvenv.cfg", f"{SITE}/app.pth"}


def test_no_wheels_and_no_venv_are_an_empty_layer(tmp_path: Path) -> None:
    assert joined(tmp_path) == {}


def test_the_layer_names_its_wheels_in_order_of_name(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    layer = join("deps", [other, one], tmp_path / "out")
    assert layer.name == "deps"
    assert layer.file == "deps.tar"
    hashes = [
        hashlib.sha256((tmp_path / f"wheels/{name}-1.0-py3-none-any.whl").read_bytes()).hexdigest()
        for name in ("one", "two")
    ]
    assert layer.wheels == (Wheel("one", "1.0", hashes[0]), Wheel("two", "1.0", hashes[1]))


def test_paths_say_who_installed_what(tmp_path: Path) -> None:
    layer = joined(tmp_path, *two(tmp_path), venv=VENV)
    paths = read_paths(tmp_path / "out/paths.txt")
    assert set(paths) == {path for path, entry in layer.items() if entry.kind != b"5"}
    assert paths[f"{SITE}/one/a.py"] == Installed(
        hashlib.sha256(b"a = 1\n").hexdigest(), "one-1.0-py3-none-any.whl"
    )
    assert paths["opt/venv/pyvenv.cfg"].owner == "the venv"


def test_the_order_of_units_does_not_matter(tmp_path: Path) -> None:
    # All three have one file with the same bytes, and two different modes.
    units = [
        unit(tmp_path, "c", {"shared/__init__.py": executable(b"same"), "c.py": b""}),
        unit(tmp_path, "a", {"shared/__init__.py": b"same", "a.py": b""}),
        unit(tmp_path, "b", {"shared/__init__.py": b"same", "demo-1.0.data.txt": b""}),
    ]
    results = []
    for number, order in enumerate(itertools.permutations(units)):
        out = tmp_path / str(number)
        join("deps", list(order), out, venv=VENV)
        results.append(tree(out))
    assert all(result == results[0] for result in results)


def test_neither_surroundings_nor_place_change_a_byte(tmp_path: Path) -> None:
    two(tmp_path)
    results = []
    for number, (env, umask) in enumerate(SURROUNDINGS):
        cwd = tmp_path / f"checkout {number}"
        shutil.copytree(tmp_path / "units", cwd)
        result = run_program(
            "join", "--name=deps", "--out=out/deps", f"--venv-interpreter={VENV[0]}",
            f"--venv-version={VENV[1]}", "--machine=x86_64", "one", "two",
            cwd=cwd, env=env, umask=umask,
        )  # fmt: skip
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
        results.append(tree(cwd / "out/deps"))
    assert results[0].keys() == {"deps.tar", "layers.json", "paths.txt", "names.txt"}
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("content", [b"", b"__path__ = 1\n"])
def test_wheels_may_have_equal_files_at_one_path(tmp_path: Path, content: bytes) -> None:
    one = unit(tmp_path, "one", {"shared/__init__.py": content, "shared/one.py": b""})
    other = unit(tmp_path, "two", {"shared/__init__.py": File(content, 0o100755)})
    layer = joined(tmp_path, one, other)
    assert layer[f"{SITE}/shared/__init__.py"].content == content


def refused(folder: Path, why: str, *units: Path, **options: Any) -> str:
    with pytest.raises(Failure, match=why) as failure:
        join("deps", list(units), folder / "out", **options)
    assert not os.path.exists(folder / "out") or os.listdir(folder / "out") == []
    return str(failure.value)


def test_two_wheels_with_different_bytes_at_one_path_are_both_named(tmp_path: Path) -> None:
    one = unit(tmp_path, "one", {"shared/x.txt": b"1"})
    other = unit(tmp_path, "two", {"shared/x.txt": b"2"})
    why = refused(tmp_path, "different content", one, other)
    assert "one-1.0-py3-none-any.whl and two-1.0-py3-none-any.whl" in why
    assert f"/{SITE}/shared/x.txt" in why
    assert refused(tmp_path, "different content", other, one) == why


def test_two_wheels_cannot_install_different_scripts_of_one_name(tmp_path: Path) -> None:
    one = unit(tmp_path, "one", {}, entry_points="[console_scripts]\nrun = one:main\n")
    other = unit(tmp_path, "two", {}, entry_points="[console_scripts]\nrun = two:main\n")
    refused(tmp_path, "both have /opt/venv/bin/run", one, other)


def test_a_file_where_another_wheel_has_a_directory_is_refused(tmp_path: Path) -> None:
    one = unit(tmp_path, "one", {"shared": b""})
    other = unit(tmp_path, "two", {"shared/x.txt": b""})
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
    one = unit(tmp_path, "one", {f"one-1.0.data/data/{path}": b""})
    refused(tmp_path, "one-1.0-py3-none-any.whl.*venv", one, venv=VENV)


def test_a_wheel_for_another_machine_is_refused(tmp_path: Path) -> None:
    one = unit(tmp_path, "one", {"one.so": elf("aarch64")})
    refused(
        tmp_path,
        "one-1.0-py3-none-any.whl holds binaries for aarch64.*x86_64",
        one,
        machine="x86_64",
    )
    assert f"{SITE}/one.so" in joined(tmp_path, one, machine="aarch64")
    assert f"{SITE}/one.so" in joined(tmp_path, one)


def test_a_wheel_may_have_binaries_for_other_machines_beside_ours(tmp_path: Path) -> None:
    one = unit(tmp_path, "one", {"x.so": elf("x86_64"), "i.so": elf("i686")})
    assert f"{SITE}/i.so" in joined(tmp_path, one, machine="x86_64")


def test_a_unit_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    data = (one / "unit.tar").read_bytes()
    (one / "unit.tar").write_bytes(data[:-512])
    refused(tmp_path, "cut short; 512 bytes are missing", one, other)


def test_the_program_says_what_is_wrong_and_leaves_nothing(tmp_path: Path) -> None:
    unit(tmp_path, "one", {"x": b"1"})
    unit(tmp_path, "two", {"x": b"2"})
    result = run_program("join", "--name=deps", "--out=out", "one", "two", cwd=tmp_path / "units")
    assert result.returncode == 1
    assert result.stderr.startswith("one-1.0-py3-none-any.whl and two-1.0-py3-none-any.whl both")
    assert not (tmp_path / "units/out").exists()
