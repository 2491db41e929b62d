"""Decides which wheels share a layer.

Invariant: a layer of its own depends on the wheel in it and on nothing else; what is in the layer
`deps` depends only on which wheels have none. So a change of one wheel changes one layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

DEPS = "deps"
# Names of layers, or of folders beside them in a sandbox, that no wheel's layer can have.
RESERVED = frozenset(
    {DEPS, "app", "libs", "data", "base", "rootfs", "sources", "libraries", "image"}
)
APP_LAYERS = 3  # the service's package, other first-party code, and large first-party data


@dataclass(frozen=True)
class LayerPlan:
    """One layer above the base: its name, and the distributions in it, in order of name."""

    name: str
    distributions: tuple[str, ...]


def split(
    sizes: Mapping[str, int], *, large: int, max_layers: int, shared: int = 0
) -> tuple[LayerPlan, ...]:
    """The layers for distributions of the given sizes, lowest first: one for each large wheel,
    in order of name, then `deps` with the rest, which is always there.

    sizes: bytes of each distribution's wheel, by canonical name. large: bytes from which on a
    wheel has a layer of its own. max_layers: how many layers the image may have above its base,
    `shared` declared ones and APP_LAYERS for first-party files included. If that is too few, the
    largest have their own, compared by order of magnitude (powers of two), then by name: a
    release that is a little larger or smaller changes nothing.
    """
    budget = max(0, max_layers - shared - APP_LAYERS - 1)
    candidates = sorted(
        (name for name, size in sizes.items() if size >= large),
        key=lambda name: (-sizes[name].bit_length(), name),
    )
    own = sorted(candidates[:budget])
    rest = sorted(set(sizes) - set(own))
    return (*(LayerPlan(_layer_name(name), (name,)) for name in own), LayerPlan(DEPS, tuple(rest)))


def _layer_name(distribution: str) -> str:
    return f"{distribution}-wheel" if distribution in RESERVED else distribution
