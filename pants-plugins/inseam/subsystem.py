"""The options of Inseam, in the scope [inseam]."""

from __future__ import annotations

import re
from dataclasses import fields
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
from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_word
from inseam.formats.limits import Limits
from inseam.formats.oci.config import EPOCH
from inseam.plan.option_values import NUMBERS, check_globs, check_numbers, check_paths, rfc3339
from inseam.plan.packaging import Artifact

# The limits of builds, with their defaults.
_LIMITS = [f"`{field.name}` ({field.default})" for field in fields(Limits)]
_URL = re.compile(r"(?:https?://[^/\s]+|file://)(?:/\S*)?")
# The address of the base that comes with Inseam.
DEFAULT_BASE = "//:inseam-base"


class PublishedImage(Enum):
    """A generated image of a `python_service`."""

    oci = "oci"
    image = "image"


class BuildPython(Enum):
    """Which CPython runs the programs that make layers."""

    base = "base"
    installed = "installed"


class Backend(Enum):
    """An optional part of Inseam: a folder next to `rules` with its own `register.py`."""

    wheels_from_source = "wheels_from_source"


_Member = TypeVar("_Member", bound=type)


class BuildTools(Enum):
    """Where bubblewrap and a shell for builds of wheels come from."""

    locked = "locked"
    installed = "installed"


class InseamSubsystem(Subsystem):
    options_scope = "inseam"
    help = "Container images for Python services."

    base = StrOption(
        default=DEFAULT_BASE,
        help=softwrap(
            f"""
            Address of the base for all services and images that do not set `base`: a `debian_base`
            or a `registry_base`, such as `//docker/base:debian`. The default, `{DEFAULT_BASE}`,
            comes with Inseam: Debian 12 with CPython 3.11.
            """
        ),
    )
    build_python = EnumOption(
        default=BuildPython.base,
        help=softwrap(
            """
            Which CPython makes layers. `base`: the one in the base, so that their bytes are the
            same on every machine. `installed`: one of the same minor version that is installed on
            this machine; another patch release may change a few bytes of bytecode. On macOS, an
            installed one is always used.
            """
        ),
    )
    default_base_lock = StrOption(
        default=None,
        help=softwrap(
            f"""
            Path of your own lock for the packages of `{DEFAULT_BASE}`, such as
            `lockfiles/inseam-base.json`. `generate-lockfiles --resolve=inseam-base` writes it.
            Default: the lock that comes with Inseam.
            """
        ),
    )
    package = EnumListOption(
        default=[Artifact.oci],
        help=softwrap(
            """
            What each `python_service` is packaged as: `oci` for `#oci`, `image` for `#image` (which
            needs a Docker Engine), `pex` for `#pex` and `#healthcheck`, `layers` for the
            description of its layers. The field `package` overrides this option.
            """
        ),
    )
    tailor = BoolOption(
        default=True,
        help=softwrap(
            """
            Whether `tailor` proposes a `python_service` for each program that the repository
            declares, by `pex_binary` targets, Dockerfiles, Procfiles, console scripts or modules
            that start a service. It reads the sources and never runs them.
            """
        ),
    )
    tailor_functions = BoolOption(
        default=False,
        help=softwrap(
            """
            Whether `tailor` also proposes services for the handlers of AWS Lambda and Google Cloud
            Functions. The lock needs `awslambdaric` or `functions-framework`, which serve them.
            """
        ),
    )
    without = EnumListOption(
        enum_type=Backend,
        default=lambda _: [],
        default_help_repr="[]",
        help=softwrap(
            """
            Parts of the backend `inseam` to leave out. Without `wheels_from_source`, distributions
            for which the lock has no matching wheel are an error, which names all of them at once.
            """
        ),
    )
    created = StrOption(
        default=None,
        help=softwrap(
            """
            The time that images say they were created at, such as that of the source revision:
            seconds since 1970, as in SOURCE_DATE_EPOCH, or RFC 3339. In CI, set
            `PANTS_INSEAM_CREATED=$(git log -1 --format=%ct)`. It is only in the configuration:
            layers stay the same, but each new time gives each image a new digest. Default:
            1970-01-01T00:00:00Z.
            """
        ),
    )
    prune_after = IntOption(
        default=14,
        help=softwrap(
            """
            Days after which `package` removes a blob from `dist/oci` that no image in `dist` refers
            to any more. Zero keeps all blobs.
            """
        ),
    )
    debian_vendor = StrOption(
        default=None,
        help=softwrap(
            """
            Location of vendored Debian packages, which are tried before any mirror: a folder in the
            repository, an absolute path, or the URL of a copy, for example in a bucket. The goal
            `vendor-debian-packages` fills it; each package is at `sha256/<its sha256>`.
            """
        ),
    )
    debian_snapshot = StrOption(
        default=None,
        help=softwrap(
            """
            URL of a snapshot archive, which is used for locked Debian packages that are no longer
            on any mirror. It has the same layout as Debian's: `<URL>/debian/<timestamp>/pool/...`
            and `<URL>/debian-security/<timestamp>/pool/...`; the timestamp is in the lock.
            """
        ),
    )
    debian_allow_newer = BoolOption(
        default=False,
        help=softwrap(
            """
            If true, a locked Debian package that is no longer on any mirror is replaced, with a
            warning, by the newest version that Debian signed in the same release. Such a base
            differs from the lock and is not cached.
            """
        ),
    )
    debian_allow_expired = BoolOption(
        default=False,
        help=softwrap(
            """
            If true, Debian's signed indexes are accepted even if their `Valid-Until` is in the past
            or their `Date` in the future, as in an archive of old releases. Indexes that are older
            than those that the lock was made from are never accepted.
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
    finding_severities = DictOption[str](
        default={},
        help=softwrap(
            """
            Severities of findings about images, by ID: `ignore`, `warning` or `error`. For example,
            with `{"missing-library": "error"}`, `package` fails if a library is missing from an
            image. docs/findings.md lists the IDs. The field `allowed_findings` of a target allows
            single findings.
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
            Globs for names of shared libraries that may be missing from images: either the
            container runtime adds them, like those of graphics drivers, or they are optional, like
            libtbb and `libgomp.so.1.0.0` for numba.
            """
        ),
    )
    runtime_libraries = DictOption[List[str]](
        default={},
        help=softwrap(
            """
            Shared libraries that distributions load at run time without recording them in their
            wheels, in addition to those that Inseam knows. For example,
            `{"my-scanner": ["libzbar.so.0"]}`. `a|b` means that either is enough; an empty list
            means that a distribution needs none.
            """
        ),
    )
    locks = DictOption[str](
        default={},
        help=softwrap(
            """
            Locks that images are made from, by resolve, if they differ from those in
            `[python.resolves]`. For example, `{"python-default": "uv.lock"}` takes the wheels of
            images from a `uv.lock`, while Pants uses a PEX lock for tests and PEXes. A lock can be
            a PEX lock, a `uv.lock`, a `pylock.toml` (PEP 751) or a requirements file with hashes.
            """
        ),
    )
    build_resolve = StrOption(
        default=None,
        help=softwrap(
            """
            The resolve with the build requirements of wheels that are built from source, such as
            setuptools and other backends. Default: a lock of common ones that comes with Inseam.
            """
        ),
    )
    allow_file_repositories = BoolOption(
        default=False,
        help=softwrap(
            """
            If true, a lock may name git repositories by `file:` URLs, which are folders on this
            machine. Otherwise, a lock can only make git open `https` and `ssh` URLs.
            """
        ),
    )
    build_tools = EnumOption(
        default=BuildTools.locked,
        help=softwrap(
            """
            Where the tools that confine builds of wheels come from. `locked`: Debian packages whose
            lock comes with Inseam, so that nothing has to be installed. `installed`: bubblewrap
            (`bwrap`), the shell and `patch` of this machine.
            """
        ),
    )
    build_limits = DictOption[int](
        default={},
        help=softwrap(
            f"""
            Limits for one build of a wheel, if they differ from the defaults: {", ".join(_LIMITS)}.
            `memory`, `disk`, `output`, `unpacked` and `wheel` are in bytes. A build that exceeds a
            limit is stopped, and the error names the limit.
            """
        ),
    )
    allow_unconfined_builds = BoolOption(
        default=False,
        help=softwrap(
            """
            If true, wheels are built even if the kernel provides no namespaces to confine the
            builds. The projects' code can then read and write everything that the user who runs the
            build can. It still has no network, and if root runs Pants, it runs as the user nobody
            in a separate root filesystem. Every such build logs a warning.
            """
        ),
    )
    build_timeout = IntOption(
        default=1800,
        help="Seconds after which the build of a wheel is stopped and fails.",
    )
    leave_out = StrListOption(
        default=["types-*", "*-stubs"],
        help=softwrap(
            """
            Globs for names of distributions that are left out of images even if a service requires
            them, together with anything that only they require. The default is type stubs, which
            Pants infers from imports alongside the distributions that they describe, and which may
            require type checkers. A glob that starts with `!` names an exception, such as
            `!types-boto3`. A `venv_layer` contains everything that its `requirements` name.
            """
        ),
    )
    large_wheel = IntOption(
        default=8_000_000,
        help=softwrap(
            """
            Size in bytes. A wheel of at least this size gets a layer of its own. A first-party
            resource of at least this size goes into the layer `data`, apart from the code, which
            changes more often.
            """
        ),
    )
    max_layers = IntOption(
        default=10,
        help=softwrap(
            """
            Maximum number of layers above the base. If there are more large wheels, the smallest of
            them go into the layer `deps`.
            """
        ),
    )
    max_download_size = IntOption(
        default=LARGEST,
        help=softwrap(
            """
            Maximum size of a wheel or an sdist in bytes: a larger download is stopped and is an
            error. The lock has their hashes, but not their sizes.
            """
        ),
    )
    registry_timeout = IntOption(
        default=60,
        help="Seconds to wait for each response of a registry when an image is pushed.",
    )
    publish = EnumOption(
        default=PublishedImage.oci,
        help=softwrap(
            """
            Which image `publish` pushes if a `python_service` is packaged both as `oci` and as
            `image`. The other one is skipped.
            """
        ),
    )

    def enabled(self, members: Iterable[_Member]) -> tuple[_Member, ...]:
        """The members of a union that `without` does not leave out, in order of their names.

        A member belongs to the backend in whose folder it is, such as `inseam.wheels_from_source`.
        """
        left_out = {f"inseam.{backend.value}" for backend in self.without}
        kept = (one for one in members if ".".join(one.__module__.split(".")[:2]) not in left_out)
        return tuple(sorted(kept, key=lambda one: (one.__module__, one.__qualname__)))

    def check(self) -> None:
        """Raises Failure, naming the option, for numbers and paths that cannot be used."""
        check_numbers({name: getattr(self, name) for name in NUMBERS})
        paths = {}
        if self.default_base_lock is not None:
            paths["[inseam].default_base_lock"] = self.default_base_lock
        for resolve, path in self.locks.items():
            paths[f"the path of the resolve {resolve!r} in [inseam].locks"] = path
        check_paths(paths)
        check_globs("[inseam].debian_locks", tuple(self.debian_locks))
        if self.created:
            rfc3339(self.created, "[inseam].created")

    @property
    def created_time(self) -> str:
        """`created` as RFC 3339; raises Failure for anything that is not a time."""
        return rfc3339(self.created, "[inseam].created") if self.created else EPOCH

    @property
    def download_bound(self) -> tuple[str, ...]:
        """The size argument of `fetch_wheel`, unless it is that program's default."""
        return () if self.max_download_size == LARGEST else (str(self.max_download_size),)

    @property
    def snapshot(self) -> str:
        """`debian_snapshot`, or "" if it is not set."""
        url: str = self.debian_snapshot or ""
        if url and not (_URL.fullmatch(url) and url.isprintable()):
            raise Failure(
                "[inseam].debian_snapshot must be the URL of a snapshot archive, such as"
                f" https://snapshot.example/archive, but is {foreign_word(url)}."
            )
        return url
