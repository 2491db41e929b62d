"""Keeps layers in Pants' store: what a layer is, and the digest with its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.engine.fs import Digest, DigestSubset, PathGlobs, RemovePrefix
from pants.engine.rules import collect_rules
from pants.util.logging import LogLevel

from inseam.compat import (
    digest_subset_to_digest,
    implicitly,
    remove_prefix,
    rule,
)
from inseam.formats.oci.descriptor import BLOBS
from inseam.formats.oci.layer import LAYER_FILE, LAYERS, Layer, load_layer
from inseam.rules.base.base import BasePython
from inseam.rules.base.process import run_on
from inseam.rules.layers.compressors import CompressorsRequest, compressors
from inseam.rules.programs.digests import file_content
from inseam.rules.programs.host import Program
from inseam.rules.wheels.wheels import InstalledWheel


@dataclass(frozen=True)
class StoredLayer:
    """A layer and its bytes."""

    layer: Layer
    digest: Digest
    """For an uncompressed layer, the folder `layers/<name>` with `<name>.tar` and the other files
    that its program wrote; for a compressed layer, its blob below `blobs/sha256`.
    """
    members: tuple[InstalledWheel, ...] = ()
    """The distributions in it, sorted by name, if it is a layer of wheels."""

    @property
    def name(self) -> str:
        return self.layer.name

    @property
    def folder(self) -> str:
        """The folder of an uncompressed layer's files in the digest."""
        return layer_folder(self.name)

    @property
    def tar(self) -> str:
        """Path of an uncompressed layer's tar in the digest."""
        return layer_tar(self.name)


def layer_folder(name: str) -> str:
    """The folder of a layer in a digest. Layers have a common parent folder, so that a layer may
    have any name.
    """
    return f"{LAYERS}/{name}"


def layer_tar(name: str) -> str:
    """The path of a layer's tar in a digest."""
    return f"{layer_folder(name)}/{name}.tar"


async def stored_layer(name: str, digest: Digest) -> StoredLayer:
    """The layer that a program wrote to the folder of that name."""
    content = await file_content(digest, f"{layer_folder(name)}/{LAYER_FILE}")
    return StoredLayer(load_layer(content), digest)


async def only_file(layer: StoredLayer, file: str) -> Digest:
    """A digest with one file of a layer, in the layer's folder."""
    digest: Digest = await digest_subset_to_digest(
        DigestSubset(layer.digest, PathGlobs([f"{layer.folder}/{file}"]))
    )
    return digest


async def tar_at_root(layer: StoredLayer) -> Digest:
    """A digest with the tar of a layer at its root."""
    found = await only_file(layer, f"{layer.name}.tar")
    digest: Digest = await remove_prefix(RemovePrefix(found, layer.folder))
    return digest


@dataclass(frozen=True)
class CompressRequest:
    """Asks for a layer to be compressed."""

    layer: StoredLayer
    compression: str
    """Either "gzip" or "zstd"."""
    python: BasePython
    """The CPython that compresses the layer."""


@rule(desc="Compress a layer", level=LogLevel.DEBUG)
async def compressed(request: CompressRequest) -> StoredLayer:
    libraries = await compressors(CompressorsRequest(request.python), **implicitly())
    source = request.layer
    result = await run_on(
        request.python,
        Program(
            argv=(
                "compress",
                f"--tar={source.tar}",
                "--out=out",
                f"--name={source.name}",
                f"--format={request.compression}",
            ),
            input=await only_file(source, f"{source.name}.tar"),
            output="out",
            libraries=libraries.digest,
            description=f"Compress the layer {source.name}",
        ),
    )
    layer = load_layer(await file_content(result.digest, LAYER_FILE))
    blobs = await digest_subset_to_digest(DigestSubset(result.digest, PathGlobs([f"{BLOBS}/*"])))
    return StoredLayer(layer._replace(wheels=source.layer.wheels), blobs, source.members)


def rules() -> list[Any]:
    return [*collect_rules()]
