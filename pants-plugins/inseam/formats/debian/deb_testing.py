"""Makes small Debian packages, ELF files and mirrors for tests."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.server
import io
import lzma
import struct
import tarfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable, Iterator, Mapping, Sequence

from inseam.formats.debian.control import DebianError
from inseam.formats.debian.deb import read_deb
from inseam.formats.debian.package import DebianPackage, dump_package

COMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zst": bytes,
}

# A key made for these tests, and an InRelease file signed with it.
KEYRING = base64.b64decode(
    "mDMEZZNSABYJKwYBBAHaRw8BAQdAB1po79lyi2XMADiJmekYjKlGB9gs0GuUHMocLjZ0+qO0Ikluc2VhbSB0ZXN0"
    "IDx0ZXN0QGV4YW1wbGUuaW52YWxpZD6IkAQTFggAOBYhBOp2ZXnYXgrmVms72XawSeJ/VoYKBQJlk1IAAhsDBQsJ"
    "CAcCBhUKCQgLAgQWAgMBAh4BAheAAAoJEHawSeJ/VoYKnTcA/0gOD9At+H6eyRDvYXnX+gnC6yV/I76VKkD0gXH4"
    "1nuKAQDCbEZs6fsEgV2m3gQPOh+Ss2LoBZF8UtGH0J8lKc6tCQ=="
)
IN_RELEASE = b"""\
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

Origin: Debian
Codename: bookworm
-----BEGIN PGP SIGNATURE-----

iHUEARYIAB0WIQTqdmV52F4K5lZrO9l2sEnif1aGCgUCZZNSAAAKCRB2sEnif1aG
CpjSAP4ryPbI76Z4vxfjHRW/5DoyqLxK/QGHY7b3gqPBT2LeoAEAx4sqmwyLCeNd
aMpKDbSn16+qwmrQdQfPcSi66ufhnwI=
=4V+X
-----END PGP SIGNATURE-----
"""
IN_RELEASE_TEXT = "Origin: Debian\nCodename: bookworm\n"


DATE = "Mon, 01 Jan 2024 00:00:00 UTC"  # date of the indexes that `publish` makes


@dataclass(frozen=True)
class Entry:
    """A tar entry: a file, unless `kind` says otherwise. `link` is the target of a link."""

    name: str
    content: bytes = b""
    mode: int = 0o644
    kind: bytes = tarfile.REGTYPE
    link: str = ""


def tar_bytes(entries: Sequence[Entry]) -> bytes:
    """A tar with the entries, as dpkg-deb would pack them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for entry in entries:
            info = tarfile.TarInfo(entry.name)
            info.type, info.linkname, info.mode = entry.kind, entry.link, entry.mode
            info.size, info.mtime = len(entry.content), 1_700_000_000
            archive.addfile(info, io.BytesIO(entry.content))
    return out.getvalue()


def ar_bytes(parts: Sequence[tuple[str, bytes]]) -> bytes:
    """An ar archive with the parts."""
    data = b"!<arch>\n"
    for name, content in parts:
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n"
        data += header.encode() + content + b"\n" * (len(content) % 2)
    return data


def deb_bytes(
    name: str = "hello",
    entries: Sequence[Entry] = (),
    *,
    version: str = "1.0-1",
    architecture: str = "amd64",
    compression: str = ".xz",
    fields: str = "",
    postinst: str = "exit 1\n",
) -> bytes:
    """A binary package with the entries as its data, and with an md5sums file."""
    control = f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n{fields}"
    sums = "".join(
        f"{hashlib.md5(entry.content).hexdigest()}  {entry.name[2:]}\n"
        for entry in entries
        if entry.kind == tarfile.REGTYPE
    )
    control_tar = tar_bytes(
        [
            Entry("./", mode=0o755, kind=tarfile.DIRTYPE),
            Entry("./control", control.encode()),
            Entry("./md5sums", sums.encode()),
            Entry("./postinst", f"#!/bin/sh\n{postinst}".encode(), mode=0o755),
        ]
    )
    pack = COMPRESS[compression]
    return ar_bytes(
        [
            ("debian-binary", b"2.0\n"),
            (f"control.tar{compression}", pack(control_tar)),
            (f"data.tar{compression}", pack(tar_bytes(entries))),
        ]
    )


def locked(data: bytes, name: str = "hello", version: str = "1.0-1") -> DebianPackage:
    """The lock's entry for a package with the bytes `data`."""
    return DebianPackage(
        name=name,
        version=version,
        architecture="amd64",
        archive="debian",
        path=f"pool/main/{name[0]}/{name}/{name}_{version}_amd64.deb",
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def elf_bytes(
    machine: int = 62, needed: Sequence[str] = (), interpreter: str = "", soname: str = ""
) -> bytes:
    """A 64-bit ELF file for `machine` (62 is x86-64) that needs the given libraries."""
    strings = b"\0"
    offsets = []
    for name in needed:
        offsets.append(len(strings))
        strings += name.encode() + b"\0"
    named = [(14, len(strings))] if soname else []
    strings += soname.encode() + b"\0" if soname else b""
    headers = 3 if interpreter else 2
    strings_at = 64 + headers * 56
    dynamic_at = strings_at + len(strings)
    base = 0x400000
    tags = [(1, offset) for offset in offsets] + named + [(5, base + strings_at), (0, 0)]
    dynamic = b"".join(struct.pack("<qQ", *tag) for tag in tags)
    interpreter_at = dynamic_at + len(dynamic)
    end = interpreter_at + len(interpreter) + 1

    def program_header(kind: int, offset: int, size: int) -> bytes:
        return struct.pack("<IIQQQQQQ", kind, 4, offset, base + offset, base, size, size, 8)

    data = b"\x7fELF\x02\x01\x01" + bytes(9)
    data += struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, headers, 0, 0, 0)
    data += program_header(1, 0, end) + program_header(2, dynamic_at, len(dynamic))
    if interpreter:
        data += program_header(3, interpreter_at, len(interpreter) + 1)
    return data + strings + dynamic + interpreter.encode() + b"\0"


@dataclass
class Mirror:
    """A web server on the loopback interface.

    files: maps paths, without the leading slash, to contents. Other paths are 404.
    statuses: maps paths to HTTP statuses to answer with. cut: maps paths to the number of times
    that the connection breaks off in the middle of the content. asked: all requested paths, in
    order.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@contextmanager
def serving() -> Iterator[Mirror]:
    """A mirror that is served until the block ends."""
    mirror = Mirror()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            path = self.path.lstrip("/")
            status = mirror.statuses.get(path, 200 if path in mirror.files else 404)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            path = self.path.lstrip("/")
            mirror.asked.append(path)
            content = mirror.files.get(path)
            status = mirror.statuses.get(path, 200 if content is not None else 404)
            self.send_response(status)
            if status != 200 or content is None:
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if mirror.cut.get(path, 0):
                mirror.cut[path] -= 1
                content = content[: len(content) // 2]
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    mirror.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield mirror
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def packages_text(packages: Sequence[DebianPackage], fields: str = "") -> str:
    """A Packages file that lists the packages, each with the additional `fields`."""
    return "\n".join(
        f"Package: {package.name}\nVersion: {package.version}\n"
        f"Architecture: {package.architecture}\nFilename: {package.path}\n"
        f"Size: {package.size}\nSHA256: {package.sha256}\n{fields}"
        for package in packages
    )


def publish(files: dict[str, bytes], packages: Sequence[DebianPackage], release: str) -> None:
    """Adds the indexes of a release, which only `verify_nothing` accepts, to a mirror's files."""
    suites = {release: "debian", f"{release}-updates": "", f"{release}-security": "debian-security"}
    for suite, content in suites.items():
        archive = content or "debian"
        listed = [package for package in packages if package.archive == content]
        packed = lzma.compress(packages_text(listed).encode())
        name = "main/binary-amd64/Packages.xz"
        files[f"{archive}/dists/{suite}/{name}"] = packed
        digest = hashlib.sha256(packed).hexdigest()
        text = f"Codename: {suite}\nDate: {DATE}\nSHA256:\n {digest} {len(packed)} {name}\n"
        files[f"{archive}/dists/{suite}/InRelease"] = text.encode()


def verify_nothing(signed: bytes, name: str) -> str:
    """Accepts an InRelease file without a signature."""
    return signed.decode()


def write_debs(folder: Path, debs: Mapping[str, bytes]) -> list[str]:
    """Writes the .deb files and a description next to each; returns their paths, in the same order.

    A file that is not a package is described as a package with the file's name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in debs.items():
        path = folder / name
        path.write_bytes(data)
        package = locked(data, "hello")
        try:
            deb = read_deb(str(path))
            package = replace(locked(data, deb.name, deb.version), architecture=deb.architecture)
        except DebianError:
            pass
        path.with_name(f"{name}.json").write_text(dump_package(package))
    return [str(folder / name) for name in debs]
