"""Lists the Debian packages of a base, in the form that vulnerability scanners read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inseam.formats.debian.package import DebianPackage
from inseam.formats.debian.relations import parse_relations
from inseam.formats.rootfs.metadata import PackageFacts
from inseam.sbom.bill import Component, PackageUrl

# VERSION_ID of their os-release, under which advisories are published.
_NUMBERS = {"bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14"}
_TRIVY = "aquasecurity:trivy:"
OPERATING_SYSTEM = "operating-system"


def operating_system(release: str) -> Component:
    """The release that the packages are from: without it, Trivy ignores all of them."""
    return Component(
        OPERATING_SYSTEM,
        "operating-system",
        "debian",
        _NUMBERS.get(release, release),
        properties=((f"{_TRIVY}Class", "os-pkgs"), (f"{_TRIVY}Type", "debian")),
    )


def package_components(
    packages: Iterable[DebianPackage],
    facts: Mapping[str, PackageFacts],
    release: str,
    layer: str,
) -> tuple[Component, ...]:
    """A component for each package. facts: by package name."""
    return tuple(
        _component(package, facts.get(package.name), release, layer) for package in packages
    )


def _component(
    package: DebianPackage, facts: PackageFacts | None, release: str, layer: str
) -> Component:
    source = facts.source if facts else package.name
    epoch, upstream, revision = split_version(facts.source_version if facts else package.version)
    distro = f"debian-{_NUMBERS.get(release, release)}"
    qualifiers = {"arch": package.architecture, "distro": distro, "upstream": source}
    properties = {
        f"{_TRIVY}PkgType": "debian",
        f"{_TRIVY}SrcEpoch": epoch,
        f"{_TRIVY}SrcName": source,
        f"{_TRIVY}SrcRelease": revision,
        f"{_TRIVY}SrcVersion": upstream,
        "inseam:layer": layer,
        "inseam:size": str(facts.size) if facts else "",
    }
    return Component(
        package_ref(package.name),
        "library",
        package.name,
        package.version,
        PackageUrl(
            "deb", package.name, package.version, "debian", tuple(sorted(qualifiers.items()))
        ),
        package.sha256,
        properties=tuple((name, value) for name, value in sorted(properties.items()) if value),
    )


def package_ref(name: str) -> str:
    """The ref of a Debian package."""
    return f"deb:{name}"


def package_requirements(facts: Iterable[PackageFacts]) -> dict[str, tuple[str, ...]]:
    """For the ref of each package, those of the packages of the image that it depends on.

    Of alternatives, the first one in the image is used; packages that provide a virtual name are
    not listed.
    """
    facts = list(facts)
    names = {one.name for one in facts}
    found = {}
    for one in facts:
        needed = set()
        for alternatives in parse_relations(one.depends):
            there = [alternative.name for alternative in alternatives if alternative.name in names]
            needed.update(there[:1])
        found[package_ref(one.name)] = tuple(sorted(map(package_ref, needed - {one.name})))
    return found


def split_version(version: str) -> tuple[str, str, str]:
    """Epoch, upstream version and revision (Debian policy 5.6.12); "" for missing parts."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "", version
    upstream, dash, revision = rest.rpartition("-")
    return (epoch, upstream, revision) if dash else (epoch, rest, "")
