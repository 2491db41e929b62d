"""Rules of the goal `publish`: an OCI image to registries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.core.goals.package import OutputPathField
from pants.core.goals.publish import (
    PublishFieldSet,
    PublishPackages,
    PublishProcesses,
    PublishRequest,
)
from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.process import InteractiveProcess, Process
from pants.engine.rules import collect_rules, rule
from pants.util.logging import LogLevel

from inseam.compat import environment_vars_subset, implicitly
from inseam.rules.dist import in_dist
from inseam.rules.goals.package import packaged_request
from inseam.rules.image import CLIENT_ENV
from inseam.rules.process import CommandRequest, command
from inseam.subsystem import InseamSubsystem
from inseam.targets.container import OciPlatformsField
from inseam.targets.image import OciLayersField, OciRepositoryField, OciSkipPushField


class PublishOciImage(PublishRequest["PublishOciFieldSet"]):
    pass


@dataclass(frozen=True)
class PublishOciFieldSet(PublishFieldSet[PublishOciImage]):
    publish_request_type = PublishOciImage
    required_fields = (OciLayersField, OciRepositoryField, OciSkipPushField)

    platforms: OciPlatformsField
    output_path: OutputPathField
    skip_push: OciSkipPushField


@rule(desc="Push an image", level=LogLevel.DEBUG)
async def publish_oci_image(request: PublishOciImage, inseam: InseamSubsystem) -> PublishProcesses:
    field_set = request.field_set
    image = await in_dist(
        packaged_request(field_set.address, field_set.platforms, field_set.output_path)
    )
    names = image.metadata.references
    if field_set.skip_push.value:
        reason = f"(by `skip_push` on {field_set.address}, or [inseam].publish)"
        return PublishProcesses([PublishPackages(names=names, description=reason)])
    env = await environment_vars_subset(EnvironmentVarsRequest(CLIENT_ENV), **implicitly())
    prepared = await command(
        CommandRequest(
            ("push", f"--timeout={inseam.registry_timeout}", image.layout), image.python_version
        ),
        **implicitly(),
    )
    argv = [part.replace("{chroot}/", "") for part in prepared.argv]
    process = InteractiveProcess.from_process(
        Process(
            argv,
            description=f"Push {', '.join(names)}",
            input_digest=prepared.digest,
            env={**env, "PYTHONUNBUFFERED": "1"},
        )
    )
    return PublishProcesses([PublishPackages(names=names, process=process)])


def rules() -> list[Any]:
    return [*collect_rules(), *PublishOciFieldSet.rules()]
