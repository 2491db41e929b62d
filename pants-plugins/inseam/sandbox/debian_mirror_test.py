from __future__ import annotations

import hashlib
import io
import socket
from pathlib import Path
from typing import Iterator

import pytest

from inseam.sandbox import debian_mirror
from inseam.sandbox.deb_testing import Mirror, serving
from inseam.sandbox.debian_control import DebianError
from inseam.sandbox.debian_mirror import Corrupt, Gone, Unreachable, download, find_mirrors


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian_mirror, "FIRST_DELAY", 0.0)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with serving() as found:
        yield found


@pytest.mark.parametrize(
    "named, main, security",
    [
        ("http://m/debian", "http://m/debian", "http://m/debian-security"),
        ("http://m/debian/", "http://m/debian", "http://m/debian-security"),
        ("http://m", "http://m/debian", "http://m/debian-security"),
        ("http://debian/", "http://debian/debian", "http://debian/debian-security"),
        (
            "https://m/archive/debian/20250520T000000Z",
            "https://m/archive/debian/20250520T000000Z",
            "https://m/archive/debian-security/20250520T000000Z",
        ),
        ("file:///srv/mirror", "file:///srv/mirror/debian", "file:///srv/mirror/debian-security"),
    ],
)
def test_one_url_names_both_archives(named: str, main: str, security: str) -> None:
    mirrors = find_mirrors({"DEBIAN_MIRROR": named})
    assert (mirrors.of("debian"), mirrors.of("debian-security")) == ((main,), (security,))


def test_several_mirrors_are_tried_in_the_order_given() -> None:
    mirrors = find_mirrors({"DEBIAN_MIRROR": " http://b/debian  http://a/debian "})
    assert mirrors.of("debian") == ("http://b/debian", "http://a/debian")


DEB822 = """\
Types: deb
# A comment.
URIs: http://one/debian http://two/mirror/
Suites: trixie trixie-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://one/debian-security
Suites: trixie-security
Components: main

Types: deb-src
URIs: http://source/debian
Suites: trixie
Components: main

Types: deb
Enabled: no
URIs: http://disabled/debian
Suites: trixie
Components: main

Types: deb
URIs: http://others/debian
Suites: stable
Components: main
Signed-By: /usr/share/keyrings/others.gpg
"""

ONE_LINE = """\
# deb http://comment/debian bookworm main
deb http://one/debian bookworm main contrib  # trailing
deb-src http://source/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://two/debian \
bookworm-updates main
deb [ signed-by=/etc/others.gpg arch=amd64 ] http://others/debian stable main
deb http://node/deb nodistro main
deb http://ubuntu/ubuntu noble main
deb http://extra/debian bookworm contrib
deb http://one/debian-security bookworm-security main
deb cdrom:[Debian]/ bookworm main
nonsense
"""


@pytest.mark.parametrize(
    "name, text, main",
    [
        ("x.sources", DEB822, ("http://one/debian", "http://two/mirror")),
        ("x.list", ONE_LINE, ("http://one/debian", "http://two/debian")),
    ],
)
def test_apts_sources_name_the_mirrors(
    tmp_path: Path, name: str, text: str, main: tuple[str, ...]
) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / name).write_text(text)
    (tmp_path / "sources.list.d" / "x.save").write_text("deb http://save/debian sid main")
    mirrors = find_mirrors({}, str(tmp_path))
    assert mirrors.of("debian") == main
    assert mirrors.of("debian-security") == ("http://one/debian-security",)


def test_without_a_security_entry_its_mirror_is_beside_the_main_one(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb http://one/debian sid main\n")
    assert find_mirrors({}, str(tmp_path)).of("debian-security") == ("http://one/debian-security",)


def test_a_mirror_file_names_mirrors(tmp_path: Path) -> None:
    (tmp_path / "mirrors").write_text("http://one/debian\tpriority:1\n# no\nhttp://two/debian\n")
    (tmp_path / "sources.list").write_text(f"deb mirror+file:{tmp_path}/mirrors stable main\n")
    assert find_mirrors({}, str(tmp_path)).of("debian") == (
        "http://one/debian",
        "http://two/debian",
    )


def test_a_machine_without_debian_mirrors_is_told_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(DebianError, match="set DEBIAN_MIRROR"):
        find_mirrors({}, str(tmp_path)).of("debian")


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
    mirror.cut["x"] = debian_mirror.ATTEMPTS - 1
    out = io.BytesIO()
    download([f"{mirror.url}/x"], out, sha256=hashlib.sha256(mirror.files["x"]).hexdigest())
    assert out.getvalue() == mirror.files["x"]
    assert len(mirror.asked) == debian_mirror.ATTEMPTS


def test_a_connection_that_always_breaks_is_unreachable(mirror: Mirror) -> None:
    mirror.files["x"] = b"content" * 1000
    mirror.cut["x"] = 99
    with pytest.raises(Unreachable, match="broke off after 3500 of 7000 bytes"):
        download([f"{mirror.url}/x"], io.BytesIO())
    assert len(mirror.asked) == debian_mirror.ATTEMPTS


@pytest.mark.parametrize(
    "status, error, attempts",
    [
        (404, Gone, 1),
        (410, Gone, 1),
        (403, Unreachable, 1),
        (429, Unreachable, debian_mirror.ATTEMPTS),
        (503, Unreachable, debian_mirror.ATTEMPTS),
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
