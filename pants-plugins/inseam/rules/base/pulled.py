"""Rules that pull the images of bases from registries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.fs import EMPTY_DIGEST, Digest, DigestSubset, PathGlobs
from pants.engine.rules import collect_rules
from pants.engine.target import WrappedTargetRequest
from pants.util.logging import LogLevel

from inseam.compat import (
    digest_subset_to_digest,
    environment_vars_subset,
    implicitly,
    resolve_target,
    rule,
)
from inseam.formats.failure import failing_in
from inseam.formats.oci.base_facts import FACTS_FILE, BaseFacts, load_facts
from inseam.formats.oci.config import Runtime
from inseam.formats.oci.descriptor import blob_path
from inseam.formats.oci.metadata import METADATA, ImageMetadata, load_metadata
from inseam.rules.base.base import BasePython
from inseam.rules.programs.digests import file_content
from inseam.rules.programs.host import NETWORK_ENV, Program, run_on_host
from inseam.targets.base import RequiredImageReferenceField

# Registries' credentials, Docker and podman are found by these variables.
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
class PulledRequest:
    """Asks for the image of a `registry_base` for a platform, such as "linux/amd64"."""

    python: BasePython
    platform: str


@dataclass(frozen=True)
class PulledImage:
    """A pulled image."""

    metadata: ImageMetadata
    config: str
    """Path of its configuration."""
    configuration: bytes
    layers: Digest
    """A digest with the blobs of its layers."""
    blobs: tuple[str, ...]
    """Their paths, lowest first."""
    facts: BaseFacts
    messages: tuple[str, ...] = ()
    """Warnings from pulling it."""


def runtime_of(python: BasePython) -> Runtime:
    """What images record about the CPython of a base."""
    platform = python.platform
    return Runtime(platform.python_full_version, python.interpreter, f"glibc {platform.glibc}")


@rule(desc="Pull the image of a base", level=LogLevel.DEBUG)
async def pulled_image(request: PulledRequest) -> PulledImage:
    address = request.python.address
    wrapped = await resolve_target(
        WrappedTargetRequest(address, description_of_origin="a base"), **implicitly()
    )
    env = await environment_vars_subset(EnvironmentVarsRequest(CLIENT_ENV), **implicitly())
    runtime = runtime_of(request.python)
    with failing_in(address):
        result = await run_on_host(
            Program(
                argv=(
                    "pull",
                    f"--platform={request.platform}",
                    f"--python={runtime.python}",
                    f"--interpreter={runtime.interpreter}",
                    f"--libc={runtime.libc}",
                    "--out=base",
                    wrapped.target[RequiredImageReferenceField].value,
                ),
                input=EMPTY_DIGEST,
                output="base",
                description=f"Fetch the image of {address}",
                env=tuple(sorted(env.items())),
            )
        )
    metadata = load_metadata(await file_content(result.digest, METADATA))
    metadata = metadata._replace(target=str(address))
    facts = load_facts(await file_content(result.digest, FACTS_FILE))
    config = blob_path(Path(), metadata.config_digest).as_posix()
    configuration = await file_content(result.digest, config)
    blobs = tuple(
        blob_path(Path(), layer.descriptor.digest).as_posix() for layer in metadata.layers
    )
    layers = await digest_subset_to_digest(DigestSubset(result.digest, PathGlobs(blobs)))
    messages = tuple(filter(None, [result.messages.strip()]))
    return PulledImage(metadata, config, configuration, layers, blobs, facts, messages)


def rules() -> list[Any]:
    return [*collect_rules()]
