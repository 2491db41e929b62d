from __future__ import annotations

import pytest

from inseam.formats.rootfs.slim import Slimmer


@pytest.mark.parametrize(
    "package, path, kept",
    [
        ("hello", "usr/bin/hello", True),
        ("hello", "usr/share/doc/hello/copyright", True),
        ("hello", "usr/share/doc/hello", True),
        ("hello", "usr/share/doc/hello/changelog.gz", False),
        ("hello", "usr/share/doc/hello/examples/copyright", False),
        ("hello", "usr/share/man/man1/hello.1.gz", False),
        ("hello", "usr/share/manual/x", True),
        ("hello", "usr/share/locale/de/LC_MESSAGES/hello.mo", False),
        ("hello", "usr/lib/hello/__pycache__/x.cpython-311.pyc", False),
        ("libc6", "usr/lib/x86_64-linux-gnu/libc.so.6", True),
        ("libc6", "usr/lib/x86_64-linux-gnu/gconv/UTF-16.so", False),
        ("hello", "usr/lib/x86_64-linux-gnu/gconv/UTF-16.so", True),
        ("libc-bin", "usr/lib/locale/C.utf8/LC_CTYPE", True),
        ("libc-bin", "usr/bin/ldd", False),
        ("gdb", "usr/share/gdb/python/gdb/__init__.py", True),
        ("libstdc++6", "usr/share/gdb/auto-load/usr/lib/libstdc++.so.6-gdb.py", False),
        ("gdb", "usr/share/gdb-x", True),
        ("gdb", "usr/share/info/gdb", False),
        ("tzdata", "usr/share/zoneinfo/Europe/Berlin", True),
        ("tzdata", "usr/share/zoneinfo/right/Europe/Berlin", False),
        ("python3.11-minimal", "usr/bin/python3.11", True),
        ("libpython3.11-stdlib", "usr/lib/python3.11/unittest/case.py", True),
        ("libpython3.11-stdlib", "usr/lib/python3.11/test/support/__init__.py", False),
        ("libpython3.11-stdlib", "usr/lib/python3.11/distutils/tests/x.py", False),
        ("libpython3.11-stdlib", "usr/lib/python3.11/turtle.py", False),
        ("libpython3.13-stdlib", "usr/lib/python3.13/turtle.py", False),
        ("libpython3.11-stdlib", "usr/lib/python3.11/lib-dynload/readline.cpython-311.so", True),
        ("libc-gconv-modules-extra", "usr/lib/x86_64-linux-gnu/gconv/UTF-7.so", False),
        ("libpython3.11-stdlib", "usr/lib/python3.11/lib-dynload/_sqlite3.cpython-311.so", True),
        ("libpython3.11-minimal", "etc/python3.11/sitecustomize.py", False),
        ("hello", "usr/lib/python3.11/turtle.py", True),
    ],
)
def test_what_an_image_gets(package: str, path: str, kept: bool) -> None:
    assert Slimmer(package).keeps(path) is kept
