from __future__ import annotations

import csv
import hashlib
import itertools
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any, Callable

import installer
import pytest
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelFile

from inseam.formats.failure import Failure
from inseam.formats.python.bytecode import cache_path, compile_source, minor_version
from inseam.formats.python.checked_wheel import _release
from inseam.formats.python.venv import console_script, site_packages
from inseam.formats.python.wheel import install_wheel
from inseam.formats.python.wheel_testing import (
    File,
    Record,
    build_wheel,
    elf,
    executable,
    record_hash,
    record_row,
)
from inseam.formats.python.wheel_tree import read_tree
from inseam.formats.tar import END_OF_ARCHIVE
from inseam.formats.tar_testing import FILE, TarEntry, read_tar
from inseam.programs.program_testing import MAIN, SURROUNDINGS, run_program, tree

MINOR = minor_version()
SITE = site_packages(MINOR)

# A wheel with a file of every kind that PEP 427 knows.
EVERYTHING: dict[str, Any] = {
    "files": {
        "demo/__init__.py": b"",
        "demo/main.py": b"def main():\n    return 0\n",
        "demo/run.sh": executable(b"#!/bin/sh\n"),
        "demo/template.py": b"{% not Python %}\n",
        "demo/data.bin": bytes(range(256)) * 10,
        "demo/empty.txt": b"",
        "demo/naive, quoted.txt": b'a "name" for CSV',
        "demo/ü.txt": "ü".encode(),
        f"demo/{'long' * 40}.py": b"x = 1\n",
        "demo/_speed.so": File(elf("x86_64"), 0o100755),
        "demo_data.pth": b"import demo\n",
        "demo-1.0.data/scripts/demo-script": b"#!python -u\nimport demo\n",
        "demo-1.0.data/scripts/demo-shell": executable(b"#!/bin/sh\necho\n"),
        "demo-1.0.data/headers/demo/demo.h": b"#define DEMO\n",
        "demo-1.0.data/data/share/demo/x.txt": b"data",
        "demo-1.0.data/data/etc/demo.py": b"x = 1\n",
        "demo-1.0.data/purelib/demo_pure/a.py": b"a = 1\n",
        "demo-1.0.data/platlib/demo_plat/b.py": b"b = 1\n",
        "demo-1.0.dist-info/licenses/LICENSE": b"Free.",
    },
    "entry_points": (
        "[console_scripts]\ndemo = demo.main:main\ndemo-app = demo.main:App.run [extra]\n"
        "[gui_scripts]\ndemo-gui = demo.main:main\n[other]\nx = not a script\n"
    ),
}


def entries(out: Path) -> dict[str, TarEntry]:
    """The members of the wheel tree in the folder `out`, each where its index says."""
    data = (out / "tree.tar").read_bytes()
    found = {}
    for file in read_tree(out).files:
        (entry,) = read_tar(data[file.start : file.end] + END_OF_ARCHIVE)
        assert entry.path == file.path
        assert entry.kind == FILE
        assert file.digest == hashlib.sha256(entry.content).hexdigest()
        assert file.path not in found
        found[file.path] = entry
    assert len(read_tar(data + END_OF_ARCHIVE)) == len(found)
    return found


def installed(folder: Path, **wheel: Any) -> dict[str, TarEntry]:
    install_wheel(build_wheel(folder, **wheel), folder / "out")
    return entries(folder / "out")


def reference(wheel: Path, root: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and content of all files that `installer` itself installs from the wheel."""
    venv = root / "opt/venv"
    major, minor = MINOR
    with WheelFile.open(wheel) as source:
        schemes = {
            "purelib": str(root / SITE),
            "platlib": str(root / SITE),
            "scripts": str(venv / "bin"),
            "data": str(venv),
            "headers": str(venv / f"include/site/python{major}.{minor}" / source.distribution),
        }
        destination = SchemeDictionaryDestination(schemes, "/opt/venv/bin/python", "posix")
        installer.install(source, destination, {"INSTALLER": b"inseam\n"})
    found = {}
    for name, content in tree(root).items():
        mode = 0o755 if (root / name).stat().st_mode & stat.S_IXUSR else 0o644
        found[name] = mode, content
    return found


@pytest.mark.parametrize("pure", [True, False])
def test_the_files_are_those_that_installer_installs(tmp_path: Path, pure: bool) -> None:
    wheel = build_wheel(tmp_path, pure=pure, **EVERYTHING)
    expected = reference(wheel, tmp_path / "root")
    install_wheel(wheel, tmp_path / "out")
    found = {path: (entry.mode, entry.content) for path, entry in entries(tmp_path / "out").items()}
    bytecode = {path for path in found if "__pycache__" in path}
    assert set(found) - bytecode == set(expected)
    # Console scripts have another text, RECORD another order, and scripts can be run.
    differ = {path for path in expected if found[path] != expected[path]}
    assert differ == {
        "opt/venv/bin/demo",
        "opt/venv/bin/demo-app",
        "opt/venv/bin/demo-gui",
        "opt/venv/bin/demo-script",
        f"{SITE}/demo-1.0.dist-info/RECORD",
    }
    assert found["opt/venv/bin/demo"] == (0o755, console_script("demo.main", "main"))
    assert found["opt/venv/bin/demo-app"] == (0o755, console_script("demo.main", "App.run"))
    assert found["opt/venv/bin/demo-script"] == (0o755, b"#!/opt/venv/bin/python\nimport demo\n")


def test_every_python_file_in_site_packages_has_bytecode_and_no_other_file_has(
    tmp_path: Path,
) -> None:
    found = installed(tmp_path, **EVERYTHING)
    sources = [
        path
        for path in found
        if path.startswith(SITE) and path.endswith(".py") and "template" not in path
    ]
    assert len(sources) == 5
    for path in sources:
        compiled = found[cache_path(path, MINOR)]
        assert compiled.content == compile_source(found[path].content, f"/{path}")
        assert compiled.mode == 0o644
    assert sum("__pycache__" in path for path in found) == len(sources)


def record(found: dict[str, TarEntry], info: str = "demo-1.0.dist-info") -> dict[str, list[str]]:
    text = found[f"{SITE}/{info}/RECORD"].content.decode()
    rows = list(csv.reader(text.splitlines()))
    ours = [row for row in rows if not row[0].startswith("../")]
    assert ours == sorted(ours)
    assert rows[: len(ours)] == ours
    assert len({row[0] for row in rows}) == len(rows)
    return {row[0]: row[1:] for row in rows}


def test_record_lists_every_file_with_its_hash_and_size(tmp_path: Path) -> None:
    found = installed(tmp_path, **EVERYTHING)
    rows = record(found)
    listed = {os.path.normpath(f"{SITE}/{path}"): row for path, row in rows.items()}
    assert set(listed) == {path for path in found if "__pycache__" not in path}
    for path, row in listed.items():
        if path.endswith("/RECORD"):
            assert row == ["", ""]
        else:
            content = found[path].content
            assert row == [record_hash(content), str(len(content))]
    assert "../../../bin/demo" in rows
    assert rows["demo-1.0.dist-info/INSTALLER"] == [record_hash(b"inseam\n"), "7"]


def test_record_is_sorted_whatever_the_order_of_files_in_the_wheel(tmp_path: Path) -> None:
    files = {"b.py": b"", "a.py": b"", "demo-1.0.data/data/c": b""}
    texts = set()
    for number, order in enumerate(itertools.permutations(files)):
        found = installed(tmp_path / str(number), files={name: files[name] for name in order})
        texts.add(found[f"{SITE}/demo-1.0.dist-info/RECORD"].content)
    assert len(texts) == 1


def test_bytecode_in_the_wheel_is_dropped_from_the_files_and_from_record(tmp_path: Path) -> None:
    cached = cache_path("demo/a.py", MINOR)
    found = installed(
        tmp_path,
        files={
            "demo/a.py": b"a = 1\n",
            cached: b"stale",
            "demo/__pycache__/b.cpython-27.pyc": b"of nothing",
            "demo/only.pyc": b"no source, not in __pycache__",
        },
    )
    assert found[f"{SITE}/{cached}"].content == compile_source(b"a = 1\n", f"/{SITE}/demo/a.py")
    assert f"{SITE}/demo/__pycache__/b.cpython-27.pyc" not in found
    assert f"{SITE}/demo/only.pyc" in found
    assert [path for path in record(found) if "__pycache__" in path] == []


def test_the_index_says_which_wheel_it_is(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, "Demo.Pkg_x", "1.0+local", tag="cp39.cp311-none-any")
    found = install_wheel(wheel, tmp_path / "out")
    assert found == read_tree(tmp_path / "out")
    assert found.wheel.name == "demo-pkg-x"
    assert found.wheel.version == "1.0+local"
    assert found.wheel.sha256 == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert found.filename == "Demo.Pkg_x-1.0+local-cp39.cp311-none-any.whl"


def test_the_index_says_for_which_machines_its_binaries_are(tmp_path: Path) -> None:
    files: dict[str, bytes | File] = {
        "a.so": elf("x86_64"),
        "demo-1.0.data/scripts/tool": executable(elf("aarch64", b"\0" * (1 << 20))),
        "b.so": b"not ELF",
    }
    install_wheel(build_wheel(tmp_path, files=files), tmp_path / "out")
    assert read_tree(tmp_path / "out").machines == ("aarch64", "x86_64")


def test_only_regular_files_are_executable(tmp_path: Path) -> None:
    found = installed(
        tmp_path,
        files={
            "link": File(b"target", stat.S_IFLNK | 0o777),
            "group": File(b"", stat.S_IFREG | 0o654),
            "setuid": File(b"", stat.S_IFREG | 0o4755),
            "private": File(b"", stat.S_IFREG | 0o600),
            "unknown": File(b"", 0),
        },
    )
    modes = {name: found[f"{SITE}/{name}"].mode for name in ("link", "group", "setuid", "private")}
    assert modes == {"link": 0o644, "group": 0o755, "setuid": 0o755, "private": 0o644}
    assert found[f"{SITE}/unknown"].mode == 0o644


def test_signatures_and_directories_need_no_line_in_record(tmp_path: Path) -> None:
    info = "demo-1.0.dist-info"
    found = installed(
        tmp_path, more=((f"{info}/RECORD.jws", b"{}"), (f"{info}/RECORD.p7s", b""), ("demo/", b""))
    )
    assert f"{SITE}/{info}/RECORD.jws" in found
    assert f"{SITE}/demo" not in found


def test_a_wheel_that_says_who_installed_it_is_installed_by_us(tmp_path: Path) -> None:
    found = installed(tmp_path, files={"demo-1.0.dist-info/INSTALLER": b"pip\n"})
    assert found[f"{SITE}/demo-1.0.dist-info/INSTALLER"].content == b"inseam\n"
    assert "demo-1.0.dist-info/INSTALLER" in record(found)


def test_a_shipped_console_script_gives_way_to_that_of_the_entry_point(tmp_path: Path) -> None:
    found = installed(
        tmp_path,
        files={"demo-1.0.data/scripts/demo": b"#!python\n# by setuptools\n"},
        entry_points="[console_scripts]\ndemo = demo:main\n",
    )
    assert found["opt/venv/bin/demo"].content == console_script("demo", "main")
    assert [path for path in record(found) if path.endswith("/demo")] == ["../../../bin/demo"]


def test_the_data_directory_is_spelled_like_the_dist_info_directory(tmp_path: Path) -> None:
    found = installed(
        tmp_path,
        name="Demo.Pkg",
        files={"Demo.Pkg-1.0.data/scripts/tool": b"#!python\n"},
        file_name="demo_pkg-1.0-py3-none-any.whl",
    )
    assert found["opt/venv/bin/tool"].content == b"#!/opt/venv/bin/python\n"


def test_record_may_have_windows_line_ends_and_no_sizes(tmp_path: Path) -> None:
    def edit(rows: Record) -> None:
        for path, row in rows.items():
            rows[path] = row.rpartition(",")[0] + ",\r"

    assert f"{SITE}/a.py" in installed(tmp_path, files={"a.py": b""}, edit_record=edit)


@pytest.mark.parametrize("algorithm", ["sha384", "sha512", "sha3_256", "blake2b"])
def test_record_may_use_a_better_hash(tmp_path: Path, algorithm: str) -> None:
    def edit(rows: Record) -> None:
        rows["a.py"] = f"a.py,{record_hash(b'1', algorithm)},1"

    found = installed(tmp_path, files={"a.py": b"1"}, edit_record=edit)
    # What we write is sha256, as everywhere.
    assert record(found)["a.py"] == [record_hash(b"1"), "1"]


def test_whether_a_wheel_is_compressed_does_not_matter(tmp_path: Path) -> None:
    one = installed(tmp_path / "one", **EVERYTHING)
    assert installed(tmp_path / "two", **EVERYTHING, compression=zipfile.ZIP_STORED) == one


# --- Determinism ------------------------------------------------------------------------------


def test_neither_surroundings_nor_place_nor_time_change_a_byte(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, **EVERYTHING)
    results = []
    for number, (env, umask) in enumerate(SURROUNDINGS):
        cwd = tmp_path / f"checkout {number}" / ("deep/" * number)
        cwd.mkdir(parents=True)
        shutil.copy(wheel, cwd)
        os.utime(cwd / wheel.name, (number * 1e8, number * 1e8))
        result = run_program("install_wheel", wheel.name, "out", cwd=cwd, env=env, umask=umask)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
        results.append(tree(cwd / "out"))
    assert results[0].keys() == {"tree.tar", "tree.json", "wheel.json"}
    assert results[0] == results[1] == results[2]


def test_times_in_the_wheel_change_nothing_but_its_hash(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, **EVERYTHING)
    install_wheel(wheel, tmp_path / "one")
    with zipfile.ZipFile(wheel) as source:
        members = [(info, source.read(info)) for info in source.infolist()]
    with zipfile.ZipFile(wheel, "w") as target:
        for info, data in members:
            info.date_time = (1999, 1, 1, 0, 0, 0)
            target.writestr(info, data)
    install_wheel(wheel, tmp_path / "two")
    assert (tmp_path / "one/tree.tar").read_bytes() == (tmp_path / "two/tree.tar").read_bytes()


def test_a_killed_run_leaves_no_wheel_tree(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, files={f"{n}.py": b"x = [%d]\n" % n * 2000 for n in range(200)})
    out = tmp_path / "out"
    with subprocess.Popen(
        [sys.executable, "-sBc", MAIN, "install_wheel", str(wheel), str(out)],
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as process:
        while not (out.is_dir() and os.listdir(out)):
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not {"tree.tar", "tree.json"} & set(os.listdir(out))
    install_wheel(wheel, out)
    assert len(entries(out)) == 200 * 2 + 4


# --- Bad wheels -------------------------------------------------------------------------------


def replaced(path: str, row: str | None) -> Callable[[Record], None]:
    def edit(rows: Record) -> None:
        if row is None:
            del rows[path]
        else:
            rows[path] = row

    return edit


def with_more(path: str, row: str) -> Callable[[Record], None]:
    return lambda rows: rows.update({path: row})


A = {"a.py": b"a = 1\n"}
BAD_WHEELS: dict[str, tuple[dict[str, Any], str]] = {
    "absolute path": ({"files": {"/etc/passwd": b""}}, "unusable path '/etc/passwd'"),
    "path above": ({"files": {"../../evil.py": b""}}, r"unusable path '../../evil.py'"),
    "path through data": (
        {"files": {"demo-1.0.data/data/../../../etc/x": b""}},
        "unusable path 'demo-1.0.data/data/../../../etc/x'",
    ),
    "path through scripts": (
        {"files": {"demo-1.0.data/scripts/../x": b""}},
        "unusable path 'demo-1.0.data/scripts/../x'",
    ),
    "newline in a path": ({"files": {"a\nb.py": b""}}, "unusable path"),
    "two files with one path": ({"files": A, "more": (("a.py", b"2"),)}, "two files with the path"),
    "one place through two schemes": (
        {"files": {**A, "demo-1.0.data/purelib/a.py": b"a = 2\n"}},
        f"two files at /{SITE}/a.py",
    ),
    "one path spelled in two ways": (
        {"files": {"d/a.txt": b"", "d//a.txt": b""}},
        f"two files at /{SITE}/d/a.txt",
    ),
    "wrong hash": (
        {"files": A, "edit_record": replaced("a.py", f"a.py,{record_hash(b'else')},6")},
        "'a.py' does not have the hash and size",
    ),
    "wrong size": (
        {"files": A, "edit_record": replaced("a.py", f"a.py,{record_hash(A['a.py'])},7")},
        "'a.py' does not have the hash and size",
    ),
    "wrong hash of a script": (
        {
            "files": {"demo-1.0.data/scripts/x": b"#!python\n"},
            "edit_record": replaced(
                "demo-1.0.data/scripts/x", record_row("demo-1.0.data/scripts/x", b"#!perl\n")
            ),
        },
        "does not have the hash and size",
    ),
    "wrong hash of dropped bytecode": (
        {
            "files": {"__pycache__/a.cpython-39.pyc": b"x"},
            "edit_record": replaced(
                "__pycache__/a.cpython-39.pyc", record_row("__pycache__/a.cpython-39.pyc", b"y")
            ),
        },
        "does not have the hash and size",
    ),
    "wrong hash of an empty file": (
        {"files": {"e": b""}, "edit_record": replaced("e", f"e,{record_hash(b'x')},0")},
        "'e' does not have the hash and size",
    ),
    "md5": (
        {"files": A, "edit_record": replaced("a.py", f"a.py,{record_hash(A['a.py'], 'md5')},6")},
        "unusable hash 'md5'",
    ),
    "sha1": (
        {"files": A, "edit_record": replaced("a.py", f"a.py,{record_hash(A['a.py'], 'sha1')},6")},
        "unusable hash 'sha1'",
    ),
    "a hash without a length": (
        {"files": A, "edit_record": replaced("a.py", "a.py,shake_128=x,6")},
        "unusable hash 'shake_128'",
    ),
    "an unknown hash": (
        {"files": A, "edit_record": replaced("a.py", "a.py,crc32=x,6")},
        "unusable hash 'crc32'",
    ),
    "a hash without a name": ({"files": A, "edit_record": replaced("a.py", "a.py,x,6")}, "hash"),
    "a size that is no number": (
        {"files": A, "edit_record": replaced("a.py", f"a.py,{record_hash(b'')},six")},
        "size",
    ),
    "two columns in RECORD": (
        {"files": A, "edit_record": replaced("a.py", "a.py,6")},
        "expected 3",
    ),
    "no RECORD": ({"omit": {"RECORD"}}, "RECORD"),
    "no METADATA": ({"omit": {"METADATA"}}, "has no demo-1.0.dist-info/METADATA"),
    "METADATA without a name": (
        {"files": {"demo-1.0.dist-info/METADATA": b"Version: 1.0\n"}},
        "contradicts itself about its name or version: demo 1.0 by the file name",
    ),
    "METADATA of another": (
        {"files": {"demo-1.0.dist-info/METADATA": b"Name: other\nVersion: 1.0\n"}},
        "other 1.0 by METADATA",
    ),
    "METADATA of another version": (
        {"files": {"demo-1.0.dist-info/METADATA": b"Name: demo\nVersion: 1.0.1\n"}},
        "demo 1.0.1 by METADATA",
    ),
    "dist-info of another version": (
        {"file_name": "demo-1.1-py3-none-any.whl"},
        "demo 1.0 by the folder demo-1.0.dist-info",
    ),
    "no WHEEL": ({"omit": {"WHEEL"}}, "WHEEL"),
    "wheel of the future": (
        {"files": {"demo-1.0.dist-info/WHEEL": b"Wheel-Version: 2.0\n"}},
        "Wheel-Version in demo-1.0.dist-info/WHEEL is '2.0', but only wheels of version 1 can",
    ),
    "a version of wheels that is none": (
        {"files": {"demo-1.0.dist-info/WHEEL": b"Wheel-Version: 1.abc\n"}},
        "Wheel-Version in demo-1.0.dist-info/WHEEL is '1.abc'",
    ),
    "WHEEL without a version": (
        {"files": {"demo-1.0.dist-info/WHEEL": b"\n\nx"}},
        "Wheel-Version in demo-1.0.dist-info/WHEEL is missing",
    ),
    "a file without a name": ({"files": {"": b""}}, "a file without a name"),
    "a file that is a dot": ({"files": {".": b""}}, "puts '.' outside of its place"),
    "a NUL in RECORD": ({"files": A, "edit_record": with_more("x", "x\0y,,")}, "NUL"),
    "RECORD of a garbled line": ({"edit_record": with_more("x", '"')}, "expected 3 elements"),
    "a size of 5,000 digits": (
        {"files": A, "edit_record": replaced("a.py", "a.py,," + "9" * 5000)},
        "demo-1.0-py3-none-any.whl",
    ),
    "escapes in METADATA": (
        {"files": {"demo-1.0.dist-info/METADATA": b"Name: \x1b[31m\nVersion: 1.0\n"}},
        r"x1b\[31m 1.0 by METADATA",
    ),
    "a long name in METADATA": (
        {"files": {"demo-1.0.dist-info/METADATA": b"Version: 1.0\nName: " + b"x" * 100_000}},
        r"x\[...\] 1.0 by METADATA$",
    ),
    "a script with a name of 300 characters": (
        {"entry_points": f"[console_scripts]\n{'a' * 300} = a:b\n"},
        "a name has at most",
    ),
    "WHEEL that is no text": ({"files": {"demo-1.0.dist-info/WHEEL": b"\xff\xfe"}}, "decode"),
    "two dist-info": (
        {"files": {"other-1.0.dist-info/METADATA": b""}},
        "exactly one .dist-info",
    ),
    "dist-info of another": ({"file_name": "other-1.0-py3-none-any.whl"}, "doesn't match"),
    "a name that is no wheel's": ({"file_name": "demo.whl"}, "wheel filename"),
    "unknown scheme": (
        {"files": {"demo-1.0.data/nonsense/x": b""}},
        "PEP 427 knows: purelib, platlib, headers, scripts, data",
    ),
    "a file in the place of a scheme": ({"files": {"demo-1.0.data/data": b""}}, "PEP 427 knows"),
    "a file in the data directory's place": ({"files": {"demo-1.0.data": b""}}, "PEP 427 knows"),
    "a name like the data directory's": (
        {"files": {"demo-1.0.database/x": b""}},
        "'demo-1.0.database/x', which is not in a folder",
    ),
    "script outside of bin": (
        {"entry_points": "[console_scripts]\n../../../x = a:b\n"},
        r"'../../../x' outside of its place \(scripts\)",
    ),
    "script without function": (
        {"entry_points": "[console_scripts]\nx = a\n"},
        "form `module:function`",
    ),
    "two scripts of one name": (
        {"entry_points": "[console_scripts]\nx = a:b\nx = a:c\n"},
        "already exists",
    ),
    "scripts without section": ({"entry_points": "x = a:b\n"}, "no section headers"),
}


def refused(wheel: Path, why: str) -> None:
    """Checks that the program refuses the wheel, for the reason given, and writes nothing."""
    out = wheel.parent / "out"
    with pytest.raises(Failure, match=why) as failure:
        install_wheel(wheel, out)
    assert wheel.name in str(failure.value)
    text = str(failure.value)
    assert text.isprintable()
    assert len(text) < 3000
    assert str(wheel.parent) not in text
    assert " object at 0x" not in text
    assert not out.exists() or os.listdir(out) == []


@pytest.mark.parametrize("case", BAD_WHEELS)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_bad_wheel_is_refused_by_name(tmp_path: Path, case: str) -> None:
    arguments, why = BAD_WHEELS[case]
    refused(build_wheel(tmp_path, **arguments), why)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(tmp_path: Path, compression: int) -> None:
    """Package indexes have no such wheels; a kilobyte of one could become a gigabyte at once."""
    wheel = build_wheel(tmp_path, **EVERYTHING, compression=compression)
    refused(wheel, "is compressed by the method [0-9]+, but only stored and deflated files are")


def accepted(wheel: Path) -> bool:
    """Whether the wheel is installed; if not, the error names it."""
    error = ""
    try:
        install_wheel(wheel, wheel.parent / "out")
    except Failure as failure:
        error = str(failure)
    assert not error or wheel.name in error
    return not error


def damaged(wheel: Path, change: Callable[[bytes], bytes]) -> Path:
    wheel.write_bytes(change(wheel.read_bytes()))
    return wheel


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: b"<html>Not found</html>",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-30],
        lambda data: data[len(data) // 2 :],
    ],
)
def test_what_is_no_whole_zip_is_refused(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    refused(damaged(build_wheel(tmp_path, **EVERYTHING), change), "is not a usable wheel: .+")


@pytest.mark.parametrize(
    "compression",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED],
)
def test_flipping_any_byte_of_a_compressed_file_changes_nothing_or_is_noticed(
    tmp_path: Path, compression: int
) -> None:
    content = b"".join(b"line %d\n" % number for number in range(200))
    wheel = build_wheel(tmp_path, files={"a.txt": content}, compression=compression)
    whole = wheel.read_bytes()
    start = whole.index(b"a.txt") + len(b"a.txt")
    with zipfile.ZipFile(wheel) as archive:
        size = archive.getinfo("a.txt").compress_size
    for position in range(start, start + size, max(1, size // 40)):
        flipped = bytes([whole[position] ^ 0x55])
        wheel.write_bytes(whole[:position] + flipped + whole[position + 1 :])
        if accepted(wheel):
            assert entries(tmp_path / "out")[f"{SITE}/a.txt"].content == content


def test_flipping_any_byte_of_the_whole_wheel_fails_in_words_or_not_at_all(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, files={"a.py": b"a = 1\n"}, entry_points="[x]\ny = z\n")
    whole = wheel.read_bytes()
    for position in range(0, len(whole), 3):
        flipped = bytes([whole[position] ^ 0xFF])
        wheel.write_bytes(whole[:position] + flipped + whole[position + 1 :])
        accepted(wheel)


def test_an_encrypted_wheel_is_refused(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, files={"a.py": b"a"})
    data = bytearray(wheel.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    wheel.write_bytes(data)
    refused(wheel, "encrypted")


def test_the_exit_code_is_1_and_the_text_is_all_there_is(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, files=A, more=(("a.py", b""),))
    result = run_program("install_wheel", wheel.name, "out", cwd=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (
        1,
        "",
        "demo-1.0-py3-none-any.whl has two files with the path 'a.py'\n",
    )
    assert tree(tmp_path / "out") == {}


def test_record_is_trimmed_and_completed_with_one_warning(tmp_path: Path) -> None:
    wheel = build_wheel(
        tmp_path,
        files=A,
        more=(("b.txt", b"b"), ("c.txt", b"c")),
        edit_record=with_more("gone.py", record_row("gone.py", b"")),
    )
    result = run_program("install_wheel", wheel.name, "out", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == (
        "demo-1.0-py3-none-any.whl: RECORD lists files that the wheel lacks: 'gone.py', and does"
        " not list files that the wheel has: 'b.txt' and 1 more. The installed RECORD lists what is"
        " installed.\n"
    )
    installed = entries(tmp_path / "out")
    rows = installed[f"{SITE}/demo-1.0.dist-info/RECORD"].content.decode().splitlines()
    assert record_row("b.txt", b"b") in rows
    assert record_row("c.txt", b"c") in rows
    assert not [row for row in rows if "gone.py" in row]
    assert installed[f"{SITE}/b.txt"].content == b"b"


def test_a_right_record_is_no_reason_to_warn(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, files=A, entry_points="[console_scripts]\na = a:b\n")
    warnings: list[str] = []
    install_wheel(wheel, tmp_path / "out", warnings.append)
    assert warnings == []


def test_a_wheel_that_is_not_there_is_an_error_by_name(tmp_path: Path) -> None:
    result = run_program("install_wheel", "gone-1.0-py3-none-any.whl", "out", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith("gone-1.0-py3-none-any.whl is not a usable wheel: ")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1.0", "1.0.0", True),
        ("1.0", "v1", True),
        ("1.0.0rc1", "1rc1", True),
        ("1.0.alpha.1", "1.0a1", True),
        ("1.0+CPU.1", "1.0+cpu_1", True),
        ("1.0_post1", "1.0.post1", True),
        ("2024.01.05", "2024.1.5", True),
        ("1.0", "1.1", False),
        ("1.0", "10", False),
        ("1.0", "1.0a1", False),
        ("1.0", "1.0.post0", False),
        ("1.0", "1!1.0", False),
        ("1.0+a", "1.0+b", False),
    ],
)
def test_spellings_of_a_version(one: str, other: str, same: bool) -> None:
    assert (_release(one) == _release(other)) is same


def test_a_wheel_may_spell_its_name_and_version_in_several_ways(tmp_path: Path) -> None:
    metadata = b"Metadata-Version: 2.1\nName: De.Mo\nVersion: 1.0.0\n"
    path = build_wheel(
        tmp_path,
        "de_mo",
        "1.0",
        {"de_mo-1.0.dist-info/METADATA": metadata},
        file_name="De_Mo-1-py3-none-any.whl",
    )
    assert install_wheel(path, tmp_path / "out").wheel.name == "de-mo"


def test_a_member_without_a_name_is_a_failure(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, files={"z.py": b""})
    wheel.write_bytes(wheel.read_bytes().replace(b"z.py", b"\0.py"))
    with pytest.raises(Failure, match="is not a usable wheel"):
        install_wheel(wheel, tmp_path / "out")
