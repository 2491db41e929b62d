from __future__ import annotations

import hashlib
import io
import socket
import threading
import time
import urllib.error
from contextlib import suppress
from email.message import Message
from pathlib import Path
from types import SimpleNamespace
from typing import Callable, Iterator

import pytest

from inseam.formats import download as module
from inseam.formats.debian.deb_testing import Mirror, serving
from inseam.formats.download import Corrupt, Gone, Unreachable, download, exists


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


def test_a_malformed_url_is_unreachable() -> None:
    for url in ("http://[", "http://x:port/", "ftp://x/y", "data:,x", "x", "", "http://u:secret@["):
        with pytest.raises(Unreachable) as caught:
            download([url], io.BytesIO())
        assert "secret" not in str(caught.value)


class Server:
    """A web server that speaks exactly as a test wants, connection by connection.

    answer: gets what the client sent, and a function that sends.
    """

    def __init__(self, answer: Callable[[bytes, Callable[[bytes], None]], None]) -> None:
        self.asked: list[bytes] = []
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.place = "127.0.0.1:%d" % self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            asked = client.recv(10_000)
            self.asked.append(asked)
            self._answer(asked, client.sendall)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def server() -> Iterator[Callable[..., Server]]:
    """Starts servers."""
    started: list[Server] = []

    def start(answer: Callable[[bytes, Callable[[bytes], None]], None]) -> Server:
        started.append(Server(answer))
        return started[-1]

    yield start
    for each in started:
        each.close()


def redirect(location: str) -> Callable[[bytes, Callable[[bytes], None]], None]:
    head = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    return lambda asked, send: send(head.encode())


def content(asked: bytes, send: Callable[[bytes], None]) -> None:
    send(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ncontent")


def test_credentials_stay_with_the_server_that_they_are_for(
    server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_credentials", lambda url: {"Authorization": "Basic secret"})
    other = server(content)
    first = server(redirect(f"http://{other.place}/x"))
    out = io.BytesIO()
    download([f"http://{first.place}/x"], out)
    assert out.getvalue() == b"content"
    assert b"Authorization: Basic secret" in first.asked[0]
    assert b"secret" not in other.asked[0]
    assert b"User-Agent: inseam" in other.asked[0]


def test_credentials_go_on_to_another_path_of_the_same_server(
    server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_credentials", lambda url: {"Authorization": "Basic secret"})

    def answer(asked: bytes, send: Callable[[bytes], None]) -> None:
        content(asked, send) if b"GET /y" in asked else redirect("/y")(asked, send)

    one = server(answer)
    download([f"http://{one.place}/x"], io.BytesIO())
    assert [b"Basic secret" in asked for asked in one.asked] == [True, True]


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("https://a/x", "https://a/y", True),
        ("https://A/x", "https://u:p@a/y", True),
        ("https://a/x", "http://a/x", False),
        ("https://a/x", "https://a:8443/x", False),
        ("https://a/x", "https://a.b/x", False),
    ],
)
def test_where_credentials_are_for(one: str, other: str, same: bool) -> None:
    assert (module._origin(one) == module._origin(other)) is same


@pytest.mark.parametrize(
    "location", ["http://[", "http://x:y/", "file:///etc/passwd", "gopher://x", "http://\x00/", "?"]
)
def test_a_bad_redirect_is_unreachable(server: Callable[..., Server], location: str) -> None:
    with pytest.raises(Unreachable):
        download([f"http://{server(redirect(location)).place}/x"], io.BytesIO())


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 999999 x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 302 Found\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nshort",
    ],
)
def test_a_server_that_does_not_speak_http_is_unreachable(
    server: Callable[..., Server], head: bytes
) -> None:
    with pytest.raises(Unreachable):
        download([f"http://{server(lambda asked, send: send(head)).place}/x"], io.BytesIO())


@pytest.mark.parametrize("length", [b"Content-Length: 1001\r\n", b"", b"Content-Length: -\r\n"])
def test_no_more_is_kept_than_a_file_may_have(server: Callable[..., Server], length: bytes) -> None:
    def endless(asked: bytes, send: Callable[[bytes], None]) -> None:
        send(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n")
        while True:
            send(b"x" * 10_000)

    out = io.BytesIO()
    one = server(endless)
    with pytest.raises(Corrupt, match="expected at most 1000 bytes, got more"):
        download([f"http://{one.place}/x"], out, largest=1000)
    with pytest.raises(Corrupt, match="expected 999 bytes, got more"):
        download([f"http://{one.place}/x"], out, size=999)
    assert len(out.getvalue()) <= 1000


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 200 OK\r\nA: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_server_that_drips_is_given_up(
    server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, before: bytes
) -> None:
    """Each byte comes soon after the last; only all of them together are too slow."""
    monkeypatch.setattr(module, "TIMEOUT", 1.5)

    def drip(asked: bytes, send: Callable[[bytes], None]) -> None:
        send(before)
        while True:
            time.sleep(0.05)
            send(b"x")

    start = time.monotonic()
    one = server(drip)
    with pytest.raises(Unreachable, match="too slow: [0-9]+ bytes in "):
        download([f"http://{one.place}/x"], io.BytesIO())
    assert time.monotonic() - start < 30
    assert len(one.asked) == 1


def limited(text: str) -> Callable[[bytes, Callable[[bytes], None]], None]:
    head = f"HTTP/1.1 429 Slow\r\nRetry-After: {text}\r\nContent-Length: 0\r\n\r\n"
    return lambda asked, send: send(head.encode())


def test_a_server_that_asks_to_wait_is_asked_later(
    server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(
        module,
        "time",
        SimpleNamespace(sleep=waited.append, monotonic=time.monotonic, time=time.time),
    )
    with pytest.raises(Unreachable, match="HTTP status 429"):
        download([f"http://{server(limited('7')).place}/x"], io.BytesIO())
    assert waited == [7.0] * (module.ATTEMPTS - 1)


@pytest.mark.parametrize("text", ["3600", "Fri, 31 Dec 2199 23:59:59 GMT"])
def test_a_server_that_asks_to_wait_for_long_is_not_waited_for(
    server: Callable[..., Server], text: str
) -> None:
    one = server(limited(text))
    with pytest.raises(Unreachable, match="429 Slow; the server asks to wait for [0-9]{4,} s"):
        download([f"http://{one.place}/x"], io.BytesIO())
    assert len(one.asked) == 1


@pytest.mark.parametrize("text", ["", "-5", "soon", "\u0667", "Fri, 99 Foo", "1" * 4000])
def test_what_a_server_asks_may_be_nonsense(text: str) -> None:
    assert module._retry_after(text) >= 0.0


def test_whether_a_file_is_there_is_asked_without_fetching_it(
    mirror: Mirror, tmp_path: Path
) -> None:
    mirror.files["x"] = b"content"
    assert exists(f"{mirror.url}/x") is True
    assert exists(f"{mirror.url}/y") is False
    assert mirror.asked == []
    (tmp_path / "x").write_bytes(b"")
    assert exists((tmp_path / "x").as_uri()) is True
    assert exists((tmp_path / "y").as_uri()) is False


@pytest.mark.parametrize("status, attempts", [(500, module.ATTEMPTS), (418, 1)])
def test_a_server_that_does_not_say_whether_a_file_is_there(
    mirror: Mirror, status: int, attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(module, "_exists", counted(asked, module._exists))
    mirror.statuses["x"] = status
    with pytest.raises(Unreachable, match=f"/x: HTTP status {status}"):
        exists(f"{mirror.url}/x")
    assert len(asked) == attempts


def counted(calls: list[str], function: Callable[..., bool | None]) -> Callable[..., bool | None]:
    def call(url: str, method: str) -> bool | None:
        calls.append(method)
        return function(url, method)

    return call


def test_a_server_without_head_requests_is_asked_with_get(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.files["x"] = b"content"
    open_url = module._open

    def refusing(url: str, method: str = "GET") -> object:
        if method == "HEAD":
            raise urllib.error.HTTPError(url, 405, "Method Not Allowed", Message(), None)
        return open_url(url, method)

    monkeypatch.setattr(module, "_open", refusing)
    assert exists(f"{mirror.url}/x") is True
    assert exists(f"{mirror.url}/y") is False
