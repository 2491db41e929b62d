"""Extracts CPython from the layers of a base, into a folder that needs nothing but a kernel to run.

The folder contains the base's dynamic loader, shared libraries and standard library, so that
nothing of the machine is used; `formats.rootfs.start` starts it. The standard library is a single
archive of bytecode, which the interpreter itself compiles: so it starts in half the time, and has a
tenth of the files, each of which a remote cache would send separately.
"""

from __future__ import annotations

import io
import posixpath
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from inseam.formats.cpython import NAME, own_library
from inseam.formats.elf import machine, needed
from inseam.formats.failure import Failure
from inseam.formats.files import write_whole
from inseam.formats.folder import Folder
from inseam.formats.foreign_text import foreign_text, plain
from inseam.formats.oci.flatten import NOT_WANTED, read_entries
from inseam.formats.python.bytecode import compile_source
from inseam.formats.python.module_archive import write_archive
from inseam.formats.rootfs.links import resolve
from inseam.formats.rootfs.slim import LEFT_OUT_OF_STDLIB, compile_patterns
from inseam.formats.rootfs.start import INTERPRETER, LIBRARIES, LOADER, argv
from inseam.formats.tar import Member

_LANDMARK = "os.pyc"
# The modules that our programs import, and that not every CPython has.
_MODULES = ("argparse", "hashlib", "json", "subprocess", "tarfile", "zipfile", "zlib")
# Prints the arguments that cannot be imported as modules.
_MISSING = """\
import sys
missing = []
for name in sys.argv[1:]:
    try:
        __import__(name)
    except ImportError:
        missing.append(name)
print(", ".join(missing))
"""

_OF_PYTHON = re.compile(rf"(?:.*/)?(?:bin/python[^/]*\Z|lib/{NAME}/)")
# The libraries that wheels' extension modules expect on every machine (PEP 600). If the tree lacked
# one, the loader would use the machine's, which may have another glibc.
_EXPECTED = (
    *("libdl.so.2", "libm.so.6", "libpthread.so.0", "libresolv.so.2", "librt.so.1"),
    *("libutil.so.1", "libgcc_s.so.1", "libstdc++.so.6"),
)
_LIBRARY = re.compile(r"(?:.*/)?[^/]+\.so(?:\.[0-9][^/]*)?")
# Folders in which the loader finds libraries; `*` is one folder, such as x86_64-linux-gnu.
_FOLDERS = re.compile(r"(?:usr/local/lib|usr/lib|lib)(?:64)?(?:/[^/]+-linux-gnu)?")
# Largest file in bytes. An interpreter with debug symbols has 100 MB, and each library that it
# needs has less than 10 MB; those of CUDA have hundreds.
_LARGEST_OF_PYTHON, _LARGEST_LIBRARY = 256 << 20, 32 << 20
_LONGEST = 600  # seconds; compiling the standard library takes about ten
_NOT_OURS = ("site-packages/", "dist-packages/", "config-")


def write_tree(blobs: Sequence[Path], interpreter: str, out: Path) -> None:
    """Writes the CPython `interpreter`, an absolute path in the image, to the folder `out`.

    blobs: those of the image's layers, lowest first. The standard library is the one in the
    interpreter's own installation. Raises Failure if a layer cannot be read or a file is missing,
    and if the interpreter does not start here.
    """
    files = _read(blobs)
    program = _file(interpreter, files)
    if program is None:
        raise Failure(f"the base has no interpreter {interpreter}")
    stdlib = own_library(program.path, files)
    if stdlib is None:
        raise Failure(f"the base has no standard library for {interpreter}")
    modules = dict(_modules(stdlib, files))
    found: dict[str, Member] = {}
    loader, *names = _needed(program) or ("",)
    if not loader.startswith("/"):
        raise Failure(f"{interpreter} of the base is not a dynamically linked executable")
    # Modules whose libraries are missing from the base cannot be imported there, either.
    useless = [
        path
        for path, module in modules.items()
        if machine(_content(module)[:20]) is not None
        and not _add(_needed(module), module.path, files, found)
    ]
    if not _add(names, program.path, files, found):
        raise Failure(f"the base has not all libraries that {interpreter} needs")
    for name in _EXPECTED:
        _add([name], program.path, files, found)
    start = _file(loader, files)
    if start is None:
        raise Failure(f"the base has no {loader}, which starts {interpreter}")
    target = f"lib/{posixpath.basename(stdlib)}"
    # The names of libraries and modules come from the image.
    with Folder(out) as folder:
        _add_file(folder, INTERPRETER, program, executable=True)
        _add_file(folder, LOADER, start, executable=True)
        for name, library in found.items():
            _add_file(folder, f"{LIBRARIES}/{name}", library)
        for path in sorted(modules.keys() - useless):
            _add_file(folder, f"{target}/{path}", modules[path])
    _compile(out, out / target)


def _read(blobs: Iterable[Path]) -> Mapping[str, Member]:
    """All links of the image, and the files that may be part of a CPython."""
    contents, links = read_entries(blobs, _wanted)
    return {
        **{path: Member(path, content) for path, content in contents.items()},
        **{path: Member(path, link=link) for path, link in links.items()},
    }


def _wanted(path: str) -> int:
    if _OF_PYTHON.match(path):
        return _LARGEST_OF_PYTHON
    return _LARGEST_LIBRARY if _LIBRARY.fullmatch(path) else NOT_WANTED


def _file(path: str, files: Mapping[str, Member]) -> Member | None:
    found = files.get(resolve(path, files) or "")
    return found if found is not None and found.link is None else None


def _modules(stdlib: str, files: Mapping[str, Member]) -> Iterator[tuple[str, Member]]:
    """The files of the standard library, by path in it, without those that images leave out."""
    left_out = compile_patterns(LEFT_OUT_OF_STDLIB)
    start = f"{stdlib}/"
    for path in sorted(files):
        inner = path[len(start) :]
        if path.startswith(start) and not inner.startswith(_NOT_OURS) and not left_out.match(inner):
            member = _file(path, files)
            if member is not None and path.endswith((".py", ".so")):
                yield inner, member


def _content(member: Member) -> bytes:
    assert isinstance(member.content, bytes)
    return member.content


def _needed(member: Member) -> tuple[str, ...]:
    try:
        return needed(_content(member))
    except ValueError as error:
        raise Failure(f"the base has a damaged /{member.path}: {error}") from None


def _add(
    names: Iterable[str], path: str, files: Mapping[str, Member], found: dict[str, Member]
) -> bool:
    """Adds the libraries with these names, and those that they need, to `found`. Returns false, and
    adds nothing, if one is missing. path: that of the file that needs them.
    """
    new: dict[str, Member] = {}
    queue = [(name, path) for name in names]
    while queue:
        name, needs = queue.pop()
        if name in found or name in new or name.startswith(("/", "ld-linux")):
            continue
        library = _library(name, needs, files)
        if library is None:
            return False
        new[name] = library
        queue += [(other, library.path) for other in _needed(library)]
    found.update(new)
    return True


def _library(name: str, needs: str, files: Mapping[str, Member]) -> Member | None:
    """The library with a name: in the installation that needs it, or where the loader looks."""
    prefix = posixpath.dirname(posixpath.dirname(needs))
    found = _file(f"{prefix}/lib/{name}", files)
    if found is not None:
        return found
    folders = sorted({posixpath.dirname(path) for path in files if path.endswith(f"/{name}")})
    for folder in folders:
        if _FOLDERS.fullmatch(folder):
            found = _file(f"{folder}/{name}", files)
            if found is not None:
                return found
    return None


def _add_file(folder: Folder, path: str, member: Member, *, executable: bool = False) -> None:
    content = _content(member)
    folder.add_file(path, io.BytesIO(content), executable=executable, size=len(content))


def _compile(tree: Path, stdlib: Path) -> None:
    """Replaces modules with their bytecode, which the tree's own interpreter compiles."""
    missing = _start(tree, _MISSING, *_MODULES)
    if missing:
        raise Failure(
            f"the base's CPython lacks modules that make layers: {plain(missing)}. Add its whole"
            " standard library to the base, as libpython3.11-stdlib of Debian"
        )
    script = "import sys; sys.path.insert(0, sys.argv[1]); from {0} import {1}; {1}(sys.argv[2])"
    code = script.format(__name__, compile_modules.__name__)
    ours = Path(__file__).resolve().parents[3]
    _start(tree, code, str(ours), str(stdlib.resolve()))


def _start(tree: Path, code: str, *arguments: str) -> str:
    """Runs code on the interpreter of a tree, and returns its output; raises Failure if it does not
    start or fails.
    """
    command = [*argv(str(tree.resolve())), "-sSBc", code, *arguments]
    try:
        result = subprocess.run(
            command,
            env={"PYTHONHASHSEED": "0"},
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LONGEST,
        )
    except subprocess.TimeoutExpired:
        raise Failure(
            f"the base's interpreter does not end within {_LONGEST} s. Choose another base, or set"
            ' [inseam].build_python = "installed".'
        ) from None
    except OSError as error:
        raise Failure(f"the base's interpreter does not start here: {error.strerror}") from None
    if result.returncode != 0:
        raise Failure(
            f"the base's interpreter does not start here (exit code {result.returncode}):\n"
            f"{foreign_text(result.stderr)}"
        )
    return result.stdout.decode().strip()


def compile_modules(folder: str) -> None:
    """Writes the bytecode of each module in a folder, for the running interpreter, to an archive
    next to the folder. The module `os` stays, because CPython uses it to find the library.
    """
    minor = sys.version_info[:2]
    compiled: dict[str, bytes] = {}
    for path in sorted(Path(folder).rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        code = compile_source(path.read_bytes(), f"/usr/lib/python{minor[0]}.{minor[1]}/{name}")
        path.unlink()
        if code is not None:
            compiled[f"{name}c"] = code
    write_whole(Path(folder) / _LANDMARK, compiled[_LANDMARK])
    free = "t" if "t" in sys.abiflags else ""
    write_archive(Path(folder).parent / f"python{minor[0]}{minor[1]}{free}.zip", compiled)
