"""An image to test, which is found by the address of the target that Pants built it from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


class ImageNotFound(Exception):
    """The image of a target was not found; the message says what to add."""


@dataclass(frozen=True)
class Image:
    """An image in the engine."""

    reference: str
    """The argument of `docker run`; for images that Pants built, their ID, so that it is certainly
    the image that was built.
    """
    name: str = ""
    """Its name for people."""

    def __str__(self) -> str:
        return self.name or self.reference


def search_path() -> tuple[Path, ...]:
    """The folders with Pants' packages: a test's sandbox, or `dist` if you run pytest yourself."""
    here = Path.cwd()
    return (here, *(folder / "dist" for folder in (here, *here.parents)))


def find(address: str, folders: Iterable[Path] | None = None) -> Image:
    """The image of a `docker_image`, or of a `python_service` when its own address is given.

    address: such as `src/python/service:app` or `//src/python/service:app#image`. The description
    that Pants writes when it packages the image is searched for in `folders`. Raises
    ImageNotFound.
    """
    target = address.removeprefix("//").removesuffix("#image")
    path, _, name = target.partition(":")
    name = name or path.rpartition("/")[2]
    file = f"{path.replace('/', '.') or '.'}/{name}.docker-info.json"
    for folder in search_path() if folders is None else folders:
        found = folder / file
        if found.is_file():
            return read(found)
    raise ImageNotFound(
        f"no {file} in {os.getcwd()}: add the image's target, like {target}#image, to the test's"
        " `runtime_package_dependencies`; or, when pytest runs without Pants, type:"
        f" ./pants package {target}#image"
    )


def read(file: Path) -> Image:
    """The image that a `*.docker-info.json` file describes: version 1 of Pants' format."""
    info = json.loads(file.read_text(encoding="utf-8"))
    if info.get("version") != 1:
        raise ImageNotFound(f"{file} has version {info.get('version')!r}, and only 1 is known")
    if info["image_id"] == "<unknown>":
        raise ImageNotFound(
            f"Pants did not find the image's ID in what `docker build` printed, and {file}"
            " has none: package the image again with --docker-build-verbose to see what it printed"
        )
    names = [tag["name"] for registry in info["registries"] for tag in registry["tags"]]
    return Image(info["image_id"], names[0] if names else "")
