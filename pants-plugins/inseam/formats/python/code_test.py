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
from typing import Iterable, Mapping, Union

import pytest

from inseam.formats.failure import Failure
from inseam.formats.python.bytecode import cache_path, compile_source, minor_version
from inseam.formats.python.code import (
    CODE_BLOB,
    CODE_IMPORTS,
    CODE_INDEX,
    CODE_MENTIONS,
    CODE_TAR,
    CODE_TERMINATION,
    Code,
    CodeRequest,
    merge_code,
    no_code,
    write_code,
)
from inseam.formats.python.code_testing import SOURCES, wheels_layer, write_sources
from inseam.formats.python.entry_point import EntryPoint, parse_entry_point
from inseam.formats.python.sources import files_below, source_members
from inseam.formats.python.venv import console_script, script_member, site_packages
from inseam.formats.python.wheel_testing import File
from inseam.formats.tar import Member, write_tar
from inseam.formats.tar_testing import TarEntry, read_layer
from inseam.programs.program_testing import SURROUNDINGS, run_program, tree

pytestmark = pytest.mark.skipif(
    find_spec("deflate") is None, reason="the distribution deflate is not installed"
)

SITE = site_packages(minor_version())


def merged(
    folder: Path, sources: Path, entry_points: Iterable[EntryPoint], namespace: str = ""
) -> tuple[bytes, bytes]:
    """The app layer of the sources, merged from several runs as rules do it: its tar and its blob.

    namespace: a top-level folder of which each entry has a run of its own.
    """
    runs: dict[tuple[str, str], list[str]] = {}
    for path in files_below(sources):
        name = path[0]
        first, _, rest = name.partition("/")
        if first == namespace:
            run = first, rest.partition("/")[0] if "/" in rest else ""
        else:
            run = "", first if rest else ""
        runs.setdefault(run, []).append(name)
    codes = []
    for number, ((below, _), paths) in enumerate(runs.items()):
        part = folder / f"run-{number}"
        for name in paths:
            (part / "sources" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(sources / name, part / "sources" / name)
        write_code(
            part / "sources", part / "out", CodeRequest(below, entry_points=tuple(entry_points))
        )
        codes.append(read_code(part / "out"))
    scripts = CodeRequest(entry_points=tuple(entry_points), console_scripts=True)
    write_code(folder / "none", folder / "scripts", scripts)
    return merge_code([*codes, read_code(folder / "scripts")])


def read_code(folder: Path) -> Code:
    return Code(*((folder / name).read_bytes() for name in (CODE_INDEX, CODE_TAR, CODE_BLOB)))


def app(
    folder: Path,
    files: Mapping[str, Union[bytes, File]] = SOURCES,
    entry_point: str = "shop.server:main",
    healthcheck: str | None = None,
    namespace: str = "",
) -> dict[str, TarEntry]:
    """The members of the app layer."""
    for name in ("sources", "code"):
        shutil.rmtree(folder / name, ignore_errors=True)
    sources = write_sources(folder / "sources", files)
    entry_points = [parse_entry_point(f"entrypoint={entry_point}")]
    if healthcheck:
        entry_points.append(parse_entry_point(f"healthcheck={healthcheck}"))
    tar, blob = merged(folder / "code", sources, entry_points, namespace)
    assert gzip.decompress(blob) == tar
    (folder / "app.tar").write_bytes(tar)
    return read_layer(tar)


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
    assert "app/shop/__pycache__/x.txt" in layer  # a resource, though in an odd place


def test_console_scripts_start_the_entry_point_and_the_healthcheck(tmp_path: Path) -> None:
    layer = app(tmp_path, healthcheck="shop.healthcheck:main")
    entrypoint = layer["opt/venv/bin/entrypoint"]
    assert (entrypoint.mode, entrypoint.content) == (0o755, console_script("shop.server", "main"))
    assert layer["opt/venv/bin/healthcheck"].content == console_script("shop.healthcheck", "main")


def test_without_a_healthcheck_there_is_no_console_script_for_it(tmp_path: Path) -> None:
    assert "opt/venv/bin/healthcheck" not in app(tmp_path)


def test_the_attribute_of_a_class_may_be_the_entry_point(tmp_path: Path) -> None:
    layer = app(tmp_path, {"m.py": b"class App:\n    run = print\n"}, "m:App.run")
    assert layer["opt/venv/bin/entrypoint"].content == console_script("m", "App.run")


def test_a_service_whose_entry_point_a_wheel_has_may_have_no_code(tmp_path: Path) -> None:
    layer = app(tmp_path, {}, "gunicorn:main")
    assert set(layer) == {"app", "opt", "opt/venv", "opt/venv/bin", "opt/venv/bin/entrypoint"}


def test_the_service_runs_from_its_layers(tmp_path: Path) -> None:
    files = {
        "shop/server.py": b"import anyio, sys\ndef main():\n    print(anyio.x)\n    return 3\n",
    }
    below = wheels_layer(tmp_path, anyio={"anyio.py": b"x = 'from the wheel'\n"})
    app(tmp_path, files)
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
        write_sources(cwd / "sources", {name: SOURCES[name] for name in order})
        result = run_program(
            "code", "--sources=sources", "--out=code", "--entry-point=entrypoint=shop.server:main",
            "--entry-point=healthcheck=shop.healthcheck:main", "--console-scripts",
            cwd=cwd, env=env, umask=umask,
        )  # fmt: skip
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
        results.append(tree(cwd / "code"))
    facts = {CODE_IMPORTS, CODE_MENTIONS, CODE_TERMINATION}
    assert results[0].keys() == {CODE_INDEX, CODE_TAR, CODE_BLOB, *facts}
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize(
    "files",
    [
        {"m.py": b"main = 1\n", "n.py": b"", "m/x.txt": b"", "m-n/a.txt": b"", "m.n/b.py": b""},
        {"c/a/x.py": b"", "c/b/y.py": b"", "c/__init__.py": b"", "m.py": b"main = 1\n"},
        {"m.py": b"main = 1\n", "c/__init__.py": b"", "c/a/b/x.py": b"", "c/a/y.txt": b""},
    ],
)
def test_the_fragments_make_the_layer_that_is_written_at_once(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    app(tmp_path, files, "m:main", namespace="c")
    members = [
        Member("app", mode=0o755, directory=True),
        *source_members(dict(files_below(tmp_path / "sources"))),
        script_member("opt/venv/bin/entrypoint", console_script("m", "main")),
    ]
    whole = io.BytesIO()
    write_tar(members, whole)
    assert (tmp_path / "app.tar").read_bytes() == whole.getvalue()


def test_where_there_is_no_code_there_is_its_folder(tmp_path: Path) -> None:
    write_code(tmp_path / "none", tmp_path / "out", CodeRequest())
    tar, blob = merge_code([read_code(tmp_path / "out")])
    assert tar == no_code() == gzip.decompress(blob)
    assert set(read_layer(tar)) == {"app"}


def test_fragments_without_console_scripts_do_not_depend_on_entry_points(tmp_path: Path) -> None:
    write_sources(tmp_path / "sources", {"kit/http.py": b"x = 1\n"})
    entry_point = EntryPoint("entrypoint", "shop.server", "main")
    write_code(tmp_path / "sources", tmp_path / "one", CodeRequest())
    write_code(tmp_path / "sources", tmp_path / "other", CodeRequest(entry_points=(entry_point,)))
    assert tree(tmp_path / "one") == tree(tmp_path / "other")


def test_zstd_makes_the_same_layer(tmp_path: Path) -> None:
    if find_spec("zstandard") is None:
        pytest.skip("the distribution zstandard is not installed")
    write_sources(tmp_path / "sources", SOURCES)
    codes = {}
    for format in ("gzip", "zstd"):
        out = tmp_path / format
        write_code(tmp_path / "sources", out, CodeRequest(console_scripts=True, format=format))
        codes[format] = read_code(out)
    assert codes["gzip"].tar == codes["zstd"].tar
    decompressor = import_module("zstandard").ZstdDecompressor()
    tar, blob = merge_code([codes["zstd"]])
    read = decompressor.stream_reader(blob, read_across_frames=True).read()
    assert read == tar


def test_an_entry_point_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="`healthcheck='shop.healthcheck:ask'` names a function"):
        app(tmp_path, healthcheck="shop.healthcheck:ask")


def test_a_file_name_that_no_layer_can_hold_is_refused(tmp_path: Path) -> None:
    files = {**SOURCES, "a\nb.txt": b""}
    with pytest.raises(Failure, match="unusable path"):
        app(tmp_path, files)


def test_the_program_says_what_is_wrong_and_leaves_nothing(tmp_path: Path) -> None:
    write_sources(tmp_path / "sources", SOURCES)
    arguments = ("--sources=sources", "--out=out", "--entry-point=entrypoint=shop.server:x")
    result = run_program("code", *arguments, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("`entry_point='shop.server:x'` names a function")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
