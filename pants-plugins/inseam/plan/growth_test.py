"""Whatever a lock repeats, its readers take time in proportion to it."""

from __future__ import annotations

import contextlib
import json
from typing import Any, Callable

import pytest

from inseam.formats.failure import Failure, without_credentials
from inseam.formats.glibc import GlibcVersion
from inseam.formats.growth_testing import check_growth
from inseam.formats.python.repository import parse_revision
from inseam.plan.lock import _marker, _requirement, closure, reachable
from inseam.plan.lock_file import parse_lock
from inseam.plan.lock_place import LockPlace
from inseam.plan.platform import PythonPlatform
from inseam.plan.python_lock import Artifact, Distribution, Part, PythonLock
from inseam.plan.toml import read_toml

PLACE = LockPlace("x/x.lock", "x", ("https://index.invalid/simple",))
PLATFORM = PythonPlatform("amd64", "3.11.2", GlibcVersion(2, 36))
HASH = "a" * 64
PINNED = f"a==1.0 --hash=sha256:{HASH}"


def read(text: str) -> None:
    with contextlib.suppress(Failure):
        parse_lock(text.encode(), PLACE)


@pytest.mark.parametrize(
    "shape",
    [
        lambda n: "a==1.0" + " " * 10 * n + f"--hash=sha256:{HASH}",
        lambda n: "a==1.0" + " " * 10 * n,
        lambda n: "a==1.0" + " \\\n" * n + f"--hash=sha256:{HASH}",
        lambda n: PINNED + f" --hash=sha256:{HASH}" * n,
        lambda n: "".join(f"a{i}==1.0 --hash=sha256:{HASH}\n" for i in range(n)),
        lambda n: PINNED + " #" * n,
        lambda n: PINNED + "#the following command:" * n,
        lambda n: PINNED + "\n# the following command:" + "#\n" * n,
        lambda n: "./" + "a-1" * n + f" --hash=sha256:{HASH}",
        lambda n: "./" + "-1.tar.gz" * n,
        lambda n: "a @ https://h.invalid/" + "@" * n + f" --hash=sha256:{HASH}",
        lambda n: "a" + "[" * n + "==1",
        lambda n: "a==1.0 ; " + "(" * n,
        lambda n: "a==1.0 ; os_name == 'a'" + " and os_name == 'a'" * n,
        lambda n: "a==" + "1." * n,
        lambda n: "-" * n,
        lambda n: "\n" * n,
    ],
)
def test_requirements(shape: Callable[[int], str]) -> None:
    check_growth(read, shape)


@pytest.mark.parametrize(
    "shape",
    [
        lambda n: "a" + ".a" * n + " = 1",
        lambda n: "x = {a" + ".a" * n + " = 1}",
        lambda n: "a = " + "[" * n,
        lambda n: "a = " + "[1, " * n,
        lambda n: "a = {" + "b = {" * n,
        lambda n: "a = '" + "x" * n + "'",
        lambda n: 'a = "' + "\\n" * n + '"',
        lambda n: "a = '''" + "'\n" * n + "'''",
        lambda n: "".join(f"a{i} = 1\n" for i in range(n)),
        lambda n: "".join(f"[a{i}.b]\n" for i in range(n)),
        lambda n: "".join(f"a.b{i} = 1\n" for i in range(n)),
        lambda n: "[[a]]\n" * n,
        lambda n: "a = [" + "{b = 1}," * n + "]",
        lambda n: "#" * n,
        lambda n: " " * n,
        lambda n: "a = 1" + " " * n,
        lambda n: "a = 1" + "_1" * n,
        lambda n: "a = 1." + "1" * n,
    ],
)
def test_toml(shape: Callable[[int], str]) -> None:
    def reads(text: str) -> None:
        with contextlib.suppress(ValueError):
            read_toml(text.encode())

    check_growth(reads, shape)


def uv(n: int, package: Callable[[int], str]) -> str:
    return "version = 1\n" + "".join(f"[[package]]\n{package(i)}\n" for i in range(n))


WHEEL = f'{{ url = "https://h.invalid/a-1-py3-none-any.whl", hash = "sha256:{HASH}" }}'
SOURCE = 'source = { registry = "https://index.invalid/simple" }'


@pytest.mark.parametrize(
    "shape",
    [
        lambda n: uv(n, lambda i: f'name = "a{i}"\nversion = "1"\n{SOURCE}'),
        lambda n: uv(1, lambda i: f'name = "a"\n{SOURCE}\nwheels = [{f"{WHEEL}," * n}]'),
        lambda n: uv(1, lambda i: f'name = "a"\n{SOURCE}\ndependencies = [{"{name = 1}," * n}]'),
        lambda n: uv(1, lambda i: f'name = "{"a" * n}"\n{SOURCE}'),
        lambda n: uv(1, lambda i: f'name = "a"\nversion = "{"1." * n}1"\n{SOURCE}'),
        lambda n: uv(1, lambda i: f'name = "a"\nresolution-markers = ["{"(" * n}"]\n{SOURCE}'),
        lambda n: 'lock-version = "1.0"\n' + f'[[packages]]\nname = "a"\nwheels = [{WHEEL}]\n' * n,
    ],
)
def test_locks_in_toml(shape: Callable[[int], str]) -> None:
    check_growth(read, shape, least=10)


def pex(**fields: Any) -> str:
    item: dict[str, Any] = {
        "project_name": "a",
        "version": "1",
        "requires_dists": [],
        "requires_python": None,
    }
    item["artifacts"] = [{"url": "https://h.invalid/a-1.zip", "algorithm": "sha256", "hash": HASH}]
    return json.dumps({"locked_resolves": [{"locked_requirements": [{**item, **fields}]}]})


@pytest.mark.parametrize(
    "shape",
    [
        lambda n: "[" * n,
        lambda n: '{"a":' * n,
        lambda n: '{"a": ' + "1" * n + "}",
        lambda n: '{"a": "' + "\\u0061" * n + '"}',
        lambda n: "{" + ",".join(f'"a{i}": 1' for i in range(n)) + "}",
        lambda n: pex(requires_dists=["b ; os_name == 'a'"] * n),
        lambda n: pex(version="1." * n),
        lambda n: pex(project_name="a" * n),
        lambda n: pex(artifacts=[{"url": "git+https://h.invalid/" + "@" * n}]),
        lambda n: pex(artifacts=[{"url": "git+https://h.invalid/a@" + "a/" * n}]),
        lambda n: pex(artifacts=[{"url": "https://h.invalid/a.zip#" + "a=b&" * n}]),
    ],
)
def test_pex_locks(shape: Callable[[int], str]) -> None:
    check_growth(read, shape)


def lock(*items: Distribution) -> PythonLock:
    return PythonLock("the lock", (Part(items),), "Lock.")


def item(name: str, *requires: str) -> Distribution:
    artifact = Artifact(f"https://h.invalid/{name}-1-py3-none-any.whl", "sha256", HASH)
    return Distribution(name, "1", (artifact,), requires)


def chain(n: int) -> PythonLock:
    return lock(*(item(f"a{i}", f"a{i + 1}") for i in range(n)), item(f"a{n}"))


def ring(n: int) -> PythonLock:
    return lock(*(item(f"a{i}", f"a{(i + 1) % n}", "a0") for i in range(n)))


def extras(n: int) -> PythonLock:
    """Each extra requires the next one of the same distribution."""
    links = (f"a0[x{i + 1}] ; extra == 'x{i}'" for i in range(n))
    return lock(item("a0", "a0[x0]", *links))


def star(n: int) -> PythonLock:
    return lock(item("a0", *(f"b{i}" for i in range(n))), *(item(f"b{i}", "a0") for i in range(n)))


@pytest.mark.parametrize("shape", [chain, ring, extras, star])
def test_what_a_lock_needs(shape: Callable[[int], PythonLock]) -> None:
    def needs(value: PythonLock) -> None:
        _requirement.cache_clear()
        _marker.cache_clear()
        found = closure(value, ["a0"], PLATFORM)
        assert all(len(found.required_by[name]) < 20 for name in found.required_by)
        reachable(value, ["a0"])

    check_growth(needs, shape, least=20)


def test_what_a_lock_without_requirements_may_need() -> None:
    def unread(n: int) -> PythonLock:
        artifacts = (Artifact("index:a", "sha256", HASH),)
        return lock(*(Distribution(f"a{i}", "1", artifacts, None) for i in range(n)))

    check_growth(lambda value: reachable(value, ["a0"]), unread)


@pytest.mark.parametrize(
    "piece", ["//", "://", "@", "a:", "https://a:b@c ", "?", "#", "/@", "a:/@"]
)
def test_texts_without_credentials(piece: str) -> None:
    check_growth(without_credentials, lambda n: "https:" + piece * n)


@pytest.mark.parametrize("piece", ["@", "/", "%2f", "..", "a@", "#a=b", "&a=b"])
def test_revisions_of_repositories(piece: str) -> None:
    def revision(url: str) -> None:
        with contextlib.suppress(Failure):
            parse_revision(url, "x")

    check_growth(revision, lambda n: "git+https://h.invalid/a" + piece * n)
