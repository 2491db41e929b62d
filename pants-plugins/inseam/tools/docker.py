"""Loads an image from a layout into Docker, sending only the layers that Docker lacks."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import threading
from pathlib import Path
from typing import Any, Iterator, Sequence

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_text
from inseam.formats.oci.descriptor import ZSTD_LAYER, blob_path
from inseam.formats.oci.metadata import ImageMetadata
from inseam.formats.oci.reference import parse_reference
from inseam.formats.tar import COPY_SIZE, END_OF_ARCHIVE, padding
from inseam.tools.client import ClientFailed, run_client


def load_into_docker(layout: Path, image: ImageMetadata, names: Sequence[str]) -> int:
    """Loads the image into Docker with all the names; returns the bytes of the layers that were
    sent.

    `docker load` does not read the layers that it already has, so they are left out. If Docker has
    lost one of them in the meantime, all layers are sent.

    Raises Failure if Docker refuses the image.
    """
    if _has(image, names):
        return 0
    known = known_layers(image)
    try:
        moved = _send(layout, image, names, known)
    except Failure:
        if not known:
            raise
        moved = _send(layout, image, names, 0)
    if not _has(image, names):
        raise Failure(
            f"{image.target}: Docker loaded the image, but {names[0]} is now a different one."
            " Something else may have loaded or built it at the same time. Run the same command"
            " again."
        )
    return moved


def _has(image: ImageMetadata, names: Sequence[str]) -> bool:
    """Whether Docker has the image with all the names.

    Docker's image ID is the digest of the configuration. In containerd's image store it is the
    digest of the manifest, which `docker load` generates; there, the layers are compared.
    """
    try:
        found: list[dict[str, Any]] = json.loads(run_client("docker", "image", "inspect", *names))
    except ClientFailed:
        return False
    layers = [layer.diff_id for layer in image.layers]
    return all(
        one["Id"] == image.config_digest
        or (_containerd(one) and one["RootFS"].get("Layers") == layers)
        for one in found
    )


def _containerd(image: dict[str, Any]) -> bool:
    return "Descriptor" in image


def known_layers(image: ImageMetadata) -> int:
    """The number of the image's lowest layers that are also the lowest of some image in Docker."""
    wanted = [layer.diff_id for layer in image.layers]
    ids = sorted(set(run_client("docker", "image", "ls", "-aq", "--no-trunc").split()))
    if not ids:
        return 0
    template = "{{json .RootFS.Layers}}"
    try:
        lines = run_client("docker", "image", "inspect", "--format", template, *ids).splitlines()
    except ClientFailed:  # an image was removed just now
        return 0
    return max(_common(wanted, json.loads(line) or []) for line in lines)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for mine, theirs in zip(one, other):
        if mine != theirs:
            break
        count += 1
    return count


def _send(layout: Path, image: ImageMetadata, names: Sequence[str], known: int) -> int:
    process = subprocess.Popen(
        ["docker", "load", "--quiet"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    errors = process.stderr
    assert errors is not None
    words: list[bytes] = []
    reader = threading.Thread(target=lambda: words.append(errors.read()))
    reader.start()
    try:
        with process.stdin as stream:
            for piece in archive(layout, image, names, known):
                stream.write(piece)
    except BrokenPipeError:
        pass  # Docker closed the pipe; its stderr has the reason.
    except BaseException:
        process.kill()
        raise
    finally:
        process.wait()
        reader.join()
    if process.returncode != 0:
        raise Failure(
            f"{image.target}: `docker load` rejected the image:\n{foreign_text(b''.join(words))}"
            f"{_hint(image)}"
        )
    return sum(layer.descriptor.size for layer in image.layers[known:])


def _hint(image: ImageMetadata) -> str:
    if all(layer.descriptor.media_type != ZSTD_LAYER for layer in image.layers):
        return ""
    return "\nThe image has zstd layers. Docker reads zstd layers since 23.0. Use gzip."


def archive(
    layout: Path, image: ImageMetadata, names: Sequence[str], known: int = 0
) -> Iterator[bytes]:
    """The bytes of Docker's image archive, without the content of the lowest `known` layers.

    The format is that of Docker's image-spec v1.2, "Combined Image JSON + Filesystem Changeset
    Format"; Docker takes layers compressed too.
    """
    config = f"{image.config_digest[7:]}.json"
    yield from _entry(config, layout, image.config_digest)
    for digest in dict.fromkeys(layer.descriptor.digest for layer in image.layers[known:]):
        yield from _entry(f"{digest[7:]}.tar", layout, digest)
    content = json.dumps(
        [
            {
                "Config": config,
                "RepoTags": [parse_reference(name).by_tag() for name in names],
                "Layers": [f"{layer.descriptor.digest[7:]}.tar" for layer in image.layers],
            }
        ]
    ).encode()
    yield _header("manifest.json", len(content)) + content + padding(len(content))
    yield END_OF_ARCHIVE


def _entry(name: str, layout: Path, digest: str) -> Iterator[bytes]:
    with blob_path(layout, digest).open("rb") as blob:
        size = blob.seek(0, io.SEEK_END)
        blob.seek(0)
        yield _header(name, size)
        yield from iter(lambda: blob.read(COPY_SIZE), b"")
        yield padding(size)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.PAX_FORMAT)
