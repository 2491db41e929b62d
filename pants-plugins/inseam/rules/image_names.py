"""Rules that name images, and find images with the same name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.backend.docker.subsystems.docker_options import DockerOptions
from pants.engine.addresses import Address
from pants.engine.rules import collect_rules, rule
from pants.engine.target import AllTargets, Target
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from inseam.formats.failure import Failure
from inseam.plan.references import references
from inseam.rules.generate import service_of
from inseam.targets.image import (
    OciRegistriesField,
    OciRepositoryField,
    OciTagsField,
)


def label(address: Address) -> str:
    """What an image is called in texts: its service, if that has no other, or its address."""
    return str(service_of(address) if address.generated_name in ("oci", "image") else address)


def image_references(target: Target, options: DockerOptions) -> tuple[str, ...]:
    """The names, with tags, that the `oci_image` is to have.

    Raises Failure for one that no registry accepts.
    """
    try:
        return _references(target, options)
    except (KeyError, ValueError) as error:
        raise Failure(f"{label(target.address)}: {error}") from error


def _references(target: Target, options: DockerOptions) -> tuple[str, ...]:
    return references(
        target.address.spec_path,
        target.address.target_name,
        repository=target[OciRepositoryField].value,
        default_repository=options.default_repository,
        registries=[
            registry.address
            for registry in options.registries().get(*target[OciRegistriesField].value)
        ],
        tags=target[OciTagsField].value,
    )


@dataclass(frozen=True)
class ImageNames:
    """The addresses of the `oci_image`s of the repository, by name and tag."""

    addresses: FrozenDict[str, tuple[Address, ...]]


@rule(desc="Find the names of images", level=LogLevel.DEBUG)
async def find_image_names(targets: AllTargets, options: DockerOptions) -> ImageNames:
    found: dict[str, list[Address]] = {}
    for target in targets:
        if target.has_field(OciRepositoryField):
            for name in image_references(target, options):
                found.setdefault(name, []).append(target.address)
    return ImageNames(FrozenDict({name: tuple(found[name]) for name in sorted(found)}))


def check_image_names(address: Address, names: ImageNames) -> None:
    """Raises Failure if another `oci_image` has a name of the one at `address`."""
    for name, addresses in names.addresses.items():
        others = [other for other in addresses if other != address]
        if address in addresses and others:
            raise Failure(
                f"{label(address)} and {label(others[0])} both build the image {name}."
                " Change the `repository` or the `image_tags` of one of them."
            )


def rules() -> list[Any]:
    return [*collect_rules()]
