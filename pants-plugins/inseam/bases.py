"""Rules that find a base and make its root filesystem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.rules import collect_rules, rule
from pants.engine.target import WrappedTargetRequest

from inseam.compat import by_name, implicitly, resolve_target, resolve_unparsed_address_inputs
from inseam.plan.platform import Platform
from inseam.program import InseamError
from inseam.target_types import (
    GlibcVersionField,
    InterpreterField,
    PlatformField,
    PythonVersionField,
)


@dataclass(frozen=True)
class BaseRequest:
    """The base with the address `spec`, as the target `wanted_by` names it."""

    spec: str
    wanted_by: Address


@dataclass(frozen=True)
class Base:
    """What layers have to know of a base: nothing that changes when only its packages do."""

    platform: Platform
    interpreter: str

    @property
    def minor(self) -> str:
        """CPython's minor version, as "3.11"."""
        return ".".join(map(str, self.platform.minor))


@rule
async def resolve_base(request: BaseRequest) -> Base:
    addresses = await resolve_unparsed_address_inputs(
        UnparsedAddressInputs(
            [request.spec],
            owning_address=request.wanted_by,
            description_of_origin=f"the `base` of {request.wanted_by}",
        ),
        **implicitly(),
    )
    wrapped = await resolve_target(
        WrappedTargetRequest(addresses[0], description_of_origin="a base"), **implicitly()
    )
    base = wrapped.target
    if not base.has_field(InterpreterField):
        raise InseamError(
            f"The base {base.address} of {request.wanted_by} is a `{base.alias}`, but must be a"
            " `debian_base` or `registry_base`."
        )
    major, minor = base[GlibcVersionField].value.split(".")
    return Base(
        Platform(
            architecture=base[PlatformField].value.split("/")[1],
            python=base[PythonVersionField].value,
            glibc=(int(major), int(minor)),
        ),
        base[InterpreterField].value,
    )


find_base = by_name(resolve_base)


def rules() -> list[Any]:
    return collect_rules()
