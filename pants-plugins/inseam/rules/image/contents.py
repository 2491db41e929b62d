"""Describes the contents of an image, from the results of the rules that made its layers."""

from __future__ import annotations

from dataclasses import dataclass, field

from pants.engine.addresses import Address
from pants.util.frozendict import FrozenDict

from inseam.formats.oci.config import ImageConfig
from inseam.formats.oci.container import Probes
from inseam.formats.oci.layer import Layer
from inseam.formats.oci.metadata import RunHints
from inseam.formats.python.entry_point import EntryPoint
from inseam.formats.python.shared_path import Preference
from inseam.formats.python.termination import Endless
from inseam.rules.base.base import Base
from inseam.rules.generate.base import service_of
from inseam.rules.layers.code import Mention
from inseam.rules.layers.layer import StoredLayer
from inseam.rules.layers.rootfs import RootfsLayer
from inseam.rules.layers.service import DependencyLayers, ServiceRequest
from inseam.rules.wheels.wheels import InstalledWheel


def frozen_config(config: ImageConfig) -> ImageConfig:
    """The same configuration, as a hashable value that can be part of a rule's request."""
    return config._replace(
        env=FrozenDict(config.env),
        labels=FrozenDict(config.labels),
        annotations=FrozenDict(config.annotations),
    )


@dataclass(frozen=True)
class BaseContents:
    """What is in the base of an image."""

    base: Base
    """Its address, CPython and platform."""
    libraries: frozenset[str] | None = None
    """Names of the shared libraries that the loader finds in it; None if they are unknown."""
    rootfs: RootfsLayer | None = None
    """Its Debian packages; None for a `registry_base`."""
    reference: str = ""
    """Its name in a registry; None for a `debian_base`."""
    digest: str = ""
    """The OCI configuration of its image."""
    messages: tuple[str, ...] = ()
    """Warnings from pulling it."""


@dataclass(frozen=True)
class LayerContents:
    """The contents of a layer above the base."""

    layer: Layer
    """The layer in the image: compressed, with digests and sizes."""
    source: StoredLayer
    """The layer as it was made: with wheels, the lists of their files are next to it."""

    @property
    def name(self) -> str:
        return self.layer.name

    @property
    def wheels(self) -> tuple[InstalledWheel, ...]:
        """The distributions in it, sorted by name; empty for a layer of first-party files."""
        return self.source.members


@dataclass(frozen=True)
class ImageContents:
    """What is in an image, for one platform."""

    target: Address
    """Address of the image; for a generated image, that of the `python_service`."""
    base: BaseContents
    layers: tuple[LayerContents, ...]
    """The layers above the base, lowest first."""
    service: ServiceRequest | None = None
    """The service whose code is in it."""
    first_party: tuple[Address, ...] = ()
    """The targets whose files are in it, sorted."""
    entry_points: tuple[EntryPoint, ...] = ()
    """The entry points of its programs and probes, the service's first."""
    missing_modules: tuple[str, ...] = ()
    """Standard modules that are in neither the base nor the wheels."""
    mentions: tuple[Mention, ...] = ()
    """Strings in the service's code that may name modules."""
    endless: tuple[Endless, ...] = ()
    """The service's programs that SIGTERM does not end if they are the first process."""
    prefer: tuple[Preference, ...] = ()
    """The distribution whose file is used, where two install one at the same path."""
    config: ImageConfig = field(default_factory=lambda: frozen_config(ImageConfig()))
    """The image's own configuration: user, environment, command, health check."""
    probes: Probes | None = None
    """Its probes in Kubernetes."""
    run: RunHints = field(default_factory=RunHints)
    """How its containers run, including what the image inherits from the base."""

    @property
    def platform(self) -> str:
        """The platform, such as "linux/amd64"."""
        return self.base.base.oci_platform

    @property
    def wheels(self) -> tuple[InstalledWheel, ...]:
        """The distributions of all layers."""
        return tuple(wheel for layer in self.layers for wheel in layer.wheels)

    @property
    def wheel_layers(self) -> tuple[StoredLayer, ...]:
        """The layers with distributions, as they were made."""
        return tuple(layer.source for layer in self.layers if layer.wheels)


def contents_of_layers(
    service: ServiceRequest, dependencies: DependencyLayers, rootfs: RootfsLayer | None = None
) -> ImageContents:
    """The contents below the code of a service, as far as they are known without its image.

    rootfs: the base's root filesystem, if the base is made of Debian packages.
    """
    libraries = rootfs.libraries if rootfs else None
    return ImageContents(
        target=service_of(service.address),
        base=BaseContents(dependencies.base, libraries, rootfs),
        layers=tuple(LayerContents(layer.layer, layer) for layer in dependencies.layers),
        service=service,
        first_party=dependencies.first_party,
        entry_points=dependencies.entry_points,
        missing_modules=dependencies.missing_modules,
        prefer=dependencies.prefer,
    )
