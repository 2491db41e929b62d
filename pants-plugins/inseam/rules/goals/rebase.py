"""The goal `rebase`: puts the layers of packaged images on another base, without a build."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.core.goals.package import OutputPathField
from pants.core.util_rules.distdir import DistDir
from pants.engine.console import Console
from pants.engine.goal import Goal, GoalSubsystem
from pants.engine.rules import collect_rules, goal_rule
from pants.engine.target import FieldSet, Targets
from pants.option.option_types import BoolOption, StrListOption, StrOption
from pants.util.strutil import softwrap

from inseam.compat import implicitly
from inseam.formats.failure import Failure
from inseam.rules.base.base import BaseRequest, find_base
from inseam.rules.goals.package import layout_path
from inseam.rules.image.dist import rebase_layout
from inseam.subsystem import InseamSubsystem
from inseam.targets.image import OciLayersField, OciRepositoryField


@dataclass(frozen=True)
class RebaseFieldSet(FieldSet):
    required_fields = (OciLayersField, OciRepositoryField)

    output_path: OutputPathField


class RebaseSubsystem(GoalSubsystem):
    name = "rebase"
    help = softwrap(
        """
        Put the layers of packaged images on another base, changing only metadata.

        If a full build on the new base would make the same layers, the result is byte for byte the
        image that this build would make. The images are those of the given `oci_image` targets, as
        `package` wrote them to `dist`, and the layouts in `--rebase-layouts`.
        """
    )

    base = StrOption(
        default=None,
        help=softwrap(
            """
            Address of the new base, a `debian_base` or a `registry_base`. Default: the option
            `[inseam].base`.
            """
        ),
    )
    layouts = StrListOption(
        help=softwrap(
            """
            Further OCI image layouts to rebase in place, as paths from the root of the repository.
            """
        ),
    )
    dry_run = BoolOption(
        default=False, help="Print what would change and which layers are new; write nothing."
    )
    output = StrOption(
        default=None,
        help=softwrap(
            """
            Where to write the rebased image, as a path from the root of the repository. Only
            allowed for a single image. Default: replace the image's layout.
            """
        ),
    )


class Rebase(Goal):
    subsystem_cls = RebaseSubsystem
    environment_behavior = Goal.EnvironmentBehavior.LOCAL_ONLY


@goal_rule
async def rebase_images(
    targets: Targets,
    console: Console,
    options: RebaseSubsystem,
    inseam: InseamSubsystem,
    dist_dir: DistDir,
) -> Rebase:
    field_sets = [
        RebaseFieldSet.create(target) for target in targets if RebaseFieldSet.is_applicable(target)
    ]
    layouts = [
        *options.layouts,
        *(f"{dist_dir.relpath}/{layout_path(one.output_path)}" for one in field_sets),
    ]
    spec = options.base or inseam.base
    if not spec:
        raise Failure("No base is set. Name the new one: --rebase-base=//docker/base:debian")
    if not layouts:
        raise Failure(
            "There is nothing to rebase. Name an `oci_image`, as in `./pants rebase"
            " src/python/service:app#oci`, or a layout with --rebase-layouts=PATH."
        )
    if options.output and len(layouts) > 1:
        raise Failure(
            f"--rebase-output takes one image, but {len(layouts)} are given. Rebase them one by"
            " one, or leave the option out to replace their layouts."
        )
    base = await find_base(BaseRequest(spec, None), **implicitly())
    for layout in layouts:
        report = await rebase_layout(layout, base, options.output or layout, options.dry_run)
        console.print_stdout(report)
    return Rebase(exit_code=0)


def rules() -> list[Any]:
    return [*collect_rules()]
