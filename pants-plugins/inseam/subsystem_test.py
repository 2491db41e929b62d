"""Values of options that cannot be used are refused by the name of the option."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from inseam.formats.failure import Failure
from inseam.plan.option_values import NUMBERS
from inseam.subsystem import InseamSubsystem


def value(name: str, **options: Any) -> Any:
    getter: Any = getattr(InseamSubsystem, name).fget
    return getter(SimpleNamespace(**options))


@pytest.mark.parametrize("url", ["nonsense", "ftp://h/x", "https://", "-x", "https://h/\x1b[2J"])
def test_a_snapshot_archive_is_a_url(url: str) -> None:
    with pytest.raises(Failure, match=r"\[inseam\].debian_snapshot must be the URL"):
        value("snapshot", debian_snapshot=url)


@pytest.mark.parametrize("url", ["", "https://h.invalid/archive", "http://h:80", "file:///srv/x"])
def test_urls_of_snapshot_archives_are_taken(url: str) -> None:
    assert value("snapshot", debian_snapshot=url or None) == url


DEFAULTS: dict[str, Any] = {
    "build_timeout": 1800,
    "created": None,
    "large_wheel": 8_000_000,
    "max_download_size": 1 << 32,
    "max_layers": 10,
    "prune_after": 14,
    "registry_timeout": 60,
    "default_base_lock": None,
    "locks": {},
    "debian_locks": ["lockfiles/debian-*.json"],
}


def check(**options: Any) -> None:
    InseamSubsystem.check(SimpleNamespace(**{**DEFAULTS, **options}))  # type: ignore[arg-type]


def test_the_defaults_can_be_used() -> None:
    check()
    check(default_base_lock="lockfiles/inseam-base.json", locks={"a": "uv.lock"}, prune_after=0)
    check(debian_locks=["**/*.json", "!lockfiles/x.json"])


def test_the_time_of_images_is_a_time() -> None:
    check(created="1764547200")
    with pytest.raises(Failure, match=r"\[inseam\].created must be a time"):
        check(created="yesterday")
    assert value("created_time", created=None) == "1970-01-01T00:00:00Z"
    assert value("created_time", created="1") == "1970-01-01T00:00:01Z"


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("number", [-1, -(10**30), 10**30])
def test_numbers_have_a_range(name: str, number: int) -> None:
    with pytest.raises(Failure, match=rf"\[inseam\].{name} must be a number of .*, but is -?1"):
        check(**{name: number})


@pytest.mark.parametrize("name", sorted({*NUMBERS} - {"large_wheel", "prune_after"}))
def test_zero_is_not_a_number_of_these(name: str) -> None:
    with pytest.raises(Failure, match=rf"\[inseam\].{name} must be"):
        check(**{name: 0})


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../x.json", "a/../../x", "", ".", "-x", "a\nb", "a//b", "x*"]
)
def test_locks_lie_in_the_repository(path: str) -> None:
    with pytest.raises(Failure, match=r"\[inseam\].default_base_lock, a path from the root of the"):
        check(default_base_lock=path)
    with pytest.raises(Failure, match=r"resolve 'a' in \[inseam\].locks, a path from the root"):
        check(locks={"a": path})


@pytest.mark.parametrize("glob", ["/etc/*.json", "../*.json", "a/../../*", "", "!/x", "a\x1b"])
def test_globs_match_in_the_repository(glob: str) -> None:
    with pytest.raises(Failure, match=r"\[inseam\].debian_locks must contain globs"):
        check(debian_locks=[glob])
