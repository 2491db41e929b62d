"""The goal `rebase`: puts the layers of packaged images on another base, without building them."""

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
from inseam.rules.base import BaseRequest, find_base
from inseam.rules.dist import rebase_layout
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
        Put the layers of packaged images on another base, by metadata alone.

        The result is the image that a build on the new base gives, to the byte, if that build makes
        the same layers. The images are those of the `oci_image` targets, as `package` left them in
        the folder of artifacts, or layouts that `--rebase-layouts` names.
        """
    )

    base = StrOption(
        default=None,
        help=softwrap(
            """
            Address of the base to put the images on, a `debian_base` or a `registry_base`. Default:
            the option `[inseam].base`.
            """
        ),
    )
    layouts = StrListOption(
        help=softwrap(
            """
            Paths, from the root of the repository, of OCI image layouts to rebase in place, besides
            those of the targets.
            """
        ),
    )
    dry_run = BoolOption(
        default=False, help="Say what would change, and which layers are new; write nothing."
    )
    output = StrOption(
        default=None,
        help=softwrap(
            """
            Path, from the root of the repository, of the layout to write for a single image. By
            default the layout of the image is replaced.
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
        *(
            f"{dist_dir.relpath}/{one.output_path.value_or_default(file_ending='oci')}"
            for one in field_sets
        ),
    ]
    spec = options.base or inseam.base
    if not spec:
        raise Failure("Say which base to put the images on: --rebase-base=//docker/base:debian")
    if not layouts:
        raise Failure(
            "There is nothing to rebase. Name an `oci_image`, as in ./pants rebase"
            " src/python/service:app#oci, or a layout with --rebase-layouts=PATH."
        )
    if options.output and len(layouts) > 1:
        raise Failure("--rebase-output takes one image, but several are named. Rebase each alone.")
    base = await find_base(BaseRequest(spec, None), **implicitly())
    for layout in layouts:
        report = await rebase_layout(layout, base, options.output or layout, options.dry_run)
        console.print_stdout(report)
    return Rebase(exit_code=0)


def rules() -> list[Any]:
    return [*collect_rules()]
