"""Rules that make the OCI images of bases: from Debian packages, or pulled from a registry."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

from pants.engine.fs import (
    Digest,
    MergeDigests,
)
from pants.engine.rules import collect_rules
from pants.engine.target import WrappedTargetRequest
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from inseam.compat import (
    implicitly,
    merge_digests,
    resolve_target,
    rule,
)
from inseam.formats.oci.assemble import BaseImage, assemble, image_files, with_layer
from inseam.formats.oci.config import ImageConfig, parse_platform
from inseam.formats.oci.layout import document_files
from inseam.formats.oci.metadata import METADATA, ImageMetadata, dump_metadata
from inseam.formats.python.base_bytecode import BYTECODE_LAYER
from inseam.rules.base.base import Base, DebianRootRequest
from inseam.rules.base.process import run_on
from inseam.rules.base.pulled import PulledRequest, pulled_image, runtime_of
from inseam.rules.layers.layer import (
    CompressRequest,
    compressed,
    layer_folder,
    stored_layer,
)
from inseam.rules.layers.rootfs import RootfsLayer, rootfs_layer
from inseam.rules.programs.host import Program
from inseam.targets.base import RequiredImageReferenceField, StdlibBytecodeField

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BaseOciRequest:
    """Asks for a base as an OCI image, with its layers compressed as "gzip" or "zstd"."""

    base: Base
    compression: str


@dataclass(frozen=True)
class BaseOci:
    """The image of a base."""

    metadata: ImageMetadata
    configuration: bytes
    """Its OCI configuration, as JSON text."""
    blobs: Digest
    """A digest with the blobs of its layers."""
    files: FrozenDict[str, bytes]
    """The other files that `read_base` needs, by path."""
    libraries: frozenset[str] | None
    """The names of the shared libraries in it; None if they are unknown."""
    rootfs: RootfsLayer | None = None
    """The layer of a `debian_base`; None for a `registry_base`."""
    messages: tuple[str, ...] = ()
    """Warnings from pulling it."""

    @property
    def image(self) -> BaseImage:
        """The base image, in the form on which images are assembled."""
        return BaseImage(self.metadata, json.loads(self.configuration))


async def _with_bytecode(pulled: BaseOci, base: Base, stdlib: str, compression: str) -> BaseOci:
    """A base whose standard library has no bytecode, with a layer on top that contains it.
    Otherwise, services would compile what they import at each start, as they cannot store it.
    """
    digests = [layer.descriptor.digest for layer in pulled.metadata.layers]
    made = await run_on(
        base.python,
        Program(
            argv=(
                "compile_stdlib",
                "--image=.",
                f"--stdlib={stdlib}",
                f"--out=out/{layer_folder(BYTECODE_LAYER)}",
                *digests,
            ),
            input=pulled.blobs,
            output="out",
            description=f"Compile the standard library of {base.address}",
        ),
    )
    layer = await compressed(
        CompressRequest(await stored_layer(BYTECODE_LAYER, made.digest), compression, base.python),
        **implicitly(),
    )
    image, document = with_layer(pulled.image, layer.layer)
    return BaseOci(
        image.metadata,
        document.content,
        await merge_digests(MergeDigests([pulled.blobs, layer.digest])),
        FrozenDict({METADATA: dump_metadata(image.metadata), **document_files([document])}),
        pulled.libraries,
        messages=pulled.messages,
    )


async def _pulled(base: Base, field: StdlibBytecodeField, compression: str) -> BaseOci:
    image = await pulled_image(PulledRequest(base.python, base.oci_platform), **implicitly())
    facts = image.facts
    documents = {METADATA: dump_metadata(image.metadata), image.config: image.configuration}
    pulled = BaseOci(
        image.metadata,
        image.configuration,
        image.layers,
        FrozenDict(documents),
        facts.libraries if facts.complete else None,
        messages=image.messages,
    )
    if facts.bytecode or not facts.complete or not facts.stdlib or not field.value:
        return pulled
    return await _with_bytecode(pulled, base, facts.stdlib, compression)


@rule(desc="Make the image of a base", level=LogLevel.DEBUG)
async def base_oci(request: BaseOciRequest) -> BaseOci:
    base = request.base
    wrapped = await resolve_target(
        WrappedTargetRequest(base.address, description_of_origin="a base"), **implicitly()
    )
    if wrapped.target.has_field(RequiredImageReferenceField):
        return await _pulled(base, wrapped.target[StdlibBytecodeField], request.compression)
    made = await rootfs_layer(
        DebianRootRequest(base.address.create_generated("rootfs"), base.oci_platform),
        **implicitly(),
    )
    layer = await compressed(
        CompressRequest(made.layer, request.compression, base.python), **implicitly()
    )
    config = ImageConfig(
        env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        user="65532:65532",
        labels=runtime_of(base.python).labels(),
    )
    platform = parse_platform(base.oci_platform)
    image = assemble(str(base.address), config, [layer.layer], platform=platform)
    metadata = image.metadata._replace(
        left_out_modules=made.left_out_modules, left_out_packages=made.left_out_packages
    )
    image = image._replace(metadata=metadata)
    return BaseOci(
        metadata,
        image.configuration.content,
        layer.digest,
        FrozenDict(image_files(image)),
        made.libraries,
        made,
    )


def rules() -> list[Any]:
    return [*collect_rules()]
