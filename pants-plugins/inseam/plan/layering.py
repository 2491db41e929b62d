"""Decides which wheels share a layer.

Invariant: the layer of a single wheel depends on nothing but that wheel, and the layer `deps`
depends only on the wheels that have no layer of their own. So changing one wheel changes one
layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from inseam.formats.distribution import Wheel
from inseam.formats.failure import Failure
from inseam.formats.oci.layer import DATA_LAYER, DEPS_LAYER
from inseam.formats.python.code import APP_LAYER, LIBRARIES_LAYER
from inseam.plan.artifacts import LockedWheel

# The layers of first-party files, which come last.
FIRST_PARTY = (DATA_LAYER, LIBRARIES_LAYER, APP_LAYER)
_TAKEN = frozenset({DEPS_LAYER, *FIRST_PARTY})


@dataclass(frozen=True)
class LayerPlan:
    """One layer above the base: its name, and the distributions in it, sorted by name."""

    name: str
    distributions: tuple[str, ...]


def split(
    sizes: Mapping[str, int], *, large: int, max_layers: int, shared: int = 0
) -> tuple[LayerPlan, ...]:
    """The layers for distributions of the given sizes, lowest first: one for each large wheel,
    sorted by name, then `deps` with the rest, which always exists.

    sizes: size in bytes of each distribution's wheel, by canonical name. large: the size in bytes
    from which on a wheel gets its own layer. max_layers: the maximum number of layers above the
    base, including the `shared` declared ones and those of first-party files. If there are too many
    large wheels, the largest get their own layers. They are compared by size, rounded to a power of
    two, and then by name, so that a slightly larger or smaller release does not move other wheels.
    """
    budget = max(0, max_layers - shared - len(FIRST_PARTY) - 1)
    candidates = sorted(
        (name for name, size in sizes.items() if size >= large),
        key=lambda name: (-sizes[name].bit_length(), name),
    )
    own = sorted(candidates[:budget])
    rest = sorted(set(sizes) - set(own))
    return (
        *(LayerPlan(_layer_name(name), (name,)) for name in own),
        LayerPlan(DEPS_LAYER, tuple(rest)),
    )


def _layer_name(distribution: str) -> str:
    return f"{distribution}-wheel" if distribution in _TAKEN else distribution


def check_names(layers: Iterable[str]) -> None:
    """Raises Failure if two layers of wheels have the same name, or one has the name of a layer of
    first-party files.
    """
    seen: set[str] = set(FIRST_PARTY)
    for name in layers:
        if name in seen:
            raise Failure(f"two layers of the image are named {name!r}. Rename the `venv_layer`.")
        seen.add(name)


def check_shared(
    needed: Iterable[LockedWheel], shared: Mapping[str, Iterable[LockedWheel | Wheel]]
) -> None:
    """Checks shared layers, by address, against each other and against what a service needs.

    Raises Failure for a distribution that is in two layers, and for one of which the service needs
    another version.
    """
    own: dict[str, LockedWheel | Wheel] = {wheel.name: wheel for wheel in needed}
    seen: dict[str, str] = {}
    for layer, wheels in shared.items():
        for wheel in wheels:
            other = seen.setdefault(wheel.name, layer)
            if other != layer:
                raise Failure(
                    f"the layers {other} and {layer} both contain {wheel.name}. Remove it from one"
                    " of them, or list only one of them."
                )
            found = own.get(wheel.name, wheel)
            if found.sha256 != wheel.sha256:
                raise Failure(
                    f"the layer {layer} contains {wheel.name} {wheel.version}, but the service"
                    f" needs {found.version} from another resolve. Lock the same version in both"
                    " resolves, or do not list the layer."
                )
