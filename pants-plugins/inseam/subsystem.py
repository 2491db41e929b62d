"""The options of Inseam, in the scope [inseam]."""

from __future__ import annotations

from enum import Enum

from pants.option.option_types import BoolOption, EnumOption, IntOption, StrOption
from pants.option.subsystem import Subsystem
from pants.util.strutil import softwrap


class PublishedImage(Enum):
    """A generated image of a `python_service`."""

    oci = "oci"
    image = "image"


class InseamSubsystem(Subsystem):
    options_scope = "inseam"
    help = "Images for Python services."

    base = StrOption(
        default=None,
        help=softwrap(
            """
            Address of the base that services stand on unless they name another, like
            `//docker/base:debian`: a `debian_base` or a `registry_base`.
            """
        ),
    )
    debian_allow_newer = BoolOption(
        default=False,
        help=softwrap(
            """
            Whether a locked Debian package that the mirrors no longer have may be replaced by the
            newest one of the same release that Debian signed, with a warning. Such a base is not
            the locked one, and is not cached.
            """
        ),
    )
    large_wheel = IntOption(
        default=8_000_000,
        help=softwrap(
            """
            Size in bytes from which on a wheel has a layer of its own, and a first-party resource
            is in the layer `data`, apart from what changes more often.
            """
        ),
    )
    max_layers = IntOption(
        default=10,
        help=softwrap(
            """
            How many layers an image may have above its base. If large wheels would need more, the
            smallest of them are in the layer `deps`.
            """
        ),
    )
    registry_timeout = IntOption(
        default=60,
        help="Seconds to wait for each answer of a registry when an image is pushed.",
    )
    publish = EnumOption(
        default=PublishedImage.oci,
        help=softwrap(
            """
            Which image of a `python_service` the goal `publish` pushes: `#oci`, which is the same
            wherever it is made, or `#image`, as Docker built it. The other is skipped.
            """
        ),
    )
