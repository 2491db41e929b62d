from __future__ import annotations

import pytest

from inseam.formats.failure import Failure, without_credentials


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
