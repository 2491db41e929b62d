"""Makes `ImageContents` for tests of checks and documents."""

from __future__ import annotations

from typing import Any

from pants.engine.addresses import Address
from pants.engine.fs import Digest

from inseam.formats.glibc import GlibcVersion
from inseam.formats.names import FileName
from inseam.formats.oci.layer import Layer
from inseam.formats.python.wheel_facts import WheelFacts
from inseam.plan.artifacts import LockedWheel
from inseam.plan.platform import PythonPlatform
from inseam.rules.base.base import Base
from inseam.rules.image.contents import BaseContents, ImageContents, LayerContents
from inseam.rules.layers.layer import StoredLayer
from inseam.rules.wheels.wheels import InstalledWheel

APP = Address("src/shop", target_name="app")
PLATFORM = PythonPlatform("amd64", "3.11.2", GlibcVersion(2, 36))
BASE = Base(Address("docker", target_name="base"), PLATFORM, "/usr/bin/python3.11", None, True)


def digest(digit: str) -> Digest:
    return Digest(digit * 64, 7)


def wheel(name: str, amended: str = "", of: type[LockedWheel] = LockedWheel, **more: Any) -> Any:
    """An installed wheel: a locked one, or of another type that has more fields."""
    filename = FileName(f"{name}-1.0-py3-none-any.whl")
    locked = of(name=name, version="1.0", filename=filename, sha256="0" * 64, url="", **more)
    return InstalledWheel(locked, WheelFacts(10, 1), digest("1"), amended)


def contents(*wheels: InstalledWheel, **base: Any) -> ImageContents:
    """An image of a base and a layer with these wheels."""
    layer = Layer("deps", f"sha256:{'2' * 64}", 7)
    source = StoredLayer(layer, digest("2"), wheels)
    return ImageContents(APP, BaseContents(BASE, **base), (LayerContents(layer, source),))
