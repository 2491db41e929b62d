"""Rules that make the OCI images of bases: of Debian packages, or pulled from a registry."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.fs import (
    EMPTY_DIGEST,
    Digest,
    DigestSubset,
    MergeDigests,
    PathGlobs,
)
from pants.engine.rules import collect_rules, rule
from pants.engine.target import WrappedTargetRequest
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from inseam.compat import (
    by_name,
    digest_subset_to_digest,
    environment_vars_subset,
    implicitly,
    merge_digests,
    resolve_target,
)
from inseam.formats.failure import Failure
from inseam.formats.oci.assemble import BaseImage, assemble, image_files, with_layer
from inseam.formats.oci.base_facts import FACTS_FILE, load_facts
from inseam.formats.oci.config import ImageConfig, Runtime, parse_platform
from inseam.formats.oci.descriptor import blob_path
from inseam.formats.oci.layout import document_files
from inseam.formats.oci.metadata import METADATA, ImageMetadata, dump_metadata, load_metadata
from inseam.formats.python.base_bytecode import BYTECODE_LAYER
from inseam.rules.base import Base, RootfsRequest, rootfs
from inseam.rules.layers import (
    CompressRequest,
    compressed,
    file_content,
    layer_folder,
    stored_layer,
)
from inseam.rules.process import NETWORK_ENV, ProgramRequest, run_program
from inseam.targets.base import RequiredImageReferenceField, StdlibBytecodeField

logger = logging.getLogger(__name__)

# Programs that talk to registries, Docker and podman find them, and credentials, by these.
CLIENT_ENV = (
    "CONTAINERS_STORAGE_CONF",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "HOME",
    "PATH",
    "REGISTRY_AUTH_FILE",
    "XDG_RUNTIME_DIR",
    *NETWORK_ENV,
)


@dataclass(frozen=True)
class BaseOciRequest:
    """A base as an OCI image, with its layers compressed as "gzip" or "zstd"."""

    base: Base
    compression: str


@dataclass(frozen=True)
class BaseOci:
    """The image of a base.

    configuration: text of its OCI configuration. blobs: a digest with the blobs of its layers.
    files: by path, what `read_base` needs besides. libraries: the names of the shared libraries in
    it, None if nobody knows.
    """

    metadata: ImageMetadata
    configuration: bytes
    blobs: Digest
    files: FrozenDict[str, bytes]
    libraries: frozenset[str] | None

    @property
    def image(self) -> BaseImage:
        """What images are assembled on."""
        return BaseImage(self.metadata, json.loads(self.configuration))


def _runtime(base: Base) -> Runtime:
    libc = ".".join(map(str, base.platform.glibc))
    return Runtime(base.platform.python, base.interpreter, f"glibc {libc}")


async def _with_bytecode(pulled: BaseOci, base: Base, stdlib: str, compression: str) -> BaseOci:
    """A base whose standard library has no bytecode, with a layer of that on top. Services would
    compile what they import at each start otherwise, since they cannot write it anywhere."""
    digests = [layer.descriptor.digest for layer in pulled.metadata.layers]
    made = await run_program(
        ProgramRequest(
            argv=(
                "compile_stdlib",
                "--image=.",
                f"--stdlib={stdlib}",
                f"--out=out/{layer_folder(BYTECODE_LAYER)}",
                *digests,
            ),
            input=pulled.blobs,
            output="out",
            python_version=base.python_version,
            description=f"Compile the standard library of {base.address}",
        ),
        **implicitly(),
    )
    layer = await compressed(
        CompressRequest(
            await stored_layer(BYTECODE_LAYER, made.digest), compression, base.python_version
        ),
        **implicitly(),
    )
    image, document = with_layer(pulled.image, layer.layer)
    return BaseOci(
        image.metadata,
        document.content,
        await merge_digests(MergeDigests([pulled.blobs, layer.digest])),
        FrozenDict({METADATA: dump_metadata(image.metadata), **document_files([document])}),
        pulled.libraries,
    )


async def _pulled(base: Base, image: str, field: StdlibBytecodeField, compression: str) -> BaseOci:
    env = await environment_vars_subset(EnvironmentVarsRequest(CLIENT_ENV), **implicitly())
    runtime = _runtime(base)
    try:
        result = await run_program(
            ProgramRequest(
                argv=(
                    "pull",
                    f"--platform={base.oci_platform}",
                    f"--python={runtime.python}",
                    f"--interpreter={runtime.interpreter}",
                    f"--libc={runtime.libc}",
                    "--out=base",
                    image,
                ),
                input=EMPTY_DIGEST,
                output="base",
                python_version=base.python_version,
                description=f"Fetch the image of {base.address}",
                env=tuple(sorted(env.items())),
            ),
            **implicitly(),
        )
    except Failure as error:
        raise Failure(f"{base.address}: {error}") from error
    if result.messages.strip():
        logger.warning("%s: %s", base.address, result.messages.strip())
    metadata = load_metadata(await file_content(result.digest, METADATA))
    metadata = metadata._replace(target=str(base.address))
    config = blob_path(Path(), metadata.config_digest).as_posix()
    configuration = await file_content(result.digest, config)
    layers = [blob_path(Path(), layer.descriptor.digest).as_posix() for layer in metadata.layers]
    facts = load_facts(await file_content(result.digest, FACTS_FILE))
    pulled = BaseOci(
        metadata,
        configuration,
        await digest_subset_to_digest(DigestSubset(result.digest, PathGlobs(layers))),
        FrozenDict({METADATA: dump_metadata(metadata), config: configuration}),
        facts.libraries if facts.complete else None,
    )
    if facts.bytecode or not facts.complete or not facts.stdlib or not field.value:
        return pulled
    return await _with_bytecode(pulled, base, facts.stdlib, compression)


@rule(desc="Make the image of a base", level=LogLevel.DEBUG)
async def make_base_oci(request: BaseOciRequest) -> BaseOci:
    base = request.base
    wrapped = await resolve_target(
        WrappedTargetRequest(base.address, description_of_origin="a base"), **implicitly()
    )
    if wrapped.target.has_field(RequiredImageReferenceField):
        target = wrapped.target
        reference = target[RequiredImageReferenceField].value
        return await _pulled(base, reference, target[StdlibBytecodeField], request.compression)
    made = await rootfs(
        RootfsRequest(base.address.create_generated("rootfs"), base.oci_platform), **implicitly()
    )
    layer = await compressed(
        CompressRequest(made.layer, request.compression, base.python_version), **implicitly()
    )
    config = ImageConfig(
        env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        user="65532:65532",
        labels=_runtime(base).labels(),
    )
    platform = parse_platform(base.oci_platform)
    image = assemble(str(base.address), config, [layer.layer], platform=platform)
    metadata = image.metadata._replace(
        left_out_modules=made.dropped_modules, left_out_packages=made.omitted
    )
    image = image._replace(metadata=metadata)
    return BaseOci(
        metadata,
        image.configuration.content,
        layer.digest,
        FrozenDict(image_files(image, config)),
        made.libraries,
    )


base_oci = by_name(make_base_oci)


def rules() -> list[Any]:
    return [*collect_rules()]
