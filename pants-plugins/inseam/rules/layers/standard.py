"""Finds standard modules that an image of a service lacks, and wheels that import them."""

from __future__ import annotations

from typing import Iterable

from pants.engine.addresses import Address

from inseam.compat import concurrently
from inseam.formats.python.installed import IMPORTS, NAMES, load_imports, load_names
from inseam.formats.python.standard import remedy
from inseam.rules.base.base import Base
from inseam.rules.layers.layer import StoredLayer
from inseam.rules.programs.digests import file_content


async def lacking_modules(base: Base, layers: Iterable[StoredLayer]) -> tuple[str, ...]:
    """The standard modules that the base lacks, and the wheels do not bring."""
    layers = list(layers)
    texts = await concurrently(
        file_content(layer.digest, f"{layer.folder}/{NAMES}") for layer in layers
    )
    brought = {name for text in texts for name in load_names(text)}
    if any(wheel.name == "setuptools" for layer in layers for wheel in layer.layer.wheels):
        brought.add("distutils")
    return tuple(name for name in base.missing_modules if name not in brought)


async def lacking_imports(
    service: Address, base: Base, layers: Iterable[StoredLayer], lacking: tuple[str, ...]
) -> tuple[str, ...]:
    """Warnings of wheels that import a module which nothing in the image has."""
    texts = await concurrently(
        file_content(layer.digest, f"{layer.folder}/{IMPORTS}") for layer in layers
    )
    found = [one for text in texts for one in load_imports(text) if one.module in lacking]
    warnings = []
    for module in sorted({one.module for one in found}):
        inside = [one for one in found if one.module == module]
        files = ", ".join(f"{one.path} of {one.wheel}" for one in inside[:3])
        more = f", and {len(inside) - 3} more files" if len(inside) > 3 else ""
        warnings.append(
            f"{service}: the base's Python {base.python_version} does not have {module}, which"
            f" {files}{more} import{'s' if len(inside) == 1 else ''}. "
            f"{remedy(module, base.python_version)}"
        )
    return tuple(warnings)
