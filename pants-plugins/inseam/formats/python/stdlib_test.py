from __future__ import annotations

from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.formats.python.code_testing import write_sources
from inseam.formats.python.sources import files_below
from inseam.formats.python.stdlib import (
    check_imports,
    check_names,
    several_at_once,
    standard_modules,
)


def files(folder: Path, source: str) -> dict[str, Path]:
    return dict(files_below(write_sources(folder / "sources", {"shop/m.py": source.encode()})))


def test_the_names_of_standard_modules_are_known() -> None:
    assert {"statistics", "types", "email", "sys", "_socket"} <= standard_modules()
    assert not {"numpy", "test", "site-packages", ""} & standard_modules()


@pytest.mark.parametrize("path", ["statistics/__init__.py", "types.py", "email/send.py"])
def test_a_module_that_the_standard_library_hides_is_refused(path: str) -> None:
    with pytest.raises(Failure, match=f"{path} could not be imported in the image"):
        check_names(["shop/server.py", path])


def test_what_is_no_module_or_is_in_a_package_has_any_name() -> None:
    check_names(["email/page.html", "shop/types.py", "types.txt", "shop.py", "statistic.py"])


@pytest.mark.parametrize(
    "source",
    [
        "from distutils.util import strtobool",
        "import os, distutils",
        "def f():\n    import distutils.core",
        "if x:\n    pass\nelse:\n    import distutils",
    ],
)
def test_a_module_that_the_base_lacks_is_named(tmp_path: Path, source: str) -> None:
    with pytest.raises(Failure, match=r"shop/m\.py, line \d, imports distutils.*setuptools"):
        check_imports(files(tmp_path, source), ["distutils"])
    check_imports(files(tmp_path / "other", source), [])


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    import distutils\nexcept ImportError:\n    pass",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import distutils",
        "from . import distutils",
        "x = 'import distutils'",
        "import distutils_extra",
        "import distutils of no Python",
    ],
)
def test_an_import_that_may_fail_is_accepted(tmp_path: Path, source: str) -> None:
    check_imports(files(tmp_path, source), ["distutils"])


def test_the_second_and_later_modules_of_an_import_are_found(tmp_path: Path) -> None:
    source = """\
import a.b, c.d as e, os
import f as g, h; import i
import j
from k import l, m
def n():
    import o, p
try:
    import q, r
except ImportError:
    pass
# import s, t
"""
    found = several_at_once(files(tmp_path, source))
    assert found == [("shop/m.py", 1, "c.d"), ("shop/m.py", 2, "h"), ("shop/m.py", 6, "p")]
