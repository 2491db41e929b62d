"""The options of Inseam, in the scope [inseam]."""

from __future__ import annotations

from enum import Enum
from typing import Iterable, List, TypeVar

from pants.option.option_types import (
    BoolOption,
    DictOption,
    EnumListOption,
    EnumOption,
    IntOption,
    StrListOption,
    StrOption,
)
from pants.option.subsystem import Subsystem
from pants.util.strutil import softwrap

from inseam.formats.download import LARGEST
from inseam.plan.packaging import Artifact

# The address of the base that comes with Inseam.
DEFAULT_BASE = "//:inseam-base"


class PublishedImage(Enum):
    """A generated image of a `python_service`."""

    oci = "oci"
    image = "image"


class MissingLibraries(Enum):
    """What happens when an image lacks a shared library that a wheel needs."""

    warn = "warn"
    error = "error"
    ignore = "ignore"


class BuildPython(Enum):
    """Which CPython runs the programs that make layers."""

    base = "base"
    installed = "installed"


class Backend(Enum):
    """An optional part of Inseam: a folder beside `rules` with a `register.py` of its own."""

    wheels_from_source = "wheels_from_source"


_Member = TypeVar("_Member", bound=type)


class InseamSubsystem(Subsystem):
    options_scope = "inseam"
    help = "Container images for Python services."

    base = StrOption(
        default=DEFAULT_BASE,
        help=softwrap(
            f"""
            Address of the base of all services and images whose `base` field is not set: a
            `debian_base` or a `registry_base`, such as `//docker/base:debian`. The default is the
            base that comes with Inseam, `{DEFAULT_BASE}`: Debian 12 with CPython 3.11.
            """
        ),
    )
    build_python = EnumOption(
        default=BuildPython.base,
        help=softwrap(
            """
            Which CPython makes layers: `base`, the one in the base, so that their bytes are the
            same on each machine; or `installed`, one of the same minor version that is installed on
            this machine and decides a few bytes of bytecode. macOS always takes an installed one.
            """
        ),
    )
    default_base_lock = StrOption(
        default=None,
        help=softwrap(
            f"""
            Path of your own lock of the packages of `{DEFAULT_BASE}`, such as
            `lockfiles/inseam-base.json`. `generate-lockfiles --resolve=inseam-base` writes it.
            Without it, the packages are those that the version of Inseam was released with.
            """
        ),
    )
    package = EnumListOption(
        default=[Artifact.oci],
        help=softwrap(
            """
            What a `python_service` generates that `package` makes files of: `oci` for `#oci`,
            `image` for `#image` (which needs a Docker Engine), `pex` for `#pex` and
            `#healthcheck`, `layers` for the description of its layers. The field `package`
            overrides it.
            """
        ),
    )
    tailor = BoolOption(
        default=True,
        help=softwrap(
            """
            Whether `tailor` proposes a `python_service` for each module that starts one. It reads
            the sources and never runs them.
            """
        ),
    )
    without = EnumListOption(
        enum_type=Backend,
        default=lambda _: [],
        default_help_repr="[]",
        help=softwrap(
            """
            Parts of Inseam to leave out, of those that the backend `inseam` brings.
            Without `wheels_from_source`, a distribution that the lock has no fitting wheel of is
            an error, and all such distributions are named at once.
            """
        ),
    )
    prune_after = IntOption(
        default=14,
        help=softwrap(
            """
            Days after which `package` removes a blob in `dist/oci` that no image in `dist` refers
            to any more. Zero keeps all blobs.
            """
        ),
    )
    debian_vendor = StrOption(
        default=None,
        help=softwrap(
            """
            Where vendored Debian packages are, which are read before any mirror: a folder in the
            repository, an absolute path, or the URL of a copy, for example in a bucket. The goal
            `vendor-debian-packages` fills it; a package is at `sha256/<its sha256>`.
            """
        ),
    )
    debian_snapshot = StrOption(
        default=None,
        help=softwrap(
            """
            URL of a snapshot archive, which is asked for locked Debian packages that no mirror has
            any more. Its layout is that of Debian's: `<URL>/debian/<timestamp>/pool/...` and
            `<URL>/debian-security/<timestamp>/pool/...`; the timestamp is in the lock.
            """
        ),
    )
    debian_allow_newer = BoolOption(
        default=False,
        help=softwrap(
            """
            If true, a locked Debian package that no mirror has any more is replaced, with a
            warning, by the newest version in the same release that Debian signed. Such a base
            differs from the lock and is not cached.
            """
        ),
    )
    debian_allow_expired = BoolOption(
        default=False,
        help=softwrap(
            """
            If true, Debian's signed indexes are accepted although their `Valid-Until` is in the
            past or their `Date` in the future, for example those of an archive of old releases.
            They are never accepted if they are older than those that the lock was made from.
            """
        ),
    )
    debian_locks = StrListOption(
        default=["lockfiles/debian-*.json"],
        help=softwrap(
            """
            Globs, from the root of the repository, of the locks of Debian packages. For these,
            `--changed-since` finds the bases and images that a change affects.
            """
        ),
    )
    missing_libraries = EnumOption(
        default=MissingLibraries.warn,
        help=softwrap(
            """
            What to do when an image is packaged, and a wheel in it needs a shared library that
            neither the wheels nor the base have: `warn`, `error` or `ignore`. The message names
            the Debian package to add.
            """
        ),
    )
    ignored_libraries = StrListOption(
        default=[
            "libcuda.so.*",
            "libgomp.so.1.0.0",
            "libnvcuvid.so.*",
            "libnvidia-*.so.*",
            "libtbb.so.*",
        ],
        help=softwrap(
            """
            Globs of names of shared libraries that images may lack: the container runtime adds
            them, as it adds those of graphics drivers, or the wheel can do without, as numba can
            do without libtbb and `libgomp.so.1.0.0`.
            """
        ),
    )
    runtime_libraries = DictOption[List[str]](
        default={},
        help=softwrap(
            """
            The shared libraries that distributions load while they run, which their wheels do not
            say, in addition to those that Inseam knows. For example
            `{"my-scanner": ["libzbar.so.0"]}`. `a|b` means that either is enough, and an empty list
            that a distribution needs none.
            """
        ),
    )
    locks = DictOption[str](
        default={},
        help=softwrap(
            """
            The locks that images are made from, by resolve, where they are not those of
            `[python.resolves]`. For example, `{"python-default": "uv.lock"}` takes the wheels of
            images from a `uv.lock`, while Pants has a PEX lock for tests and PEXes. A lock of PEX,
            a `uv.lock`, a `pylock.toml` (PEP 751) and a requirements file with hashes are read.
            """
        ),
    )
    build_resolve = StrOption(
        default=None,
        help=softwrap(
            """
            The resolve with what builds of wheels from sources require: setuptools and other
            backends. Default: a lock of the common ones that comes with Inseam.
            """
        ),
    )
    allow_file_repositories = BoolOption(
        default=False,
        help=softwrap(
            """
            Whether a lock may name git repositories by a `file:` URL, which are folders of this
            machine. Without it, a lock can make git open `https` and `ssh` URLs only.
            """
        ),
    )
    build_timeout = IntOption(
        default=1800,
        help="Seconds after which a build of a wheel is ended, and fails.",
    )
    leave_out = StrListOption(
        default=["types-*", "*-stubs"],
        help=softwrap(
            """
            Globs over the names of distributions that images do not contain, even if a service
            requires them; what only these require is left out with them. The default is type stubs,
            which Pants infers from imports next to what they describe, and which may require type
            checkers. A glob that starts with `!` names exceptions, such as `!types-boto3`. A
            `venv_layer` contains what its `requirements` name.
            """
        ),
    )
    large_wheel = IntOption(
        default=8_000_000,
        help=softwrap(
            """
            Size in bytes. A wheel of at least this size gets a layer of its own, and a first-party
            resource of at least this size is put into the layer `data`, apart from code, which
            changes more often.
            """
        ),
    )
    max_layers = IntOption(
        default=10,
        help=softwrap(
            """
            Maximum number of layers above the base. If large wheels need more, the smallest of them
            are put into the layer `deps`.
            """
        ),
    )
    max_download_size = IntOption(
        default=LARGEST,
        help=softwrap(
            """
            Size in bytes that a wheel or an sdist may have: a download that becomes larger is
            ended, and is an error. The lock has their hashes, but not their sizes.
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
            Which image the goal `publish` pushes of a `python_service` that is packaged both as
            `oci` and as `image`. The other one is skipped.
            """
        ),
    )

    def enabled(self, members: Iterable[_Member]) -> tuple[_Member, ...]:
        """The members of a union that `without` does not leave out, in order of their names.

        A member belongs to the backend whose folder it is in, as `inseam.wheels_from_source`.
        """
        left_out = {f"inseam.{backend.value}" for backend in self.without}
        kept = (one for one in members if ".".join(one.__module__.split(".")[:2]) not in left_out)
        return tuple(sorted(kept, key=lambda one: (one.__module__, one.__qualname__)))

    @property
    def download_bound(self) -> tuple[str, ...]:
        """The argument of `fetch_wheel` for the size, if it is not that program's own default."""
        return () if self.max_download_size == LARGEST else (str(self.max_download_size),)
