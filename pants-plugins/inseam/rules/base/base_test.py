from __future__ import annotations

import re
from typing import Any

import pytest
from pants.engine.internals.scheduler import ExecutionError
from pants.testutil.rule_runner import RuleRunner

from inseam.formats.glibc import GlibcVersion
from inseam.plan.platform import PythonPlatform
from inseam.rules.base.base import Base, BaseRequest
from inseam.rules.base.base_testing import (
    SERVICE,
    SHA256,
    archives,
    debian,
    find,
    fixtures,
)
from inseam.rules.rule_testing import (
    BASE,
    DEBIAN_LIST,
    MINOR,
    PYTHON_VERSION,
    debian_lock_text,
    failure,
)

module_runner, runner = fixtures


@pytest.mark.parametrize("spec", ["//:base", ":base"])
def test_a_base_says_its_platform_and_its_interpreter(runner: RuleRunner, spec: str) -> None:
    runner.write_files({"src/shop/BUILD": BASE})
    base = find(runner, spec)
    assert base.platform == PythonPlatform("amd64", PYTHON_VERSION, GlibcVersion(2, 36))
    assert base.interpreter == f"/usr/local/bin/python{MINOR}"
    assert base.python_version == MINOR


def test_a_debian_base_is_what_its_lock_says(runner: RuleRunner) -> None:
    base = find(runner, "docker:debian")
    assert base.platform == PythonPlatform("arm64", "3.11.2", GlibcVersion(2, 36))
    assert base.interpreter == "/usr/bin/python3.11"
    assert base.has_init is False
    runner.write_files({"locks/debian.json": debian_lock_text(python="3.11.9-1")})
    assert find(runner, "docker:debian").platform.python_full_version == "3.11.9"


@pytest.mark.parametrize(
    "field, value, found",
    [("python_version", "3.11.99", "3.11.2"), ("glibc_version", "2.99", "2.36")],
)
def test_what_a_base_declares_must_be_what_its_lock_says(
    runner: RuleRunner, field: str, value: str, found: str
) -> None:
    runner.write_files({"docker/BUILD": debian(**{field: found})})
    assert find(runner, "docker:debian").python_version == "3.11"
    runner.write_files({"docker/BUILD": debian(**{field: value})})
    why = failure(runner, Base, BaseRequest("docker:debian", SERVICE))
    assert why.startswith(f"docker:debian: `{field}` is {value!r}, but the lock has {found!r}")


def test_errors_of_a_base_name_the_list_and_the_lock_in_use(runner: RuleRunner) -> None:
    runner.write_files({"docker/packages.ini": DEBIAN_LIST + "[debug]\nbusybox\n"})
    why = failure(runner, Base, BaseRequest("docker:debian", SERVICE))
    assert "does not match the list of packages" in why
    assert "(The list of packages is docker/packages.ini, its lock locks/debian.json." in why
    assert "./pants generate-lockfiles --resolve=debian)" in why


def test_what_is_no_base_is_refused_by_both_names(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/BUILD": "file(name='x', source='BUILD')"})
    text = failure(runner, Base, BaseRequest(":x", SERVICE))
    assert text.startswith("The base src/shop:x of src/shop:app is a `file`. It must be a")


def test_an_image_cannot_start_from_a_builder_nor_a_build_from_what_is_none(
    runner: RuleRunner,
) -> None:
    runner.write_files({"docker/BUILD": debian("debian_builder")})
    why = failure(runner, Base, BaseRequest("docker:debian", SERVICE))
    assert why.startswith("The base docker:debian of src/shop:app is a `debian_builder`, which")
    found = runner.request(Base, [BaseRequest("docker:debian", SERVICE, builder=True)])
    assert found.platform == PythonPlatform("arm64", "3.11.2", GlibcVersion(2, 36))
    why = failure(runner, Base, BaseRequest("//:base", SERVICE, builder=True))
    assert why.startswith("The `builder` //:base of src/shop:app is a `registry_base`.")


def test_the_python_of_a_base_without_one_is_that_of_an_archive(runner: RuleRunner) -> None:
    base = find(runner, archives(runner))
    assert base.platform == PythonPlatform("amd64", "3.12.8", GlibcVersion(2, 36))
    assert base.interpreter == "/usr/local/bin/python3.12"
    # It has what Debian has in packages of their own, and not what no image gets.
    assert {"asyncore", "distutils", "tkinter"} <= set(base.missing_modules)
    assert not {"curses", "readline"} & set(base.missing_modules)


def test_the_name_of_an_interpreter_says_whether_it_is_free_threaded(runner: RuleRunner) -> None:
    base = find(runner, archives(runner, interpreter="/usr/local/bin/python3.13t"))
    assert base.platform.free_threaded
    assert not find(runner, archives(runner)).platform.free_threaded


@pytest.mark.parametrize(
    "fields, error",
    [
        ({"python_version": None}, "set `python_version` to the full version of the CPython in"),
        ({"platform": "linux/arm64"}, "has no archive for linux/arm64, only for linux/amd64"),
        ({"python_archives": {}}, "no locked package contains CPython"),
    ],
)
def test_a_base_with_an_archive_says_what_it_has(
    runner: RuleRunner, fields: dict[str, Any], error: str
) -> None:
    spec = archives(runner, **{"platform": "linux/amd64", **fields})
    why = failure(runner, Base, BaseRequest(spec, SERVICE))
    assert why.startswith("docker:debian: ")
    assert error in why


@pytest.mark.parametrize(
    "value, error",
    [
        ({"linux/amd64": "vendor/cpython.tar.gz"}, "ends in `#sha256=`"),
        ({"linux/amd64": f"ftp://x.example/a.tar.gz#sha256={SHA256}"}, "one of the kinds"),
        ({"linux/mips": f"vendor/cpython.tar.gz#sha256={SHA256}"}, "'linux/mips' is not one of"),
    ],
)
def test_an_archive_is_named_by_platform_with_its_hash(
    runner: RuleRunner, value: dict[str, str], error: str
) -> None:
    spec = archives(runner, python_archives=value)
    with pytest.raises(ExecutionError, match=re.escape(error)):
        find(runner, spec)
