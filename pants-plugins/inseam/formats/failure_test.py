from __future__ import annotations

import pytest

from inseam.formats.failure import Failure, failing_in, without_credentials


@pytest.mark.parametrize(
    "text, shown",
    [
        ("https://u:pw@host/simple", "https://...@host/simple"),
        ("https://pw@host", "https://...@host"),
        ("https://u:p/w@host/x", "https://...@host/x"),
        ("https://u:pw-cut-off", "https://...@"),
        ("https://host/a?token=pw#sha256=1", "https://host/a?...#sha256=1"),
        ("a=https://u:pw@h/,https://u:pw@i/", "a=https://...@h/,https://...@i/"),
        ("git+ssh://git:pw@host/x@main#subdirectory=a", "git+ssh://...@host/x@main#subdirectory=a"),
        ("u:pw@host/team/app", "...@host/team/app"),
        ("u:p/w@host/team/app", "...@host/team/app"),
        ("x 'https://u:pw@h': y", "x 'https://...@h': y"),
    ],
)
def test_credentials_are_never_in_errors(text: str, shown: str) -> None:
    assert str(Failure(text)) == shown
    assert "pw" not in without_credentials(f"[{text}]")


@pytest.mark.parametrize(
    "text",
    [
        "https://host/x@main",
        "https://host:8080/x@main:",
        "https://host:8080: it is not there",
        "http://[::1]:5000/v2/",
        "host:5000/team/app:1.2@sha256:" + "a" * 64,
        "team/app:1.2@sha256:" + "a" * 64,
        "//docker/base:debian",
        "src/app:app@resolve=a",
        "me@example.com, 12:30",
        "file:///srv/x",
        "//:inseam-base",
        "//docker:base@resolve=a",
        "docker:base@resolve=a",
        "a // b",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert without_credentials(text) == text


class Busy(Failure):
    """A failure with more than a text."""

    def __init__(self, text: str, seconds: int) -> None:
        super().__init__(text)
        self.seconds = seconds


def test_a_place_and_a_hint_are_added_and_the_type_stays() -> None:
    first = Busy("the server is busy", 5)
    with pytest.raises(Busy) as caught:
        with failing_in("src/shop:app", "Try again."):
            raise first
    assert str(caught.value) == "src/shop:app: the server is busy\nTry again."
    assert caught.value.seconds == 5
    assert caught.value.__cause__ is first


def test_the_first_failure_stays_as_it_is_for_others_that_get_it() -> None:
    first = Failure("the server is busy")
    for place in ("one", "two"):
        with pytest.raises(Failure, match=f"^{place}: the server is busy$"):
            with failing_in(place):
                raise first


def test_bugs_get_no_place() -> None:
    with pytest.raises(KeyError) as caught:
        with failing_in("src/shop:app"):
            raise KeyError("x")
    assert caught.value.args == ("x",)
