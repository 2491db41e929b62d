from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
import zipfile
from pathlib import Path
from textwrap import dedent
from typing import Any, Mapping

import pytest
from pants.engine.addresses import Address
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.formats.distribution import Wheel
from inseam.formats.glibc import GlibcVersion
from inseam.plan.platform import PythonPlatform
from inseam.rules.base.base import BasePython
from inseam.rules.rule_testing import (
    BASE,
    PYTHON_VERSION,
    failure,
    files_of,
    lock_text,
    locked,
    rule_runner,
    set_options,
)
from inseam.rules.wheels.closures import ClosureRequest, LockedWheels
from inseam.rules.wheels.wheels import BuiltWheel, FetchRequest, InstalledWheel, InstallRequest
from inseam.wheels_from_source.build import _this_machine

PLATFORM = PythonPlatform("amd64", PYTHON_VERSION, GlibcVersion(2, 36))
ARM = PythonPlatform("arm64", PYTHON_VERSION, GlibcVersion(2, 36))

# A backend that lies in the sources and needs nothing: PEP 517, `backend-path`.
PYPROJECT = """\
[build-system]
requires = [{requires}]
build-backend = "backend"
backend-path = ["."]
"""
BACKEND = """\
import os, sys, zipfile

NAME, VERSION, TAG, REQUIRES = "{name}", "{version}", "{tag}", {requires_dist!r}

def get_requires_for_build_wheel(config_settings=None):
    return {asks!r}

def build_wheel(directory, config_settings=None, metadata_directory=None):
{before}
    file = f"{{NAME}}-{{VERSION}}-{{TAG}}.whl"
    info = f"{{NAME}}-{{VERSION}}.dist-info"
    text = f"Metadata-Version: 2.1\\nName: {{NAME}}\\nVersion: {{VERSION}}\\n"
    text += "".join(f"Requires-Dist: {{item}}\\n" for item in REQUIRES)
    with zipfile.ZipFile(os.path.join(directory, file), "w") as wheel:
        wheel.write(f"{{NAME}}.py")
        wheel.writestr(f"{{info}}/METADATA", text)
        wheel.writestr(f"{{info}}/WHEEL", f"Wheel-Version: 1.0\\nTag: {{TAG}}\\n")
        wheel.writestr(f"{{info}}/RECORD", "")
    return file
"""


def project(
    name: str,
    version: str = "1.0",
    *,
    requires: str = "",
    asks: tuple[str, ...] = (),
    requires_dist: tuple[str, ...] = (),
    tag: str = "py3-none-any",
    before: str = "    pass",
    module: str = "WHO = 'upstream'\n",
) -> dict[str, str]:
    """The files of a project that builds itself. before: what its backend does first."""
    return {
        "pyproject.toml": PYPROJECT.format(requires=requires),
        "backend.py": BACKEND.format(
            name=name,
            version=version,
            tag=tag,
            requires_dist=requires_dist,
            asks=list(asks),
            before=before,
        ),  # fmt: skip
        f"{name}.py": module,
    }


def sdist(folder: Path, name: str, files: Mapping[str, str], version: str = "1.0") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for file, text in files.items():
            info = tarfile.TarInfo(f"{name}-{version}/{file}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return path


def item(path: Path, *requires: str) -> dict[str, Any]:
    """A locked requirement of an sdist in the folder `wheels`."""
    found = locked(path, *requires)
    found["version"] = found["version"].replace(".tar.gz", "")
    return found


def from_url(url: str, sha256: str = "0" * 64) -> dict[str, Any]:
    return {
        "artifacts": [{"algorithm": "sha256", "hash": sha256, "url": url}],
        "project_name": "checked",
        "requires_dists": [],
        "requires_python": None,
        "version": "1.0",
    }


@pytest.fixture(scope="module")
def runner() -> RuleRunner:
    made = rule_runner(
        QueryRule(LockedWheels, [ClosureRequest]), QueryRule(InstalledWheel, [InstallRequest])
    )
    made.write_files({"BUILD": BASE})
    return made


def python_of(platform: PythonPlatform = PLATFORM) -> BasePython:
    return BasePython(Address("", target_name="base"), platform, "/usr/bin/python3", False)


def closure(*requirements: str, platform: PythonPlatform = PLATFORM) -> ClosureRequest:
    return ClosureRequest(requirements, "services", python_of(platform))


def write_lock(runner: RuleRunner, *items: dict[str, Any]) -> None:
    runner.write_files({"services.lock": lock_text(items)})


def built(runner: RuleRunner, request: ClosureRequest) -> BuiltWheel:
    (wheel,) = runner.request(LockedWheels, [request]).wheels
    # Not isinstance: the engine may have loaded the class again.
    assert type(wheel).__name__ == "BuiltWheel"
    return wheel  # type: ignore[return-value]


def wheels_folder(runner: RuleRunner) -> Path:
    return Path(runner.build_root) / "wheels"


def test_what_has_sources_only_is_built_and_says_so(runner: RuleRunner) -> None:
    path = sdist(wheels_folder(runner), "plain", project("plain"))
    write_lock(runner, item(path))
    wheel = built(runner, closure("plain"))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (wheel.name, wheel.version) == ("plain", "1.0")
    assert wheel.filename == "plain-1.0-py3-none-any.whl"
    assert wheel.source == f"plain-1.0.tar.gz#sha256={sha256}"
    (content,) = files_of(runner, wheel.digest).values()
    assert hashlib.sha256(content).hexdigest() == wheel.sha256
    assert len(content) == wheel.size
    installed = runner.request(
        InstalledWheel, [InstallRequest(FetchRequest(wheel, "services"), python_of())]
    )
    files = files_of(runner, installed.digest)
    tree = json.loads(files["plain-1.0-py3-none-any.whl/tree.json"])
    assert Wheel(**tree["wheel"]) == Wheel("plain", "1.0", wheel.sha256, wheel.source)


def test_one_pure_wheel_is_for_all_platforms(runner: RuleRunner) -> None:
    write_lock(runner, item(sdist(wheels_folder(runner), "plain", project("plain"))))
    assert built(runner, closure("plain")) == built(runner, closure("plain", platform=ARM))


def test_builds_do_not_depend_on_this_machine(runner: RuleRunner) -> None:
    """Neither its folders, host name, clock nor the user's environment."""
    before = """\
    import time, tempfile, socket
    seen = [os.getcwd(), sys.prefix, tempfile.gettempdir(), sorted(os.environ.items())]
    seen += [os.stat("pyproject.toml").st_mtime, time.tzname, socket.gethostname()]
    with open("seen.py", "w") as file:
        file.write(repr(seen))
    """
    path = sdist(wheels_folder(runner), "seen", project("seen", before=before))
    write_lock(runner, item(path))
    wheel = built(runner, closure("seen"))
    assert str(runner.build_root) not in repr(files_of(runner, wheel.digest))
    first = wheel.sha256
    # Another run, in another sandbox, of what is equal but for a comment in the sources' archive.
    (wheels_folder(runner) / "seen-1.0.tar.gz").unlink()
    files = {**project("seen", before=before), "NEWS": "none"}
    write_lock(runner, item(sdist(wheels_folder(runner), "seen", files)))
    assert built(runner, closure("seen")).sha256 == first


def test_a_directory_of_the_repository_is_built_as_it_is_now(runner: RuleRunner) -> None:
    for who in ("first", "second"):
        files = project("mine", module=f"WHO = '{who}'\n")
        runner.write_files({f"lib/mine/{path}": text for path, text in files.items()})
        url = f"file://{runner.build_root}/lib/mine"
        write_lock(runner, {**from_url(url), "project_name": "mine"})
        wheel = built(runner, closure("mine"))
        assert wheel.source == "mine/"
        (content,) = files_of(runner, wheel.digest).values()
        assert f"WHO = '{who}'".encode() in content


def test_the_root_of_the_repository_may_be_a_project(runner: RuleRunner) -> None:
    """As uv writes it for a repository that is a project itself."""
    files = project("top")
    runner.write_files(dict(files))
    try:
        write_lock(runner, {**from_url(f"file://{runner.build_root}"), "project_name": "top"})
        assert built(runner, closure("top")).filename == "top-1.0-py3-none-any.whl"
    finally:
        for path in files:
            (Path(runner.build_root) / path).unlink()


def test_a_directory_without_files_is_named(runner: RuleRunner) -> None:
    write_lock(runner, {**from_url(f"file://{runner.build_root}/lib/no"), "project_name": "odd"})
    assert "the directory lib/no has no files" in failure(runner, LockedWheels, closure("odd"))


def test_a_folder_of_an_archive_at_a_url_is_built(runner: RuleRunner, tmp_path: Path) -> None:
    path = tmp_path / "v1.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in project("checked").items():
            archive.writestr(f"repository-1/sub/{name}", text)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    write_lock(runner, from_url(f"{path.as_uri()}#subdirectory=sub", sha256))
    wheel = built(runner, closure("checked"))
    assert wheel.source == f"v1.zip#sha256={sha256}"
    write_lock(runner, from_url(f"{path.as_uri()}#subdirectory=gone", sha256))
    assert "no folder 'gone'" in failure(runner, LockedWheels, closure("checked"))


def git(folder: Path, *argv: str) -> str:
    settings = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")
    return subprocess.run(
        ["git", *settings, *argv], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_commit_of_a_git_repository_is_built(runner: RuleRunner, tmp_path: Path) -> None:
    for path, text in project("checked").items():
        (tmp_path / "sub").mkdir(exist_ok=True)
        (tmp_path / "sub" / path).write_text(text)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    git(tmp_path, "tag", "v1")
    commit = git(tmp_path, "rev-parse", "HEAD")
    write_lock(runner, from_url(f"git+file:{tmp_path}@{commit}#subdirectory=sub"))
    assert "[inseam].allow_file_repositories" in failure(runner, LockedWheels, closure("checked"))
    set_options(runner, "--inseam-allow-file-repositories")
    try:
        wheel = built(runner, closure("checked"))
        assert wheel.source == f"git+file://{tmp_path}@{commit}#subdirectory=sub"
        # A tag may move: its files must be those that were locked.
        write_lock(runner, from_url(f"git+file:{tmp_path}@v1#subdirectory=sub"))
        why = failure(runner, LockedWheels, closure("checked"))
        assert f"v1 of file://{tmp_path} is now the commit {commit}" in why
        assert f"git+file://{tmp_path}@{commit}" in why
    finally:
        set_options(runner)


def patch(before: str, after: str) -> str:
    return f"--- a/odd.py\n+++ b/odd.py\n@@ -1 +1 @@\n-WHO = '{before}'\n+WHO = '{after}'\n"


def test_patches_and_variables_are_declared(runner: RuleRunner) -> None:
    before = """\
    with open("odd.py", "a") as file:
        file.write(f"SETTING = {config_settings!r}, {os.environ['FLAVOUR']!r}")
    """
    path = sdist(wheels_folder(runner), "odd", project("odd", before=before))
    write_lock(runner, item(path))
    runner.write_files(
        {
            "third/BUILD": dedent(
                """\
                wheel_from_source(
                    name="odd",
                    distribution="Odd",
                    env={"FLAVOUR": "vanilla"},
                    config_settings=["a=1", "b=2", "b=3"],
                    patches=["z.patch", "a.patch"],
                )
                """
            ),
            "third/z.patch": patch("upstream", "z"),
            "third/a.patch": patch("z", "a"),
        }
    )
    (content,) = files_of(runner, built(runner, closure("odd")).digest).values()
    assert b"WHO = 'a'\nSETTING = {'a': '1', 'b': ['2', '3']}, 'vanilla'" in content
    runner.write_files({"third/a.patch": patch("nothing", "a")})
    assert "a.patch does not apply" in failure(runner, LockedWheels, closure("odd"))
    runner.write_files({"third/BUILD": ""})


BAD = {
    "failing": (
        dict(before="    raise SystemExit('no such header: curl.h')"),
        "no such header: curl.h",
    ),
    "renamed": (dict(version="2.0"), "says that it is renamed 2.0, but the lock has renamed 1.0"),
    "needy": (dict(requires_dist=("six>=1",)), "requires 'six>=1', but by the lock needy does not"),
    "compiled": (dict(tag="cp311-cp311-linux_x86_64"), "is for one platform only"),
    "missing": (dict(requires='"nowhere-to-be-found>=2"'), "needs 'nowhere-to-be-found>=2'"),
    "asking": (dict(asks=("also-nowhere",)), "needs 'also-nowhere' to be built"),
    "contrary": (dict(requires='"setuptools<10"'), "needs 'setuptools<10' to be built"),
    "outside": (
        dict(before="    open('/usr/here-i-was', 'w')"),
        "Read-only file system: '/usr/here-i-was'",
    ),
    "online": (
        dict(
            before="    import socket; socket.create_connection(('192.0.2.1', 80), 5)"
        ),
        "Network is unreachable",
    ),
}  # fmt: skip


def test_all_that_cannot_be_built_is_named_at_once_with_the_reason(runner: RuleRunner) -> None:
    items = []
    for name, (more, _) in BAD.items():
        path = sdist(wheels_folder(runner), name, project(name, **more))  # type: ignore[arg-type]
        items.append(item(path))
    write_lock(runner, *items)
    text = failure(runner, LockedWheels, closure(*BAD))
    for name, (_, why) in BAD.items():
        assert f"{name} 1.0 ({name}-1.0.tar.gz#sha256=" in text
        assert why in text, name
    assert (
        "add the line 'nowhere-to-be-found>=2' to the requirements of the resolve \"build\"" in text
    )
    assert 'wheel_from_source(name="failing"' in text
    assert text.endswith("name the folder in [python-repos].find_links, and lock again.")


def test_a_build_that_takes_too_long_is_ended(runner: RuleRunner) -> None:
    files = project("hanging", before="    import time; time.sleep(600)")
    write_lock(runner, item(sdist(wheels_folder(runner), "hanging", files)))
    set_options(runner, "--inseam-build-timeout=3")
    try:
        text = failure(runner, LockedWheels, closure("hanging"))
    finally:
        set_options(runner)
    assert "took longer than 3 seconds" in text


def test_what_builds_need_is_not_built_so_nothing_needs_itself(runner: RuleRunner) -> None:
    path = sdist(wheels_folder(runner), "loop", project("loop", requires='"loop"'))
    write_lock(runner, item(path))
    runner.write_files({"other.lock": lock_text([item(path)])})
    set_options(runner, "--inseam-build-resolve=other")
    try:
        text = failure(runner, LockedWheels, closure("loop"))
    finally:
        set_options(runner)
    assert "loop 1.0 needs 'loop' to be built, and of that loop 1.0 has no wheel in the" in text
    assert "lock other.lock" in text


def test_what_needs_more_than_python_is_said_by_the_declared_builder(runner: RuleRunner) -> None:
    """A base is not a builder: it has no compilers."""
    write_lock(runner, item(sdist(wheels_folder(runner), "tight", project("tight"))))
    declared = "wheel_from_source(name='tight', distribution='tight', builder='//:base')\n"
    runner.write_files({"third/BUILD": declared})
    native = PLATFORM if _this_machine() == "amd64" else ARM
    try:
        text = failure(runner, LockedWheels, closure("tight", platform=native))
    finally:
        runner.write_files({"third/BUILD": ""})
    assert "The `builder` //:base of third:tight is a `registry_base`. It must be a" in text


def test_builds_can_be_forbidden(runner: RuleRunner) -> None:
    folder = wheels_folder(runner)
    one, two = (sdist(folder, name, project(name)) for name in ("one", "two"))
    write_lock(runner, item(one, "two"), item(two))
    set_options(runner, "--inseam-without=wheels_from_source")
    try:
        text = failure(runner, LockedWheels, closure("one"))
    finally:
        set_options(runner)
    assert text.startswith("2 distributions have no wheel for linux/amd64 with CPython")
    assert "one 1.0 (one-1.0.tar.gz#sha256=" in text
    assert "required by the service -> one 1.0\n" in text
    assert "remove wheels_from_source from [inseam].without" in text
    assert "find_links" in text


def test_the_shipped_lock_has_the_common_backends(runner: RuleRunner) -> None:
    """One of them for real: the others are only looked up."""
    setup = "from setuptools import setup\nsetup(name='old', version='1.0', py_modules=['old'])\n"
    files = {"setup.py": setup, "old.py": ""}
    write_lock(runner, item(sdist(wheels_folder(runner), "old", files)))
    assert built(runner, closure("old")).filename == "old-1.0-py3-none-any.whl"
