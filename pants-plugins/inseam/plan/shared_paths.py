"""Says which distributions install different files at one path, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from inseam.formats.python.shared_path import (
    HIDDEN,
    REFUSED,
    SharedPath,
    distribution_name,
    shown,
)
from inseam.plan.required_by import START

_SHOWN = 3  # paths, or pairs of distributions, in a message


def label(wheel: str) -> str:
    """The distribution in a wheel's file name, as "words 1.0"; other owners unchanged."""
    parts = wheel.split("-")
    return f"{distribution_name(wheel)} {parts[1]}" if len(parts) > 2 else wheel


def describe_clashes(
    paths: Iterable[SharedPath],
    required_by: Mapping[str, tuple[str, ...]],
    address: str,
    resolve: str,
) -> str:
    """Why an image cannot contain these distributions together, and all ways out; "" if it can.

    required_by: what requires each distribution, by name. address: the target with the
    field `prefer`. resolve: the one whose lock lists the distributions.
    """
    pairs: dict[tuple[str, str], list[SharedPath]] = {}
    for one in paths:
        if one.why in REFUSED:
            first, second = sorted((one.kept, one.other))
            pairs.setdefault((first, second), []).append(one)
    told = [_clash(pairs[pair], required_by, address, resolve) for pair in sorted(pairs)[:_SHOWN]]
    if len(pairs) > _SHOWN:
        told.append(f"{len(pairs) - _SHOWN} more pairs of distributions clash.")
    return "\n".join(told)


def _clash(
    found: Sequence[SharedPath],
    required_by: Mapping[str, tuple[str, ...]],
    address: str,
    resolve: str,
) -> str:
    wheels = sorted((found[0].kept, found[0].other))
    one, other = map(label, wheels)
    paths = sorted(shown(item.path) for item in found)
    lines = [f"{one} and {other} both install {listed(paths)}, with different content."]
    lines += [f"  {_chain(wheel, required_by, address)}" for wheel in wheels]
    if any(item.why == HIDDEN for item in found):
        lines.append(
            f"The layer of {label(found[0].kept)} lies above that of the distribution that `prefer`"
            " names, and hides its file. Change the order of `layers`."
        )
        return "\n".join(lines)
    name, rival = distribution_name(wheels[0]), distribution_name(wheels[1])
    lines += [
        "Do one of these:",
        f"  - choose whose file images get: prefer={{{paths[0]!r}: {name!r}}} in {address}, or"
        f" prefer={{{rival!r}: {name!r}}} for all files that both install;",
        f"  - leave one of them out of all images, if nothing imports it: add {rival!r} to"
        " [inseam].leave_out in pants.toml;",
        "  - pin a version of one of them that does not install the file, or stop requiring one,"
        f" and lock again: ./pants generate-lockfiles --resolve={resolve}",
    ]
    return "\n".join(lines)


def listed(paths: Sequence[str]) -> str:
    """The first of some paths, and how many more there are."""
    told = ", ".join(paths[:_SHOWN])
    return f"{told} and {len(paths) - _SHOWN} more files" if len(paths) > _SHOWN else told


def _chain(wheel: str, required_by: Mapping[str, tuple[str, ...]], address: str) -> str:
    """Who requires a distribution, as "src/shop:app -> app 1.0 -> words 1.0"."""
    steps = required_by.get(distribution_name(wheel), (START,))
    return " -> ".join([address if step == START else step for step in steps] + [label(wheel)])
