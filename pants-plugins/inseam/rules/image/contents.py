"""Says what is in an image, from values that the rules which make it returned; no layer is read."""

from __future__ import annotations

from dataclasses import dataclass, field

from pants.engine.addresses import Address
from pants.util.frozendict import FrozenDict

from inseam.formats.oci.config import ImageConfig
from inseam.formats.oci.layer import Layer
from inseam.formats.oci.metadata import RunHints
from inseam.formats.python.entry_point import EntryPoint
from inseam.rules.base.base import Base
from inseam.rules.generate.base import service_of
from inseam.rules.layers.layer import StoredLayer
from inseam.rules.layers.rootfs import RootfsLayer
from inseam.rules.layers.service import DependencyLayers, ServiceRequest
from inseam.rules.wheels.wheels import InstalledWheel


def frozen_config(config: ImageConfig) -> ImageConfig:
    """The same configuration, as a value that rules can be asked by."""
    return config._replace(
        env=FrozenDict(config.env),
        labels=FrozenDict(config.labels),
        annotations=FrozenDict(config.annotations),
    )


@dataclass(frozen=True)
class BaseContents:
    """What is in the base of an image."""

    base: Base
    """Its target, its CPython and its platform."""
    libraries: frozenset[str] | None = None
    """Names of the shared libraries that the loader finds in it; None if they are not known."""
    rootfs: RootfsLayer | None = None
    """Its Debian packages, for a `debian_base`."""
    reference: str = ""
    """Its name in a registry, for a `registry_base`."""
    digest: str = ""
    """That of its image."""
    messages: tuple[str, ...] = ()
    """What was said when it was pulled."""


@dataclass(frozen=True)
class LayerContents:
    """What is in a layer above the base."""

    layer: Layer
    """As it is in the image: compressed, with digests and sizes."""
    source: StoredLayer
    """As it was made: for wheels with the lists of files that lie beside it."""

    @property
    def name(self) -> str:
        return self.layer.name

    @property
    def wheels(self) -> tuple[InstalledWheel, ...]:
        """The distributions in it, in order of name; none in a layer of first-party files."""
        return self.source.members


@dataclass(frozen=True)
class ImageContents:
    """What is in an image, for one platform."""

    target: Address
    """Of the image; of a generated one, the `python_service`."""
    base: BaseContents
    layers: tuple[LayerContents, ...]
    """Above the base, lowest first."""
    service: ServiceRequest | None = None
    """The service whose code is in it."""
    first_party: tuple[Address, ...] = ()
    """The targets whose files are in it, sorted."""
    entry_points: tuple[EntryPoint, ...] = ()
    """Of its programs and probes, that of the service first."""
    missing_modules: tuple[str, ...] = ()
    """Standard modules that neither the base nor the wheels have."""
    config: ImageConfig = field(default_factory=lambda: frozen_config(ImageConfig()))
    """What the image says of itself: user, environment, command, health check."""
    run: RunHints = field(default_factory=RunHints)
    """How a container of it runs, with what it inherits from the base."""

    @property
    def platform(self) -> str:
        """As "linux/amd64"."""
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
    """What is below the code of a service, as far as that is known without its image.

    rootfs: of the base, if it is made of Debian packages.
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
    )
