from __future__ import annotations

from typing import Any

from inseam.rules.image.contents_testing import contents, digest, wheel
from inseam.rules.rule_testing import run_mocked
from inseam.rules.wheels.wheels import BuiltWheel
from inseam.wheels_from_source.checks import BuildCheck, check_builds


def test_builds_without_confinement_are_named() -> None:
    built: dict[str, Any] = {
        "of": BuiltWheel,
        "source": "x.tar.gz",
        "digest": digest("4"),
        "size": 1,
    }
    image = contents(
        wheel("fetched"), wheel("quiet", **built), wheel("loud", messages="not confined.", **built)
    )
    (finding,) = run_mocked(check_builds, [BuildCheck(image)], {}).findings
    assert str(finding) == "src/shop:app: loud: not confined. [unconfined-build:loud]"
