from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Union

import pytest

from inseam.formats.failure import Failure
from inseam.formats.python.bytecode import minor_version
from inseam.formats.python.code_testing import SOURCES, wheels_layer, write_sources
from inseam.formats.python.conflicts import check_code, compare_layers
from inseam.formats.python.entry_point import parse_entry_point
from inseam.formats.python.installed import PATHS, Installed, write_paths
from inseam.formats.python.shared_path import (
    CLASH,
    EQUAL,
    HIDDEN,
    NOT_READ,
    PREFERRED,
    SHARED,
    Preference,
    SharedPath,
    load_shared,
)
from inseam.formats.python.venv import site_packages
from inseam.formats.python.wheel_testing import File
from inseam.programs.program_testing import run_program

SITE = site_packages(minor_version())


def check(
    folder: Path,
    files: Mapping[str, Union[bytes, File]] = SOURCES,
    entry_point: str = "shop.server:main",
    healthcheck: str | None = None,
    below: tuple[Path, ...] = (),
) -> None:
    sources = folder / "sources"
    sources.mkdir()
    write_sources(sources, files)
    entry_points = [parse_entry_point(f"entrypoint={entry_point}")]
    if healthcheck:
        entry_points.append(parse_entry_point(f"healthcheck={healthcheck}"))
    check_code(sources, entry_points, below)


def refused(folder: Path, why: str, **arguments: Any) -> str:
    with pytest.raises(Failure, match=why) as failure:
        check(folder, **arguments)
    return str(failure.value)


# --- Entry points -----------------------------------------------------------------------------


def test_an_unknown_module_is_named(tmp_path: Path) -> None:
    why = refused(tmp_path, "'shop.sever' of `entry_point=", entry_point="shop.sever:main")
    assert "Check the spelling" in why


def test_the_healthcheck_is_checked_too(tmp_path: Path) -> None:
    refused(tmp_path, "`healthcheck='shop.probe:main'`", healthcheck="shop.probe:main")


@pytest.mark.parametrize(
    "file", ["gunicorn.py", "gunicorn/__init__.py", "gunicorn.cpython-311-x86_64-linux-gnu.so"]
)
def test_a_wheel_may_have_the_entry_point(tmp_path: Path, file: str) -> None:
    below = wheels_layer(tmp_path, gunicorn={file: b""})
    check(tmp_path, {}, "gunicorn:main", below=(below,))


@pytest.mark.parametrize(
    "file",
    ["gunicorn.txt", "gunicorn.libs/x.so", "gunicorn/app.py", "x/gunicorn.py", "gunicorn.pyi"],
)
def test_what_cannot_be_imported_is_not_a_module_of_a_wheel(tmp_path: Path, file: str) -> None:
    below = wheels_layer(tmp_path, gunicorn={file: b""})
    refused(tmp_path, "neither", files={}, entry_point="gunicorn:main", below=(below,))


def test_a_package_is_run_by_its_main_module(tmp_path: Path) -> None:
    files: dict[str, bytes | File] = {"shop/tool/__init__.py": b""}
    refused(tmp_path, "no shop/tool/__main__.py is among", files=files, entry_point="shop.tool")
    (tmp_path / "right").mkdir()
    check(tmp_path / "right", {**files, "shop/tool/__main__.py": b""}, "shop.tool")


@pytest.mark.parametrize("name", ["entrypoint", "healthcheck"])
def test_a_wheel_cannot_have_the_place_of_a_console_script(tmp_path: Path, name: str) -> None:
    below = wheels_layer(tmp_path, other={f"other-1.0.data/scripts/{name}": b"#!python\n"})
    why = refused(
        tmp_path, "path of the console script", below=(below,), healthcheck="shop.healthcheck:main"
    )
    assert f"other-1.0-py3-none-any.whl installs /opt/venv/bin/{name}" in why


# --- First-party code and wheels --------------------------------------------------------------


def test_a_first_party_file_that_a_wheel_would_hide_is_refused(tmp_path: Path) -> None:
    below = wheels_layer(tmp_path, other={"shop/server.py": b"def main(): pass  # theirs\n"})
    why = refused(tmp_path, "first-party file shop/server.py", below=(below,))
    assert "other-1.0-py3-none-any.whl" in why


def test_resources_can_be_hidden_too(tmp_path: Path) -> None:
    below = wheels_layer(tmp_path, other={"shop/templates/page.html": b"<div>"})
    refused(tmp_path, "first-party file shop/templates/page.html", below=(below,))


@pytest.mark.parametrize(
    "theirs",
    ["shop/__init__.py", "shop.py", "shop.abi3.so", "shop/server/__init__.py", "shop/server.so"],
)
def test_a_first_party_module_that_could_not_be_imported_is_refused(
    tmp_path: Path, theirs: str
) -> None:
    below = wheels_layer(tmp_path, other={theirs: b""})
    why = refused(tmp_path, "first-party file shop/.*.py cannot be imported", below=(below,))
    assert f"other-1.0-py3-none-any.whl installs /{SITE}/{theirs}" in why


def test_equal_files_are_no_collision(tmp_path: Path) -> None:
    files: dict[str, bytes | File] = {
        "util.py": File(b"x = 1\n", 0o755),
        "m.py": b"import util\nmain = 1\n",
    }
    below = wheels_layer(tmp_path, other={"util.py": b"x = 1\n"})
    check(tmp_path, files, "m:main", below=(below,))


@pytest.mark.parametrize(
    "theirs", ["shop/other.py", "shop/data.txt", "shopping/__init__.py", "x/shop.py"]
)
def test_namespace_packages_may_be_shared_with_wheels(tmp_path: Path, theirs: str) -> None:
    files = {"shop/server.py": b"def main(): pass\n"}
    check(tmp_path, files, below=(wheels_layer(tmp_path, other={theirs: b""}),))


def test_packages_that_extend_their_path_may_be_shared_with_wheels(tmp_path: Path) -> None:
    shared = b"__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
    files = {"shop/__init__.py": shared, "shop/server.py": b"def main(): pass\n"}
    check(tmp_path, files, below=(wheels_layer(tmp_path, other={"shop/__init__.py": shared}),))


def test_the_program_says_what_is_wrong(tmp_path: Path) -> None:
    write_sources(tmp_path / "sources", SOURCES)
    arguments = ("--sources=sources", "--entry-point=entry_point=shop.x:main")
    result = run_program("check_code", *arguments, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("the module 'shop.x' of `entry_point=")
    assert result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["sources"]


# --- Layers of wheels -------------------------------------------------------------------------


def layer(folder: Path, owner: str, **digests: str) -> Path:
    files = {f"opt/venv/{name}": Installed(digest, owner) for name, digest in digests.items()}
    write_paths(files, folder / PATHS)
    return folder


def test_equal_files_of_two_layers_are_told_apart_from_different_ones(tmp_path: Path) -> None:
    first = layer(tmp_path / "a", "a-1.whl", x="1", y="2", **{"share/man/z.1": "3"})
    second = layer(tmp_path / "b", "b-1.whl", x="9", y="2", **{"share/man/z.1": "4"})
    assert sorted(compare_layers([first, second])) == [
        ("opt/venv/share/man/z.1", "b-1.whl", "a-1.whl", NOT_READ, ""),
        ("opt/venv/x", "b-1.whl", "a-1.whl", CLASH, ""),
        ("opt/venv/y", "b-1.whl", "a-1.whl", EQUAL, ""),
    ]
    assert compare_layers([]) == compare_layers([first]) == []


@pytest.mark.parametrize("winner, why", [("b", PREFERRED), ("a", HIDDEN)])
def test_only_the_file_of_the_upper_layer_can_be_preferred(
    tmp_path: Path, winner: str, why: str
) -> None:
    layers = [layer(tmp_path / "a", "a-1.whl", x="1"), layer(tmp_path / "b", "b-1.whl", x="9")]
    (found,) = compare_layers(layers, [Preference("x", winner)])
    assert found == ("opt/venv/x", "b-1.whl", "a-1.whl", why, "x")


def test_bytecode_in_two_layers_follows_its_source(tmp_path: Path) -> None:
    module = {"LICENSE/x.py": "1", "LICENSE/__pycache__/x.cpython-311.pyc": "2"}
    other = {name: f"{digest}1" for name, digest in module.items()}
    layers = [
        layer(tmp_path / "a", "a-1.whl", **module),
        layer(tmp_path / "b", "b-1.whl", **other),
    ]
    assert [one.path for one in compare_layers(layers)] == ["opt/venv/LICENSE/x.py"]
    del other["LICENSE/x.py"]
    layers[1] = layer(tmp_path / "c", "b-1.whl", **other)
    assert [one.why for one in compare_layers(layers)] == [CLASH]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_file_in_one_layer_that_is_a_folder_in_another(
    tmp_path: Path, order: tuple[int, int]
) -> None:
    layers = [
        layer(tmp_path / "a", "a.whl", x="1", clash="2"),
        layer(tmp_path / "b", "b.whl", **{"clash/deep/inner.py": "3"}),
    ]
    with pytest.raises(
        Failure,
        match="b.whl has /opt/venv/clash/deep/inner.py, but a.whl, in another layer, has a file at"
        " /opt/venv/clash. Remove one",
    ):
        compare_layers([layers[number] for number in order])


def test_the_program_writes_what_layers_share(tmp_path: Path) -> None:
    layer(tmp_path / "a", "a-1.whl", x="1")
    layer(tmp_path / "b", "b-1.whl", x="2")
    arguments = ("compare_layers", "--out=out", "--prefer=b:x", "a", "b")
    result = run_program(*arguments, cwd=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    found = load_shared((tmp_path / "out" / SHARED).read_bytes())
    assert found == (SharedPath("opt/venv/x", "b-1.whl", "a-1.whl", PREFERRED, "x"),)
