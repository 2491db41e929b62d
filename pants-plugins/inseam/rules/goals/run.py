"""Rules of the goal `run`: an OCI image in Docker or podman."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.core.goals.package import OutputPathField
from pants.core.goals.run import RunFieldSet, RunInSandboxBehavior, RunRequest
from pants.engine.rules import collect_rules
from pants.util.logging import LogLevel

from inseam.compat import implicitly, rule
from inseam.rules.goals.package import packaged_request
from inseam.rules.image.dist import in_dist
from inseam.rules.programs.host import CommandRequest, command
from inseam.targets.container import OciPlatformsField
from inseam.targets.image import OciLayersField, OciRepositoryField


@dataclass(frozen=True)
class RunOciFieldSet(RunFieldSet):
    required_fields = (OciLayersField, OciRepositoryField)
    run_in_sandbox_behavior = RunInSandboxBehavior.NOT_SUPPORTED

    platforms: OciPlatformsField
    output_path: OutputPathField


@rule(level=LogLevel.DEBUG)
async def run_oci_image(field_set: RunOciFieldSet) -> RunRequest:
    image = await in_dist(
        packaged_request(field_set.address, field_set.platforms, field_set.output_path)
    )
    prepared = await command(CommandRequest(("run_image", image.layout)), **implicitly())
    return RunRequest(digest=prepared.digest, args=prepared.argv)


def rules() -> list[Any]:
    return [*collect_rules(), *RunOciFieldSet.rules()]
