"""Declares the fields for how containers are probed."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Optional, TypeVar

from pants.engine.addresses import Address
from pants.engine.target import Field, InvalidFieldException, InvalidFieldTypeException
from pants.util.strutil import softwrap

from inseam.plan.health import DeclaredProbes, HealthOptions, parse_health_options, parse_probes

_Parsed = TypeVar("_Parsed", HealthOptions, DeclaredProbes)


def read_health_options(alias: str, raw: Any, address: Address) -> HealthOptions:
    """Raises InvalidFieldException, naming the field, for a value that cannot be used."""
    return _read(parse_health_options, alias, raw, address)


def read_probes(alias: str, raw: Any, address: Address) -> DeclaredProbes:
    """Raises InvalidFieldException, naming the field, for a value that cannot be used."""
    return _read(parse_probes, alias, raw, address)


def _read(
    parse: Callable[[Mapping[str, Any]], _Parsed], alias: str, raw: Any, address: Address
) -> _Parsed:
    try:
        return parse(_mapping(alias, raw, address))
    except ValueError as error:
        raise InvalidFieldException(f"The `{alias}` field in target {address} {error}.") from None


def _mapping(alias: str, raw: Any, address: Address) -> Mapping[str, Any]:
    if isinstance(raw, (HealthOptions, DeclaredProbes)):
        return raw._asdict()  # of a generated target
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        raise InvalidFieldTypeException(address, alias, raw, expected_type="a dictionary")
    return raw


class HealthcheckOptionsField(Field):
    alias = "healthcheck_options"
    default = None
    value: HealthOptions
    help = softwrap(
        """
        How the health check runs, such as `{"start_period": 60, "interval": 30}`. In seconds:
        `interval` (default 10), `timeout` (2), `start_period` (5), in which failures do not count;
        `retries` (3) is the number of failures that make a container unhealthy. For a
        `healthcheck_path` also: `host` (the Host header, default `localhost`), `scheme` (`http` or
        `https`, without verifying the certificate), `method` (default `GET`), and `status`, a
        number or a list of numbers, instead of 200 to 399. The probes in `container.yaml` follow
        from the same values.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[Any], address: Address) -> HealthOptions:
        return read_health_options(cls.alias, super().compute_value(raw_value, address), address)


class ProbesField(Field):
    alias = "probes"
    default = None
    value: DeclaredProbes
    help = softwrap(
        """
        The paths that Kubernetes requests, for `container.yaml`: `startup`, `readiness` and
        `liveness`, such as `{"readiness": "/ready"}`. Default: the `healthcheck_path`, or the
        command of the health check. With `"exec": True`, the health check runs in the container
        instead, with `--path` and the path, if there is one; so it does for a `method` or `status`
        that Kubernetes cannot request or expect, and for a service that listens on its loopback
        interface only.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[Any], address: Address) -> DeclaredProbes:
        return read_probes(cls.alias, super().compute_value(raw_value, address), address)
