"""Finds standard modules that are missing from the image of a service."""

from __future__ import annotations

from typing import Iterable

from inseam.compat import concurrently
from inseam.formats.python.installed import NAMES, load_names
from inseam.rules.base.base import Base
from inseam.rules.layers.layer import StoredLayer
from inseam.rules.programs.digests import file_content


async def missing_modules(base: Base, layers: Iterable[StoredLayer]) -> tuple[str, ...]:
    """The standard modules that the base lacks and the wheels do not provide."""
    layers = list(layers)
    texts = await concurrently(
        file_content(layer.digest, f"{layer.folder}/{NAMES}") for layer in layers
    )
    brought = {name for text in texts for name in load_names(text)}
    if any(wheel.name == "setuptools" for layer in layers for wheel in layer.layer.wheels):
        brought.add("distutils")
    return tuple(name for name in base.missing_modules if name not in brought)
