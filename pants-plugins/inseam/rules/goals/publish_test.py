"""What the goal `publish` skips before it packages anything, where Pants asks."""

from __future__ import annotations

from typing import Any

import pytest
from pants.backend.docker.subsystems.docker_options import DockerOptions
from pants.engine.addresses import Address
from pants.engine.target import WrappedTarget
from pants.testutil.option_util import create_subsystem

from inseam.compat import PUBLISH_ASKS_FIRST, resolve_target
from inseam.rules.goals import publish
from inseam.rules.rule_testing import run_mocked
from inseam.subsystem import InseamSubsystem, PublishedImage
from inseam.targets.image import OciImageTarget

ADDRESS = Address("src/shop", target_name="app", generated_name="oci")


def image(skip_push: bool) -> OciImageTarget:
    return OciImageTarget(
        {"layers": ["//:x"], "base": "//:b", "skip_push": skip_push, "repository": "shop"}, ADDRESS
    )


def asked(skip_push: bool) -> Any:
    """What the rule answers for an image, without any rule that packages."""
    target = image(skip_push)
    field_set: Any = publish.PublishOciFieldSet.create(target)
    request = field_set.check_skip_request(field_set)
    inseam = create_subsystem(InseamSubsystem, publish=PublishedImage.oci)
    options = create_subsystem(DockerOptions, registries={}, default_repository="{name}")
    return run_mocked(
        publish.skip_oci_image,
        [request, options, inseam],
        {resolve_target: lambda _: WrappedTarget(target)},
    )


@pytest.mark.skipif(not PUBLISH_ASKS_FIRST, reason="this Pants packages first")
def test_an_image_that_is_not_pushed_is_not_packaged() -> None:
    answer = asked(skip_push=True)
    assert answer.skip_package
    (skipped,) = answer.skipped_packages
    assert skipped.names == ("shop:latest",)
    assert "(by `skip_push` on src/shop:app)" in skipped.description


@pytest.mark.skipif(not PUBLISH_ASKS_FIRST, reason="this Pants packages first")
def test_an_image_that_is_pushed_is_packaged() -> None:
    assert not asked(skip_push=False).skip_package


@pytest.mark.skipif(PUBLISH_ASKS_FIRST, reason="this Pants asks")
def test_older_pants_is_told_that_there_is_nothing_to_ask() -> None:
    field_set: Any = publish.PublishOciFieldSet.create(image(skip_push=True))
    assert field_set.check_skip_request(field_set) is None
