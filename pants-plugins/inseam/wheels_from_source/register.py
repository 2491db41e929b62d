"""Registers the building of wheels from sources with Pants."""

from __future__ import annotations

from typing import Any

from pants.engine.target import Target

from inseam.wheels_from_source import build, checks, dependencies, requirements, sources, tools
from inseam.wheels_from_source.targets import WheelFromSourceTarget


def target_types() -> list[type[Target]]:
    return [WheelFromSourceTarget]


def rules() -> list[Any]:
    modules: tuple[Any, ...] = (build, checks, dependencies, requirements, sources, tools)
    return [rule for module in modules for rule in module.rules()]
