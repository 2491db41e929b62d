"""Declares the fields that services and images share: those that describe the container.

Half of the file is help texts.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, Optional, Tuple, Union

from pants.engine.addresses import Address
from pants.engine.target import (
    BoolField,
    DictStringToStringField,
    Field,
    InvalidFieldException,
    InvalidFieldTypeException,
    StringField,
    StringSequenceField,
)
from pants.util.strutil import softwrap

from inseam.plan.container import DEFAULT_ENV
from inseam.targets.base import PlatformField

_PORT = re.compile(r"([0-9]{1,5})(/(tcp|udp|sctp))?")


# Directories that the engine replaces, or that are links in the base.
_NOT_WRITABLE = {"bin", "dev", "lib", "lib64", "proc", "root", "run", "sbin", "sys", "tmp"}

_USER = re.compile(r"[0-9]+(:[0-9]+)?")
_LARGEST_ID = (1 << 31) - 1  # runc and Docker take no larger one

# Linux' limits for execve: bytes of one string (MAX_ARG_STRLEN, with its NUL), and of all strings.
_LONGEST_STRING = (1 << 17) - 1
_LONGEST_STRINGS = 1 << 20


def check_strings(field: type[Field], strings: Iterable[str], address: Address) -> None:
    """Raises InvalidFieldException for arguments or variables that no process can receive."""
    total = 0
    for text in strings:
        size = len(text.encode("utf-8", "surrogateescape"))
        total += size + 1
        problem = None
        if "\0" in text:
            problem = f"has a NUL character: {text[:80]!r}"
        elif size > _LONGEST_STRING or total > _LONGEST_STRINGS:
            problem = (
                f"is too long: one string may have {_LONGEST_STRING:,} bytes, all together"
                f" {_LONGEST_STRINGS:,}, as no process can be started with more"
            )
        if problem:
            raise InvalidFieldException(f"The `{field.alias}` field in target {address} {problem}.")


class CommandField(StringSequenceField):
    """A command, or arguments, in exec form."""

    alias = "_command"
    help = "A command in exec form."

    @classmethod
    def compute_value(cls, raw_value: Optional[Iterable[str]], address: Address) -> Any:
        value = super().compute_value(raw_value, address)
        check_strings(cls, value or (), address)
        return value


class InitField(BoolField):
    alias = "init"
    default = False
    help = softwrap(
        """
        If true, the container's first process is tini, an init that forwards signals and reaps
        orphaned processes. Use it for services that do not do this themselves. The base must
        contain tini: for a `debian_base`, add `init` to its `groups`.
        """
    )


class ServiceBaseField(StringField):
    alias = "base"
    help = softwrap(
        """
        Address of the base, a `debian_base` or a `registry_base`. Default: the option
        `[inseam].base`.
        """
    )


class PortsField(Field):
    alias = "ports"
    default = ()
    value: Tuple[str, ...]
    help = softwrap(
        """
        Ports that the service listens on: numbers such as `8000`, or strings such as `"53/udp"`.
        The image declares them (EXPOSE); this does not publish them.
        """
    )

    @classmethod
    def compute_value(
        cls, raw_value: Optional[Iterable[Union[int, str]]], address: Address
    ) -> Tuple[str, ...]:
        value = super().compute_value(raw_value, address)
        if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
            raise InvalidFieldTypeException(
                address, cls.alias, raw_value, expected_type="a list of port numbers"
            )
        ports = []
        for port in value:
            match = None if isinstance(port, bool) else _PORT.fullmatch(str(port))
            if match is None or not 0 < int(match[1]) < 65536:
                raise InvalidFieldException(
                    f"The `{cls.alias}` field in target {address} must be a list of ports from 1 to"
                    f" 65535, such as 8000 or '53/udp', but contains {port!r}."
                )
            ports.append(str(port))
        return tuple(ports)


class EnvField(DictStringToStringField):
    alias = "env"
    help = softwrap(
        """
        Environment variables of the container. Do not put secrets here: anyone who has the image
        can read them.

        Every image sets PATH and VIRTUAL_ENV for /opt/venv, PYTHONDONTWRITEBYTECODE=1,
        PYTHONUNBUFFERED=1, TZ=UTC, LANG=C.UTF-8 and LC_ALL=C.UTF-8. Variables given here are added,
        and replace those with the same names. Values are used as they are: `$NAME` is not expanded.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[Dict[str, str]], address: Address) -> Any:
        value = super().compute_value(raw_value, address)
        for name, text in (value or {}).items():
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or re.search(r"[\0\n\r]", text):
                raise InvalidFieldException(
                    f"The `{cls.alias}` field in target {address} has an invalid variable {name!r}."
                    " A name may contain letters, digits and underscores, and must not start with"
                    " a digit. A value must be a single line."
                )
            if name == "PATH" and re.search(r"\$\{?PATH\b", text):
                raise InvalidFieldException(
                    f"The `{cls.alias}` field in target {address} sets PATH to {text!r}, but"
                    " variables in values are not expanded. Write the complete path; the default is"
                    f" {DEFAULT_ENV['PATH']}."
                )
        check_strings(cls, (f"{name}={text}" for name, text in (value or {}).items()), address)
        return value


class UserField(StringField):
    alias = "user"
    default = "65532:65532"
    value: str
    help = softwrap(
        """
        Numeric user ID, or `user:group`, that the container runs as. It must be numeric so that
        Kubernetes can verify that it is not root (`runAsNonRoot`). In a `debian_base`, the default
        user is named `nonroot`, and the field `users` gives other numbers a name and a home.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is not None and not _USER.fullmatch(value):
            raise InvalidFieldException(
                f"The `{cls.alias}` field in target {address} must be numeric, such as"
                f" '65532:65532', but was {value!r}. To give a number a name, set `users` of the"
                " `debian_base`."
            )
        if value is not None and any(int(part) > _LARGEST_ID for part in value.split(":")):
            raise InvalidFieldException(
                f"The `{cls.alias}` field in target {address} must be numeric IDs up to"
                f" {_LARGEST_ID}, the largest that container engines accept, but was {value!r}."
            )
        return value


class WorkingDirField(StringField):
    alias = "working_dir"
    help = "Absolute path of the directory in which the command runs. Default: that of the base."

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is not None:
            _check_directory(cls.alias, value, address)
        return value


class ServiceWorkingDirField(WorkingDirField):
    default = "/app"
    value: str
    help = "Absolute path of the directory in which the service runs."


class AllowedFindingsField(DictStringToStringField):
    alias = "allowed_findings"
    help = softwrap(
        """
        Findings about the image that `package` does not report, each with a reason. A key is the ID
        of a finding, or its ID and place, such as `{"missing-library:libtbb.so.*": "numba has
        another threading layer"}`. docs/findings.md lists the IDs. An entry that matches no finding
        is itself reported.
        """
    )


class WritableDirsField(StringSequenceField):
    alias = "writable_dirs"
    default = ()
    value: Tuple[str, ...]
    help = softwrap(
        """
        Absolute paths of directories that the service writes to. The image contains them as empty
        directories, owned by `user` and group 0 with mode 0770, so that OpenShift's arbitrary
        users, which are in group 0, can also write to them.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[Iterable[str]], address: Address) -> Any:
        value = super().compute_value(raw_value, address) or ()
        for path in value:
            _check_directory(cls.alias, path, address)
            if path.split("/")[1] in _NOT_WRITABLE:
                raise InvalidFieldException(
                    f"The `{cls.alias}` field in target {address} must not contain {path!r}: give"
                    " the container a tmpfs or a volume there when you run it."
                )
        return value


class VolumesField(StringSequenceField):
    alias = "volumes"
    default = ()
    value: Tuple[str, ...]
    help = softwrap(
        """
        Absolute paths that the image declares as volumes. For each container, engines create a
        volume there and fill it from the image. If the service writes to a path, list it in
        `writable_dirs`, too.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[Iterable[str]], address: Address) -> Any:
        value = super().compute_value(raw_value, address) or ()
        for path in value:
            _check_directory(cls.alias, path, address)
        return value


class StopSignalField(StringField):
    alias = "stop_signal"
    default = "SIGTERM"
    value: str
    help = "Signal that stops the container, such as `SIGQUIT`."

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is not None and not re.fullmatch(r"SIG[A-Z0-9+-]+|[1-9][0-9]?", value):
            raise InvalidFieldException(
                f"The `{cls.alias}` field in target {address} must be a signal, such as SIGTERM,"
                f" but was {value!r}."
            )
        return value


def _check_directory(alias: str, path: str, address: Address) -> None:
    """Raises InvalidFieldException unless `path` is a plain absolute path below the root."""
    parts = path.split("/")
    if (
        parts[0]
        or len(parts) < 2
        or not re.fullmatch(r"[\w.+@~/-]+", path)
        or (set(parts[1:]) & {"", ".", ".."})
    ):
        raise InvalidFieldException(
            f"The `{alias}` field in target {address} must contain plain absolute paths such as"
            f" '/var/lib/shop', but has {path!r}."
        )


class ServiceArgsField(CommandField):
    alias = "args"
    default = ()
    value: Tuple[str, ...]
    help = "Default arguments of the service (CMD). Arguments given to `docker run` replace them."


class OciPlatformsField(StringSequenceField):
    alias = "platforms"
    default = ()
    value: Tuple[str, ...]
    help = softwrap(
        """
        Platforms to build the OCI image for, such as `["linux/amd64", "linux/arm64"]`. With several
        platforms, the image is an image index. Nothing is emulated: each platform gets the packages
        and wheels that are locked for it. Default: the platform of the base, for which `#image` is
        always built.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[Iterable[str]], address: Address) -> Any:
        value = super().compute_value(raw_value, address) or ()
        unknown = sorted(set(value) - set(PlatformField.valid_choices))
        if unknown or len(set(value)) != len(value):
            raise InvalidFieldException(
                f"The `{cls.alias}` field in target {address} may contain each of"
                f" {', '.join(PlatformField.valid_choices)} once, but was {list(value)!r}."
            )
        return value


class OciCompressionField(StringField):
    alias = "compression"
    default = "gzip"
    value: str
    valid_choices = ("gzip", "zstd")
    help = softwrap(
        """
        Compression of the layers of the OCI image. Every registry and engine supports gzip; zstd is
        smaller and faster, but needs Docker 23 or newer.
        """
    )
