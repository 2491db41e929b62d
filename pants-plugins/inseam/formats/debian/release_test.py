from __future__ import annotations

import email.utils
from typing import Any

import pytest

from inseam.formats.debian.deb_testing import DATE, verify_nothing
from inseam.formats.debian.release import Release, Trust, Unusable, read_inrelease
from inseam.formats.debian.suite import Suite, WantedSuite

NOW = 1_704_067_200.0  # the time that DATE names
WANTED = WantedSuite("bookworm", "debian")
TEXT = f"Codename: bookworm\nDate: {DATE}\nSHA256:\n {'0' * 64} 7 main/x\n"


def read(text: str, **trust: Any) -> Release:
    fields = {"verify": verify_nothing, "now": NOW, **trust}
    return read_inrelease(text.encode(), "u/InRelease", WANTED, Trust(**fields))


def until(seconds: float) -> str:
    return f"Valid-Until: {email.utils.formatdate(NOW + seconds, usegmt=True)}\n{TEXT}"


def test_a_release_says_when_it_was_made_and_what_it_signs() -> None:
    assert read(TEXT) == Release(
        Suite("bookworm", "debian", "2024-01-01T00:00:00Z"), {"main/x": ("0" * 64, 7)}
    )


def test_it_is_valid_until_it_says() -> None:
    assert read(until(1))
    with pytest.raises(Unusable, match="it expired: Valid-Until: Sun, 31 Dec 2023 23:59:59 GMT"):
        read(until(-1))
    assert read(until(-1), allow_expired=True)


def test_it_is_not_from_the_future() -> None:
    assert read(TEXT, now=NOW - 10)
    with pytest.raises(Unusable, match="is in the future: is the clock of this machine right"):
        read(TEXT, now=NOW - 11)
    assert read(TEXT, now=NOW - 11, allow_expired=True)


@pytest.mark.parametrize(
    "text, why",
    [
        (TEXT.replace("bookworm", "trixie"), "it is for 'trixie'"),
        (TEXT.replace(DATE, "yesterday"), "its Date is 'yesterday'"),
        (TEXT.replace(DATE, "1 Jan 99999999999999 00:00 UTC"), "its Date is "),
        (TEXT.replace(f"Date: {DATE}\n", ""), "its Date is ''"),
        (f"Valid-Until: tomorrow\n{TEXT}", "its Valid-Until is 'tomorrow'"),
        (f"Valid-Until: Sat, 01 Jun , 01 Jun 2034 10:00:00 UTC\n{TEXT}", "its Valid-Until is 'Sat"),
        (TEXT.replace(" 7 ", " many "), "malformed: "),
        (TEXT.replace(" 7 ", " "), "malformed: "),
        (TEXT.replace(" 7 ", " ² "), "malformed: '.*²"),
        (TEXT.replace(" 7 ", f" {'9' * 5000} "), "malformed: '0+ 9+\\[...\\]'"),
        (TEXT.replace(DATE, f"1 Jan {'9' * 5000} 00:00 UTC"), "its Date is '1 Jan 99"),
        ("", "malformed"),
        ("no field", "malformed"),
    ],
)
def test_what_is_wrong_is_named(text: str, why: str) -> None:
    with pytest.raises(Unusable, match=why) as caught:
        read(text)
    assert "u/InRelease" in str(caught.value)
