"""Whatever a pull request makes of the locks of other tools, their readers end with a right result
or a Failure."""

from __future__ import annotations

from typing import Any

import pytest
from packaging.utils import canonicalize_name

pytest.importorskip("hypothesis")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from inseam.formats.failure import Failure  # noqa: E402
from inseam.formats.fuzz_testing import damaged, fuzzed, json_values, mutated  # noqa: E402
from inseam.formats.glibc import GlibcVersion  # noqa: E402
from inseam.plan import pylock_test, requirements_lock_test, uv_lock_test  # noqa: E402
from inseam.plan.artifacts import LockedArchive, LockedWheel  # noqa: E402
from inseam.plan.lock import chosen, closure, matching  # noqa: E402
from inseam.plan.lock_file import parse_lock  # noqa: E402
from inseam.plan.lock_place import LockPlace  # noqa: E402
from inseam.plan.platform import PythonPlatform  # noqa: E402
from inseam.plan.pylock import read_pylock  # noqa: E402
from inseam.plan.python_lock import PythonLock  # noqa: E402
from inseam.plan.requirements_lock import parse_requirements_lock  # noqa: E402
from inseam.plan.uv_lock import read_uv_lock  # noqa: E402

PLATFORM = PythonPlatform("amd64", "3.11.2", GlibcVersion(2, 36))
PLACE = LockPlace("x/x.lock", "x", ("https://index.invalid/simple",))
LINES = (
    f"a==1.0 ; python_version >= '3.9' \\\n    --hash=sha256:{'a' * 64} # why\n"
    f"b @ git+https://h.invalid/b@{requirements_lock_test.COMMIT}\n-e ./c\n"
    f"./d-1.0-py3-none-any.whl --hash=sha256:{'b' * 64}\n"
)


def check(lock: PythonLock, root: str) -> None:
    """Checks that a lock that was read can be used, or is refused."""
    found = closure(lock, [root], PLATFORM)
    every = matching(lock, "*", PLATFORM)
    for locked in (*found.locked, *(chosen(one, PLATFORM) for one in every)):
        assert canonicalize_name(locked.name) == locked.name
        if isinstance(locked, (LockedWheel, LockedArchive)):
            assert "/" not in locked.filename
            assert locked.filename not in ("", ".", "..")
            assert len(locked.sha256) == 64


@fuzzed
@given(
    st.dictionaries(st.text(max_size=8), json_values) | mutated(uv_lock_test.DOCUMENT),
    st.sampled_from(["fork", "fork[fast]", "local", "direct", "gitted", "inner", "outer"]),
)
def test_locks_of_uv(document: Any, root: str) -> None:
    if not isinstance(document, dict):
        return
    try:
        check(read_uv_lock(document, PLACE), root)
    except Failure:
        return


@fuzzed
@given(
    st.dictionaries(st.text(max_size=8), json_values) | mutated(pylock_test.DOCUMENT),
    st.sampled_from(["wheeled", "archived", "gitted", "housed"]),
)
def test_pylocks(document: Any, root: str) -> None:
    if not isinstance(document, dict):
        return
    try:
        check(read_pylock(document, PLACE), root)
    except Failure:
        return


@fuzzed
@given(st.text(max_size=60) | damaged(LINES.encode()).map(lambda text: text.decode("latin-1")))
def test_requirements(text: str) -> None:
    try:
        lock = parse_requirements_lock(text.encode("utf-8", "replace"), PLACE)
    except Failure:
        return
    for part in lock.parts:
        for item in part.distributions:
            assert item.artifacts
            assert item.requires is None
            if item.artifacts[0].is_nameless:
                assert item.artifacts[0].hash


@fuzzed
@given(
    damaged(uv_lock_test.TEXT.encode())
    | damaged(pylock_test.TEXT.encode())
    | damaged(LINES.encode())
)
def test_damaged_files(text: bytes) -> None:
    try:
        check(parse_lock(text, PLACE), "fork")
    except Failure:
        return
