"""Decides which files of Debian packages the image of a Python service does not need."""

from __future__ import annotations

import re
from typing import Iterable, Mapping

# Patterns of paths, after the merge of /usr, by package, or "*" for all packages. In a pattern, `*`
# stands for anything within one segment and `**` for anything; a directory includes all below it.
LEFT_OUT: Mapping[str, tuple[str, ...]] = {
    "*": (
        # Only read by people and by packaging tools.
        "usr/share/bug",
        "usr/share/doc-base",
        "usr/share/info",
        "usr/share/lintian",
        "usr/share/locale",
        "usr/share/man",
        # For debuggers, shells and init systems that are not in the image.
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
    # The bundle contains all certificates; a second copy of each would be useless.
    "ca-certificates": (
        "etc/ca-certificates",
        "etc/ca-certificates.conf",
        "usr/sbin",
        "usr/share/ca-certificates",
    ),
    # All locales except C.UTF-8.
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
        # Character sets for iconv(3); CPython and libxml2 have their own, and UTF-8 is built in.
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
    # The same, for releases that have most of them in a separate package.
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

# Exceptions: files that the package itself needs.
KEPT: Mapping[str, tuple[str, ...]] = {"gdb": ("usr/share/gdb",)}

# Left out of each `python3.N-*` and `libpython3.N-*`, below usr/lib/python3.N.
LEFT_OUT_OF_STDLIB = (
    # A copy of a module on the Python path, which would hide a service's module of this name.
    "sitecustomize.py",
    # Tests.
    "**/test",
    "**/tests",
    "lib-dynload/_ctypes_test.*",
    "lib-dynload/_test*",
    "lib-dynload/_xxtestfuzz.*",
    "lib-dynload/xxlimited*",
    # For development.
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
    """A regular expression that matches if any pattern does; below: a prefix for each."""
    alternatives = []
    for pattern in patterns:
        text = re.escape(below + pattern)
        text = text.replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
        alternatives.append(text)
    return re.compile(f"(?:{'|'.join(alternatives)})(?:/.*)?\\Z" if alternatives else r"(?!)")


class Slimmer:
    """Decides for each file of a package whether the image gets it."""

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
        """path: that of a file or link, relative to the image's root, after the merge of /usr.

        Licences are kept, and so are the links through which packages from one source share them.
        """
        if path.startswith("usr/share/doc/"):
            below = path.split("/")[4:]
            return below in ([], ["copyright"])
        if self._kept.match(path):
            return True
        return not any(pattern.match(path) for pattern in self._left_out)
