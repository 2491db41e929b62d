"""Declares what a service starts: one program, or several."""

from __future__ import annotations

import re
from typing import Any, Mapping, NamedTuple, Optional, Tuple

from pants.engine.addresses import Address
from pants.engine.target import (
    BoolField,
    Field,
    IntField,
    InvalidFieldException,
    InvalidFieldTypeException,
    StringField,
)
from pants.util.strutil import softwrap

from inseam.formats.python.servers import SERVERS
from inseam.plan.health import DeclaredProbes, HealthOptions, is_path
from inseam.plan.packaging import TAKEN
from inseam.targets.health import read_health_options, read_probes

_FUNCTION = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
_ENTRY_POINT = re.compile(rf"[\w/-][\w./-]*:{_FUNCTION}")
_MODULE = re.compile(r"[\w/-]([\w./-]*[\w-])?")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


def check_function(alias: str, value: Optional[str], address: Address) -> None:
    """Raises InvalidFieldException unless the value is None or names a function."""
    if value is not None and not _ENTRY_POINT.fullmatch(value):
        raise InvalidFieldException(
            f"The `{alias}` field in target {address} must be `module:function`, or"
            f" `file.py:function` for a file next to the BUILD file, but was {value!r}."
        )


def check_entry_point(alias: str, value: Optional[str], address: Address) -> None:
    """Raises InvalidFieldException unless the value is None, or names a function or a module."""
    if value is None or _ENTRY_POINT.fullmatch(value) or _MODULE.fullmatch(value):
        return
    if is_called(value) and _ENTRY_POINT.fullmatch(value[:-2]):
        return
    raise InvalidFieldException(
        f"The `{alias}` field in target {address} must be `module:function`, or `file.py:function`"
        " for a file next to the BUILD file, or one of them without a function to run it as"
        f" `python -m` does, but was {value!r}."
    )


def is_called(entry_point: str) -> bool:
    """Whether an entry point is a call without arguments, as `module:create_app()`."""
    return entry_point.endswith("()")


def check_path(alias: str, value: Optional[str], address: Address) -> None:
    """Raises InvalidFieldException unless the value is None or the path of a URL."""
    if value is not None and not is_path(value):
        raise InvalidFieldException(
            f"The `{alias}` field in target {address} must be a path such as '/health', but was"
            f" {value!r}."
        )


class ServiceEntryPointField(StringField):
    alias = "entry_point"
    help = softwrap(
        """
        What the container runs: `module:function`, or `file.py:function` for a file next to the
        BUILD file. The function is called without arguments, and its return value is the exit
        code. Without `:function`, the module runs as with `python -m`: of a package, its
        `__main__.py`. With `server`, it is the application, such as `shop.api:app`, or a call of a
        function that makes it, such as `shop.api:create_app()`.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        check_entry_point(cls.alias, value, address)
        return value


class ServiceScriptField(StringField):
    alias = "script"
    help = softwrap(
        """
        What the container runs instead of an `entry_point`: a console script of a distribution
        among the service's dependencies, such as `celery`. Its arguments are `args`. Code that it
        loads by name must be among the `dependencies`.
        """
    )


class ServiceServerField(StringField):
    alias = "server"
    valid_choices = SERVERS
    help = softwrap(
        """
        Serves the application that `entry_point` names: an ASGI application with `uvicorn`, a WSGI
        application with `gunicorn`. The server is installed from the service's lock. It reads HOST
        (default 0.0.0.0) and PORT from its environment, and gives requests SHUTDOWN_TIMEOUT seconds
        (default 10) to finish after SIGTERM. `args` are further options of the server.
        """
    )


class ServiceFactoryField(BoolField):
    alias = "factory"
    default = False
    help = softwrap(
        """
        If true, the `entry_point` of the `server` is a function that returns the application. It is
        called without arguments, in each worker. The same as `()` behind the function's name.
        """
    )


class ServiceWorkersField(IntField):
    alias = "workers"
    help = "Number of worker processes of the `server`; WEB_CONCURRENCY overrides it at run time."


class ServiceHealthcheckField(StringField):
    alias = "healthcheck"
    help = softwrap(
        """
        The health check, as `module:function` or `file.py:function`. It must exit with 0 if the
        service is healthy. The image declares it as Docker's HEALTHCHECK, with the times in
        `healthcheck_options`, and contains it as `/opt/venv/bin/healthcheck`, for an exec probe in
        Kubernetes. Without this field, there is no HEALTHCHECK and no `#healthcheck`
        target.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        check_function(cls.alias, value, address)
        return value


class ServiceHealthcheckPathField(StringField):
    alias = "healthcheck_path"
    help = softwrap(
        """
        A path, such as `/health`, instead of a `healthcheck`. The image contains a health check
        that requests this path at the PORT in its environment (default: the first of `ports`, or
        8000) and succeeds if the status is 200 to 399.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        check_path(cls.alias, value, address)
        return value


class ServiceProgram(NamedTuple):
    """A program of a service: the name of its console script, and its fields."""

    name: str
    entry_point: str
    args: Tuple[str, ...] = ()
    healthcheck: Optional[str] = None
    healthcheck_path: Optional[str] = None
    healthcheck_options: HealthOptions = HealthOptions()
    probes: DeclaredProbes = DeclaredProbes()
    server: Optional[str] = None
    factory: bool = False
    """Whether the server calls the entry point to get its application."""

    def with_factory(self) -> ServiceProgram:
        """The program with `factory` instead of `()` behind its entry point."""
        if not is_called(self.entry_point):
            return self
        return self._replace(entry_point=self.entry_point[:-2], factory=True)


class ServiceProgramsField(Field):
    alias = "programs"
    default = ()
    value: Tuple[ServiceProgram, ...]
    help = softwrap(
        """
        Programs of the service by name, such as `{"worker": "shop.worker:main"}`. A value is an
        entry point, or a dictionary with `entry_point` and any of `args`, `healthcheck`,
        `healthcheck_path`, `healthcheck_options`, `probes`, `server` and `factory`, which have the
        same meaning as the fields of the service. Every image of the service contains all programs,
        each as `/opt/venv/bin/<name>`. Each program also has its own image, `#<name>`, which has
        the same layers and starts that program; its repository is the service's with `-<name>`
        appended. `#oci` starts the `entry_point` or, without one, the first program.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Any, address: Address) -> Tuple[ServiceProgram, ...]:
        value = super().compute_value(raw_value, address)
        if not isinstance(value, Mapping):
            if value in ((), None):
                return ()
            raise InvalidFieldTypeException(
                address, cls.alias, raw_value, expected_type="a dictionary of entry points"
            )
        return tuple(cls._program(name, item, address) for name, item in value.items())

    @classmethod
    def _program(cls, name: Any, value: Any, address: Address) -> ServiceProgram:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in TAKEN:
            raise InvalidFieldException(
                f"The `{cls.alias}` field in target {address} has the name {name!r}. Names may"
                " contain lowercase letters, digits, dashes and underscores, and must not be one of"
                f" {', '.join(sorted(TAKEN))}."
            )
        alias = f"{cls.alias}[{name!r}]"
        fields = dict(value) if isinstance(value, Mapping) else {"entry_point": value}
        unknown = sorted(set(fields).difference(ServiceProgram._fields[1:]))
        if unknown or not isinstance(fields.get("entry_point"), str):
            raise InvalidFieldException(
                f"`{alias}` in target {address} must be an entry point, or a dictionary with"
                f" `entry_point` and any of {', '.join(ServiceProgram._fields[2:])}, but was"
                f" {value!r}."
            )
        fields["args"] = tuple(map(str, fields.get("args") or ()))
        for key, read in {
            "healthcheck_options": read_health_options,
            "probes": read_probes,
        }.items():
            fields[key] = read(f"{alias}[{key!r}]", fields.get(key), address)
        check_entry_point(alias, fields["entry_point"], address)
        check_function(f"{alias}['healthcheck']", fields.get("healthcheck"), address)
        check_path(f"{alias}['healthcheck_path']", fields.get("healthcheck_path"), address)
        if fields.get("server") not in (None, *SERVERS):
            raise InvalidFieldException(
                f"The `server` of `{alias}` in target {address} must be one of"
                f" {', '.join(SERVERS)}, but was {fields['server']!r}."
            )
        return ServiceProgram(name, **fields).with_factory()
