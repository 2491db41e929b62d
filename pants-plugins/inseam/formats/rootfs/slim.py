"""Decides which files of Debian packages the image of a Python service does not need."""

from __future__ import annotations

import re
from typing import Iterable, Mapping

# Package, or "*" for all -> patterns of paths, after the merge of /usr. In a pattern `*` stands
# for anything within one segment and `**` for anything at all; a directory takes all below with it.
LEFT_OUT: Mapping[str, tuple[str, ...]] = {
    "*": (
        # Read by people and by packaging tools only.
        "usr/share/bug",
        "usr/share/doc-base",
        "usr/share/info",
        "usr/share/lintian",
        "usr/share/locale",
        "usr/share/man",
        # Debuggers, shells and init systems that are not there.
        "etc/init.d",
        "etc/default",
        "etc/profile.d",
        "etc/skel",
        "etc/update-motd.d",
        "usr/lib/binfmt.d",
        "usr/lib/systemd",
        "usr/lib/tmpfiles.d",
        "usr/share/bash-completion",
        "usr/share/binfmts",
        "usr/share/gcc",
        "usr/share/gdb",
        "usr/share/initramfs-tools",
        # Bytecode is made here, deterministically.
        "**/__pycache__",
    ),
    "base-files": (
        "etc/dpkg",
        "etc/issue",
        "etc/issue.net",
        "usr/share/base-files",
    ),
    # The bundle is made of the certificates; a second copy of each would be of no use.
    "ca-certificates": (
        "etc/ca-certificates",
        "etc/ca-certificates.conf",
        "usr/sbin",
        "usr/share/ca-certificates",
    ),
    # All but the locale C.UTF-8.
    "libc-bin": (
        "etc/bindresvport.blacklist",
        "etc/ld.so.conf",
        "etc/ld.so.conf.d",
        "usr/bin",
        "usr/sbin",
        "usr/share/libc-bin",
    ),
    "libc6": (
        "etc/ld.so.conf.d",
        # Character sets for iconv(3); CPython and libxml2 bring their own, UTF-8 is built in.
        "usr/lib/*/gconv",
        # For debugging and for programs of the last century.
        "usr/lib/*/libBrokenLocale.so.1",
        "usr/lib/*/libc_malloc_debug.so.0",
        "usr/lib/*/libmemusage.so",
        "usr/lib/*/libnss_compat.so.2",
        "usr/lib/*/libnss_hesiod.so.2",
        "usr/lib/*/libpcprofile.so",
        "usr/lib/*/libthread_db.so.1",
    ),
    # The same, where a release has most of them in a package of their own.
    "libc-gconv-modules-extra": ("usr/lib/*/gconv",),
    "media-types": ("usr/lib/mime",),
    "tini": ("usr/bin/tini-static",),
    "tzdata": (
        "usr/share/zoneinfo/posix",
        "usr/share/zoneinfo/posixrules",
        "usr/share/zoneinfo/right",
        "usr/share/zoneinfo/tzdata.zi",
    ),
}

# What a package needs of that itself.
KEPT: Mapping[str, tuple[str, ...]] = {"gdb": ("usr/share/gdb",)}

# What is left out of each `python3.N-*` and `libpython3.N-*`, below usr/lib/python3.N.
LEFT_OUT_OF_STDLIB = (
    # A copy of what is on the Python path, which hides a service's own module of this name.
    "sitecustomize.py",
    # Tests.
    "**/test",
    "**/tests",
    "lib-dynload/_ctypes_test.*",
    "lib-dynload/_test*",
    "lib-dynload/_xxtestfuzz.*",
    "lib-dynload/xxlimited*",
    # Development, not service.
    "**/*.rst",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "msilib",
    "pydoc_data",
    "tkinter",
    "turtle.py",
    "turtledemo",
    # Sound cards.
    "lib-dynload/ossaudiodev.*",
)

_PYTHON_PACKAGE = re.compile(r"(?:lib)?python(3\.\d+)-(?:minimal|stdlib)\Z")


def compile_patterns(patterns: Iterable[str], below: str = "") -> re.Pattern[str]:
    """What matches a path if one of the patterns does; below: what stands in front of each."""
    alternatives = []
    for pattern in patterns:
        text = re.escape(below + pattern)
        text = text.replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
        alternatives.append(text)
    return re.compile(f"(?:{'|'.join(alternatives)})(?:/.*)?\\Z" if alternatives else r"(?!)")


class Slimmer:
    """Tells for each file of one package whether the image gets it."""

    def __init__(self, package: str) -> None:
        self._kept = compile_patterns(KEPT.get(package, ()))
        self._left_out = [
            compile_patterns(LEFT_OUT["*"]),
            compile_patterns(LEFT_OUT.get(package, ())),
        ]
        python = _PYTHON_PACKAGE.match(package)
        if python:
            stdlib = f"usr/lib/python{python[1]}/"
            self._left_out.append(compile_patterns(LEFT_OUT_OF_STDLIB, stdlib))
            self._left_out.append(compile_patterns([f"etc/python{python[1]}"]))

    def keeps(self, path: str) -> bool:
        """path: of a file or link, relative to the image's root, after the merge of /usr.

        Of the documentation, licences stay, and links by which packages of one source share them.
        """
        if path.startswith("usr/share/doc/"):
            below = path.split("/")[4:]
            return below in ([], ["copyright"])
        if self._kept.match(path):
            return True
        return not any(pattern.match(path) for pattern in self._left_out)
