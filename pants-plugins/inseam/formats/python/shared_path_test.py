from __future__ import annotations

import pytest

from inseam.formats.python.installed import Installed
from inseam.formats.python.shared_path import (
    CLASH,
    NOT_READ,
    SAME_MEANING,
    decide,
    is_not_read,
    meaning_of,
    shown,
    source_of,
)

SITE = "opt/venv/lib/python3.11/site-packages"
INIT = f"{SITE}/shared/__init__.py"

PKGUTIL = (
    "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n",
    "# A comment.\nfrom pkgutil import extend_path\n__path__ = extend_path(__path__, __name__)\n",
    "import pkgutil\n__path__ = pkgutil.extend_path(__path__, __name__)  # type: ignore\n",
    "try:\n    __import__('pkg_resources').declare_namespace(__name__)\n"
    "except ImportError:\n"
    "    __path__ = __import__('pkgutil').extend_path(__path__, __name__)\n",
    "from __future__ import annotations\n" + "import pkgutil\n",
)
PKG_RESOURCES = (
    "__import__('pkg_resources').declare_namespace(__name__)\n",
    "import pkg_resources\npkg_resources.declare_namespace(__name__)\n",
    "try:\n    import pkg_resources\n    pkg_resources.declare_namespace(__name__)\n"
    "except ImportError:\n    pass\n",
)
EMPTY = (
    "",
    "# Only a comment.\n",
    '"""A docstring."""\n',
    "from __future__ import division\npass\n",
)


@pytest.mark.parametrize(
    "meaning, texts",
    [("pkgutil", PKGUTIL), ("pkg_resources", PKG_RESOURCES), ("empty", EMPTY)],
)
def test_packages_without_code_mean_the_same_however_they_are_written(
    meaning: str, texts: tuple[str, ...]
) -> None:
    assert {meaning_of("shared/__init__.py", text.encode()) for text in texts} == {meaning}


def test_comments_and_docstrings_do_not_change_a_meaning_and_code_does() -> None:
    def meaning(text: str) -> str:
        return meaning_of("shared/__init__.py", text.encode())

    plain = meaning("def f():\n    return 1\n")
    assert plain == meaning('"""A."""\n# B\ndef f():\n    """C."""\n    return 1  # D\n')
    assert plain != meaning("def f():\n    return 2\n")
    assert meaning("__version__ = '1'\n") != meaning("__version__ = '2'\n")
    # A constant that is not a docstring can be what a program reads.
    assert meaning("x = 1\n'text'\n") != meaning("x = 1\n'other'\n")


@pytest.mark.parametrize(
    "path, source",
    [
        ("shared/other.py", b""),
        ("shared/__init__.py", b"print 'Python 2'\n"),
        ("shared/__init__.py", b"\xff\xfe\0"),
        ("shared/__init__.py", b"x = " + b"(" * 5000 + b")" * 5000),
        ("shared/__init__.py", b"#" * (1 << 20)),
    ],
)
def test_of_other_files_and_of_what_cannot_be_read_no_meaning_is_known(
    path: str, source: bytes
) -> None:
    assert meaning_of(path, source) == ""


def decided(path: str, first: str, second: str) -> tuple[str, bool, str]:
    def installed(name: str, text: str) -> Installed:
        return Installed(name, f"{name}-1-py3-none-any.whl", meaning_of(path, text.encode()))

    return decide(path, installed("a", first), installed("b", second))


def test_of_packages_without_code_the_one_that_finds_most_is_kept() -> None:
    assert decided(INIT, EMPTY[0], PKGUTIL[0]) == (SAME_MEANING, True, "")
    assert decided(INIT, PKGUTIL[0], PKG_RESOURCES[0]) == (SAME_MEANING, False, "")
    assert decided(INIT, PKG_RESOURCES[0], EMPTY[0]) == (SAME_MEANING, True, "")
    assert decided(INIT, EMPTY[0], EMPTY[2]) == (SAME_MEANING, False, "")


def test_packages_with_code_clash_unless_they_do_the_same() -> None:
    assert decided(INIT, EMPTY[0], "x = 1\n")[0] == CLASH
    assert decided(INIT, "x = 1\n", "x = 1  # one\n")[0] == SAME_MEANING
    assert decided(INIT, "print 'a'\n", "print 'b'\n")[0] == CLASH


@pytest.mark.parametrize(
    "path",
    [
        *(f"{SITE}/{name}" for name in ("LICENSE", "LICENSE.txt", "licence", "README.md")),
        *(f"{SITE}/{name}" for name in ("CHANGELOG", "CHANGES.rst", "COPYING", "LICENSE-MIT")),
        f"{SITE}/tests/__init__.py",
        f"{SITE}/shared/tests/test_x.py",
        f"{SITE}/docs/conf.py",
        f"{SITE}/setup.py",
        f"{SITE}/shared/py.typed",
        f"{SITE}/shared/core.pyi",
        "opt/venv/share/man/man1/tool.1",
        "opt/venv/share/doc/tool/index.html",
    ],
)
def test_documents_tests_and_files_for_tools_are_not_read(path: str) -> None:
    assert is_not_read(path)
    assert decided(path, "1", "2")[0] == NOT_READ


@pytest.mark.parametrize(
    "path",
    [
        f"{SITE}/shared/core.py",
        f"{SITE}/license.py",
        f"{SITE}/history/core.py",
        f"{SITE}/templates/security.html",
        f"{SITE}/shared/readme.json",
        f"{SITE}/docs.py",
        f"{SITE}/testing/core.py",
        f"{SITE}/shared/examples/data.csv",
        "opt/venv/bin/tests",
    ],
)
def test_what_a_program_can_read_clashes(path: str) -> None:
    assert not is_not_read(path)
    assert decided(path, "1", "2")[0] == CLASH


def test_paths_are_shown_as_people_know_them() -> None:
    assert shown(INIT) == "shared/__init__.py"
    assert shown("opt/venv/bin/run") == "bin/run"
    assert shown("etc/passwd") == "etc/passwd"


def test_the_source_of_bytecode() -> None:
    assert source_of(f"{SITE}/a/__pycache__/b.cpython-311.pyc") == f"{SITE}/a/b.py"
    assert source_of(f"{SITE}/a/b.pyc") is None
    assert source_of(INIT) is None
