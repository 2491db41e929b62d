"""Whatever a pull request makes of a PEX lock, its readers end with a right result or a Failure."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from packaging.utils import canonicalize_name

pytest.importorskip("hypothesis")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from inseam.formats.failure import Failure  # noqa: E402
from inseam.formats.fuzz_testing import fuzzed, json_values, mutated  # noqa: E402
from inseam.formats.glibc import GlibcVersion  # noqa: E402
from inseam.plan.artifacts import LockedWheel  # noqa: E402
from inseam.plan.lock import chosen, closure, matching, resolve_url  # noqa: E402
from inseam.plan.lock_file import parse_lock  # noqa: E402
from inseam.plan.lock_place import LockPlace  # noqa: E402
from inseam.plan.pex_lock_test import LOCK  # noqa: E402
from inseam.plan.platform import PythonPlatform  # noqa: E402

PLATFORM = PythonPlatform("amd64", "3.11.2", GlibcVersion(2, 36))
PLACE = LockPlace("x.lock", "x")


@fuzzed
@given(
    json_values | mutated(LOCK),
    st.sampled_from(["demo-app", "demo.app[x]", "other", "demo-app>=2"]),
)
def test_locks(value: Any, root: str) -> None:
    try:
        lock = parse_lock(json.dumps(value).encode(), PLACE)
        wheels = [
            *closure(lock, [root], PLATFORM).locked,
            *(chosen(item, PLATFORM) for item in matching(lock, "*", PLATFORM)),
        ]
    except Failure:
        return
    for wheel in wheels:
        if not isinstance(wheel, LockedWheel):
            continue
        assert "/" not in wheel.filename
        assert wheel.filename not in ("", ".", "..")
        assert len(wheel.sha256) == 64
        assert canonicalize_name(wheel.name) == wheel.name


@fuzzed
@given(st.binary(max_size=100) | st.text(alphabet="[]{}\"':,1e-\n/", max_size=60).map(str.encode))
def test_texts(text: bytes) -> None:
    with contextlib.suppress(Failure):
        assert parse_lock(text, PLACE).parts


@fuzzed
@given(st.text(alphabet="${}A|/:", max_size=20), st.lists(st.text(alphabet="A|/:", max_size=8)))
def test_urls(url: str, mappings: list[str]) -> None:
    try:
        assert "${" not in resolve_url(url, mappings)
    except Failure:
        pass
