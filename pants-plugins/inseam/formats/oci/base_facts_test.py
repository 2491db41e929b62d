from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.formats.oci.base_facts import (
    BaseFacts,
    check_facts,
    dump_facts,
    load_facts,
    read_facts,
)
from inseam.formats.oci.config import Runtime
from inseam.formats.oci.descriptor import GZIP_LAYER, ZSTD_LAYER, blob_path
from inseam.formats.oci.oci_testing import foreign_layer, make_layer

PYTHON = "/usr/local/bin/python3.11"
RUNTIME = Runtime("3.11.9", PYTHON, "glibc 2.36")
GLIBC = b"\x7fELF...GNU C Library (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36.\n"
HEADER = b'#define PY_MAJOR_VERSION 3\n#define PY_VERSION             "3.11.9"\n'
OFFICIAL = {
    "usr/lib/x86_64-linux-gnu/libc.so.6": GLIBC,
    "usr/local/include/python3.11/patchlevel.h": HEADER,
    "usr/local/bin/python3.11": b"\x7fELF",
}


def facts(folder: Path, *layers: dict[str, bytes]) -> BaseFacts:
    made = [make_layer(folder, f"layer-{n}", files) for n, files in enumerate(layers)]
    return read_facts("python", made, folder, PYTHON)


def test_layers_tell_interpreter_and_versions_whichever_has_them(tmp_path: Path) -> None:
    expected = BaseFacts(True, True, "3.11.9", "2.36", frozenset(["libc.so.6"]))
    assert facts(tmp_path / "one", OFFICIAL) == expected
    apart = [{path: content} for path, content in OFFICIAL.items()]
    assert facts(tmp_path / "three", *apart) == expected
    assert check_facts("python", expected, RUNTIME) == ()


def test_a_layer_above_wins(tmp_path: Path) -> None:
    newer = {"usr/lib/x86_64-linux-gnu/libc.so.6": GLIBC.replace(b"2.36", b"2.41")}
    assert facts(tmp_path, OFFICIAL, newer).glibc == "2.41"


def test_layers_tell_the_names_of_shared_libraries(tmp_path: Path) -> None:
    files = {
        "usr/lib/x86_64-linux-gnu/libz.so.1": b"",
        "opt/libodd.so": b"",
        "usr/lib/libx.so.d/readme": b"",
        "usr/local/lib/python3.11/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so": b"",
    }
    found = facts(tmp_path, OFFICIAL, files)
    assert found.libraries == {"libc.so.6", "libz.so.1", "libodd.so"}
    assert load_facts(dump_facts(found)) == found


STDLIB = "usr/local/lib/python3.11"
SOURCES = {f"{STDLIB}/os.py": b"x", "usr/lib/python3.9/os.py": b"y"}
BYTECODE = {f"{STDLIB}/__pycache__/os.cpython-311.pyc": b"x"}


def test_layers_tell_whether_the_standard_library_has_bytecode(tmp_path: Path) -> None:
    without = facts(tmp_path / "1", OFFICIAL, SOURCES)
    assert (without.stdlib, without.bytecode) == (STDLIB, False)
    assert load_facts(dump_facts(without)) == without
    other = {"usr/lib/python3.9/__pycache__/os.cpython-39.pyc": b"x"}
    assert not facts(tmp_path / "2", OFFICIAL, SOURCES, other).bytecode
    assert facts(tmp_path / "3", OFFICIAL, SOURCES, BYTECODE).bytecode
    for number, name in enumerate(("__pycache__/.wh.os.cpython-311.pyc", ".wh.__pycache__",
                                   "__pycache__/.wh..wh..opq"), 4):  # fmt: skip
        folder = tmp_path / str(number)
        made = [
            *(
                make_layer(folder, f"layer-{n}", files)
                for n, files in enumerate((SOURCES, BYTECODE))
            ),
            foreign_layer(folder, f"{STDLIB}/{name}"),
        ]
        assert not read_facts("python", made, folder, PYTHON).bytecode


def test_a_standard_library_elsewhere_is_found_if_there_is_one(tmp_path: Path) -> None:
    assert facts(tmp_path / "1", {"opt/lib/python3.11/os.py": b""}).stdlib == "opt/lib/python3.11"
    several = {f"{name}/lib/python3.11/os.py": b"" for name in ("opt", "srv")}
    assert facts(tmp_path / "2", several).stdlib == ""


def test_old_releases_tell_glibc_by_the_name_of_its_file(tmp_path: Path) -> None:
    assert facts(tmp_path, {"lib/x86_64-linux-gnu/libc-2.31.so": b""}).glibc == "2.31"


@pytest.mark.parametrize(
    "found, texts",
    [
        (BaseFacts(True, False, "3.11.9", "2.36"), [f"does not contain {PYTHON}"]),
        (BaseFacts(True, True, "3.11.90", "2.36"), ["has CPython 3.11.90", "is 3.11.9"]),
        (BaseFacts(True, True, "3.12.1", "2.36"), ["has CPython 3.12.1", "`python_version`"]),
        (BaseFacts(True, True, "3.11.9", "2.31"), ["has glibc 2.31", "`glibc_version` is 2.36"]),
    ],
)
def test_a_wrong_declaration_is_refused_with_both_values(
    found: BaseFacts, texts: list[str]
) -> None:
    with pytest.raises(Failure) as error:
        check_facts("python", found, RUNTIME)
    for text in texts:
        assert text in str(error.value)


def test_what_nothing_confirms_is_said(tmp_path: Path) -> None:
    layer = make_layer(tmp_path, "zstd", OFFICIAL)
    assert layer.blob is not None
    unreadable = layer._replace(blob=layer.blob._replace(media_type=ZSTD_LAYER))
    found = read_facts("python", [unreadable], tmp_path, PYTHON)
    assert found == BaseFacts(False, False, "", "")
    python, glibc = check_facts("python", found, RUNTIME)
    assert "nothing confirms `python_version`, 3.11.9" in python
    assert "nothing confirms `glibc_version`, 2.36" in glibc


def test_a_damaged_layer_is_refused_by_its_digest(tmp_path: Path) -> None:
    layer = make_layer(tmp_path, "cut", OFFICIAL)
    path = blob_path(tmp_path, layer.descriptor.digest)
    assert layer.descriptor.media_type == GZIP_LAYER
    path.write_bytes(gzip.compress(b"x" * 700)[:-12])
    with pytest.raises(Failure, match=f"{layer.descriptor.digest}, cannot be read"):
        read_facts("python", [layer], tmp_path, PYTHON)
