"""Changes to Pants itself, each with the versions that need it."""

from __future__ import annotations

import re
from typing import Any, Callable

from pants.engine.target import FieldSet, Target

from inseam.compat.versions import CALL_BY_NAME


def patch_image_id_parser(package_image: Any) -> None:
    """Makes Pants find the ID of each image that BuildKit writes.

    If writing takes more than 10 ms, BuildKit adds the time to its line: `writing image sha256:...
    0.1s done`. Pants 2.17 does not recognise that line and uses the ID "<unknown>", so that tests
    of the image are cached whatever is in it. Does nothing on versions of Pants that recognise it.

    package_image: the module `pants.backend.docker.goals.packaged_image`.
    """
    if CALL_BY_NAME:
        return
    parse = package_image.parse_image_id_from_docker_build_output
    if parse(b"#1 writing image sha256:0 0.1s done") == "sha256:0":
        return

    def parse_whatever_the_time(*outputs: bytes) -> str:
        line = rb"(writing image sha256:\w+) [0-9.]+s done"
        return str(parse(*(re.sub(line, rb"\1 done", output) for output in outputs)))

    package_image.parse_image_id_from_docker_build_output = parse_whatever_the_time


def leave_to_inseam(field_set: type[FieldSet], left: Callable[[Target], bool]) -> None:
    """Makes a field set of Pants, and so a goal, skip the targets for which `left` is true.

    Otherwise, targets with fields of Pants' own targets, which they have so that Pants finds or
    builds their code, would be part of every goal for those targets.
    """
    opt_out = field_set.opt_out
    if getattr(opt_out, "left_to_inseam", False):
        return

    def opt_out_too(cls: type[FieldSet], target: Target) -> bool:
        return left(target) or bool(opt_out(target))

    opt_out_too.left_to_inseam = True  # type: ignore[attr-defined]
    field_set.opt_out = classmethod(opt_out_too)  # type: ignore[assignment]
