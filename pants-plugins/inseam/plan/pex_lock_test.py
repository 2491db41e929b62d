from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from inseam.formats.failure import Failure
from inseam.formats.glibc import GlibcVersion
from inseam.plan.lock import closure
from inseam.plan.lock_testing import MISSING, changed
from inseam.plan.pex_lock import parse_pex_lock, read_pex_lock
from inseam.plan.platform import PythonPlatform

LOCK: dict[str, Any] = {
    "locked_resolves": [
        {
            "locked_requirements": [
                {
                    "artifacts": [
                        {
                            "algorithm": "sha256",
                            "hash": "a" * 64,
                            "url": "https:/${INDEX}/packages/ab/Demo_App-1.0-py3-none-any.whl",
                        },
                        {
                            "algorithm": "sha256",
                            "hash": "b" * 64,
                            "url": "https:/${INDEX}/packages/ab/demo%20app.tar.gz",
                        },
                    ],
                    "project_name": "demo.app",
                    "requires_dists": ["other; extra == 'x'"],
                    "requires_python": ">=3.8",
                    "version": "1.0",
                }
            ],
            "marker": None,
        }
    ]
}
RESOLVE: tuple[Any, ...] = ("locked_resolves", 0)
ITEM = (*RESOLVE, "locked_requirements", 0)
ARTIFACT = (*ITEM, "artifacts", 0)


def test_a_lock_of_pex_is_accepted() -> None:
    (part,) = read_pex_lock(LOCK, "x.lock", "x").parts
    (item,) = part.distributions
    assert str(item) == "demo.app 1.0"
    assert (item.requires, item.requires_python) == (("other; extra == 'x'",), ">=3.8")
    assert [artifact.hash[0] for artifact in item.artifacts] == ["a", "b"]
    marked = read_pex_lock(changed(LOCK, (*RESOLVE, "marker"), "os_name == 'posix'"), "x.lock", "x")
    assert marked.parts[0].markers == ("os_name == 'posix'",)
    assert read_pex_lock(changed(LOCK, (*ITEM, "requires_python"), None), "x.lock", "x")


MUTATIONS: list[tuple[tuple[Any, ...], str, tuple[Any, ...]]] = [
    (("locked_resolves",), "`locked_resolves`", (MISSING, None, {}, [], "x", 3)),
    (RESOLVE, "resolve 1 has no usable `locked_requirements`", (None, [], "x", {})),
    ((*RESOLVE, "locked_requirements"), "`locked_requirements`", (MISSING, None, {}, 1)),
    ((*RESOLVE, "marker"), "resolve 1 has no usable `marker`", (1, [], "os ==", "(" * 5000)),
    (ITEM, "distribution 1 is not an object", (None, [], "x", 1)),
    ((*ITEM, "project_name"), "`project_name`", (MISSING, None, 1, "", "../x", "a/b", "-a", "a\n")),
    ((*ITEM, "version"), "demo-app has no usable `version`", (MISSING, None, 1.0, "", "one")),
    ((*ITEM, "requires_python"), "demo-app 1.0 has no usable `requires_python`", (3, [], {})),
    ((*ITEM, "requires_dists"), "demo-app 1.0 has no usable `requires_dists`", (MISSING, 1, [1])),
    ((*ITEM, "artifacts"), "demo-app 1.0 has no usable `artifacts`", (MISSING, None, [], {}, "x")),
    (ARTIFACT, "file 1 of demo-app 1.0 is not an object", (None, "x", 1)),
    ((*ARTIFACT, "hash"), "file 1 of demo-app 1.0 has no usable `hash`", (MISSING, None, 0, "a")),
    ((*ARTIFACT, "hash"), "a sha256 of 64 hexadecimal digits", ("A" * 64, "a" * 63, ["a" * 64])),
    ((*ARTIFACT, "algorithm"), "has no usable `algorithm`", (MISSING, None, 1)),
    ((*ARTIFACT, "url"), "has no usable `url`", (MISSING, None, 1, "", "x", "http://[", "a:b\nc")),
]


@pytest.mark.parametrize(
    "place, text, value",
    [(place, text, value) for place, text, values in MUTATIONS for value in values],
)
def test_what_no_lock_holds_is_named_by_file_entry_and_field(
    place: tuple[Any, ...], text: str, value: Any
) -> None:
    with pytest.raises(Failure) as caught:
        read_pex_lock(changed(LOCK, place, value), "lockfiles/x.lock", "x")
    assert str(caught.value).startswith("lockfiles/x.lock is not a PEX lock file: ")
    assert text in str(caught.value)
    assert str(caught.value).endswith("./pants generate-lockfiles --resolve=x")


@pytest.mark.parametrize(
    "name",
    [
        "demo_app-1.0-1%2F..%2F..%2Fx-py3-none-any.whl",
        "demo_app-1.0-py3-none-..%2F..%2Fany.whl",
        "%2Fdemo_app-1.0-py3-none-any.whl",
        "demo_app-1.0-py3-none-a%00y.whl",
        "demo_app-1.0-py3-none-a*y.whl",
        "demo_app-1.0-py3-none-" + "a" * 255 + ".whl",
    ],
)
def test_a_wheel_whose_name_leads_out_of_its_folder_is_refused(name: str) -> None:
    url = "https:/${INDEX}/packages/ab/" + name
    with pytest.raises(Failure, match="the file name of file 1 of demo-app 1.0 "):
        read_pex_lock(changed(LOCK, (*ARTIFACT, "url"), url), "x.lock", "x")


@pytest.mark.parametrize("name", ["other-1.0-py3-none-any.whl", "demo_app-2.0-py3-none-any.whl"])
def test_a_wheel_of_another_distribution_is_refused(name: str) -> None:
    url = "https:/${INDEX}/packages/ab/" + name
    with pytest.raises(Failure, match=f"file 1 of demo-app 1.0 is '{name}', a wheel of"):
        read_pex_lock(changed(LOCK, (*ARTIFACT, "url"), url), "x.lock", "x")


def test_a_distribution_is_there_once() -> None:
    lock = copy.deepcopy(LOCK)
    second = {**lock["locked_resolves"][0]["locked_requirements"][0], "project_name": "Demo_App"}
    lock["locked_resolves"][0]["locked_requirements"].append(second)
    with pytest.raises(Failure, match="it has demo-app twice"):
        read_pex_lock(lock, "x.lock", "x")


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"a": ' * 100_000, b"1" * 5000, b"\xff"])
def test_text_that_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(Failure, match=r"^x\.lock is not a PEX lock file: "):
        parse_pex_lock(text, "x.lock", "x")


@pytest.mark.parametrize(
    "place, value, text",
    [
        ((*ITEM, "requires_dists"), ["other ;; x"], "is not a requirement"),
        ((*ITEM, "requires_dists"), ["other; " + "(" * 5000], "is not a requirement"),
        ((*ITEM, "requires_dists"), ["other; python_version ~= 'x'"], "cannot be evaluated"),
        ((*ITEM, "requires_python"), "3.9", "demo.app 1.0 has no usable `requires_python`"),
        ((*ARTIFACT, "algorithm"), "md5", "is locked with md5, not with sha256"),
    ],
)
def test_what_is_only_read_where_it_is_needed_is_refused_there(
    place: tuple[Any, ...], value: Any, text: str
) -> None:
    lock = read_pex_lock(changed(LOCK, place, value), "x.lock", "x")
    with pytest.raises(Failure, match=text):
        closure(lock, ["demo-app"], PythonPlatform("amd64", "3.11.2", GlibcVersion(2, 36)))


def test_the_lock_survives_a_round_of_json() -> None:
    text = json.dumps(LOCK).encode()
    assert parse_pex_lock(text, "x.lock", "x") == read_pex_lock(LOCK, "x.lock", "x")
