"""Writes the generated part of docs/reference.md from the help texts of targets and options.

Run it from the root of the repository: ./pants run tests/docs/reference.py
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pants.backend.docker.registries import ALL_DEFAULT_REGISTRIES
from pants.engine.target import COMMON_TARGET_FIELDS, Field, Target, TargetGenerator
from pants.engine.unions import UnionMembership
from pants.help.help_info_extracter import TargetFieldHelpInfo
from pants.option.option_types import collect_options_info
from pants.option.subsystem import Subsystem

from inseam.register import target_types
from inseam.rules.goals.debian import CheckSubsystem, VendorSubsystem
from inseam.rules.goals.rebase import RebaseSubsystem
from inseam.rules.goals.test import ContainerStructureTest
from inseam.subsystem import InseamSubsystem

PAGE = Path("docs/reference.md")
BEGIN = "<!-- Generated from the help texts by tests/docs/reference.py: do not edit. -->\n"
END = "<!-- End of the generated part. -->\n"

OPTIONS: tuple[type[Subsystem], ...] = (
    InseamSubsystem,
    RebaseSubsystem,
    VendorSubsystem,
    CheckSubsystem,
    ContainerStructureTest,
)


def page(old: str) -> str:
    """The page with its generated part as the help texts are now."""
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE} has lost the comments around its generated part.")
    generated = "\n".join([*_targets(), *_options()])
    return f"{before}{BEGIN}\n{generated}\n{END}{after}"


def _targets() -> Iterator[str]:
    # `docker_image`, which Inseam registers, too, is Pants' own.
    own = [target for target in target_types() if target.__module__.startswith("inseam.")]
    public = [target for target in own if not target.alias.startswith("_")]
    for target in sorted(public, key=lambda target: target.alias):
        yield f"## {target.alias}\n"
        yield f"{str(target.help).strip()}\n"
        yield from _table("field", (_field_row(field) for field in _fields(target)))


def _fields(target: type[Target]) -> Iterator[type[Field]]:
    """The public fields of a target, but for those that every target has."""
    fields = list(target.class_field_types(UnionMembership({})))
    if issubclass(target, TargetGenerator):
        fields += target.moved_fields
    common = {field.alias for field in COMMON_TARGET_FIELDS}
    for field in sorted(fields, key=lambda field: (not field.required, field.alias)):
        if not field.alias.startswith("_") and field.alias not in common:
            yield field


def _field_row(field: type[Field]) -> tuple[str, str, str]:
    text = TargetFieldHelpInfo.create(field, provider="").description or ""
    if not field.__module__.startswith("inseam."):
        # A field of Pants: its help has all details.
        text = text.strip().partition("\n\n")[0]
    return field.alias, "required" if field.required else _default(field.default), text


def _options() -> Iterator[str]:
    for subsystem in OPTIONS:
        yield f"## [{_scope(subsystem)}]\n"
        yield f"{str(subsystem.help).strip()}\n"
        rows = []
        for option in collect_options_info(subsystem):
            name = option.flag_names[-1].lstrip("-").replace("-", "_")
            fields = option.flag_options
            rows.append((name, _default(fields.get("default")), str(fields["help"])))
        yield from _table("option", sorted(rows))


def _scope(subsystem: Any) -> str:
    return str(getattr(subsystem, "options_scope", None) or subsystem.name)


def _default(value: Any) -> str:
    value = getattr(value, "value", value)
    if value is None or value in ("", (), [], {}):
        return ""
    if value == (ALL_DEFAULT_REGISTRIES,):
        return "those with `default = true`"
    if isinstance(value, (tuple, list)):
        value = "[" + ", ".join(f'"{getattr(item, "value", item)}"' for item in value) + "]"
    return f"`{value}`"


def _table(head: str, rows: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    yield f"| {head} | default | |"
    yield "| --- | --- | --- |"
    for name, default, text in rows:
        line = re.sub(r"\s+", " ", text).strip().replace("|", "\\|")
        yield f"| `{name}` | {default} | {line} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
