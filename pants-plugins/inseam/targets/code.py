"""Declares what stands for the code of a program: an internal `pex_binary` that is not packaged."""

from __future__ import annotations

from pants.backend.python.target_types import PexBinary
from pants.engine.target import Target

from inseam.targets.named_modules import NamedModulesField


class ServiceCodeTarget(Target):
    alias = "_service_code"
    # Pants finds the entry point's module, and what that imports, by these fields.
    core_fields = (*PexBinary.core_fields, NamedModulesField)
    help = "The code of a program of a `python_service`: what its layers are made from."
