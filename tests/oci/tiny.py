"""Images that need neither Python nor a C library: two programs of a few machine instructions."""

from __future__ import annotations

import os
import platform
import struct
from pathlib import Path
from typing import Mapping, Sequence

from inseam.formats.files import write_whole
from inseam.formats.oci.config import Healthcheck, ImageConfig, Runtime
from inseam.formats.oci.descriptor import GZIP_LAYER, Descriptor, blob_path
from inseam.formats.oci.layer import Layer, read_layer
from inseam.formats.oci.metadata import METADATA, ImageMetadata, dump_metadata, read_metadata
from inseam.formats.oci.oci_testing import digest, make_image
from inseam.formats.python.code import CODE_BLOB, CODE_INDEX, CODE_TAR, Code, merge_code
from inseam.formats.tar import EXECUTABLE_MODE, Member, write_tar
from oci.programs import succeed

# Of the base; any of its programs can stand for the interpreter.
RUNTIME = Runtime("3.11.2", "/bin/pause", "glibc 2.36")

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
ARCHITECTURE = ARCHITECTURES.get(platform.machine(), "")

# System calls: pause() for ever; exit(0).
_CODE = {
    "amd64": {
        "pause": bytes.fromhex("b8220000000f05ebf7"),
        "true": bytes.fromhex("31ffb83c0000000f05"),
    },
    # ppoll(0, 0, 0, 0) for ever.
    "arm64": {
        "pause": struct.pack(
            "<7I", *(0xD2800000 + n for n in range(4)), 0xD2800928, 0xD4000001, 0x17FFFFFA
        ),
        "true": struct.pack("<3I", 0xD2800000, 0xD2800BA8, 0xD4000001),
    },
}
_MACHINES = {"amd64": 62, "arm64": 183}


def program(name: str, architecture: str) -> bytes:
    """A static ELF program: "pause" or "true"."""
    code = _CODE[architecture][name]
    start, headers = 0x400000, 64 + 56
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH",
        *(2, _MACHINES[architecture], 1, start + headers, 64, 0, 0, 64, 56, 1, 64, 0, 0),
    )
    size = headers + len(code)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, start, start, size, size, 0x1000)
    return header + segment + code


def write_layer(tar: Path, files: Mapping[str, bytes]) -> None:
    """Writes a layer of executable files."""
    members = [Member(path, content, EXECUTABLE_MODE) for path, content in files.items()]
    tar.parent.mkdir(parents=True, exist_ok=True)
    with tar.open("wb") as out:
        write_tar(members, out)


SERVICE = ImageConfig(
    user="65532:65532",
    env={"PATH": "/bin"},
    ports=("8000",),
    entrypoint=("/bin/pause",),
    working_dir="/",
    stop_signal="SIGTERM",
    labels={"org.opencontainers.image.title": "tiny"},
    healthcheck=Healthcheck(("/bin/true",), interval=1, timeout=1, start_period=0),
)


def build(
    folder: Path,
    *,
    references: Sequence[str] = (),
    files: Mapping[str, bytes] | None = None,
    large: int = 1000,
    format: str = "gzip",
    architecture: str = ARCHITECTURE,
    base: str = "base",
    target: str = "src/tiny:app",
) -> Path:
    """Builds a service of three layers with the programs, and exports it to `folder`/dist/app.

    large: bytes of the layer `deps`, which cannot be compressed.
    """
    layers = {
        "rootfs": {
            **{f"bin/{name}": program(name, architecture) for name in ("pause", "true")},
            "etc/unique": os.urandom(16),  # no registry has it from elsewhere
        },
        "deps": {"opt/data": os.urandom(large)},
        "app": files or {"app/x": os.urandom(8)},
    }
    for name, content in layers.items():
        write_layer(folder / f"{name}.tar", content)
        options = [f"--tar={name}.tar", f"--out={name}", f"--format={format}"]
        succeed("compress", *options, cwd=folder)
    make_image(
        folder / base,
        layers=[read_layer(folder / "rootfs")],
        config=ImageConfig(labels=RUNTIME.labels()),
        platform=f"linux/{architecture}",
        target="docker:base",
    )
    put_on(folder, base, "image", references=references, target=target)
    sources = ("image", "rootfs", "deps", "app")
    succeed("export", "--store=dist/oci", "--layout=dist/app", *sources, cwd=folder)
    return folder / "dist/app"


def build_alike(folder: Path, code: Path) -> None:
    """Builds an image on a base, of the same content each time, from sources in the folder `code`
    that have an entry point `shop.server:main`, and exports it to `folder`/dist/app."""
    data = b"".join(b"line %d of something that compresses\n" % number for number in range(50_000))
    layers = {"rootfs": {"bin/pause": program("pause", "amd64")}, "deps": {"opt/data": data}}
    for name, content in layers.items():
        write_layer(folder / f"{name}.tar", content)
        succeed("compress", f"--tar={name}.tar", f"--out={name}", "--format=zstd", cwd=folder)
    entry_point = "--entry-point=entry_point=shop.server:main"
    options = (f"--sources={code}", "--out=code", "--console-scripts", entry_point)
    succeed("code", *options, cwd=folder)
    fragments = [
        (folder / "code" / name).read_bytes() for name in (CODE_INDEX, CODE_TAR, CODE_BLOB)
    ]
    tar, blob = merge_code([Code(*fragments)])
    descriptor = Descriptor(GZIP_LAYER, digest(blob), len(blob))
    app = Layer("app", digest(tar), len(tar), blob=descriptor)
    write_whole(blob_path(folder / "app", descriptor.digest), blob)
    described = [read_layer(folder / name) for name in layers]
    make_image(folder / "base", layers=described[:1], config=ImageConfig(labels=RUNTIME.labels()))
    make_image(
        folder / "image",
        base=folder / "base",
        layers=[*described[1:], app],
        config=SERVICE,
        references=("registry.example/shop:1",),
    )
    sources = ("image", "rootfs", "deps", "app")
    succeed("export", "--store=dist/oci", "--layout=dist/app", *sources, cwd=folder)


def put_on(
    folder: Path,
    base: str,
    out: str,
    *,
    layers: Sequence[str] = ("deps", "app"),
    references: Sequence[str] = (),
    target: str = "src/tiny:app",
) -> None:
    """Describes, in `folder`/`out`, the image of layers that `compress` described, on a base."""
    make_image(
        folder / out,
        base=folder / base,
        layers=[read_layer(folder / name) for name in layers],
        config=SERVICE,
        references=references,
        target=target,
    )


def rename(layout: Path, *references: str) -> None:
    """Gives the image in a layout other names."""
    image = metadata(layout)
    if image.references != references:
        (layout / METADATA).write_bytes(dump_metadata(image._replace(references=references)))


def metadata(layout: Path) -> ImageMetadata:
    """What a layout's image.json says."""
    return read_metadata(layout)
