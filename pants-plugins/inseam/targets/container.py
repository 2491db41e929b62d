"""Declares what a service and an image both say of the container: fields that they share."""

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

from inseam.targets.base import PlatformField

_PORT = re.compile(r"([0-9]{1,5})(/(tcp|udp|sctp))?")


_USER = re.compile(r"[0-9]+(:[0-9]+)?")


class InitField(BoolField):
    alias = "init"
    default = False
    help = softwrap(
        """
        Whether the container's first process is an init, tini, that passes signals on and reaps
        orphans, for services that don't do that themselves. The base must have it: a
        `debian_base` with `init` among its `groups`.
        """
    )


class ServiceBaseField(StringField):
    alias = "base"
    help = softwrap(
        """
        Address of the base, a `debian_base` or `registry_base`. Default: the option
        `[inseam].base`.
        """
    )


class PortsField(Field):
    alias = "ports"
    default = ()
    value: Tuple[str, ...]
    help = softwrap(
        """
        Ports on which the service listens, numbers like `8000` or strings like `"53/udp"`. They
        are documented by EXPOSE; nothing is published by itself.
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
                    f"The `{cls.alias}` field in target {address} must hold port numbers from 1 to"
                    f" 65535, as 8000 or '53/udp', but has {port!r}."
                )
            ports.append(str(port))
        return tuple(ports)


class EnvField(DictStringToStringField):
    alias = "env"
    help = softwrap(
        """
        Environment variables of the container. Not for secrets: anyone who has the image can read
        them. They are added to those that every image has, or replace them: PATH and VIRTUAL_ENV
        of /opt/venv, PYTHONDONTWRITEBYTECODE=1, PYTHONUNBUFFERED=1, TZ=UTC, LANG=C.UTF-8 and
        LC_ALL=C.UTF-8.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[Dict[str, str]], address: Address) -> Any:
        value = super().compute_value(raw_value, address)
        for name, text in (value or {}).items():
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or re.search(r"[\0\n\r]", text):
                raise InvalidFieldException(
                    f"The `{cls.alias}` field in target {address} has {name!r}, whose name or"
                    " value no image can hold: names are letters, digits and underscores, values"
                    " are one line."
                )
        return value


class UserField(StringField):
    alias = "user"
    default = "65532:65532"
    value: str
    help = softwrap(
        """
        Numeric user, or `user:group`, that the container runs as. Numeric, so that Kubernetes can
        see that it is not root (`runAsNonRoot`).
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is not None and not _USER.fullmatch(value):
            raise InvalidFieldException(
                f"The `{cls.alias}` field in target {address} must be numeric, as '65532:65532',"
                f" but was {value!r}."
            )
        return value


class ServiceArgsField(StringSequenceField):
    alias = "args"
    default = ()
    value: Tuple[str, ...]
    help = "Arguments of the service, which those of `docker run` replace (CMD)."


class OciPlatformsField(StringSequenceField):
    alias = "platforms"
    default = ()
    value: Tuple[str, ...]
    help = softwrap(
        """
        Platforms to make the OCI image for, like `["linux/amd64", "linux/arm64"]`; more than one
        become an image index. Nothing is emulated: each has the packages and wheels that are
        locked for it. Default: the platform of the base, for which `#image` always is.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[Iterable[str]], address: Address) -> Any:
        value = super().compute_value(raw_value, address) or ()
        unknown = sorted(set(value) - set(PlatformField.valid_choices))
        if unknown or len(set(value)) != len(value):
            raise InvalidFieldException(
                f"The `{cls.alias}` field in target {address} may hold each of"
                f" {', '.join(PlatformField.valid_choices)} once, but is {list(value)!r}."
            )
        return value


class OciCompressionField(StringField):
    alias = "compression"
    default = "gzip"
    value: str
    valid_choices = ("gzip", "zstd")
    help = softwrap(
        """
        How the layers of the OCI image are compressed. Every registry and engine reads gzip; zstd
        is smaller and faster, for Docker from version 23 on.
        """
    )
