"""Makes a bill of materials from the contents of an image."""

from __future__ import annotations

from inseam.rules.image.contents import BaseContents, ImageContents
from inseam.sbom.bill import Bill, Component, PackageUrl
from inseam.sbom.debian import (
    OPERATING_SYSTEM,
    operating_system,
    package_components,
    package_requirements,
)
from inseam.sbom.distributions import (
    distribution_component,
    distribution_requirements,
)

_CPYTHON = "cpython"
_BASE = "base"


def bill_of(contents: ImageContents) -> Bill:
    """The bill of materials of an image. It does not depend on the content of first-party files, so
    that editing them does not rebuild it.
    """
    target = str(contents.target)
    components: list[Component] = []
    requires: dict[str, tuple[str, ...]] = {}
    _add_base(contents.base, components, requires)
    for layer in contents.layers:
        components += [distribution_component(one, layer.name) for one in layer.wheels]
    requires.update(
        distribution_requirements(
            {one.wheel.name: one.facts.requires for one in contents.wheels},
            {},
            contents.base.base.platform.markers(),
        )
    )
    components += [
        Component(str(address), "library", str(address)) for address in contents.first_party
    ]
    image = Component(
        f"image:{target}",
        "container",
        target,
        properties=(("inseam:platform", contents.platform), ("inseam:user", contents.run.user)),
    )
    needed = {other for others in requires.values() for other in others}
    requires[image.ref] = tuple(sorted({one.ref for one in components} - needed))
    return Bill(
        image,
        tuple(sorted(components, key=lambda one: one.ref)),
        tuple(sorted(requires.items())),
    )


def _add_base(
    base: BaseContents, components: list[Component], requires: dict[str, tuple[str, ...]]
) -> None:
    platform = base.base.platform
    cpython = Component(
        _CPYTHON,
        "platform",
        "cpython",
        platform.python_full_version,
        PackageUrl("generic", "cpython", platform.python_full_version),
        properties=(("inseam:interpreter", base.base.interpreter),),
    )
    rootfs = base.rootfs
    if rootfs is None:
        name, _, _ = base.reference.partition("@")
        repository, _, _ = name.partition(":")
        purl = PackageUrl(
            "oci",
            repository.rpartition("/")[2],
            base.digest,
            qualifiers=(("repository_url", repository),),
        )
        components += [cpython, Component(_BASE, "container", name, base.digest, purl)]
        requires[_BASE] = (_CPYTHON,)
        return
    facts = {one.name: one for one in rootfs.facts}
    if rootfs.archive:
        cpython = cpython._replace(
            sha256=rootfs.archive.sha256,
            properties=(*cpython.properties, ("inseam:file", rootfs.archive.file_name)),
        )
    components += [
        operating_system(rootfs.release),
        cpython,
        *package_components(rootfs.packages, facts, rootfs.release, rootfs.layer.name),
    ]
    requires.update(package_requirements(rootfs.facts))
    requires[OPERATING_SYSTEM] = ()
