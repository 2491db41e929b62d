"""Finds out from the layers of a base image what it provides: CPython, glibc and shared
libraries.
"""

from __future__ import annotations

import json
import posixpath
import re
import tarfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from inseam.formats.cpython import NAME, own_library
from inseam.formats.failure import Failure
from inseam.formats.oci.config import Runtime
from inseam.formats.oci.descriptor import GZIP_LAYER, TAR_LAYER, blob_path
from inseam.formats.oci.flatten import is_removed, member_path, opened_layer, removed
from inseam.formats.oci.layer import Layer
from inseam.formats.untar import content, members

_PATCHLEVEL = re.compile(rf"(?:.*/)?include/{NAME}/patchlevel\.h")
_PY_VERSION = re.compile(rb'#define\s+PY_VERSION\s+"(\d+\.\d+\.\d+)')
_LIBC = re.compile(r"(?:.*/)?lib[^/]*(?:/[^/]+)?/libc\.so\.6")
_LIBC_FILE = re.compile(r"(?:.*/)?libc-(\d+\.\d+)\.so")  # its name until glibc 2.33
_GLIBC_VERSION = re.compile(rb"GNU C Library .*? release version (\d+\.\d+)")
_LIBRARY = re.compile(r"(?!.*/(?:site-packages|dist-packages|lib-dynload)/).*\.so(?:\.[^/]*)?")
# This module shows where the standard library is, and whether it has bytecode.
_MODULE = re.compile(rf"(?:.*/)?lib/{NAME}/(?:os\.py|__pycache__/os\.cpython-\d+\.pyc)")
_LARGEST = 16 << 20  # largest file that is read, in bytes

# Describes a pulled image, next to its documents.
FACTS_FILE = "facts.json"


class BaseFacts(NamedTuple):
    """The facts about an image that its layers show."""

    complete: bool
    """Whether all layers could be read. Layers with zstd cannot."""
    interpreter: bool
    """Whether one of them contains the interpreter."""
    python: str
    """Version of CPython; "" if it is unknown."""
    glibc: str
    """Version of glibc; "" if it is unknown."""
    libraries: frozenset[str] = frozenset()
    """The names of all shared libraries."""
    stdlib: str = ""
    """Relative path of the standard library; "" if it is not found."""
    bytecode: bool = False
    """Whether the modules of the standard library have bytecode."""


def dump_facts(facts: BaseFacts) -> bytes:
    """The text of FACTS_FILE."""
    return json.dumps({**facts._asdict(), "libraries": sorted(facts.libraries)}).encode()


def load_facts(text: bytes) -> BaseFacts:
    """Reads what `dump_facts` writes."""
    fields = json.loads(text)
    return BaseFacts(**{**fields, "libraries": frozenset(fields["libraries"])})


def read_facts(image: str, layers: Sequence[Layer], folder: Path, interpreter: str) -> BaseFacts:
    """Reads the layers of the image, whose blobs are in `folder`, lowest first.

    Raises Failure for a layer that is damaged.
    """
    wanted = interpreter.strip("/")
    facts = BaseFacts(True, False, "", "")
    libraries: set[str] = set()
    modules: set[str] = set()
    for layer in layers:
        if layer.descriptor.media_type not in (GZIP_LAYER, TAR_LAYER):
            facts = facts._replace(complete=False)
            continue
        what = f"a layer of {image}, {layer.descriptor.digest},"
        by: set[str] = set()
        added: set[str] = set()
        with opened_layer(blob_path(folder, layer.descriptor.digest), what) as tar:
            for member in members(tar):
                path = member_path(member.name)
                facts = _with(facts, member, path, tar, wanted)
                gone = removed(path)
                if gone is not None:
                    by.add(gone)
                if not member.isdir() and _LIBRARY.fullmatch(path):
                    libraries.add(posixpath.basename(path))
                if _MODULE.fullmatch(path):
                    added.add(path)
        modules = {module for module in modules if not is_removed(module, by)} | added
    stdlib = _stdlib(modules, wanted)
    return facts._replace(
        libraries=frozenset(libraries),
        stdlib=stdlib,
        bytecode=any(module.startswith(f"{stdlib}/__pycache__/") for module in modules),
    )


def _stdlib(modules: Collection[str], interpreter: str) -> str:
    """The standard library of the interpreter: the one in the same installation, or the only
    one."""
    own = own_library(interpreter, modules)
    if own is not None:
        return own
    found = [posixpath.dirname(path) for path in modules if path.endswith("/os.py")]
    return found[0] if len(found) == 1 else ""


def _with(
    facts: BaseFacts, member: tarfile.TarInfo, path: str, tar: tarfile.TarFile, wanted: str
) -> BaseFacts:
    if path == wanted:
        return facts._replace(interpreter=True)
    old = _LIBC_FILE.fullmatch(path)
    if old and member.isreg():
        return facts._replace(glibc=old[1])
    python = _told(member, path, tar, _PATCHLEVEL, _PY_VERSION)
    if python:
        return facts._replace(python=python)
    glibc = _told(member, path, tar, _LIBC, _GLIBC_VERSION)
    return facts._replace(glibc=glibc) if glibc else facts


def _told(
    member: tarfile.TarInfo,
    path: str,
    tar: tarfile.TarFile,
    pattern: re.Pattern[str],
    version: re.Pattern[bytes],
) -> str:
    """The version that a file contains, if its path matches the pattern; otherwise ""."""
    if not pattern.fullmatch(path) or not member.isreg() or member.size > _LARGEST:
        return ""
    found = version.search(content(tar, member))
    return found[1].decode() if found else ""


def check_facts(image: str, facts: BaseFacts, runtime: Runtime) -> tuple[str, ...]:
    """Compares the declarations about an image with its layers.

    Returns a sentence for each declaration that cannot be verified. Raises Failure, with both
    values, for one that is wrong.
    """
    if facts.complete and not facts.interpreter:
        raise Failure(
            f"the image {image} does not contain {runtime.interpreter}, which the field"
            " `interpreter` names. Set it to the path of the image's CPython. This prints it:"
            " docker run --rm --entrypoint sh IMAGE -c 'command -v python3'"
        )
    unknown = []
    for field, what, declared, found in (
        ("python_version", "CPython", runtime.python, facts.python),
        ("glibc_version", "glibc", runtime.libc.rpartition(" ")[2], facts.glibc),
    ):
        if not found:
            unknown.append(
                f"the image {image} does not tell its version of {what}, so nothing confirms"
                f" `{field}`, {declared}"
            )
        elif not f"{found}.".startswith(f"{declared}."):
            raise Failure(
                f"the image {image} has {what} {found}, but the field `{field}` is {declared}."
                " Set it to the version of the image."
            )
    return tuple(unknown)
