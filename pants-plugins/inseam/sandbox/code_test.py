from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Mapping, Union

import pytest

from inseam.sandbox.bytecode import cache_path, compile_source, minor_version
from inseam.sandbox.check_code import check_code
from inseam.sandbox.code import (
    BLOB,
    INDEX,
    LAUNCHERS,
    TAR,
    Code,
    files_below,
    joined,
    lay_out,
    no_code,
    source_members,
)
from inseam.sandbox.command import Failure
from inseam.sandbox.join import join
from inseam.sandbox.program_testing import SURROUNDINGS, run_program, tree
from inseam.sandbox.tar import Member, write_tar
from inseam.sandbox.tar_testing import TarEntry, read_layer
from inseam.sandbox.venv import console_script, launcher, site_packages
from inseam.sandbox.wheel import lay_out as lay_out_wheel
from inseam.sandbox.wheel_testing import File, build_wheel

pytestmark = pytest.mark.skipif(
    find_spec("deflate") is None, reason="the distribution deflate is not installed"
)

SITE = site_packages(minor_version())
VENV = ("/usr/bin/python3.11", "{}.{}.7".format(*minor_version()))

SOURCES: dict[str, Union[bytes, File]] = {
    "shop/__init__.py": b"",
    "shop/server.py": b"def main():\n    return 0\n",
    "shop/healthcheck.py": b"def main():\n    return 0\n",
    "shop/templates/page.html": b"<p>",
    "shop/tool.sh": File(b"#!/bin/sh\n", 0o755),
    "shop/legacy.py": b"print 'Python 2'\n",
}


def write(folder: Path, files: Mapping[str, Union[bytes, File]]) -> Path:
    for name, content in files.items():
        file = content if isinstance(content, File) else File(content, 0o644)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(file.mode)
    return folder


def deps(folder: Path, name: str = "deps", **wheels: Mapping[str, bytes]) -> Path:
    """The folder of a layer that holds wheels with the given files."""
    units = []
    for wheel, files in wheels.items():
        units.append(folder / name / "units" / wheel)
        lay_out_wheel(build_wheel(folder / name / "wheels", wheel, files=files), units[-1])
    join(name, units, folder / name / "layer", venv=VENV)
    return folder / name / "layer"


def laid_out(
    folder: Path, sources: Path, entry_points: Mapping[str, str], namespace: str = ""
) -> tuple[bytes, bytes]:
    """The app layer of the sources, laid out in units as rules do it: its tar and its blob.

    namespace: a top-level folder of which each entry is a unit.
    """
    units: dict[tuple[str, str], list[str]] = {}
    for path in files_below(sources):
        name = path[0]
        first, _, rest = name.partition("/")
        if first == namespace:
            unit = first, rest.partition("/")[0] if "/" in rest else ""
        else:
            unit = "", first if rest else ""
        units.setdefault(unit, []).append(name)
    codes = []
    for number, ((at, _), paths) in enumerate(units.items()):
        part = folder / f"unit-{number}"
        for name in paths:
            (part / "sources" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(sources / name, part / "sources" / name)
        lay_out(part / "sources", at, part / "out", entry_points=entry_points)
        codes.append(read_code(part / "out"))
    lay_out(folder / "none", "", folder / "starters", entry_points=entry_points, launchers=True)
    return joined([*codes, read_code(folder / "starters")])


def read_code(folder: Path) -> Code:
    return Code(*((folder / name).read_bytes() for name in (INDEX, TAR, BLOB)))


def app(
    folder: Path,
    files: Mapping[str, Union[bytes, File]] = SOURCES,
    entry_point: str = "shop.server:main",
    healthcheck: str | None = None,
    below: tuple[Path, ...] = (),
    namespace: str = "",
) -> dict[str, TarEntry]:
    """The members of the app layer."""
    for name in ("sources", "code"):
        shutil.rmtree(folder / name, ignore_errors=True)
    sources = write(folder / "sources", files)
    entry_points = {"entry_point": entry_point}
    if healthcheck:
        entry_points["healthcheck"] = healthcheck
    check_code(sources, entry_points, list(below))
    tar, blob = laid_out(folder / "code", sources, entry_points, namespace)
    assert gzip.decompress(blob) == tar
    (folder / "app.tar").write_bytes(tar)
    return read_layer(tar)


def refused(folder: Path, why: str, **arguments: Any) -> str:
    with pytest.raises(Failure, match=why) as failure:
        app(folder, **arguments)
    return str(failure.value)


# --- What is in the layer ---------------------------------------------------------------------


def test_the_code_lies_below_app_with_bytecode_for_its_place(tmp_path: Path) -> None:
    layer = app(tmp_path)
    assert layer["app/shop/server.py"].content == SOURCES["shop/server.py"]
    cached = layer["app/" + cache_path("shop/server.py", minor_version())]
    source = layer["app/shop/server.py"].content
    assert cached.content == compile_source(source, "/app/shop/server.py")
    assert cached.mode == 0o644


def test_resources_and_executables_are_there_with_their_modes(tmp_path: Path) -> None:
    layer = app(tmp_path)
    assert layer["app/shop/templates/page.html"].content == b"<p>"
    assert layer["app/shop/templates/page.html"].mode == 0o644
    assert layer["app/shop/tool.sh"].mode == 0o755


def test_other_mode_bits_are_normalised(tmp_path: Path) -> None:
    files = {**SOURCES, "private.txt": File(b"", 0o600), "owner": File(b"", 0o700)}
    layer = app(tmp_path, files)
    assert (layer["app/private.txt"].mode, layer["app/owner"].mode) == (0o644, 0o755)


def test_what_does_not_compile_is_there_without_bytecode(tmp_path: Path) -> None:
    layer = app(tmp_path)
    assert "app/shop/legacy.py" in layer
    assert not [path for path in layer if "legacy.cpython" in path]


def test_bytecode_of_the_working_copy_is_left_out(tmp_path: Path) -> None:
    stale = cache_path("shop/server.py", minor_version())
    layer = app(tmp_path, {**SOURCES, stale: b"stale", "shop/__pycache__/x.txt": b""})
    assert layer["app/" + stale].content != b"stale"
    assert "app/shop/__pycache__/x.txt" not in layer


def test_launchers_start_the_entry_point_and_the_healthcheck(tmp_path: Path) -> None:
    layer = app(tmp_path, healthcheck="shop.healthcheck:main")
    entrypoint = layer["opt/venv/bin/entrypoint"]
    assert (entrypoint.mode, entrypoint.content) == (0o755, console_script("shop.server", "main"))
    assert layer["opt/venv/bin/healthcheck"].content == console_script("shop.healthcheck", "main")


def test_without_a_healthcheck_there_is_no_launcher_for_it(tmp_path: Path) -> None:
    assert "opt/venv/bin/healthcheck" not in app(tmp_path)


def test_the_service_runs_from_its_layers(tmp_path: Path) -> None:
    files = {
        "shop/server.py": b"import anyio, sys\ndef main():\n    print(anyio.x)\n    return 3\n",
    }
    below = deps(tmp_path, anyio={"anyio.py": b"x = 'from the wheel'\n"})
    app(tmp_path, files, below=(below,))
    for tar in (below / "deps.tar", tmp_path / "app.tar"):
        with tarfile.open(tar) as archive:
            archive.extractall(tmp_path / "root")
    root = tmp_path / "root"
    result = subprocess.run(
        [sys.executable, "-B", str(root / "opt/venv/bin/entrypoint")],
        env={"PYTHONPATH": f"{root / SITE}{os.pathsep}{root / 'app'}"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stdout) == (3, "from the wheel\n")


def test_neither_surroundings_nor_place_change_a_byte(tmp_path: Path) -> None:
    results: list[dict[str, bytes]] = []
    for number, (env, umask) in enumerate(SURROUNDINGS):
        cwd = tmp_path / f"checkout {number}"
        # Files come from a directory in the order in which they were made there.
        order = list(SOURCES)[number:] + list(SOURCES)[:number]
        write(cwd / "sources", {name: SOURCES[name] for name in order})
        result = run_program(
            "code", "--sources=sources", "--out=code", "--entry-point=entry_point=shop.server:main",
            "--entry-point=healthcheck=shop.healthcheck:main", "--launchers",
            cwd=cwd, env=env, umask=umask,
        )  # fmt: skip
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
        results.append(tree(cwd / "code"))
    assert results[0].keys() == {INDEX, TAR, BLOB}
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize(
    "files",
    [
        {"m.py": b"main = 1\n", "n.py": b"", "m/x.txt": b"", "m-n/a.txt": b"", "m.n/b.py": b""},
        {"c/a/x.py": b"", "c/b/y.py": b"", "c/__init__.py": b"", "m.py": b"main = 1\n"},
        {"m.py": b"main = 1\n", "c/__init__.py": b"", "c/a/b/x.py": b"", "c/a/y.txt": b""},
    ],
)
def test_the_pieces_make_the_layer_that_is_written_at_once(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    app(tmp_path, files, "m:main", namespace="c")
    members = [
        Member("app", mode=0o755, directory=True),
        *source_members(dict(files_below(tmp_path / "sources"))),
        launcher(LAUNCHERS["entry_point"], "m:main", ""),
    ]
    whole = io.BytesIO()
    write_tar(members, whole)
    assert (tmp_path / "app.tar").read_bytes() == whole.getvalue()


def test_where_there_is_no_code_there_is_its_folder(tmp_path: Path) -> None:
    lay_out(tmp_path / "none", "", tmp_path / "out")
    tar, blob = joined([read_code(tmp_path / "out")])
    assert tar == no_code() == gzip.decompress(blob)
    assert set(read_layer(tar)) == {"app"}


def test_a_unit_that_is_not_about_entry_points_does_not_know_of_them(tmp_path: Path) -> None:
    write(tmp_path / "sources", {"kit/http.py": b"x = 1\n"})
    for out, entry_points in (("one", {}), ("other", {"entry_point": "shop.server:main"})):
        lay_out(tmp_path / "sources", "", tmp_path / out, entry_points=entry_points)
    assert tree(tmp_path / "one") == tree(tmp_path / "other")


def test_zstd_makes_the_same_layer(tmp_path: Path) -> None:
    if find_spec("zstandard") is None:
        pytest.skip("the distribution zstandard is not installed")
    write(tmp_path / "sources", SOURCES)
    codes = {}
    for format in ("gzip", "zstd"):
        out = tmp_path / format
        lay_out(tmp_path / "sources", "", out, launchers=True, format=format)
        codes[format] = read_code(out)
    assert codes["gzip"].tar == codes["zstd"].tar
    decompressor = import_module("zstandard").ZstdDecompressor()
    tar, blob = joined([codes["zstd"]])
    read = decompressor.stream_reader(blob, read_across_frames=True).read()
    assert read == tar


# --- Entry points -----------------------------------------------------------------------------


def test_an_unknown_module_is_named(tmp_path: Path) -> None:
    why = refused(tmp_path, "'shop.sever' of `entry_point=", entry_point="shop.sever:main")
    assert "Check the spelling" in why


def test_the_healthcheck_is_checked_too(tmp_path: Path) -> None:
    refused(tmp_path, "`healthcheck='shop.probe:main'`", healthcheck="shop.probe:main")


def test_an_unknown_function_is_answered_by_what_is_there(tmp_path: Path) -> None:
    files = {"m.py": b"import os\nX = 1\ndef run(): pass\nclass App: pass\n_hidden = 2\n"}
    why = refused(tmp_path, "names a function that", files=files, entry_point="m:main")
    assert "`entry_point='m:main'`" in why
    assert "The module defines: App, X, os, run." in why


def test_an_empty_module_defines_nothing(tmp_path: Path) -> None:
    refused(tmp_path, "defines: nothing", files={"m.py": b"# \n"}, entry_point="m:main")


@pytest.mark.parametrize("entry_point", ["m:main()", "m:a b", "m:", "m", "m:1st"])
def test_what_is_no_name_of_a_function_is_refused(tmp_path: Path, entry_point: str) -> None:
    refused(
        tmp_path, "`entry_point=", files={"m.py": b"def main(): pass\n"}, entry_point=entry_point
    )


@pytest.mark.parametrize(
    "source",
    [
        "def main(): pass",
        "async def main(): pass",
        "class main: pass",
        "main = 1",
        "main: object = 1",
        "a, (b, *main) = 1, (2, 3)",
        "from x import main",
        "from x import y as main",
        "import main.sub",
        "import x as main",
        "from x import *",
        "if True:\n    def main(): pass",
        "try:\n    from a import main\nexcept ImportError:\n    main = None",
        "try:\n    pass\nexcept ImportError:\n    main = None",
        "try:\n    pass\nfinally:\n    main = None",
        "for main in (1, 2): pass",
        "while 0: pass\nelse:\n    main = 1",
        "with x() as main: pass",
        "with x():\n    main = 1",
        "print(main := 1)",
        "def setup():\n    global main\n    main = 1",
        "def __getattr__(name): return print",
    ],
)
def test_every_way_to_define_a_name_counts(tmp_path: Path, source: str) -> None:
    app(tmp_path, {"m.py": source.encode()}, "m:main")


@pytest.mark.parametrize(
    "source",
    [
        "class A:\n    def main(self): pass",
        "def f():\n    def main(): pass\n    main = 1",
        "f = lambda: (main := 1)",
        "x.main = 1",
        "main",
        "'def main(): pass'",
    ],
)
def test_names_inside_of_functions_and_classes_do_not_count(tmp_path: Path, source: str) -> None:
    refused(tmp_path, "does not define", files={"m.py": source.encode()}, entry_point="m:main")


def test_the_attribute_of_a_class_may_be_the_entry_point(tmp_path: Path) -> None:
    layer = app(tmp_path, {"m.py": b"class App:\n    run = print\n"}, "m:App.run")
    assert layer["opt/venv/bin/entrypoint"].content == console_script("m", "App.run")


def test_a_package_may_be_the_module(tmp_path: Path) -> None:
    app(tmp_path, {"m/__init__.py": b"def main(): pass\n"}, "m:main")


def test_a_package_wins_over_a_module_of_its_name_as_it_does_for_python(tmp_path: Path) -> None:
    files = {"m/__init__.py": b"", "m.py": b"def main(): pass\n"}
    refused(tmp_path, "does not define", files=files, entry_point="m:main")


@pytest.mark.parametrize(
    "source, why", [(b"def main(:\n", "line 1"), (b"x = 1\0", "null byte"), (b"\xff", "code")]
)
def test_an_entry_point_that_does_not_compile_is_refused(
    tmp_path: Path, source: bytes, why: str
) -> None:
    text = refused(tmp_path, why, files={"m.py": source}, entry_point="m:main")
    assert "does not compile with Python {}.{}:".format(*minor_version()) in text


@pytest.mark.parametrize(
    "file", ["gunicorn.py", "gunicorn/__init__.py", "gunicorn.cpython-311-x86_64-linux-gnu.so"]
)
def test_a_wheel_may_have_the_entry_point(tmp_path: Path, file: str) -> None:
    below = deps(tmp_path, gunicorn={file: b""})
    layer = app(tmp_path, {}, "gunicorn:main", below=(below,))
    assert set(layer) == {"app", "opt", "opt/venv", "opt/venv/bin", "opt/venv/bin/entrypoint"}


@pytest.mark.parametrize(
    "file",
    ["gunicorn.txt", "gunicorn.libs/x.so", "gunicorn/app.py", "x/gunicorn.py", "gunicorn.pyi"],
)
def test_what_cannot_be_imported_is_no_module_of_a_wheel(tmp_path: Path, file: str) -> None:
    below = deps(tmp_path, gunicorn={file: b""})
    refused(tmp_path, "neither", files={}, entry_point="gunicorn:main", below=(below,))


# --- First-party code and wheels --------------------------------------------------------------


def test_a_first_party_file_that_a_wheel_would_hide_is_refused(tmp_path: Path) -> None:
    below = deps(tmp_path, other={"shop/server.py": b"def main(): pass  # theirs\n"})
    why = refused(tmp_path, "first-party file shop/server.py", below=(below,))
    assert "other-1.0-py3-none-any.whl" in why


def test_resources_can_be_hidden_too(tmp_path: Path) -> None:
    below = deps(tmp_path, other={"shop/templates/page.html": b"<div>"})
    refused(tmp_path, "first-party file shop/templates/page.html", below=(below,))


def test_equal_files_are_no_collision(tmp_path: Path) -> None:
    files: dict[str, bytes | File] = {
        "util.py": File(b"x = 1\n", 0o755),
        "m.py": b"import util\nmain = 1\n",
    }
    below = deps(tmp_path, other={"util.py": b"x = 1\n"})
    assert "app/util.py" in app(tmp_path, files, "m:main", below=(below,))


@pytest.mark.parametrize(
    "theirs",
    ["shop/__init__.py", "shop.py", "shop.abi3.so", "shop/server/__init__.py", "shop/server.so"],
)
def test_a_first_party_module_that_could_not_be_imported_is_refused(
    tmp_path: Path, theirs: str
) -> None:
    below = deps(tmp_path, other={theirs: b""})
    why = refused(tmp_path, "first-party file shop/.*.py could not be imported", below=(below,))
    assert f"other-1.0-py3-none-any.whl installs /{SITE}/{theirs}" in why


@pytest.mark.parametrize(
    "theirs", ["shop/other.py", "shop/data.txt", "shopping/__init__.py", "x/shop.py"]
)
def test_namespace_packages_may_be_shared_with_wheels(tmp_path: Path, theirs: str) -> None:
    files = {"shop/server.py": b"def main(): pass\n"}
    assert app(tmp_path, files, below=(deps(tmp_path, other={theirs: b""}),))


def test_packages_that_extend_their_path_may_be_shared_with_wheels(tmp_path: Path) -> None:
    shared = b"__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
    files = {"shop/__init__.py": shared, "shop/server.py": b"def main(): pass\n"}
    assert app(tmp_path, files, below=(deps(tmp_path, other={"shop/__init__.py": shared}),))


@pytest.mark.parametrize("name", ["entrypoint", "healthcheck"])
def test_a_wheel_cannot_have_the_place_of_a_launcher(tmp_path: Path, name: str) -> None:
    below = deps(tmp_path, other={f"other-1.0.data/scripts/{name}": b"#!python\n"})
    why = refused(
        tmp_path, "place of the launcher", below=(below,), healthcheck="shop.healthcheck:main"
    )
    assert f"other-1.0-py3-none-any.whl installs /opt/venv/bin/{name}" in why


def test_a_file_name_that_no_layer_can_hold_is_refused(tmp_path: Path) -> None:
    files = {**SOURCES, "a\nb.txt": b""}
    refused(tmp_path, "unusable path", files=files)


@pytest.mark.parametrize(
    "program, spec, why",
    [
        (("code", "--out=out"), "shop.server:x", "`entry_point='shop.server:x'` names a function"),
        (("check_code",), "shop.x:main", "the module 'shop.x' of `entry_point="),
    ],
)
def test_the_programs_say_what_is_wrong_and_leave_nothing(
    tmp_path: Path, program: tuple[str, ...], spec: str, why: str
) -> None:
    write(tmp_path / "sources", SOURCES)
    arguments = ("--sources=sources", f"--entry-point=entry_point={spec}")
    result = run_program(*program, *arguments, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(why)
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
