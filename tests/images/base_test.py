"""The base image, as the stdlib service carries it: it adds no library of its own."""

from __future__ import annotations

import json
import os
from typing import Callable

import pytest

from images.services import run_python
from inseam.testing import Engine, Image

Run = Callable[..., str]

# What the base leaves out on purpose (see docker/base/packages.ini and slim.py), and what is for
# other systems or does something when imported.
LEFT_OUT = {
    *("_curses", "_curses_panel", "_tkinter", "curses", "ensurepip", "idlelib", "lib2to3"),
    *("msilib", "nis", "ossaudiodev", "pydoc_data", "readline", "tkinter", "turtle"),
    *("turtledemo", "_dbm", "_gdbm", "dbm.gnu", "dbm.ndbm", "antigravity", "this"),
    *("_msi", "_overlapped", "_scproxy", "_winapi", "msvcrt", "nt", "winreg", "winsound"),
    *("encodings.mbcs", "encodings.oem", "multiprocessing.popen_spawn_win32"),
    *("asyncio.windows_events", "asyncio.windows_utils"),
}

IMPORT_EVERYTHING = """
import importlib, json, os, pkgutil, sys, warnings
warnings.simplefilter("ignore")
left_out, failed, imported = set(sys.argv[1:]), {}, 0
def load(name):
    global imported
    if name in left_out or name.rpartition(".")[2] == "__main__":
        return
    try:
        module = importlib.import_module(name)
    except BaseException as error:
        failed[name] = repr(error)
        return
    imported += 1
    for found in pkgutil.iter_modules(getattr(module, "__path__", ())):
        load(name + "." + found.name)
for name in sorted(sys.stdlib_module_names):
    load(name)
stale = [name for name, module in sys.modules.items()
         if getattr(module, "__cached__", None) and not os.path.exists(module.__cached__)]
print(json.dumps([imported, failed, stale]))
"""


@pytest.fixture
def python(container_engine: Engine, images: dict[str, Image]) -> Run:
    """What a program prints when a user without rights runs it in the image."""

    def run(code: str, *arguments: str) -> str:
        base = "/usr/bin/python3"
        image = images["service"]
        return run_python(container_engine, image, "-c", code, *arguments, interpreter=base)[0]

    return run


def test_every_module_of_the_standard_library_can_be_imported_from_bytecode(python: Run) -> None:
    imported, failed, stale = json.loads(python(IMPORT_EVERYTHING, *sorted(LEFT_OUT)))
    assert failed == {}
    assert stale == []
    assert imported > 500


def test_the_libraries_beneath_the_standard_library_work(python: Run) -> None:
    code = """
import bz2, ctypes, hashlib, lzma, sqlite3, ssl, zlib
assert len(ssl.create_default_context().get_ca_certs()) > 100
assert sqlite3.connect(":memory:").execute("select json_extract('[7]', '$[0]')").fetchone() == (7,)
assert ctypes.CDLL("libc.so.6").getpid() > 0
ctypes.CDLL("libstdc++.so.6"), ctypes.CDLL("libgcc_s.so.1")
for codec in bz2, lzma, zlib:
    assert codec.decompress(codec.compress(b"x" * 1000)) == b"x" * 1000
assert hashlib.new("sha3_256").digest_size == 32
"""
    python(code)


def test_locale_time_zone_accounts_and_names_are_set_up(python: Run) -> None:
    code = """
import locale, mimetypes, os, platform, pwd, socket, sys, time, zoneinfo
assert locale.setlocale(locale.LC_ALL, "") == "C.UTF-8", locale.setlocale(locale.LC_ALL)
assert sys.getfilesystemencoding() == "utf-8"
assert time.tzname == ("UTC", "UTC") and os.path.realpath("/etc/localtime").endswith("Etc/UTC")
assert zoneinfo.ZoneInfo("Europe/Berlin") and len(zoneinfo.available_timezones()) > 500
assert pwd.getpwuid(os.getuid()).pw_name == "nonroot"
assert os.path.expanduser("~") == "/home/nonroot"
assert socket.getservbyname("https") == 443 and socket.getprotobyname("tcp") == 6
assert mimetypes.guess_type("x.webp")[0] == "image/webp"
assert platform.freedesktop_os_release()["ID"] == "debian"
"""
    python(code)


def test_there_is_nothing_to_run_but_python_init_and_a_list_of_libraries(python: Run) -> None:
    code = """
import glob, os
folders = ("/usr/bin", "/usr/sbin", "/usr/local/bin")
programs = {os.path.realpath(path) for folder in folders for path in glob.glob(f"{folder}/*")}
print(" ".join(sorted(programs)))
"""
    programs = python(code).split()
    names = [os.path.basename(program).rstrip("0123456789.") for program in programs]
    # The last is a script of a few lines, which ctypes.util.find_library starts.
    assert names == ["python", "tini", "ldconfig"]
    assert python("print(open('/usr/sbin/ldconfig').readline())").startswith("#!/usr/bin/python")


def test_nothing_can_be_changed_by_who_runs_it(python: Run) -> None:
    code = """
import os
for top, folders, files in os.walk("/"):
    if top == "/":
        folders[:] = sorted(set(folders) - {"dev", "proc", "sys"})
    for name in folders + files:
        path = os.path.join(top, name)
        mode = os.lstat(path).st_mode
        special = mode & 0o6000
        if special or (mode & 0o22 and not os.path.islink(path) and not mode & 0o1000):
            print(path, oct(mode))
"""
    assert python(code) == ""


def test_scanners_see_the_packages(python: Run) -> None:
    code = """
import glob
for path in glob.glob("/var/lib/dpkg/status.d/*"):
    text = open(path).read()
    if not path.endswith(".md5sums"):
        assert text.startswith("Package: ") and "\\nVersion: " in text, path
        print(path.rpartition("/")[2])
"""
    assert {"base-files", "libc6", "libssl3"} <= set(python(code).split())
