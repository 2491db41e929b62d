"""Makes small images for tests, on any interpreter, because no compressor is needed."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path
from typing import Iterable, Mapping, Sequence

from inseam.formats.files import write_files, write_whole
from inseam.formats.oci.assemble import Assembled, assemble, read_base, with_documents, write_image
from inseam.formats.oci.config import Healthcheck, ImageConfig, Runtime, parse_platform
from inseam.formats.oci.container import Probes, container_document
from inseam.formats.oci.descriptor import GZIP_LAYER, Descriptor, blob_path
from inseam.formats.oci.documents import ImageDocument
from inseam.formats.oci.index import index_files
from inseam.formats.oci.layer import Layer, write_layer
from inseam.formats.oci.metadata import ImageMetadata, read_metadata
from inseam.formats.python.installed import PATHS
from inseam.formats.tar import Member, write_tar
from inseam.programs.program_testing import tree

RUNTIME = Runtime("3.11.2", "/usr/bin/python3.11", "glibc 2.36")
SERVICE = ImageConfig(
    user="65532:65532",
    env={"PATH": "/opt/venv/bin:/usr/bin", "LANG": "C.UTF-8"},
    ports=("8000", "53/udp"),
    entrypoint=("/opt/venv/bin/entrypoint",),
    cmd=("--verbose",),
    working_dir="/app",
    stop_signal="SIGTERM",
    labels={"org.opencontainers.image.title": "Größe", "team": "a"},
    healthcheck=Healthcheck(("/opt/venv/bin/healthcheck",)),
)


def digest(content: bytes) -> str:
    """The sha256 digest of the bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def make_layer(folder: Path, name: str, files: dict[str, bytes]) -> Layer:
    """Writes a layer of the files, as `merge` and `compress` would, to the folder."""
    tar = io.BytesIO()
    info = write_tar([Member(path, content) for path, content in files.items()], tar)
    content = gzip.compress(tar.getvalue(), mtime=0)
    blob = Descriptor(GZIP_LAYER, digest(content), len(content))
    layer = Layer(name, info.diff_id, info.size, blob=blob)
    write_whole(blob_path(folder, blob.digest), content)
    write_layer(layer, folder)
    write_whole(folder / PATHS, b"")
    return layer


def foreign_layer(folder: Path, *names: str, files: Mapping[str, bytes] = {}) -> Layer:
    """Writes a layer as other tools make it: with the files, and empty files of any name."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name, content in {**dict.fromkeys(names, b""), **files}.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    content = gzip.compress(tar.getvalue(), mtime=0)
    blob = Descriptor(GZIP_LAYER, digest(content), len(content))
    write_whole(blob_path(folder, blob.digest), content)
    return Layer("foreign", digest(tar.getvalue()), None, blob=blob)


def make_image(
    folder: Path,
    *,
    base: Path | None = None,
    layers: Sequence[Layer] = (),
    config: ImageConfig = SERVICE,
    platform: str = "linux/amd64",
    references: Sequence[str] = (),
    target: str = "src/python/service:app",
    documents: Sequence[ImageDocument] = (),
) -> Assembled:
    """Writes an image to the folder, with `container.yaml` and other documents, but without the
    blobs of its layers.
    """
    image = assemble(
        target,
        config,
        layers,
        references=references,
        base=read_base(base) if base else None,
        platform=None if base else parse_platform(platform),
    )
    command = config.healthcheck.command if config.healthcheck else ()
    probes = Probes(command, command, command)
    own = container_document(target, image.metadata.run, probes, config.env)
    write_image(image, [own, *documents], folder)
    return with_documents(image, [own, *documents])


def make_base(
    folder: Path,
    *,
    content: bytes = b"rootfs",
    runtime: Runtime = RUNTIME,
    platform: str = "linux/amd64",
) -> ImageMetadata:
    """Writes a base image, with its layer, to the folder."""
    layer = make_layer(folder, "rootfs", {"etc/os-release": content})
    make_image(
        folder,
        layers=[layer],
        config=ImageConfig(labels=runtime.labels(), env={"LANG": "C", "BASE": "1"}),
        platform=platform,
        references=["base.example/debian:12"],
        target="docker/base:debian",
    )
    return read_metadata(folder)


def make_index(
    target: str, folders: Iterable[Path], out: Path, references: Sequence[str] = ()
) -> ImageMetadata:
    """Writes the index of the images in `folders` to the folder `out`."""
    images = [tree(folder) for folder in folders]
    write_files(out, index_files(target, images, references=references))
    return read_metadata(out)


def make_service(
    folder: Path,
    *,
    references: Sequence[str] = ("registry.example/app:1",),
    documents: Sequence[ImageDocument] = (),
) -> Path:
    """Writes a complete layout: a service with two layers on a base."""
    make_base(folder / "base")
    layers = [
        make_layer(folder / "deps", "deps", {"opt/venv/pyvenv.cfg": b"home = /usr/bin\n"}),
        make_layer(folder / "app", "app", {"app/main.py": b"print()\n"}),
    ]
    make_image(
        folder, base=folder / "base", layers=layers, references=references, documents=documents
    )
    for part in ("base", "deps", "app"):
        for blob in (folder / part / "blobs/sha256").iterdir():
            write_whole(folder / "blobs/sha256" / blob.name, blob.read_bytes())
    return folder
