"""Rules of the goal `publish`: pushes OCI images to registries.

The `#image` of a service whose `#oci` is pushed is skipped. The reason is printed here, because
Pants would name the field `skip_push`, which is not set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.backend.docker.goals.publish import PublishDockerImageFieldSet
from pants.backend.docker.subsystems.docker_options import DockerOptions
from pants.core.goals.package import OutputPathField, PackageFieldSet
from pants.core.goals.publish import (
    PublishFieldSet,
    PublishPackages,
    PublishProcesses,
    PublishRequest,
)
from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.process import InteractiveProcess, Process
from pants.engine.rules import collect_rules
from pants.engine.target import Target, WrappedTargetRequest
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from inseam.compat import (
    PUBLISH_ASKS_FIRST,
    environment_vars_subset,
    implicitly,
    resolve_target,
    rule,
)
from inseam.compat.patches import leave_to_inseam
from inseam.rules.base.pulled import CLIENT_ENV
from inseam.rules.generate.base import service_of
from inseam.rules.goals.package import packaged_request
from inseam.rules.image.dist import in_dist
from inseam.rules.image.names import image_references
from inseam.rules.programs.host import CommandRequest, command
from inseam.subsystem import InseamSubsystem, PublishedImage
from inseam.targets.container import OciPlatformsField
from inseam.targets.image import OciLayersField, OciRepositoryField, OciSkipPushField
from inseam.targets.service import PublishedInsteadField


class PublishOciImage(PublishRequest["PublishOciFieldSet"]):
    pass


@dataclass(frozen=True)
class PublishOciFieldSet(PublishFieldSet[PublishOciImage]):
    publish_request_type = PublishOciImage
    required_fields = (OciLayersField, OciRepositoryField, OciSkipPushField)

    platforms: OciPlatformsField
    output_path: OutputPathField
    skip_push: OciSkipPushField

    def skip_reason(self, inseam: InseamSubsystem) -> str:
        """Why it is not pushed: the option or field that the user set."""
        if inseam.publish != PublishedImage.oci:
            return f"(by [inseam].publish = '{inseam.publish.value}')"
        return f"(by `skip_push` on {service_of(self.address)})"

    def check_skip_request(self, package_fs: PackageFieldSet) -> Any:
        """The hook with which newer versions of Pants ask before they package the image."""
        return SkipOciImage(package_fs, self) if PUBLISH_ASKS_FIRST else None


@rule(desc="Push an image", level=LogLevel.DEBUG)
async def publish_oci_image(request: PublishOciImage, inseam: InseamSubsystem) -> PublishProcesses:
    field_set = request.field_set
    image = await in_dist(
        packaged_request(field_set.address, field_set.platforms, field_set.output_path)
    )
    names = image.metadata.references
    if field_set.skip_push.value:
        skipped = PublishPackages(names=names, description=field_set.skip_reason(inseam))
        return PublishProcesses([skipped])
    env = await environment_vars_subset(EnvironmentVarsRequest(CLIENT_ENV), **implicitly())
    prepared = await command(
        CommandRequest(("push", f"--timeout={inseam.registry_timeout}", image.layout)),
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


class PublishSkippedImage(PublishRequest["SkippedImageFieldSet"]):
    pass


@dataclass(frozen=True)
class SkippedImageFieldSet(PublishFieldSet[PublishSkippedImage]):
    publish_request_type = PublishSkippedImage
    required_fields = (PublishedInsteadField,)

    instead: PublishedInsteadField

    @classmethod
    def opt_out(cls, tgt: Target) -> bool:
        return not is_skipped(tgt)

    def skipped(self) -> PublishPackages:
        names = (str(self.address),)
        return PublishPackages(names=names, description=f"({self.instead.value} is published)")

    def check_skip_request(self, package_fs: PackageFieldSet) -> Any:
        """The hook with which newer versions of Pants ask before they build the image."""
        return SkipImage(package_fs, self) if PUBLISH_ASKS_FIRST else None


def is_skipped(target: Target) -> bool:
    """Whether a target is the `#image` of a service whose `#oci` is published."""
    # By name, because the engine may have loaded the field's class a second time.
    return any(
        field.alias == PublishedInsteadField.alias and value.value is not None
        for field, value in target.field_values.items()
    )


@rule(desc="Skip an image", level=LogLevel.DEBUG)
async def publish_skipped_image(request: PublishSkippedImage) -> PublishProcesses:
    return PublishProcesses([request.field_set.skipped()])


if PUBLISH_ASKS_FIRST:
    from pants.core.goals.publish import (  # type: ignore[attr-defined]
        CheckSkipRequest,
        CheckSkipResult,
    )

    @dataclass(frozen=True)
    class SkipOciImage(CheckSkipRequest["PublishOciFieldSet"]):  # type: ignore[misc]
        pass

    @dataclass(frozen=True)
    class SkipImage(CheckSkipRequest["SkippedImageFieldSet"]):  # type: ignore[misc]
        pass

    @rule(desc="Find out why an image is skipped", level=LogLevel.DEBUG)
    async def skip_image(request: SkipImage) -> CheckSkipResult:
        skipped = request.publish_fs.skipped()
        return CheckSkipResult.skip(names=skipped.names, description=skipped.description)

    @rule(desc="Find out whether an image is pushed", level=LogLevel.DEBUG)
    async def skip_oci_image(
        request: SkipOciImage, options: DockerOptions, inseam: InseamSubsystem
    ) -> CheckSkipResult:
        field_set = request.publish_fs
        if not field_set.skip_push.value:
            return CheckSkipResult.no_skip()
        wrapped = await resolve_target(
            WrappedTargetRequest(field_set.address, description_of_origin="an image"),
            **implicitly(),
        )
        names = image_references(wrapped.target, options)
        return CheckSkipResult.skip(names=names, description=field_set.skip_reason(inseam))


def rules() -> list[Any]:
    leave_to_inseam(PublishDockerImageFieldSet, is_skipped)
    asked = []
    if PUBLISH_ASKS_FIRST:
        asked = [UnionRule(CheckSkipRequest, one) for one in (SkipOciImage, SkipImage)]
    sets = (PublishOciFieldSet, SkippedImageFieldSet)
    return [*collect_rules(), *(rule for one in sets for rule in one.rules()), *asked]
