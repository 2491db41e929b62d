from __future__ import annotations

from inseam.formats.glibc import GlibcVersion
from inseam.plan.artifacts import LockedArchive, LockedCheckout
from inseam.plan.building import describe_failures, describe_sources
from inseam.plan.platform import PythonPlatform

PLATFORM = PythonPlatform("amd64", "3.11.2", GlibcVersion(2, 36))
HASH = "0" * 64


def archive() -> LockedArchive:
    url = "https:/${INDEX}/packages/rope-1.0.tar.gz"
    return LockedArchive("rope", "1.0", HASH, url, ())


def test_all_sources_are_named_with_who_requires_them_and_what_to_type() -> None:
    url = f"git+https://me:secret@git.invalid/yarn@{'a' * 40}"
    sources = (archive(), LockedCheckout("yarn", "2.0", HASH, url, ()))
    text = describe_sources(sources, {"yarn": ("the service", "rope 1.0", "yarn 2.0")}, PLATFORM)
    first, rope, yarn, ways = text.splitlines()
    assert first.startswith("2 distributions have no wheel for linux/amd64 with CPython 3.11.2")
    assert rope == f"  rope 1.0 (rope-1.0.tar.gz#sha256={HASH}), required by a shared layer"
    assert yarn == (
        f"  yarn 2.0 (git+https://git.invalid/yarn@{'a' * 40}), required by the service -> rope 1.0"
        " -> yarn 2.0"
    )
    assert "remove wheels_from_source from [inseam].without" in ways
    assert "[python-repos].find_links" in ways


def test_each_failure_has_its_chain_and_its_reason() -> None:
    text = describe_failures({archive(): "no such header\ncurl.h"}, {"rope": ("the service", "x")})
    assert "required by the service -> x, could not be built:\n  no such header\n  curl.h" in text
    assert text.endswith("name the folder in [python-repos].find_links, and lock again.")
