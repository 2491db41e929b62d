"""Lists the distributions of an image and their dependencies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from inseam.formats.python.wheel_facts import Licence
from inseam.rules.wheels.wheels import BuiltWheel, InstalledWheel
from inseam.sbom.bill import Component, LicenceClaim, PackageUrl

_PREFIX = "License :: "


def distribution_ref(name: str) -> str:
    """The ref of a distribution."""
    return f"pypi:{canonicalize_name(name)}"


def distribution_component(installed: InstalledWheel, layer: str) -> Component:
    """The component of a distribution."""
    wheel, facts = installed.wheel, installed.facts
    claim, said_by = licence_claim(facts.licence)
    properties = {
        "inseam:file": wheel.filename,
        "inseam:files": str(facts.files),
        "inseam:layer": layer,
        "inseam:licence-by": said_by,
        "inseam:size": str(facts.size),
    }
    if isinstance(wheel, BuiltWheel):
        properties["inseam:built-from"] = wheel.source
    return Component(
        distribution_ref(wheel.name),
        "library",
        wheel.name,
        wheel.version,
        PackageUrl("pypi", wheel.name, wheel.version),
        wheel.sha256,
        claim,
        (
            *((name, value) for name, value in sorted(properties.items()) if value),
            *(("inseam:sbom", path) for path in facts.sboms),
        ),
    )


def licence_claim(licence: Licence) -> tuple[LicenceClaim, str]:
    """What a distribution says about its licence, and in which field: an expression if there is one
    (PEP 639), otherwise its classifiers, otherwise the free text.
    """
    if licence.expression:
        return LicenceClaim(licence.expression), "License-Expression"
    names = tuple(
        dict.fromkeys(
            one[len(_PREFIX) :].rpartition(" :: ")[2]
            for one in licence.classifiers
            if one != f"{_PREFIX}OSI Approved"
        )
    )
    if names:
        return LicenceClaim(names=names), "Classifier"
    return (
        (LicenceClaim(names=(licence.text,)), "License")
        if licence.text
        else (
            LicenceClaim(),
            "",
        )
    )


def distribution_requirements(
    requires: Mapping[str, Iterable[str]],
    extras: Mapping[str, Iterable[str]],
    markers: Mapping[str, str],
) -> dict[str, tuple[str, ...]]:
    """For the ref of each distribution, those of the distributions of the image that it needs.

    requires: Requires-Dist by canonical name. extras: those that first-party code requests, by
    canonical name. markers: the environment of the image (PEP 508).
    """
    parsed = {name: [*_parsed(lines)] for name, lines in requires.items()}
    wanted = {name: {*extras.get(name, ())} for name in parsed}
    needed: dict[str, set[str]] = {name: set() for name in parsed}
    queue = [*parsed]
    while queue:
        name = queue.pop()
        for requirement in parsed[name]:
            other = str(canonicalize_name(requirement.name))
            if other not in parsed or not _holds(requirement, wanted[name], markers):
                continue
            needed[name].add(other)
            if not requirement.extras <= wanted[other]:
                wanted[other] |= requirement.extras
                queue.append(other)
    return {
        distribution_ref(name): tuple(sorted(map(distribution_ref, others - {name})))
        for name, others in needed.items()
    }


def _parsed(lines: Iterable[str]) -> Iterable[Requirement]:
    for line in lines:
        try:
            yield Requirement(line)
        except InvalidRequirement:
            continue


def _holds(requirement: Requirement, extras: Iterable[str], markers: Mapping[str, str]) -> bool:
    if requirement.marker is None:
        return True
    try:
        return any(
            requirement.marker.evaluate({**markers, "extra": extra}) for extra in ("", *extras)
        )
    except UndefinedEnvironmentName:
        return False
