"""Writes /etc/ld.so.cache, with which the dynamic loader and `ctypes` find shared libraries.

The format is glibc's, from sysdeps/generic/dl-cache.h, "glibc-ld.so.cache1.1": a header, entries on
which the loader does a binary search, and strings. ldconfig(8) is not run, so this works for any
architecture. It is not in the image either; a script replaces it, which lists the cache like
`ldconfig -p`, for `ctypes.util.find_library`.
"""

from __future__ import annotations

import functools
import posixpath
import re
import struct
from collections.abc import Iterable, Mapping, Sequence

from inseam.formats.debian.deb import Deb
from inseam.formats.elf import MACHINES, machine, soname
from inseam.formats.rootfs.links import by_path, resolve
from inseam.formats.rootfs.system_files import OWNER, merged
from inseam.formats.tar import EXECUTABLE_MODE, Member

CACHE = "etc/ld.so.cache"
LDCONFIG = "usr/sbin/ldconfig"

_MAGIC = b"glibc-ld.so.cache1.1"
_HEADER = struct.Struct(
    "<20sIIB3xI12x"
)  # magic, number of entries, bytes of strings, endianness, extensions
_ENTRY = struct.Struct("<IIIIQ")  # flags, name, path, (unused) version of the system, hwcap
_LITTLE_ENDIAN = 2
_LIBC6 = 0x0003
# The flags of each architecture's libraries, and their text in `ldconfig -p`.
_FLAGS = {"amd64": (0x0300 | _LIBC6, "libc6,x86-64"), "arm64": (0x0A00 | _LIBC6, "libc6,AArch64")}
_LIBRARY = re.compile(r"(?:lib|ld-).*\.so")

_SCRIPT = '''\
#!{interpreter} -ISB
"""Lists the loader's cache, as `ldconfig -p` does for ctypes.util.find_library."""

import struct
import sys

if sys.argv[1:] != ["-p"]:
    sys.exit("ldconfig: this image has only `ldconfig -p`")
with open("/{cache}", "rb") as file:
    data = file.read()
(count,) = struct.unpack_from("<I", data, 20)
print(f"{{count}} libs found in cache `/{cache}'")
for index in range(count):
    _, name, path = struct.unpack_from("<III", data, {start} + {step} * index)
    texts = (data[at : data.index(0, at)].decode() for at in (name, path))
    print("\\t{{}} ({kind}) => {{}}".format(*texts))
'''


def loader_members(
    members: Sequence[Member], libraries: Mapping[str, str], architecture: str, interpreter: str
) -> list[Member]:
    """The cache of the libraries that `found_libraries` returns, and the script that lists it.

    interpreter: absolute path of CPython in the image, which runs the script.
    """
    if architecture not in _FLAGS:
        return []
    flags, kind = _FLAGS[architecture]
    script = _SCRIPT.format(
        interpreter=interpreter, cache=CACHE, start=_HEADER.size, step=_ENTRY.size, kind=kind
    )
    made = [Member(CACHE, _cache(libraries, flags), owner=OWNER)]
    if all(member.path != LDCONFIG for member in members):
        made.append(Member(LDCONFIG, script.encode(), mode=EXECUTABLE_MODE, owner=OWNER))
    return made


def found_libraries(
    members: Sequence[Member], debs: Iterable[Deb], architecture: str
) -> dict[str, str]:
    """The libraries that the loader finds: absolute paths by name; empty for an architecture whose
    cache format is unknown.
    """
    if architecture not in _FLAGS:
        return {}
    files = by_path(members)
    found: dict[str, str] = {}
    names: dict[str, list[str]] = {}
    for path in files:
        names.setdefault(posixpath.dirname(path), []).append(posixpath.basename(path))
    for folder in _folders(debs, architecture):
        there = names.get(merged(folder.strip("/")), [])
        for name in sorted(filter(_LIBRARY.match, there)):
            library = _library(f"{folder.strip('/')}/{name}", files, architecture)
            if library is not None:
                file = library if library in there else name
                found.setdefault(library, f"{folder}/{file}")
    return found


def _folders(debs: Iterable[Deb], architecture: str) -> list[str]:
    """The folders with libraries: those in the packages' ld.so.conf.d, then libc's own."""
    triplet = f"{MACHINES[architecture]}-linux-gnu"
    named = []
    for deb in debs:
        for member in sorted(deb.members):
            if re.match(r"etc/ld\.so\.conf\.d/[^/]+\.conf\Z", member.path):
                content = member.content if isinstance(member.content, bytes) else b""
                text = content.decode(errors="replace")
                lines = (line.partition("#")[0].strip() for line in text.splitlines())
                named += [line.rstrip("/") for line in lines if line.startswith("/")]
    usual = ["/usr/local/lib", f"/usr/local/lib/{triplet}", f"/lib/{triplet}", "/lib"]
    same = [f"/usr/lib/{triplet}", "/usr/lib"]
    return [*(folder for folder in dict.fromkeys(named) if folder not in usual + same), *usual]


def _library(path: str, files: Mapping[str, Member], architecture: str) -> str | None:
    """The name by which other files need the library at `path`; None if it is not one."""
    member = files.get(resolve(path, files) or "")
    if member is None or member.directory or not isinstance(member.content, bytes):
        return None
    if machine(member.content[:20]) != MACHINES[architecture]:
        return None
    try:
        return soname(member.content) or posixpath.basename(path)
    except ValueError:
        return None


def _compare(one: str, other: str) -> int:
    """As the loader's _dl_cache_libcmp: numbers sort by value, after everything else."""
    parts = [re.findall(rb"[0-9]+|[^0-9]", name.encode()) for name in (one, other)]
    for left, right in zip(*parts):
        numbers = left.isdigit(), right.isdigit()
        if numbers[0] != numbers[1]:
            return 1 if numbers[0] else -1
        pair = (_value(left), _value(right)) if numbers[0] else (left, right)
        if pair[0] != pair[1]:
            return -1 if pair[0] < pair[1] else 1
    return len(parts[0]) - len(parts[1])


def _value(digits: bytes) -> tuple[int, bytes]:
    """A key that sorts numbers of any length by value."""
    plain = digits.lstrip(b"0")
    return len(plain), plain


def _cache(libraries: Mapping[str, str], flags: int) -> bytes:
    """The cache, from paths by name; the loader expects descending names."""
    ordered = sorted(libraries, key=functools.cmp_to_key(_compare), reverse=True)
    start = _HEADER.size + _ENTRY.size * len(ordered)
    texts = b""
    entries = b""
    for name in ordered:
        at = start + len(texts)
        texts += name.encode() + b"\0"
        path_at = start + len(texts)
        texts += libraries[name].encode() + b"\0"
        entries += _ENTRY.pack(flags, at, path_at, 0, 0)
    header = _HEADER.pack(_MAGIC, len(ordered), len(texts), _LITTLE_ENDIAN, 0)
    return header + entries + texts
