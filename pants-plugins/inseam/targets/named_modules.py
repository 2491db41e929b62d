"""Declares the field with the modules that the environment of a service names."""

from __future__ import annotations

from typing import Tuple

from pants.engine.target import StringSequenceField


class NamedModulesField(StringSequenceField):
    alias = "_named_modules"
    default = ()
    value: Tuple[str, ...]
    help = "Modules that the environment of a service names, such as Django's settings."
