"""Values of options that cannot be used are refused by the name of the option."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from inseam.formats.failure import Failure
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


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_is_above_zero(size: int) -> None:
    with pytest.raises(Failure, match=r"\[inseam\].max_download_size must be"):
        value("download_bound", max_download_size=size)
