"""Rules that name images, and find images with the same name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.backend.docker.subsystems.docker_options import DockerOptions
from pants.backend.docker.target_types import (
    DockerImageRegistriesField,
    DockerImageRepositoryField,
    DockerImageTagsField,
)
from pants.engine.addresses import Address
from pants.engine.rules import collect_rules
from pants.engine.target import AllTargets, Field, Target
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from inseam.compat import rule
from inseam.formats.failure import Failure
from inseam.plan.references import references
from inseam.rules.generate.base import service_of
from inseam.targets.image import (
    OciRegistriesField,
    OciRepositoryField,
    OciTagsField,
)
from inseam.targets.service import PublishedInsteadField


def label(address: Address) -> str:
    """The name of an image in messages: its service, if that has no other image, or its address."""
    return str(service_of(address) if address.generated_name in ("oci", "image") else address)


def image_references(target: Target, options: DockerOptions) -> tuple[str, ...]:
    """The names of an `oci_image`, with tags.

    Raises Failure for a name that no registry accepts.
    """
    fields = (OciRepositoryField, OciRegistriesField, OciTagsField)
    try:
        return _references(target, fields, options)
    except (KeyError, ValueError) as error:
        raise Failure(f"{label(target.address)}: {error}") from error


def _engine_references(target: Target, options: DockerOptions) -> tuple[str, ...]:
    """The names of an `#image`; none if only Pants' backend can fill in their placeholders."""
    fields = (DockerImageRepositoryField, DockerImageRegistriesField, DockerImageTagsField)
    try:
        return _references(target, fields, options)
    except (KeyError, ValueError):
        return ()


def _references(
    target: Target, fields: tuple[type[Field], type[Field], type[Field]], options: DockerOptions
) -> tuple[str, ...]:
    values: list[Any] = [target[field].value for field in fields]
    repository, registries, tags = values
    return references(
        target.address.spec_path,
        target.address.target_name,
        repository=repository,
        default_repository=options.default_repository,
        registries=[one.address for one in options.registries().get(*registries)],
        tags=tags,
    )


@dataclass(frozen=True)
class ImageNames:
    """The addresses of all images of the repository, by name and tag: each `oci_image`, and each
    `#image` whose service has no `#oci` with the same names.
    """

    addresses: FrozenDict[str, tuple[Address, ...]]


@rule(desc="Find the names of images", level=LogLevel.DEBUG)
async def find_image_names(targets: AllTargets, options: DockerOptions) -> ImageNames:
    found: dict[str, list[Address]] = {}
    layouts = {one.address for one in targets if one.has_field(OciRepositoryField)}
    for target in targets:
        names: tuple[str, ...] = ()
        if target.address in layouts:
            names = image_references(target, options)
        elif (
            target.has_field(PublishedInsteadField)
            and service_of(target.address).create_generated("oci") not in layouts
        ):
            names = _engine_references(target, options)
        for name in names:
            found.setdefault(name, []).append(target.address)
    return ImageNames(FrozenDict({name: tuple(found[name]) for name in sorted(found)}))


def check_image_names(address: Address, names: ImageNames) -> None:
    """Raises Failure if another image has one of the names of the image at `address`."""
    for name, addresses in names.addresses.items():
        others = [other for other in addresses if other != address]
        if address in addresses and others:
            raise Failure(
                f"{label(address)} and {label(others[0])} both build the image {name}."
                " Change the `repository` or the `image_tags` of one of them."
            )


def rules() -> list[Any]:
    return [*collect_rules()]
