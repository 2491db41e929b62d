"""Reads tars for tests, header by header, and checks the rules that hold for every layer."""

from __future__ import annotations

from dataclasses import dataclass, field

BLOCK = 512
FILE, LINK, DIRECTORY, PAX = b"0", b"2", b"5", b"x"


@dataclass(frozen=True)
class TarEntry:
    """One member, from its headers. pax: the records of the pax header before its own."""

    path: str
    kind: bytes
    mode: int
    link: str
    content: bytes
    pax: dict[str, str] = field(default_factory=dict)


def read_tar(data: bytes) -> list[TarEntry]:
    """The members of a tar with only plain ustar or pax headers.

    Fails for a header with a time, an owner, a device, an unusual mode or a wrong checksum, for
    padding other than zeros, and for unnecessary pax records.
    """
    entries: list[TarEntry] = []
    position = 0
    pax: dict[str, str] = {}
    while data[position : position + BLOCK].strip(b"\0"):
        header = data[position : position + BLOCK]
        kind = header[156:157]
        size = int(pax.get("size", "0")) or int(header[124:135], 8)
        assert header[257:265] == b"ustar\x0000", "neither ustar nor pax"
        assert header[136:147] == b"0" * 11, "a modification time"
        assert header[108:115] == header[116:123] == b"0" * 7, "an owner"
        assert not header[265:329].strip(b"\0"), "an owner's name"
        assert not header[329:345].strip(b"0\0"), "a device"
        blank = header[:148] + b" " * 8 + header[156:]
        assert int(header[148:154], 8) == sum(blank), "a wrong checksum"
        content = data[position + BLOCK : position + BLOCK + size]
        assert len(content) == size, "content that is cut short"
        end = position + BLOCK + size + -size % BLOCK
        assert not data[position + BLOCK + size : end].strip(b"\0"), "padding of other than zeros"
        position = end
        if kind == PAX:
            assert not pax, "two pax headers for one member"
            pax = pax_records(content)
            assert pax
            assert set(pax) <= {"path", "linkpath", "size"}, "an unexpected pax record"
            continue
        name = header[:100].rstrip(b"\0").decode("ascii", "replace")
        link = header[157:257].rstrip(b"\0").decode("ascii", "replace")
        assert not header[345:500].strip(b"\0"), "a prefix"
        mode = int(header[100:107], 8)
        path = pax.get("path", name)
        assert ("path" in pax) == (len(path) > 100 or not path.isascii()), "pax without need"
        target = pax.get("linkpath", link)
        assert ("linkpath" in pax) == (len(target) > 100 or not target.isascii())
        assert path.endswith("/") == (kind == DIRECTORY)
        assert mode in {FILE: (0o644, 0o755), LINK: (0o777,), DIRECTORY: (0o755,)}[kind]
        entries.append(TarEntry(path.rstrip("/"), kind, mode, target, content, pax))
        pax = {}
    assert data[position:] == b"\0" * (2 * BLOCK), "something other than an end of archive"
    return entries


def pax_records(content: bytes) -> dict[str, str]:
    """The records of a pax extended header (POSIX pax, "pax Extended Header")."""
    records: dict[str, str] = {}
    while content:
        length = int(content.split(b" ", 1)[0])
        key, _, value = content[:length].split(b" ", 1)[1].partition(b"=")
        assert value.endswith(b"\n")
        records[key.decode()] = value[:-1].decode()
        content = content[length:]
    return records


def read_layer(data: bytes) -> dict[str, TarEntry]:
    """The members of a layer by path; fails unless they are sorted, and each path occurs once and
    after all of its parent directories.
    """
    entries = read_tar(data)
    keys = [entry.path.split("/") for entry in entries]
    assert keys == sorted(keys), "members that are not sorted"
    found: dict[str, TarEntry] = {}
    for entry in entries:
        assert entry.path not in found, "a path that is there twice"
        assert not entry.path.startswith(("/", "./"))
        folder = entry.path.rpartition("/")[0]
        assert not folder or found[folder].kind == DIRECTORY, "a member before its directory"
        found[entry.path] = entry
    return found
