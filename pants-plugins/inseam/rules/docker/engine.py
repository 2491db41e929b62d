"""Rules that put bases and third-party layers into the Docker engine, each once.

The tag of an image that services start from is a hash of its content. If the engine has that tag,
nothing is sent, so editing a service only costs a build with the layers of its code.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pants.backend.docker.goals import package_image
from pants.backend.docker.package_types import BuiltDockerImage
from pants.backend.docker.subsystems.docker_options import DockerOptions
from pants.backend.docker.util_rules.docker_binary import DockerBinary
from pants.core.goals.package import BuiltPackage, PackageFieldSet
from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.fs import (
    EMPTY_DIGEST,
    AddPrefix,
    MergeDigests,
)
from pants.engine.internals.session import RunId
from pants.engine.process import Process, ProcessCacheScope
from pants.engine.rules import collect_rules
from pants.engine.target import WrappedTargetRequest
from pants.engine.unions import UnionMembership, UnionRule
from pants.util.logging import LogLevel

from inseam.compat import (
    add_prefix,
    concurrently,
    environment_vars_subset,
    execute_process,
    implicitly,
    merge_digests,
    resolve_target,
    resolve_unparsed_address_inputs,
    rule,
)
from inseam.compat.patches import patch_image_id_parser
from inseam.formats.failure import Failure
from inseam.plan.dockerfile import layer_instructions
from inseam.plan.findings import Finding
from inseam.rules.base.base import DebianRootRequest
from inseam.rules.generate.base import service_of
from inseam.rules.image.checks import findings_of, say, shown_findings
from inseam.rules.image.contents import contents_of_layers
from inseam.rules.layers.layer import StoredLayer, only_file
from inseam.rules.layers.rootfs import rootfs_layer
from inseam.rules.layers.service import ServiceRequest, dependency_layers
from inseam.rules.programs.digests import written
from inseam.subsystem import InseamSubsystem
from inseam.targets.base import BaseImageField, ImageReferenceField
from inseam.targets.layer import DepsImageField


@dataclass(frozen=True)
class StartImage:
    """An image that another image can start from."""

    name: str
    """Its name, in the engine or in a registry."""
    findings: tuple[Finding, ...] = ()
    """What to show when an image on top of it is packaged."""


@dataclass(frozen=True)
class EngineImageRequest:
    """Asks for an image of layers in the Docker engine."""

    name: str
    """Its repository."""
    start: str
    """The image that it starts from, or "scratch"."""
    layers: tuple[StoredLayer, ...]
    """Lowest first."""
    of: Address


def _build_command(options: DockerOptions) -> list[str]:
    """The command that builds images, as set in [docker]. Pants 2.17 lacks these options."""
    command = ["build"]
    if getattr(options, "use_buildx", False):
        # A builder in a container would not put the image into the engine.
        command = ["buildx", "build", "--load"]
    if getattr(options, "build_no_cache", None):
        command.append("--no-cache")
    for name, address in sorted((getattr(options, "build_hosts", None) or {}).items()):
        command += ["--add-host", f"{name}:{address}"]
    return command


async def _environment(docker: DockerBinary, names: Sequence[str]) -> dict[str, str]:
    """The environment of the engine's client."""
    variables = await environment_vars_subset(EnvironmentVarsRequest(names), **implicitly())
    env = {**docker.extra_env, **variables}
    paths = [found["PATH"] for found in (docker.extra_env, variables) if "PATH" in found]
    if paths:
        env["PATH"] = os.pathsep.join(paths)
    return env


def _process(docker: DockerBinary, env: Mapping[str, str], arguments: Iterable[str]) -> Process:
    """A run of the engine's client; its result is cached for one session."""
    arguments = list(arguments)
    return Process(
        [docker.path, *arguments],
        description=f"Run docker {arguments[0]}",
        env=env,
        immutable_input_digests=docker.extra_input_digests,
        cache_scope=ProcessCacheScope.PER_SESSION,
    )


@rule(desc="Put layers into the Docker engine", level=LogLevel.DEBUG)
async def engine_image(
    request: EngineImageRequest,
    docker: DockerBinary,
    options: DockerOptions,
    options_env_aware: DockerOptions.EnvironmentAware,
) -> StartImage:
    env = await _environment(docker, options_env_aware.env_vars)
    tars = [layer.tar for layer in request.layers]
    dockerfile = "\n".join([f"FROM {request.start}", *layer_instructions(tars), ""])
    diff_ids = [layer.layer.diff_id for layer in request.layers]
    content = hashlib.sha256("\n".join([dockerfile, *diff_ids]).encode())
    version = content.hexdigest()[:32]
    # Podman would use that name anyway, and would also look for a shorter one in registries.
    host = "localhost/" if getattr(docker, "is_podman", False) else ""
    tag = f"{host}{request.name}:{version}"
    look = _process(docker, env, ["image", "inspect", "--format={{.Id}}", tag])
    look = replace(look, description=f"Look for {tag} in the Docker engine", level=LogLevel.DEBUG)
    if (await execute_process(look, **implicitly())).exit_code == 0:
        return StartImage(tag)
    file = await written({"Dockerfile": dockerfile.encode()})
    layers = await concurrently(only_file(layer, f"{layer.name}.tar") for layer in request.layers)
    context = await merge_digests(MergeDigests([*layers, file]))
    # A unique folder name, for the reason given at the `context_root` of `#image`.
    folder = await add_prefix(AddPrefix(context, version))
    # Not DockerBinary.build_image, whose parameters differ between versions of Pants.
    build = [*_build_command(options), "--tag", tag, "--file", f"{version}/Dockerfile", version]
    process = replace(
        _process(docker, env, build),
        description=f"Build {tag} in the Docker engine",
        input_digest=folder,
    )
    built = await execute_process(process, **implicitly())
    if built.exit_code != 0:
        raise Failure(
            f"{request.of}: `docker build` of {tag} failed. Check that the Docker Engine is running"
            " (docker info), or build `#oci` instead of `#image`, which does not need one.\n"
            + built.stderr.decode(errors="replace").strip()
        )
    return StartImage(tag)


@dataclass(frozen=True)
class EngineBaseRequest:
    """Asks for the image of a base. The address is that of the image or the base."""

    address: Address


@rule
async def engine_base(request: EngineBaseRequest) -> StartImage:
    wrapped = await resolve_target(
        WrappedTargetRequest(request.address, description_of_origin="an image"), **implicitly()
    )
    target = wrapped.target
    if target.has_field(ImageReferenceField):
        return StartImage(target[ImageReferenceField].value)
    owner = service_of(target.address)
    made = await rootfs_layer(DebianRootRequest(owner.create_generated("rootfs")), **implicitly())
    image: StartImage = await engine_image(
        EngineImageRequest(f"inseam/{owner.target_name}", "scratch", (made.layer,), owner),
        **implicitly(),
    )
    return image


@dataclass(frozen=True)
class DepsImageRequest:
    """Asks for the `#deps` of a service: its base, with all layers below its code."""

    address: Address
    base: str


@rule
async def deps_image(
    request: DepsImageRequest, inseam: InseamSubsystem, membership: UnionMembership
) -> StartImage:
    service = service_of(request.address)
    bases = await resolve_unparsed_address_inputs(
        UnparsedAddressInputs(
            [request.base],
            owning_address=service,
            description_of_origin=f"the `base` of {service}",
        ),
        **implicitly(),
    )
    start = await engine_base(EngineBaseRequest(bases[0]), **implicitly())
    wanted = ServiceRequest(service.create_generated("layers"))
    layers = await dependency_layers(wanted, **implicitly())
    wrapped = await resolve_target(
        WrappedTargetRequest(wanted.address, description_of_origin="layers"), **implicitly()
    )
    below = None
    if layers.base.is_debian and layers.wheel_layers:
        below = await rootfs_layer(
            DebianRootRequest(layers.base.address.create_generated("rootfs")), **implicitly()
        )
    contents = contents_of_layers(wanted, layers, below)
    found = await findings_of(contents, membership, inseam)
    findings = shown_findings(found, wrapped.target, membership, inseam, complete=below is not None)
    image: StartImage = await engine_image(
        EngineImageRequest("inseam/deps", start.name, layers.layers, service), **implicitly()
    )
    return replace(image, findings=findings)


@dataclass(frozen=True)
class SayFindingsRequest:
    """Asks for the findings about a `#deps` to be shown in this session."""

    deps: DepsImageRequest


@dataclass(frozen=True)
class SaidFindings:
    """Says that the findings were shown."""


@rule(desc="Show findings about a dependencies image", level=LogLevel.DEBUG)
async def said_findings(request: SayFindingsRequest, run_id: RunId) -> SaidFindings:
    say((await deps_image(request.deps, **implicitly())).findings, run_id)
    return SaidFindings()


def _built(image: StartImage) -> BuiltPackage:
    """The package with which Pants' Docker backend replaces an address with the image's name."""
    artifact = BuiltDockerImage(relpath=None, image_id="", tags=(image.name,), extra_log_lines=())
    return BuiltPackage(EMPTY_DIGEST, (artifact,))


@dataclass(frozen=True)
class BaseImageFieldSet(PackageFieldSet):
    required_fields = (BaseImageField,)

    of: BaseImageField


@rule(desc="Build a base image", level=LogLevel.DEBUG)
async def package_base_image(field_set: BaseImageFieldSet) -> BuiltPackage:
    return _built(await engine_base(EngineBaseRequest(field_set.address), **implicitly()))


@dataclass(frozen=True)
class DepsImageFieldSet(PackageFieldSet):
    required_fields = (DepsImageField,)

    base: DepsImageField


@rule(desc="Build a dependencies image", level=LogLevel.DEBUG)
async def package_deps_image(field_set: DepsImageFieldSet) -> BuiltPackage:
    request = DepsImageRequest(field_set.address, field_set.base.value)
    image = await deps_image(request, **implicitly())
    await said_findings(SayFindingsRequest(request), **implicitly())
    return _built(image)


def rules() -> list[Any]:
    patch_image_id_parser(package_image)
    return [
        *collect_rules(),
        UnionRule(PackageFieldSet, BaseImageFieldSet),
        UnionRule(PackageFieldSet, DepsImageFieldSet),
    ]
