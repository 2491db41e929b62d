"""The options of Inseam, in the scope [inseam]."""

from __future__ import annotations

from pants.option.option_types import BoolOption, StrOption
from pants.option.subsystem import Subsystem
from pants.util.strutil import softwrap


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
    debian_strict = BoolOption(
        default=True,
        help=softwrap(
            """
            Whether only the locked Debian packages will do. Set to false, a package that the
            mirrors no longer have is replaced by the newest one of the same suite, whose signature
            is checked, with a warning. Such a base is not reproducible.
            """
        ),
    )
