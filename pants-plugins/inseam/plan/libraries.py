"""Decides which shared libraries are missing from an image, and says what to do about it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from inseam.formats.python.libraries import WheelLibraries


@dataclass(frozen=True)
class MissingLibrary:
    """A library that is missing from an image."""

    names: tuple[str, ...]
    """Names of the library; several if any of them is enough."""
    by: str
    """The wheel or distribution that needs it."""
    path: str
    """Path of the file in the image that needs it; "" for a library that is loaded at run time."""

    def __str__(self) -> str:
        names = " or ".join(self.names)
        if self.path:
            return f"{self.by} needs {names} (for /{self.path})"
        return f"{self.by} loads {names} at run time"


def missing_libraries(
    layers: Iterable[WheelLibraries],
    distributions: Iterable[str],
    there: Collection[str],
    *,
    runtime: Mapping[str, Iterable[str]],
    ignored: Collection[str],
) -> tuple[MissingLibrary, ...]:
    """The libraries that are in neither the wheels nor the base.

    layers: those with wheels. distributions: the wheels' normalized names. there: the names of the
    base's libraries. runtime: in the form of RUNTIME_LIBRARIES. ignored: globs for names.
    """
    layers = list(layers)
    wheels = {name for layer in layers for name in layer.names}
    found = [
        MissingLibrary((one.name,), one.wheel, one.path)
        for layer in layers
        for one in layer.needed
        if one.name not in wheels and one.name not in there
    ]
    for distribution in sorted(set(distributions)):
        for either in runtime.get(distribution, ()):
            names = tuple(either.split("|"))
            known = any(name in there or _bundled(name, wheels) for name in names)
            if not known:
                found.append(MissingLibrary(names, distribution, ""))
    return tuple(
        one
        for one in sorted(found, key=lambda one: (one.by, one.names))
        if not any(fnmatchcase(name, glob) for name in one.names for glob in ignored)
    )


def _bundled(library: str, wheels: Iterable[str]) -> bool:
    """Whether a wheel contains the library, perhaps with a hash in its name, as from auditwheel."""
    stem = re.escape(library.partition(".so")[0])
    name = re.compile(rf"{stem}([-_][0-9A-Za-z_]+)?\.so(\..*)?")
    return any(name.fullmatch(wheel) for wheel in wheels)


def describe_missing(missing: MissingLibrary, base: str, packages: Mapping[str, str]) -> str:
    """A sentence about a library that is missing from an image.

    base: the base's address. packages: names of Debian packages, by library.
    """
    likely = list(dict.fromkeys(packages[name] for name in missing.names if name in packages))
    add = f": add the Debian package {' or '.join(likely)}" if likely else ""
    return f"{missing}, which neither the wheels nor the base {base} have{add}."
