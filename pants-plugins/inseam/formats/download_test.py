from __future__ import annotations

import hashlib
import io
import socket
from pathlib import Path
from typing import Iterator

import pytest

from inseam.formats import download as module
from inseam.formats.debian.deb_testing import Mirror, serving
from inseam.formats.download import Corrupt, Gone, Unreachable, download


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_DELAY", 0.0)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with serving() as found:
        yield found


def test_a_file_is_downloaded(mirror: Mirror) -> None:
    mirror.files["debian/x"] = b"content" * 100_000
    out = io.BytesIO()
    download([f"{mirror.url}/debian/x"], out, size=700_000)
    assert out.getvalue() == mirror.files["debian/x"]


def test_a_file_url_is_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"content")
    out = io.BytesIO()
    download([(tmp_path / "missing").as_uri(), (tmp_path / "x").as_uri()], out)
    assert out.getvalue() == b"content"
    with pytest.raises(Gone):
        download([(tmp_path / "missing").as_uri()], out)


def test_a_broken_connection_is_tried_again(mirror: Mirror) -> None:
    mirror.files["x"] = b"content" * 1000
    mirror.cut["x"] = module.ATTEMPTS - 1
    out = io.BytesIO()
    download([f"{mirror.url}/x"], out, sha256=hashlib.sha256(mirror.files["x"]).hexdigest())
    assert out.getvalue() == mirror.files["x"]
    assert len(mirror.asked) == module.ATTEMPTS


def test_a_connection_that_always_breaks_is_unreachable(mirror: Mirror) -> None:
    mirror.files["x"] = b"content" * 1000
    mirror.cut["x"] = 99
    with pytest.raises(Unreachable, match="broke off after 3500 of 7000 bytes"):
        download([f"{mirror.url}/x"], io.BytesIO())
    assert len(mirror.asked) == module.ATTEMPTS


@pytest.mark.parametrize(
    "status, error, attempts",
    [
        (404, Gone, 1),
        (410, Gone, 1),
        (403, Unreachable, 1),
        (429, Unreachable, module.ATTEMPTS),
        (503, Unreachable, module.ATTEMPTS),
    ],
)
def test_statuses(mirror: Mirror, status: int, error: type[Exception], attempts: int) -> None:
    mirror.statuses["x"] = status
    with pytest.raises(error):
        download([f"{mirror.url}/x"], io.BytesIO())
    assert len(mirror.asked) == attempts


@pytest.mark.parametrize(
    "size, sha256, why",
    [
        (6, None, "expected 6 bytes, got more"),
        (8, None, "expected 8 bytes, got 7"),
        (7, "0" * 64, f"expected sha256 {'0' * 64}, got ed7002b4"),
    ],
)
def test_a_wrong_file_is_not_asked_for_again(
    mirror: Mirror, size: int, sha256: str | None, why: str
) -> None:
    mirror.files["x"] = b"content"
    with pytest.raises(Corrupt, match=why):
        download([f"{mirror.url}/x"], io.BytesIO(), size=size, sha256=sha256)
    assert len(mirror.asked) == 1


def test_the_next_mirror_helps_out(mirror: Mirror) -> None:
    mirror.files.update({"bad": b"CONTENT", "good": b"content"})
    mirror.statuses["down"] = 503
    out = io.BytesIO()
    urls = [f"{mirror.url}/{name}" for name in ("gone", "down", "bad", "good")]
    download(urls, out, size=7, sha256=hashlib.sha256(b"content").hexdigest())
    assert out.getvalue() == b"content"


def test_a_wrong_file_is_reported_before_other_failures(mirror: Mirror) -> None:
    mirror.files["bad"] = b"CONTENT"
    with pytest.raises(Corrupt):
        download([f"{mirror.url}/gone", f"{mirror.url}/bad"], io.BytesIO(), size=1)


def test_nobody_listening_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable):
            download([f"http://127.0.0.1:{taken.getsockname()[1]}/x"], io.BytesIO())


def test_a_password_is_not_shown(mirror: Mirror) -> None:
    url = mirror.url.replace("//", "//user:secret@") + "/x"
    with pytest.raises((Gone, Unreachable)) as caught:
        download([url], io.BytesIO())
    assert "secret" not in str(caught.value)
