from __future__ import annotations

import sys

import pytest

from inseam.formats.python.standard import ASSUMED, REMOVED, imported, missing_modules, remedy

STANDARD = ("libpython3.11-stdlib", "python3.11-minimal")


@pytest.mark.parametrize(
    "version, packages, expected",
    [
        ("3.11.9", None, "pkg_resources"),
        ("3.11", STANDARD, "curses distutils lib2to3 pkg_resources readline tkinter"),
        (
            "3.11",
            (*STANDARD, "libncursesw6", "libreadline8t64", "python3-distutils", "python3-tk"),
            "lib2to3 pkg_resources",
        ),
        ("3.12.1", None, "asynchat asyncore distutils imp pkg_resources smtpd"),
        ("3.13", None, " ".join(sorted({*REMOVED, *ASSUMED}))),
        (
            "3.13",
            STANDARD,
            " ".join(sorted({*REMOVED, *ASSUMED, "curses", "readline", "tkinter"})),
        ),
    ],
)
def test_what_a_base_lacks_depends_on_its_version_and_packages(
    version: str, packages: tuple[str, ...] | None, expected: str
) -> None:
    assert " ".join(missing_modules(version, packages)) == expected


@pytest.mark.skipif(sys.version_info < (3, 10), reason="there is no list of standard modules")
def test_what_is_removed_later_is_there_now() -> None:
    for name, module in REMOVED.items():
        there = name in sys.stdlib_module_names  # type: ignore[attr-defined]
        assert there == (sys.version_info[:2] < module.since), name


@pytest.mark.parametrize(
    "module, version, text",
    [
        ("distutils", "3.11.2", "distribution setuptools, which provides distutils"),
        ("pkg_resources", "3.9", "distribution setuptools<81, which provides pkg_resources"),
        ("telnetlib", "3.13", "distribution standard-telnetlib"),
        ("curses", "3.13", "Debian package whose name starts with libncursesw"),
        ("lib2to3", "3.11.2", "Debian package whose name starts with python3-lib2to3"),
        ("lib2to3", "3.13", "Import something else."),
        ("spwd", "3.13", "Import something else."),
    ],
)
def test_what_to_do_is_said(module: str, version: str, text: str) -> None:
    assert text in remedy(module, version)


@pytest.mark.parametrize(
    "source, expected",
    [
        ("import distutils.core", "distutils"),
        ("from imp import reload\nimport cgi as c, os", "cgi imp"),
        ("import pkg_resources", "pkg_resources"),
        ("__import__('pkg_resources').declare_namespace(__name__)", "pkg_resources"),
        ("try:\n    __import__('pkg_resources').x()\nexcept ImportError: ...", ""),
        ("print('pkg_resources')", ""),
        ("class A:\n    import pipes", "pipes"),
        ("if x:\n    import uu", "uu"),
        ("def f():\n    import distutils", ""),
        ("try:\n    import distutils\nexcept ImportError: ...", ""),
        ("import sys\nif sys.version_info < (3, 12):\n    import distutils", ""),
        ("if TYPE_CHECKING:\n    import cgi", ""),
        ("from . import cgi\nfrom .imp import x\nimport distutils_extra, a.cgi", ""),
        ("import distutils of no Python", ""),
        ("x = 'import cgi'", ""),
    ],
)
def test_what_a_module_cannot_do_without_is_found(source: str, expected: str) -> None:
    assert " ".join(imported("pkg/mod.py", source.encode())) == expected


@pytest.mark.parametrize(
    "path", ["setup.py", "pkg/tests/a.py", "numpy/distutils/a.py", "setuptools/command/a.py"]
)
def test_files_of_tests_and_builds_do_not_count(path: str) -> None:
    assert imported(path, b"import distutils") == ()
